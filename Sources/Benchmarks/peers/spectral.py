"""The spectral work in NumPy, PyTorch and WeightWatcher: one repetition for each line on standard input, its seconds as a line of JSON.

    python spectral.py make --out FOLDER            writes a base of one layer of 1.5B shapes and a series of 20 LoRA checkpoints
    python spectral.py qr|naive|base-naive|base-transposed|weightwatcher --data FOLDER --threads N

Times of one layer; the other layers of a model have the same shapes.
"""
import argparse
import json
import os
import sys
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HIDDEN, INTERMEDIATE, KEYS, RANK, STEPS, SCALE = 1536, 8960, 256, 32, 20, 2.0
SHAPES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN), "self_attn.k_proj": (KEYS, HIDDEN), "self_attn.v_proj": (KEYS, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN), "mlp.gate_proj": (INTERMEDIATE, HIDDEN), "mlp.up_proj": (INTERMEDIATE, HIDDEN),
    "mlp.down_proj": (HIDDEN, INTERMEDIATE),
}
MODULES = {f"model.layers.0.{name}": shape for name, shape in SHAPES.items()}


# --- data -----------------------------------------------------------------------------------------------------------


def weight(rows, columns, generator):
    """A weight whose spectrum has a heavy head and a long tail; square ones come near zero."""
    q = min(rows, columns)
    i = torch.arange(q, dtype=torch.float64)
    values = (1 + i / 12) ** -0.45 * (1 - (1 - (2e-3 if rows == columns else 0.25)) * i / (q - 1))
    left = torch.linalg.qr(torch.randn(rows, q, generator=generator, dtype=torch.float32))[0]
    right = torch.linalg.qr(torch.randn(columns, q, generator=generator, dtype=torch.float32))[0]
    return (left * values.float()) @ right.T * 0.04 * max(rows, columns) ** 0.5


def make(out):
    generator = torch.Generator().manual_seed(0)
    os.makedirs(f"{out}/base", exist_ok=True)
    save_file({f"{m}.weight": weight(*s, generator).bfloat16().contiguous() for m, s in MODULES.items()},
              f"{out}/base/model.safetensors")
    json.dump({"model_type": "qwen2"}, open(f"{out}/base/config.json", "w"))
    factors = {m: (torch.zeros(s[0], RANK), torch.randn(RANK, s[1], generator=generator) / s[1] ** 0.5) for m, s in MODULES.items()}
    fall = torch.linspace(1, 0.05, RANK)
    for step in range(1, STEPS + 1):
        for module, (rows, columns) in MODULES.items():
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
    return {m: load_file(f"{data}/base/model.safetensors")[f"{m}.weight"].float() for m in MODULES}


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
    parser.add_argument("work", choices=["make", *WORK])
    parser.add_argument("--out")
    parser.add_argument("--data")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.work == "make":
        make(arguments.out)
        return print(json.dumps({"made": True}), flush=True)
    run = WORK[arguments.work](arguments.data)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began = time.process_time()
        report = run()
        print(json.dumps(report | {"seconds": time.process_time() - began}), flush=True)


if __name__ == "__main__":
    main()
