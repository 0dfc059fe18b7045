"""Runs TRL's GRPOTrainer on a small base with nothing of Spectroscope inside but the lines that obey a stop file.

    python check_watch.py FOLDER BASE STOP_FILE [--rate R] [--steps N] [--method M] [--save-steps N]

FOLDER/run is the trainer's own output folder, in which it keeps two checkpoints. Writes FOLDER/outcome.json: the steps done,
the reward of every step, and the seconds that each took.
"""

import argparse
import os
import time
from pathlib import Path

import small_grpo
from transformers import TrainerCallback


class StopFile(TrainerCallback):
    def __init__(self, path):
        self.path = path

    def on_step_end(self, args, state, control, **kwargs):
        if os.path.exists(self.path):
            control.should_training_stop = True


class Clock(TrainerCallback):
    def __init__(self):
        self.times = [time.monotonic()]

    def on_step_end(self, args, state, control, **kwargs):
        self.times.append(time.monotonic())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("base")
    parser.add_argument("stop_file")
    small_grpo.add_options(parser)
    parser.add_argument("--save-steps", type=int, default=1)
    options = parser.parse_args()
    trainer = small_grpo.make_trainer(
        options, options.folder / "run", save_strategy="steps", save_steps=options.save_steps, save_total_limit=2
    )
    clock = Clock()
    trainer.add_callback(StopFile(options.stop_file))
    trainer.add_callback(clock)
    trainer.train()
    seconds = [later - earlier for earlier, later in zip(clock.times, clock.times[1:])]
    kept = sorted(path.name for path in (options.folder / "run").glob("checkpoint-*"))
    (options.folder / "outcome.json").write_text(small_grpo.outcome(trainer, seconds=seconds, checkpoints=kept))


if __name__ == "__main__":
    main()
