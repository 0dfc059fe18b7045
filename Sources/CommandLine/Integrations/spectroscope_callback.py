"""Watches a fine-tuning run of PEFT adapters from inside the Hugging Face Trainer, or TRL's trainers.

    from spectroscope_callback import SpectroscopeCallback

    trainer = GRPOTrainer(model=..., args=..., peft_config=..., ...)
    trainer.add_callback(SpectroscopeCallback(trainer, base="models/Qwen2.5-1.5B"))
    trainer.train()

The adapter of step 0 is kept, without which PiSSA and MiLoRA cannot be analysed. After every N optimiser steps, before the
next completions are drawn, the adapter alone is written to a scratch folder and `spectroscope watch --once` measures it. Its
numbers go to the trainer's own reporters as `spectroscope/...`; at an alert training stops.

Where the program is missing, fails or takes too long, training goes on, and the log says so.
"""

import logging
import os
import re
import shutil
import subprocess
from pathlib import Path

import torch
from transformers import Trainer, TrainerCallback

logger = logging.getLogger(__name__)


class SpectroscopeCallback(TrainerCallback):
    """Measures the adapter as training goes on, and stops at an alert.

    trainer: the trainer that it is added to; its reporters get the numbers.
    base:    the folder of the base model, in safetensors.
    every:   optimiser steps from one look to the next. Fast collapses are over after a few.
    stop:    whether an alert stops training; else it is logged alone.
    policy:  a policy file of `spectroscope gate`, for what counts as an alert.
    scratch: the folder to write to; by default `spectroscope` in the trainer's output folder.
    program: the name or path of the binary.
    timeout: seconds that one look may take.
    """

    def __init__(
        self, trainer, base, every=10, stop=True, policy=None, scratch=None, program="spectroscope", timeout=300
    ):
        self.trainer = trainer
        self.base = str(base)
        self.every = every
        self.stop = stop
        self.policy = policy
        self.scratch = Path(scratch or Path(trainer.args.output_dir) / "spectroscope")
        self.program = program
        self.timeout = timeout
        self.alerts = []
        self.problems = set()

    # What the trainer calls

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        if state.is_world_process_zero and state.global_step == 0:
            # Of an earlier run in the same folder nothing is left to compare with.
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.attempt(self.write, model, state)

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step % self.every != 0:
            return
        is_alert = state.is_world_process_zero and bool(self.attempt(self.look, model, state, control))
        if self.stop and self.on_every_process(is_alert, args.device):
            control.should_training_stop = True

    def on_train_end(self, args, state, control, model=None, **kwargs):
        if state.is_world_process_zero and state.global_step % self.every != 0:
            self.attempt(self.look, model, state, control)

    # One look

    def look(self, model, state, control):
        """Writes and measures the adapter, and reports; true at an alert."""
        self.write(model, state)
        metrics = self.scratch / "metrics.txt"
        command = [self.program, "watch", str(self.scratch), "--base", self.base, "--once", "--quiet"]
        command += ["--settling", "0", "--openmetrics", str(metrics)]
        command += ["--policy", str(self.policy)] if self.policy else []
        result = subprocess.run(command, capture_output=True, text=True, timeout=self.timeout)
        if result.returncode not in (0, 1, 2):
            raise RuntimeError(result.stderr.strip() or f"it ended with code {result.returncode}")
        for line in result.stdout.splitlines():
            self.alerts.append(line)
            logger.warning("%s", line)
        try:
            self.report(self.numbers(metrics.read_text()), control)
        except Exception as error:
            # A reporter that fails takes no alert with it.
            self.complain(f"these numbers are not logged: {error}")
        # What has been measured is not needed any more; step 0 is.
        for folder in self.scratch.glob("checkpoint-*"):
            if folder.name not in ("checkpoint-0", f"checkpoint-{state.global_step}"):
                shutil.rmtree(folder, ignore_errors=True)
        return result.returncode == 1

    def write(self, model, state):
        """Writes the adapter and the trainer's log; the folder appears whole or not at all."""
        model = self.trainer.accelerator.unwrap_model(model)
        target = self.scratch / f"checkpoint-{state.global_step}"
        part = self.scratch / f".{target.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        part.mkdir(parents=True)
        model.save_pretrained(part, save_embedding_layers=False)
        state.save_to_json(str(part / "trainer_state.json"))
        os.replace(part, target)

    def report(self, numbers, control):
        """Gives the numbers to the trainer's reporters, beside its own log of this step."""
        should_log = control.should_log
        # Not the trainer's own `log`: TRL's empties the means that it has collected.
        Trainer.log(self.trainer, {f"spectroscope/{name}": value for name, value in numbers.items()})
        control.should_log = should_log

    @staticmethod
    def numbers(text):
        """The gauges of an OpenMetrics text by their names."""
        lines = re.findall(r"^spectroscope_(\w+)\{run=\"(?:[^\"\\]|\\.)*\"\} (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in lines}

    # Several processes, and what may go wrong

    def attempt(self, action, *arguments):
        """Training goes on whatever happens here."""
        try:
            return action(*arguments)
        except Exception as error:
            self.complain(f"training goes on without this look: {error}")

    def complain(self, text):
        """Says it once."""
        problem = f"spectroscope: {text}"
        if problem not in self.problems:
            self.problems.add(problem)
            logger.warning("%s", problem)

    @staticmethod
    def on_every_process(flag, device):
        """What the first process has found, on all of them: if one stopped alone, the others would wait for it."""
        distributed = torch.distributed
        if not (distributed.is_available() and distributed.is_initialized()):
            return flag
        shared = torch.tensor([int(flag)], device=device)
        distributed.broadcast(shared, src=0)
        return bool(shared.item())
