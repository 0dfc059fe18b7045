"""Writes logs as TRL, transformers, PyTorch and pandas write them, and what a reader must find in them.

    python generate_logs.py

Everything beside this script and README.md is written anew. One minute on two cores.
"""

import hashlib
import json
import math
import os
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import pandas
import tensorboard
import torch
import transformers
import trl
from datasets import Dataset
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.utils.tensorboard import SummaryWriter
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

HERE = Path(__file__).parent
SEED = 20260
SUMMARY = ["train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos", "train_loss"]


def number(value):
    """A number as JSON has it; those that it has not as text."""
    return value if value is None or math.isfinite(value) else str(value)


# MARK: - TRL


class NaNOnce(GRPOTrainer):
    """A trainer that is told a loss of NaN in its third step, behind the gradients, so that the weights stay sound.

    The Trainer's running sum of losses stays NaN from there on, and its log with it.
    """

    def training_step(self, *arguments, **options):
        loss = super().training_step(*arguments, **options)
        return loss * math.nan if self.state.global_step == 2 else loss


def tiny_tokenizer():
    words = {word: index for index, word in enumerate(["<pad>", "<eos>", "<unk>", *"0123456789+="])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left")


def tiny_model(tokenizer):
    torch.manual_seed(SEED)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=32, pad_token_id=0, eos_token_id=1))


def reward_digits(completions, **_):
    """The share of digits."""
    return [sum(c in "0123456789" for c in text) / max(1, len(text)) for text in completions]


def write_trl():
    """A run of GRPO with an evaluation, a loss of NaN, checkpoints, and the log of TensorBoard beside them."""
    tokenizer = tiny_tokenizer()
    tiny_model(tokenizer).save_pretrained("base")
    prompts = Dataset.from_dict({"prompt": [f"{a}+{b}=" for a in range(2) for b in range(2)]})
    arguments = GRPOConfig(
        output_dir="trl", max_steps=6, per_device_train_batch_size=4, num_generations=4, max_completion_length=4,
        learning_rate=1e-2, beta=0.04, logging_steps=1, logging_nan_inf_filter=False, save_steps=3, eval_steps=3,
        eval_strategy="steps", per_device_eval_batch_size=4, report_to="tensorboard", use_cpu=True, seed=SEED,
        disable_tqdm=True)
    trainer = NaNOnce(
        model="base", reward_funcs=reward_digits, args=arguments, train_dataset=prompts,
        eval_dataset=prompts.select(range(2)), processing_class=tokenizer)
    trainer.train()
    trainer.save_state()
    for path in ["trainer_state.json", "checkpoint-3/trainer_state.json", "checkpoint-6/trainer_state.json"]:
        copy("trl/" + path, "trl/" + path)
    events = sorted(Path("trl").glob("**/events.out.tfevents.*"))
    for index, path in enumerate(events):
        copy(path, f"trl/runs/first/events.out.tfevents.{index}.host")
    return expected_history(trainer.state.log_history)


def expected_history(history):
    """The entries by step, as the trainer held them in memory, without those of the final summary."""
    steps = {}
    for entry in history:
        values = {key.replace("/", "_"): number(value) for key, value in entry.items() if key != "step"}
        if "train_runtime" in values:
            values = {key: value for key, value in values.items() if key not in SUMMARY}
        steps.setdefault(entry["step"], {}).update(values)
    return [{"step": step, **values} for step, values in sorted(steps.items())]


# MARK: - TensorBoard


def write_tensorboard():
    """Scalars in all three forms beside other summaries, in two files of which the second goes on at step 5."""
    # TensorBoard takes the first start of a session for no restart, and purges at the second.
    writer = SummaryWriter("tensorboard", purge_step=0, filename_suffix=".first")
    writer.add_text("note", "not a number")
    writer.add_histogram("weights", torch.linspace(-1, 1, 64), 1)
    for step in range(1, 8):
        writer.add_scalar("train/reward", step / 8, step)
        writer.add_scalar("train/kl", 0.25 * step, step, new_style=True)
        writer.add_scalar("train/entropy", 1 / (step + 2), step, new_style=True, double_precision=True)
        writer.add_scalar("eval/reward", step / 16, step)
        writer.add_scalar("train/loss", [0.5, math.nan, math.inf, -math.inf, 0, 0, 0][step - 1], step)
    writer.close()
    writer = SummaryWriter("tensorboard", purge_step=5, filename_suffix=".second")
    for step in range(5, 7):
        writer.add_scalar("train/reward", -step / 8, step)
    writer.close()
    for index, path in enumerate(sorted(Path("tensorboard").iterdir(), key=lambda path: path.suffix)):
        copy(path, f"tensorboard/events.out.tfevents.{index}.host")
    return expected_scalars("tensorboard")


def expected_scalars(folder):
    """What TensorBoard itself finds, by tag and step."""
    events = EventAccumulator(folder, size_guidance={"tensors": 0})
    events.Reload()
    found = {}
    for tag in events.Tags()["tensors"]:
        values = {event.step: make_ndarray(event.tensor_proto) for event in events.Tensors(tag)}
        if all(value.dtype.kind == "f" and value.size == 1 for value in values.values()):
            found[tag] = {step: number(value.item()) for step, value in values.items()}
    return found


# MARK: - Tables


def write_tables():
    """A table by pandas: names and texts in quotes, empty cells for what is missing, infinities in words."""
    table = pandas.DataFrame({
        "step": [1, 2, 3], "note, quoted": ['a "b"', "two\nlines", None], "reward": [0.1, None, 1 / 3],
        "grad_norm": [math.inf, 1e-300, 2.5]})
    table.to_csv("table.csv", index=False)
    copy("table.csv", "table.csv")


# MARK: - Everything


def copy(source, name):
    target = HERE / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def main():
    kept = {"generate_logs.py", "README.md"}
    for path in HERE.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        # Paths in what is written are relative, so that none of this machine's gets in.
        os.chdir(folder)
        expected = {"trl": write_trl(), "tensorboard": write_tensorboard()}
        write_tables()
        os.chdir(HERE)
    files = sorted(path for path in HERE.rglob("*") if path.is_file() and path.name not in kept)
    manifest = {
        "versions": {
            "torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__,
            "tensorboard": tensorboard.__version__, "pandas": pandas.__version__},
        "seed": SEED,
        "files": {str(path.relative_to(HERE)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "expected": expected,
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


main()
