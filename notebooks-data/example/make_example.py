"""Makes the example that the notebooks read: base/ (real weights, cut) and run/ (a LoRA series over it).

    python make_example.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "Tests" / "References"))

import models

SEED = 4
STEPS, EVERY, RATE = 40, 10, 2e-3
BATCH, LENGTH, ALPHABET = 32, 8, 24
SEPARATOR, IGNORED = 2, -100


def write_base() -> None:
    """Layers 0 and 1 of SmolLM2 with the attention in full, the MLP cut to 128 and the vocabulary to 256."""
    config = models.llama_config(
        vocab_size=256,
        hidden_size=576,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    models.cut(model, models.smollm2(), layers={0: 0, 1: 1})
    model.to(torch.bfloat16).save_pretrained("base", max_shard_size="950KB")


def copying(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Random words of a small alphabet, a separator, and the same words again; only the second half is scored."""
    words = torch.randint(100, 100 + ALPHABET, (BATCH, LENGTH), generator=generator)
    separator = torch.full((BATCH, 1), SEPARATOR)
    tokens = torch.cat([words, separator, words], dim=1)
    labels = torch.cat([torch.full((BATCH, LENGTH + 1), IGNORED), words], dim=1)
    return tokens, labels


def write_run() -> None:
    torch.manual_seed(SEED)
    base = LlamaForCausalLM.from_pretrained("base", dtype=torch.bfloat16)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM"))
    generator = torch.Generator().manual_seed(SEED)

    def loss_of(model, step: int) -> torch.Tensor:
        tokens, labels = copying(generator)
        return model(input_ids=tokens, labels=labels).loss

    def save(step: int, log: list[dict]) -> None:
        folder = Path("run") / f"checkpoint-{step}"
        model.save_pretrained(folder)
        models.write_trainer_state(folder, step, STEPS, log)
        print(step, [round(entry["loss"], 3) for entry in log[-EVERY:]])

    models.train(model, loss_of, STEPS, RATE, range(EVERY, STEPS + 1, EVERY), save)


def main() -> None:
    os.chdir(HERE)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    for part in ("base", "run"):
        models.empty(Path(part))
    write_base()
    write_run()
    for part in ("base", "run"):
        models.tidy(Path(part))


if __name__ == "__main__":
    models.fix_hash_seed()
    main()
