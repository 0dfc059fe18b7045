"""Hand-made updates whose exact answers come from mpmath: the gauges."""

from __future__ import annotations

from pathlib import Path

import mpmath
import numpy as np
import torch
from peft import LoraConfig, get_peft_model

import bases
import models
import spectra_reference as reference
from runs import SEED, lora_layers, pair

GAUGE_MODULE, GAUGE_RANK = "model.layers.0.self_attn.q_proj", 16


def gauge_factors() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A rank-16 update with singular values 1 to 1e-6, plain, under a gauge of condition 1e3, and under powers of 2."""
    random = np.random.default_rng(SEED)

    def orthonormal(rows: int, columns: int) -> np.ndarray:
        return np.linalg.qr(random.standard_normal((rows, columns)))[0]

    root = np.sqrt(np.geomspace(1, 1e-6, GAUGE_RANK))
    b, a = orthonormal(96, GAUGE_RANK) * root, root[:, None] * orthonormal(96, GAUGE_RANK).T
    left, right = orthonormal(GAUGE_RANK, GAUGE_RANK), orthonormal(GAUGE_RANK, GAUGE_RANK)
    spread = np.geomspace(1, 1e3, GAUGE_RANK)
    gauge, inverse = (left * spread) @ right.T, (right / spread) @ left.T
    # A power of two per rank-one term, in no order: exact in float32, so every product b·a stays bit for bit.
    powers = 2.0 ** random.permutation(np.linspace(-10, 10, GAUGE_RANK).round())
    plain = b.astype(np.float32), a.astype(np.float32)
    scaled = (plain[0].astype(np.float64) / powers), powers[:, None] * plain[1].astype(np.float64)
    assert all(np.array_equal(part, part.astype(np.float32)) for part in scaled)
    return {"conditioned": (b @ inverse, gauge @ a), "plain": plain, "power-of-two": scaled}


def exact_singular_values(b: np.ndarray, a: np.ndarray) -> list[str]:
    """Singular values of B·A by QR and SVD at 50 digits, as decimal strings."""
    with mpmath.workdps(50):
        cores = [mpmath.qr(mpmath.matrix(part.astype(np.float64).tolist()), mode="skinny")[1] for part in (b, a.T)]
        values = mpmath.svd_r(cores[0] * cores[1].T, compute_uv=False)
        return [mpmath.nstr(value, 25) for value in sorted(values, reverse=True)]


def write_gauges() -> None:
    """Saves the gauges as PEFT adapters (α = r, so s = 1) and their exact singular values."""
    expected = {}
    for name, (b, a) in gauge_factors().items():
        torch.manual_seed(SEED)
        config = LoraConfig(r=GAUGE_RANK, lora_alpha=GAUGE_RANK, target_modules=[GAUGE_MODULE])
        model = get_peft_model(bases.load("llama-f32"), config)
        layer = lora_layers(model)[GAUGE_MODULE]
        for parameter, value in zip(pair(layer, "default"), (b, a)):
            parameter.data = torch.from_numpy(np.ascontiguousarray(value)).float()
        folder = Path("runs/gauge") / name / "checkpoint-1"
        if not folder.exists():
            model.save_pretrained(folder)
        (factors,) = reference.read_adapter(folder).modules.values()
        expected[name] = {
            "source": f"runs/gauge/{name}",
            "singular_values": exact_singular_values(factors.b, factors.a),
            "condition_b": float(np.linalg.cond(factors.b)),
            "condition_a": float(np.linalg.cond(factors.a)),
        }
        ours = reference.product_singular_values(factors.b, factors.a).astype(np.float64)
        exact = np.array([float(value) for value in expected[name]["singular_values"]])
        assert np.abs(ours / exact - 1).max() < 1e-12, "extended precision does not resolve the small singular values"
    models.tidy(Path("runs/gauge"))
    assert expected["plain"]["singular_values"] == expected["power-of-two"]["singular_values"]
    head = {"base": "bases/llama-f32", "module": GAUGE_MODULE, "rank": GAUGE_RANK, "scale": 1.0, "step": 1}
    file = Path("expected/gauge.json")
    models.write_json(file, head | {"cases": expected})


