"""The tables: what is measured of an update, the files that say it, and the digits that are published already."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import geometry_reference as geometry
from geometry_reference import Spectrum
from spectra_reference import EXTENDED, Update, eta, jacobi_singular_values, product_singular_values

COLUMNS = (
    "step,module,method,delta,rows,columns,rank,k,k_gap,frobenius_norm,relative_norm,spectral_norm,spectral_ratio,"
    "rounding_floor,residual_rounding,stable_rank,effective_rank,effective_rank_energy,participation_ratio,"
    "nuclear_ratio,numerical_rank,left_energy_top,right_energy_top,both_energy_top,left_energy_bottom,"
    "right_energy_bottom,both_energy_bottom,left_energy_null,right_energy_null,left_null_top,right_null_top,"
    "left_null_bottom,right_null_bottom,left_enrichment_top,right_enrichment_top,left_enrichment_bottom,"
    "right_enrichment_bottom,left_angle_min,left_angle_mean,left_angle_max,left_overlap,right_angle_min,"
    "right_angle_mean,right_angle_max,right_overlap,left_rotation_max,left_rotation_mean,right_rotation_max,"
    "right_rotation_mean,left_rotation_gap,right_rotation_gap,spectral_gap,gap_ratio,rotation_bound,spectral_shift,"
    "intruder_count,intruder_energy,update_velocity,shift_velocity,rotation_velocity"
).split(",")
KEY = ["step", "module", "delta"]
FULL_K = 32


# --- numbers --------------------------------------------------------------------------------------------------------


def singular_values(update: Update) -> np.ndarray:
    if not isinstance(update.matrix, tuple):
        return jacobi_singular_values(update.matrix)
    return product_singular_values(*update.matrix)


def rank_threshold(update: Update, tau: np.ndarray, shape: tuple[int, int]) -> float:
    """What a singular value must exceed to count."""
    rows, columns = shape
    if update.weight_norm_after is None:
        return float(max(rows, columns) * 2.0**-52 * tau[0])
    spread = (math.sqrt(rows) + math.sqrt(columns)) / math.sqrt(rows * columns)
    return eta(update.dtype) * update.weight_norm_after * spread


def shape_metrics(tau: np.ndarray) -> dict[str, float]:
    energy = tau * tau

    def exponential_entropy(parts: np.ndarray) -> float:
        share = parts[parts > 0] / parts.sum()
        return float(np.exp(-(share * np.log(share)).sum()))

    return {
        "stable_rank": float(energy.sum() / energy[0]),
        "effective_rank": exponential_entropy(tau),
        "effective_rank_energy": exponential_entropy(energy),
        "participation_ratio": float(energy.sum() ** 2 / (energy**2).sum()),
        "nuclear_ratio": float(tau.sum() / np.sqrt(energy.sum())),
    }


@dataclass
class Measurement:
    """All that the tables say of one update; after, conditioning and profile only where geometry was asked for."""

    row: dict
    tau: np.ndarray
    after: Spectrum | None = None
    conditioning: dict | None = None
    profile: list[tuple] | None = None


def measure(update: Update, with_geometry: bool = True) -> Measurement:
    dense, base = update.dense(), update.base
    rows, columns = dense.shape
    q = min(rows, columns)
    weight_norm = float(np.linalg.norm(base.matrix))
    moved = bool(dense.any())
    count = min(update.matrix[0].shape[1], q) if isinstance(update.matrix, tuple) else q
    tau = singular_values(update) if moved else np.zeros(count, EXTENDED)
    norm = float(np.sqrt((tau * tau).sum()))
    row = {name: None for name in COLUMNS} | {
        "step": update.step,
        "module": update.module,
        "method": update.method,
        "delta": update.delta,
        "rows": rows,
        "columns": columns,
        "rank": update.rank,
        "k": max(1, min(update.rank_for_k or update.rank or FULL_K, q // 2)),
        "frobenius_norm": norm,
        "relative_norm": norm / weight_norm,
        "spectral_norm": float(tau[0]) if len(tau) else 0.0,
        "rounding_floor": update.floor,
        "residual_rounding": update.residual_rounding,
    }
    if update.interval is not None:
        row["update_velocity"] = norm / weight_norm / update.interval
    threshold = rank_threshold(update, tau, (rows, columns)) if moved else math.nan
    if moved:
        row |= shape_metrics(tau) | {"numerical_rank": int((tau > threshold).sum())}
    found = Measurement(row, tau.astype(np.float64))
    if with_geometry:
        add_geometry(found, update, dense, threshold)
    return found


def add_geometry(found: Measurement, update: Update, dense: np.ndarray, threshold: float) -> None:
    """The columns that need the base's singular vectors, the profile, and how well posed all of it is."""
    row, base, k = found.row, update.base, found.row["k"]
    moved, since = bool(dense.any()), update.delta == "previous"
    null = geometry.nulls(base, k, update.reach)
    row |= null | {"k_gap": geometry.gap_rank(base, k), "spectral_ratio": row["spectral_norm"] / float(base.values[0])}
    if since:
        row |= {"shift_velocity": 0.0, "rotation_velocity": 0.0}
    else:
        gaps = geometry.gap_columns(base, k, row["spectral_norm"])
        row |= gaps if moved else gaps | {"rotation_bound": None}
    found.after = Spectrum(base.matrix + dense)
    found.profile = geometry.profile(base, dense, update.reach)
    before, later, own = None, None, 0
    if moved:
        own = min(k, row["numerical_rank"])
        row |= geometry.energies(base, dense, k, null)
        row |= geometry.alignment(base, Spectrum(dense), k, row["numerical_rank"])
        before = update.before if since else base
        if before is not None:
            later = found.after if before is base else Spectrum(before.matrix + dense)
            row |= geometry.rotation(before, later, k)
        row |= velocities(update, dense, row, k) if since else geometry.drift(base, found.after)
        if not since and row["k_gap"] is not None:
            turned = geometry.rotation(base, found.after, row["k_gap"])
            row |= {f"{side}_rotation_gap": turned[f"{side}_rotation_max"] for side in ("left", "right")}
    found.conditioning = geometry.conditioning(base, before, later, found.tau, k, own, threshold, since)


def velocities(update: Update, dense: np.ndarray, row: dict, k: int) -> dict[str, float | None]:
    turned = [row["left_rotation_max"], row["right_rotation_max"]]
    return {
        "shift_velocity": geometry.shift_velocity(update.base, dense, k, update.interval),
        "rotation_velocity": None if None in turned else max(turned) / update.interval,
    }


def check_against_dense(update: Update, tau: np.ndarray) -> None:
    """Singular values and norm agree with the dense float64 update and its SVD, to the accuracy of those."""
    dense = np.linalg.svd(update.dense(), compute_uv=False)
    scale = max(dense[0], 1e-30)
    if isinstance(update.matrix, tuple):
        scale = max(scale, float(np.linalg.norm(update.matrix[0]) * np.linalg.norm(update.matrix[1])))
    worst = np.abs(dense[: len(tau)] - tau).max(initial=0)
    assert worst <= 1e-13 * scale, f"{update.module} {update.delta} at {update.step}: {worst} of {scale}"
    assert (dense[len(tau) :] <= 1e-13 * scale).all()
    assert abs(np.linalg.norm(update.dense()) - np.sqrt((tau * tau).sum())) <= 1e-13 * scale


# --- files ----------------------------------------------------------------------------------------------------------


def cell(value) -> str:
    if value is None:
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)


def short(value, digits: int = 9) -> str:
    """A few digits: for the long files, whose columns are promised to fewer."""
    return f"{value:.{digits}g}" if isinstance(value, float) else cell(value)


class Table:
    """One CSV file, written row by row."""

    def __init__(self, file: Path, header: list[str]):
        self.stream = open(file, "w", newline="")
        self.writer = csv.writer(self.stream, lineterminator="\n")
        self.writer.writerow(header)

    def add(self, values) -> None:
        self.writer.writerow(values)


SERIES = ["step", "module", "delta", "index", "value"]


def write_tables(rows: list[Update], files: dict[str, Path], thorough: bool = True) -> None:
    """Writes the tables of a list of updates: those of `files`, by the names of the manifest.

    `thorough` adds what takes whole dense decompositions: the geometry, and a check of every spectrum against one.
    """
    headers = {
        "modules": COLUMNS,
        "singular_values": SERIES,
        "updated": SERIES,
        "profiles": [*KEY, "side", "bin", "first", "last", "share", "null"],
        "conditioning": KEY + geometry.CONDITIONING,
    }
    tables = {name: Table(file, headers[name]) for name, file in files.items()}
    since_start: dict[tuple, np.ndarray] = {}
    for update in rows:
        found = measure(update, with_geometry=thorough)
        if thorough:
            check_against_dense(update, found.tau)
        key = [update.step, update.module, update.delta]
        if update.delta == "init":
            since_start[update.step, update.module] = update.dense()
        tables["modules"].add([cell(found.row[name]) for name in COLUMNS])
        for index, value in enumerate(map(float, found.tau)):
            text = cell(value) if isinstance(update.matrix, tuple) else short(value, 13)
            tables["singular_values"].add([*key, index, text])
        if "updated" in tables and update.delta == "pretrained":
            for index, value in enumerate(found.after.values):
                tables["updated"].add([update.step, update.module, "updated", index, short(float(value))])
        start = since_start.get((update.step, update.module)) if update.delta == "pretrained" else None
        if "profiles" in tables and not (start is not None and np.array_equal(update.dense(), start)):
            for entry in found.profile:
                tables["profiles"].add([*key, *map(short, entry)])
        if "conditioning" in tables:
            tables["conditioning"].add([*key, *(condition(found.conditioning.get(c)) for c in geometry.CONDITIONING)])
    for table in tables.values():
        table.stream.close()


def condition(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def write_base_values(weights: dict[str, np.ndarray], file: Path) -> None:
    """The singular values of base weights, as the rows `base` of singular_values.csv (their step is empty)."""
    series = Table(file, SERIES)
    for module, weight in weights.items():
        for index, value in enumerate(np.linalg.svd(weight, compute_uv=False)):
            series.add(["", module, "base", index, cell(float(value))])
    series.stream.close()


# --- what is published already --------------------------------------------------------------------------------------

SAME, NOTHING = 1e-8, 1e-14


def read_published(folder: Path) -> dict[Path, str]:
    return {file: file.read_text() for file in folder.iterdir()} if folder.exists() else {}


def same(old: str, new: str) -> bool:
    """Whether two cells are one number but for what another BLAS does to it."""
    try:
        a, b = float(old), float(new)
    except ValueError:
        return False
    return abs(a - b) <= max(SAME * abs(a), NOTHING)


def same_values(old, new) -> bool:
    """Whether two JSON values are the same but for the digits of their numbers."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same_values(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same_values, old, new))
    return old == new or (isinstance(old, float) and same(str(old), str(new)))


def keep_published(published: dict[Path, str]) -> None:
    """Puts the published digits back wherever the new ones are the same number, so that only real changes show."""
    for file, text in published.items():
        if not file.exists():
            continue
        if file.suffix == ".json":
            if same_values(json.loads(text), json.loads(file.read_text())):
                file.write_text(text)
            continue
        old = list(csv.DictReader(text.splitlines()))
        with open(file, newline="") as stream:
            reader = csv.DictReader(stream)
            columns, new = reader.fieldnames, list(reader)
        if len(old) != len(new):
            continue
        with open(file, "w", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(columns)
            for before, now in zip(old, new):
                kept = {c: v for c, v in before.items() if c in now and same(v, now[c])}
                table.writerow([(now | kept)[c] for c in columns])
