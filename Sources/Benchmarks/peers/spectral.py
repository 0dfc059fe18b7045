"""The spectral work in NumPy, PyTorch and WeightWatcher: one repetition for each line on standard input, its seconds as a line of JSON.

    python spectral.py make --out FOLDER --size 1.5b|7b --layers N --checkpoints N
                                                    writes a base of so many layers, and a series of LoRA checkpoints on it
    python spectral.py qr|gram|naive|base-naive|base-transposed|weightwatcher --data FOLDER --threads N [--scripts FOLDER]

The works are timed on one layer; the other layers of a model have the same shapes. The Gram route is not here: it is taken from
spectral.py in the folder of scripts.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file

RANK, STEPS, SCALE = 32, 20, 2.0
SIZES = {"1.5b": (1536, 8960, 256), "7b": (4096, 14336, 1024)}


def shapes(size, layer=0):
    """The shapes of one layer's linear weights, by module."""
    hidden, intermediate, keys = SIZES[size]
    parts = {
        "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (keys, hidden), "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (intermediate, hidden), "mlp.up_proj": (intermediate, hidden),
        "mlp.down_proj": (hidden, intermediate),
    }
    return {f"model.layers.{layer}.{name}": shape for name, shape in parts.items()}


MODULES = shapes("1.5b")


# --- data -----------------------------------------------------------------------------------------------------------


def weight(rows, columns, generator):
    """A weight whose spectrum has a heavy head and a long tail; square ones come near zero."""
    q = min(rows, columns)
    i = torch.arange(q, dtype=torch.float64)
    values = (1 + i / 12) ** -0.45 * (1 - (1 - (2e-3 if rows == columns else 0.25)) * i / (q - 1))
    left = torch.linalg.qr(torch.randn(rows, q, generator=generator, dtype=torch.float32))[0]
    right = torch.linalg.qr(torch.randn(columns, q, generator=generator, dtype=torch.float32))[0]
    return (left * values.float()) @ right.T * 0.04 * max(rows, columns) ** 0.5


def make(out, size, layers, checkpoints):
    generator = torch.Generator().manual_seed(0)
    os.makedirs(f"{out}/base", exist_ok=True)
    first = {m: weight(*s, generator).bfloat16() for m, s in shapes(size).items()}
    places = {}
    for layer in range(layers):
        # Flipped signs of rows leave the spectrum as it is and cost no decomposition.
        signs = {m: torch.randint(0, 2, (w.shape[0], 1), generator=generator).bfloat16() * 2 - 1 for m, w in first.items()}
        tensors = {f"{m.replace('layers.0.', f'layers.{layer}.')}.weight": (w * signs[m]).contiguous() for m, w in first.items()}
        shard = f"model-{layer + 1:05}-of-{layers:05}.safetensors"
        save_file(tensors, f"{out}/base/{shard}")
        places |= {name: shard for name in tensors}
    json.dump({"metadata": {}, "weight_map": places}, open(f"{out}/base/model.safetensors.index.json", "w"))
    json.dump({"model_type": "qwen2"}, open(f"{out}/base/config.json", "w"))
    modules = {m: s for layer in range(layers) for m, s in shapes(size, layer).items()}
    factors = {m: (torch.zeros(s[0], RANK), torch.randn(RANK, s[1], generator=generator) / s[1] ** 0.5) for m, s in modules.items()}
    fall = torch.linspace(1, 0.05, RANK)
    for step in range(1, checkpoints + 1):
        for module, (rows, columns) in modules.items():
            b, a = factors[module]
            factors[module] = (b + 1e-3 * fall * torch.randn(rows, RANK, generator=generator),
                               a + 1e-4 * torch.randn(RANK, columns, generator=generator))
        folder = f"{out}/series/checkpoint-{10 * step}"
        os.makedirs(folder, exist_ok=True)
        tensors = {}
        for module, (b, a) in factors.items():
            tensors[f"base_model.model.{module}.lora_A.weight"] = a.contiguous()
            tensors[f"base_model.model.{module}.lora_B.weight"] = b.contiguous()
        save_file(tensors, f"{folder}/adapter_model.safetensors")
        json.dump({"peft_type": "LORA", "r": RANK, "lora_alpha": SCALE * RANK}, open(f"{folder}/adapter_config.json", "w"))


def base(data):
    tensors = load_file(next(glob.iglob(f"{data}/base/model-00001-of-*.safetensors")))
    return {m: tensors[f"{m}.weight"].float() for m in MODULES}


def checkpoint(data, step):
    tensors = load_file(f"{data}/series/checkpoint-{10 * step}/adapter_model.safetensors")
    return {m: tuple(tensors[f"base_model.model.{m}.lora_{x}.weight"] for x in "BA") for m in MODULES}


# --- work -----------------------------------------------------------------------------------------------------------


def qr(data):
    """NumPy, Float64: QR of both factors, SVD of the core, energies in frames of both ends; 20 checkpoints."""
    generator = np.random.default_rng(3)
    frames = {m: [np.linalg.qr(generator.standard_normal((n, 2 * RANK)))[0] for n in s] for m, s in MODULES.items()}

    def run():
        for step in range(1, STEPS + 1):
            for module, (b, a) in checkpoint(data, step).items():
                qb, rb = np.linalg.qr(b.numpy().astype(np.float64))
                qa, ra = np.linalg.qr(a.numpy().T.astype(np.float64))
                u, s, vt = np.linalg.svd((SCALE * rb) @ ra.T)
                left, right = (frames[module][0].T @ (qb @ u)) * s, (frames[module][1].T @ (qa @ vt.T)) * s
                for part in (left[:RANK], left[RANK:], right[:RANK], right[RANK:]):
                    np.linalg.norm(part) ** 2 / np.sum(s * s)
        return {"precision": "Float64"}

    return run


def gram(data, scripts):
    """The Gram route of the folder's spectral.py, Float64, on the same files; it gives seconds of the processor for 28 layers."""
    shard = os.path.abspath(next(glob.iglob(f"{data}/base/model-00001-of-*.safetensors")))
    place = tempfile.mkdtemp()
    os.makedirs(f"{place}/base")
    os.symlink(shard, f"{place}/base/model.safetensors")
    os.symlink(os.path.abspath(f"{data}/series"), f"{place}/series")
    command = [sys.executable, f"{scripts}/spectral.py", "--model", "r1_15b", "--layers", "1", "--dir", place, "--section", "smart"]

    def run():
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        found = {row["name"]: row for row in map(json.loads, lines) if "name" in row}
        figure = found["smart_gram64_series_total"]
        return {"precision": "Float64", "seconds": figure["value"] / figure["extrapolated_layers"]}

    return run


def naive(data):
    """PyTorch as called naively, Float32: dense ΔW, its SVD, cosines with the base's frames. One checkpoint; 20 take 20 times as long."""
    frames = {m: torch.linalg.svd(w, full_matrices=False) for m, w in base(data).items()}

    def run():
        for module, (b, a) in checkpoint(data, STEPS).items():
            u, s, vh = torch.linalg.svd(SCALE * (b @ a), full_matrices=False)
            torch.linalg.svdvals(frames[module][0][:, :RANK].T @ u[:, :RANK]).clamp(-1, 1).arccos()
            torch.linalg.svdvals(frames[module][2][:RANK] @ vh[:RANK].T).clamp(-1, 1).arccos()
        return {"precision": "Float32", "checkpoints": 1}

    return run


def decompositions(data, transposes):
    weights = list(base(data).values())

    def run():
        for w in weights:
            torch.linalg.svd(w.T.contiguous() if transposes and w.shape[0] < w.shape[1] else w, full_matrices=False)
        return {"precision": "Float32"}

    return run


def weightwatcher(data):
    """WeightWatcher's analyze() with its defaults: values and power-law fits, no vectors."""
    import contextlib
    import io
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    with contextlib.redirect_stdout(io.StringIO()):
        import weightwatcher as ww
    for name in ("weightwatcher", "powerlaw"):
        logging.getLogger(name).setLevel(logging.ERROR)
    layers = []
    for w in base(data).values():
        layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
        layer.weight.data = w
        layers.append(layer)
    model = torch.nn.Sequential(*layers)

    def run():
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            details = ww.WeightWatcher(model=model).analyze()
        return {"precision": "Float32", "matrices": len(details)}

    return run


WORK = {
    "qr": qr, "naive": naive, "base-naive": lambda data: decompositions(data, False),
    "base-transposed": lambda data: decompositions(data, True), "weightwatcher": weightwatcher,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["make", "gram", *WORK])
    parser.add_argument("--out")
    parser.add_argument("--size", choices=SIZES, default="1.5b")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--checkpoints", type=int, default=STEPS)
    parser.add_argument("--data")
    parser.add_argument("--scripts", default="")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.work == "make":
        make(arguments.out, arguments.size, arguments.layers, arguments.checkpoints)
        return print(json.dumps({"made": True}), flush=True)
    run = gram(arguments.data, arguments.scripts) if arguments.work == "gram" else WORK[arguments.work](arguments.data)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began = time.process_time()
        report = run()
        print(json.dumps({"processor_seconds": time.process_time() - began} | report), flush=True)


if __name__ == "__main__":
    main()
