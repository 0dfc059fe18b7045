"""The run of TRL's GRPOTrainer that check_callback.py and check_watch.py train: a small base learns a*b+c.

The way to an answer is written down before it; a reward is the share of right answers.
"""

import json
import os
import random

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


def add_options(parser):
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--method", default="lora", help="lora, or what PEFT takes as init_lora_weights")


def make_trainer(options, output, **arguments):
    """The trainer of the run; of several processes each takes its share of the 64 completions a step."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    torch.manual_seed(0)
    torch.set_num_threads(max(1, 2 // processes))
    tokenizer = AutoTokenizer.from_pretrained(options.base)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    start = True if options.method == "lora" else options.method
    return GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(options.base),
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(output), max_steps=options.steps, learning_rate=options.rate,
            lr_scheduler_type="constant", per_device_train_batch_size=64 // processes, num_generations=8,
            max_completion_length=8, logging_steps=1, report_to="none", beta=0.0, use_cpu=True, seed=0,
            disable_tqdm=True, **arguments,
        ),
        train_dataset=Dataset.from_list(problems(2048, seed=1)),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=4, lora_alpha=8, init_lora_weights=start, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )


def outcome(trainer, **others):
    """What a run came to, as a JSON object: steps done, the reward of every step, and what else there is to say."""
    rewards = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    return json.dumps({"steps": trainer.state.global_step, "rewards": rewards, **others})
