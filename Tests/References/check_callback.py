"""Runs TRL's GRPOTrainer on a small base under the callback that `spectroscope integrate transformers` writes.

    python check_callback.py FOLDER PROGRAM BASE [--rate R] [--steps N] [--every N] [--method lora|pissa] [--report-only] [--broken]

FOLDER holds spectroscope_callback.py, and gets the run. The task is a*b+c with its way written down; a reward is the share of
right answers. Prints one JSON object: the steps done, the reward of every step, what was logged as spectroscope/…, the alerts,
and the seconds of the run and of the looks. With --broken the program is one that is not there.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer


def problems(count, seed):
    numbers = random.Random(seed)
    rows = []
    for _ in range(count):
        a, b, c = numbers.randint(10, 99), numbers.randint(2, 9), numbers.randint(10, 99)
        rows.append({"prompt": f"{a}*{b}+{c}=", "answer": str(a * b + c)[::-1]})
    return rows


def reward(completions, answer, **kwargs):
    """1 where what follows the last '>' is the answer, whose digits come from the last to the first."""
    return [float(text.split(";")[0].split(">")[-1] == right) for text, right in zip(completions, answer)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("program")
    parser.add_argument("base")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--method", default="lora")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--broken", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(options.folder))
    from spectroscope_callback import SpectroscopeCallback

    torch.manual_seed(0)
    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(options.base)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    start = {"pissa": "pissa"}.get(options.method, True)
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(options.base),
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(options.folder / "out"), max_steps=options.steps, learning_rate=options.rate,
            lr_scheduler_type="constant", per_device_train_batch_size=64, num_generations=8, max_completion_length=8,
            logging_steps=1, save_strategy="no", report_to="none", beta=0.0, use_cpu=True, seed=0, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(problems(2048, seed=1)),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=4, lora_alpha=8, init_lora_weights=start, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    looks = []
    callback = SpectroscopeCallback(
        trainer, base=options.base, every=options.every, stop=not options.report_only,
        program="no-such-program" if options.broken else options.program,
    )
    look = callback.attempt

    def timed(*arguments):
        began = time.monotonic()
        result = look(*arguments)
        looks.append(time.monotonic() - began)
        return result

    callback.attempt = timed
    trainer.add_callback(callback)
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    history = trainer.state.log_history
    print(json.dumps({
        "steps": trainer.state.global_step,
        "rewards": [entry["reward"] for entry in history if "reward" in entry],
        "logged": [entry for entry in history if any(name.startswith("spectroscope/") for name in entry)],
        "alerts": callback.alerts, "problems": sorted(callback.problems),
        "seconds": seconds, "look_seconds": sum(looks), "looks": len(looks),
        "checkpoints": sorted(path.name for path in callback.scratch.glob("checkpoint-*")),
    }))


if __name__ == "__main__":
    main()
