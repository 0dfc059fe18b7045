"""Runs TRL's GRPOTrainer on a small base under the callback that `spectroscope integrate transformers` writes.

    python check_callback.py FOLDER PROGRAM BASE [--rate R] [--steps N] [--method M] [--every N] [--report-only]

FOLDER holds spectroscope_callback.py, and gets the run, which small_grpo.py makes. Each process (torchrun and accelerate start
several) writes FOLDER/rank-N.json: the steps done, the reward of every step, what was logged as spectroscope/..., the alerts,
the looks, the seconds of the run and of the looks, and the norm of every module's change as PEFT's layers have it.
"""

import argparse
import sys
import time
from pathlib import Path

import small_grpo
import torch
from peft.tuners.lora import Linear


def effective_weights(model):
    """W + s·B·A of every module, in float64."""
    return {
        name.removeprefix("base_model.model."): (layer.weight.double() + layer.get_delta_weight("default").double())
        for name, layer in model.named_modules() if isinstance(layer, Linear)
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("program")
    parser.add_argument("base")
    small_grpo.add_options(parser)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--broken-reporter", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(options.folder))
    from spectroscope_callback import SpectroscopeCallback

    trainer = small_grpo.make_trainer(options, options.folder / "out", save_strategy="no")
    callback = SpectroscopeCallback(
        trainer, base=options.base, every=options.every, stop=not options.report_only, program=options.program
    )
    attempts = []
    attempt = callback.attempt

    def timed(action, *arguments):
        began = time.monotonic()
        result = attempt(action, *arguments)
        attempts.append((action.__name__, time.monotonic() - began))
        return result

    callback.attempt = timed
    if options.broken_reporter:
        def fail(*arguments):
            raise ConnectionError("the reporter has gone")
        callback.report = fail
    trainer.add_callback(callback)
    with torch.no_grad():
        start = effective_weights(trainer.model)
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    with torch.no_grad():
        end = effective_weights(trainer.accelerator.unwrap_model(trainer.model))
    logged = [entry for entry in trainer.state.log_history if any(name.startswith("spectroscope/") for name in entry)]
    text = small_grpo.outcome(
        trainer, logged=logged, alerts=callback.alerts, problems=sorted(callback.problems), seconds=seconds,
        look_seconds=sum(took for _, took in attempts), attempts=[name for name, _ in attempts],
        change={name: torch.linalg.norm(end[name] - start[name]).item() for name in start},
        processes=trainer.accelerator.num_processes,
        checkpoints=sorted(path.name for path in callback.scratch.glob("checkpoint-*")),
    )
    (options.folder / f"rank-{trainer.accelerator.process_index}.json").write_text(text)


if __name__ == "__main__":
    main()
