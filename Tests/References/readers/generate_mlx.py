"""Writes mlx/: a LoRA and a DoRA that mlx_lm has trained over ../bases/llama-f32, and the updates that mlx_lm itself makes of them.

    pip install "mlx[cpu]" mlx-lm==0.32.2 numpy safetensors
    python generate_mlx.py

Expected: the fused weight less the base weight, from mlx_lm's own `fuse`, as its singular values in Float64. `fuse` computes in Float32,
so they are right to about 2⁻²⁴ of ‖W₀‖₂.
"""

import json
import shutil
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models.llama import Model, ModelArgs
from mlx_lm.tuner.trainer import TrainingArgs, train
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import save_config

HERE = Path(__file__).resolve().parent
BASE = HERE.parent / "bases" / "llama-f32"
PARAMETERS = {"rank": 4, "scale": 20.0, "dropout": 0.0, "keys": ["self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj"]}


def load():
    config = json.loads((BASE / "config.json").read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    model = Model(ModelArgs.from_dict(config))
    model.load_weights(str(BASE / "model.safetensors"))
    return model


def updates(model, base):
    """ΔW of every adapted layer, as mlx_lm fuses it, out x in."""
    found = {}
    for name, layer in model.named_modules():
        if hasattr(layer, "fuse"):
            fused = np.array(layer.fuse().weight.astype(mx.float32), dtype=np.float64)
            found[name] = fused - np.array(base[f"{name}.weight"], dtype=np.float64)
    return found


def main():
    tokens = np.random.default_rng(0).integers(3, 64, size=(8, 17))
    data = [(row.tolist(), 0) for row in tokens]
    base = dict(tree_flatten(load().parameters()))
    expected = {}
    for kind in ("lora", "dora"):
        mx.random.seed(1)
        folder = HERE / "mlx" / kind
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        model = load()
        model.freeze()
        linear_to_lora_layers(model, 2, PARAMETERS, use_dora=kind == "dora")
        arguments = TrainingArgs(batch_size=4, iters=8, val_batches=1, steps_per_report=8, steps_per_eval=8, steps_per_save=4,
                                 max_seq_length=32, adapter_file=str(folder / "adapters.safetensors"))
        save_config({"fine_tune_type": kind, "num_layers": 2, "lora_parameters": PARAMETERS, "model": "llama-f32"},
                    folder / "adapter_config.json")
        train(model, optim.Adam(learning_rate=1e-2), data, data, arguments)
        values = {name: np.linalg.svd(delta, compute_uv=False).tolist() for name, delta in sorted(updates(model, base).items())}
        expected[kind] = {"step": 8, "singular_values": values}
    text = json.dumps(expected, indent=1)
    (HERE / "mlx" / "expected.json").write_text(text + "\n")
    print(sum(file.stat().st_size for file in (HERE / "mlx").rglob("*") if file.is_file()), "bytes")


if __name__ == "__main__":
    main()
