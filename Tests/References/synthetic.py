"""Hand-made updates whose exact answers come from mpmath at 50 digits: gauges of factors, and very small angles."""

from __future__ import annotations

import csv
import json
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




# --- small angles ---------------------------------------------------------------------------------------------------

ANGLE_FOLDER = Path("runs/angles")
ANGLE_PREFIX = "model.layers.0.self_attn."
TURNS = {5: 5e-3, 10: 5e-6, 20: 5e-9}  # the largest turn is about a fifth of it, in radians
TILTS = {5: 1e-2, 10: 1e-4, 20: 1e-6}


def angle_factors(weight: np.ndarray, module: str, step: int) -> tuple[np.ndarray, np.ndarray]:
    """q_proj: a random update that turns the top four vectors a little; k_proj: one that lies a little beside them."""
    random = np.random.default_rng(SEED)
    rank = bases.ANGLE_RANK
    x, y = random.standard_normal((weight.shape[0], rank)), random.standard_normal((rank, weight.shape[1]))
    if module == "q_proj":
        return x / np.linalg.norm(x) * TURNS[step], y / np.linalg.norm(y)
    u, _, vt = np.linalg.svd(weight, full_matrices=False)
    left, right = u[:, :rank] + TILTS[step] * x / np.linalg.norm(x), vt[:rank] + TILTS[step] * y / np.linalg.norm(y)
    return left * np.array([0.1, 0.08, 0.06, 0.04]), right


def write_angle_run() -> None:
    """Saves the updates as a PEFT run of rank 4 with s = 1, float32 factors over the float64 base."""
    modules = ["q_proj", "k_proj"]
    base = reference.Base(Path("bases/angles"))
    for step in TURNS:
        folder = ANGLE_FOLDER / f"checkpoint-{step}"
        if folder.exists():
            continue
        torch.manual_seed(SEED)
        config = LoraConfig(r=bases.ANGLE_RANK, lora_alpha=bases.ANGLE_RANK, target_modules=modules)
        model = get_peft_model(bases.load("angles"), config)
        for module in modules:
            layer = lora_layers(model)[ANGLE_PREFIX + module]
            values = angle_factors(base.weight(ANGLE_PREFIX + module), module, step)
            for parameter, value in zip(pair(layer, "default"), values):
                parameter.data = torch.from_numpy(np.ascontiguousarray(value)).float()
        model.save_pretrained(folder)
        models.write_trainer_state(folder, step, max(TURNS), [])
    models.tidy(ANGLE_FOLDER)


def exact(matrix: np.ndarray) -> mpmath.matrix:
    return mpmath.matrix(np.asarray(matrix, np.float64).tolist())


def leading(matrix: mpmath.matrix, count: int) -> dict[str, mpmath.matrix]:
    """The leading singular vectors of each side as columns, and all singular values."""
    tall = matrix if matrix.rows >= matrix.cols else matrix.T
    u, s, vt = mpmath.svd_r(tall)
    order = sorted(range(len(s)), key=lambda i: -s[i])
    sides = [mpmath.matrix([[part[i, j] for j in order[:count]] for i in range(part.rows)]) for part in (u, vt.T)]
    if tall is not matrix:
        sides.reverse()
    return {"left": sides[0], "right": sides[1], "values": [s[i] for i in order]}


def exact_angles(a: mpmath.matrix, b: mpmath.matrix) -> list:
    """Principal angles in degrees, descending, of column spaces of one dimension; all must be small (sines)."""
    sines = mpmath.svd_r(b - a * (a.T * b), compute_uv=False)
    return sorted((mpmath.degrees(mpmath.asin(sine)) for sine in sines), reverse=True)


def write_angles() -> None:
    """expected/angles.json: rotations, alignment angles and spectral shift of the run at 50 digits."""
    base, rank, found = reference.Base(Path("bases/angles")), bases.ANGLE_RANK, []
    with mpmath.workdps(50):
        for step in TURNS:
            adapter = reference.read_adapter(ANGLE_FOLDER / f"checkpoint-{step}")
            for module, stored in adapter.modules.items():
                weight, delta = exact(base.weight(module)), exact(stored.b) * exact(stored.a)
                before, after, own = (leading(m, rank) for m in (weight, weight + delta, delta))
                entry: dict = {"step": step, "module": module}
                for side in ("left", "right"):
                    turned, beside = exact_angles(before[side], after[side]), exact_angles(before[side], own[side])
                    entry[f"{side}_rotation_max"] = mpmath.nstr(turned[0], 20)
                    entry[f"{side}_rotation_mean"] = mpmath.nstr(sum(turned) / rank, 20)
                    if module.endswith("k_proj"):
                        entry[f"{side}_angle_max"] = mpmath.nstr(beside[0], 20)
                        entry[f"{side}_angle_mean"] = mpmath.nstr(sum(beside) / rank, 20)
                        entry[f"{side}_angle_min"] = mpmath.nstr(beside[-1], 20)
                moved = mpmath.norm([a - b for a, b in zip(after["values"], before["values"])])
                entry["spectral_shift"] = mpmath.nstr(moved / mpmath.norm(before["values"]), 20)
                found.append(entry)
    head = {"base": "bases/angles", "source": "runs/angles", "delta": "init", "k": rank, "rows": found}
    models.write_json(Path("expected/angles.json"), head)


def check_angles(table: Path) -> None:
    """The float64 tables must agree with the 50 digits as far as float64 goes."""
    found = json.loads(Path("expected/angles.json").read_text())["rows"]
    exact_rows = {(row["step"], row["module"]): row for row in found}
    with open(table, newline="") as stream:
        for row in csv.DictReader(stream):
            if row["delta"] != "init":
                continue
            for name, value in exact_rows[int(row["step"]), row["module"]].items():
                if name not in ("step", "module"):
                    error = abs(float(row[name]) - float(value))
                    assert error <= 1e-6 * abs(float(value)) + 3e-13, f"{row['module']} {row['step']} {name}: {error}"
