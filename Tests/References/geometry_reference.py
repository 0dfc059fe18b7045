"""Where an update lies against the pretrained weight: shares, principal angles, rotation, drift and profiles.

Dense by intent: whole NumPy SVDs of W₀, ΔW and W₊ in float64, nothing truncated and nothing iterated, so that a
tool which never forms these matrices is checked by something unlike it. Matrices are out x in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

INTRUDER_COUNT, INTRUDER_COSINE = 10, 0.5
BINS = 10
CONDITIONING = (
    "rotation_condition,rotation_gap_condition,alignment_condition,base_condition,bottom_condition,profile_condition,"
    "intruder_condition,intruder_margin,k_gap_margin,numerical_rank_margin"
).split(",")


@dataclass
class Reach:
    """What an update can reach whatever it learns: everything, the span of frozen rows, diag·W₀ or W₀·diag."""

    kind: str = "everything"
    frozen: np.ndarray | None = None


class Spectrum:
    """A matrix with its full SVD: U is rows x rows, V columns x columns, the null space of the wide side included."""

    def __init__(self, matrix: np.ndarray):
        self.matrix = np.asarray(matrix, dtype=np.float64)
        self.rows, self.columns = self.matrix.shape
        self.q = min(self.matrix.shape)

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        u, s, vt = np.linalg.svd(self.matrix, full_matrices=True)
        return u, s, vt.T

    @property
    def values(self) -> np.ndarray:
        return self.parts[1]

    def side(self, side: str) -> np.ndarray:
        return self.parts[0] if side == "left" else self.parts[2]

    def gap(self, j: int) -> float:
        """σ_j - σ_{j+1}, counted from 1, with σ_{q+1} = 0."""
        following = self.values[j] if j < self.q else 0.0
        return float(self.values[j - 1] - following)

    def condition(self, j: int) -> float:
        """How many times a relative error of the matrix grows into an angle of its leading j vectors."""
        gap = self.gap(j)
        return float(self.values[0] / gap) if gap > 0 else math.inf


def principal_angles(larger: np.ndarray, smaller: np.ndarray) -> np.ndarray:
    """Angles in radians, ascending: by sines where cos² ≥ ½, by cosines elsewhere (Knyazev and Argentati 2002)."""
    cross = larger.T @ smaller
    cosines = np.clip(np.linalg.svd(cross, compute_uv=False), 0, 1)
    residual = smaller - larger @ cross
    residual -= larger @ (larger.T @ residual)
    sines = np.clip(np.sort(np.linalg.svd(residual, compute_uv=False)), 0, 1)
    return np.where(cosines**2 >= 0.5, np.arcsin(sines), np.arccos(cosines))


def gap_candidates(base: Spectrum, k: int) -> dict[int, float]:
    """The relative gaps (σ_j - σ_{j+1})/σ_j for j in [⌈k/2⌉, min(2k, q-1)]."""
    window = range(math.ceil(k / 2), min(2 * k, base.q - 1) + 1)
    return {j: base.gap(j) / float(base.values[j - 1]) for j in window if base.values[j - 1] > 0}


def gap_rank(base: Spectrum, k: int) -> int | None:
    candidates = gap_candidates(base, k)
    return min(candidates, key=lambda j: (-candidates[j], j)) if candidates else None


# --- shares ---------------------------------------------------------------------------------------------------------


def shares(base: Spectrum, delta: np.ndarray, side: str) -> np.ndarray:
    """The share of ‖ΔW‖² in each of the base's vectors on one side; past q lies the null space."""
    vectors = base.side(side)
    turned = vectors.T @ delta if side == "left" else (delta @ vectors).T
    return (turned**2).sum(axis=1) / (delta**2).sum()


def chances(base: Spectrum, reach: Reach, side: str) -> np.ndarray:
    """What chance gives in each of the base's vectors on one side; sums to one."""
    vectors = base.side(side)
    count = len(vectors)
    if reach.kind == "rows" and side == "right":
        energy = ((reach.frozen @ vectors) ** 2).sum(axis=0)
        return energy / (reach.frozen**2).sum()
    if reach.kind in ("row-scaling", "column-scaling"):
        weight = base.matrix if side == "left" else base.matrix.T
        total = (base.matrix**2).sum()
        if (reach.kind == "row-scaling") == (side == "left"):
            return (vectors**2).T @ (weight**2).sum(axis=1) / total
        return np.concatenate([base.values**2, np.zeros(count - base.q)]) / total
    return np.full(count, 1 / count)


def nulls(base: Spectrum, k: int, reach: Reach) -> dict[str, float]:
    row = {}
    for side in ("left", "right"):
        chance = chances(base, reach, side)
        row[f"{side}_null_top"] = float(chance[:k].sum())
        row[f"{side}_null_bottom"] = float(chance[base.q - k : base.q].sum())
    return row


def energies(base: Spectrum, delta: np.ndarray, k: int, null: dict[str, float]) -> dict[str, float | None]:
    total = float((delta**2).sum())
    left, right = base.side("left"), base.side("right")
    parts = {"top": slice(0, k), "bottom": slice(base.q - k, base.q)}
    row: dict[str, float | None] = {}
    for side in ("left", "right"):
        share = shares(base, delta, side)
        for part, where in parts.items():
            row[f"{side}_energy_{part}"] = float(share[where].sum())
            chance = null[f"{side}_null_{part}"]
            row[f"{side}_enrichment_{part}"] = row[f"{side}_energy_{part}"] / chance if chance > 0 else None
        row[f"{side}_energy_null"] = float(share[base.q :].sum()) if len(share) > base.q else None
    for part, where in parts.items():
        row[f"both_energy_{part}"] = float(((left[:, where].T @ delta @ right[:, where]) ** 2).sum()) / total
    return row


def profile(base: Spectrum, delta: np.ndarray, reach: Reach) -> list[tuple]:
    """Rows (side, bin, first, last, share, null): ten bins of components, and on the wide side the null space."""
    rows = []
    edges = [b * base.q // BINS for b in range(BINS + 1)]
    moved = bool(delta.any())
    for side in ("left", "right"):
        share = shares(base, delta, side) if moved else None
        chance = chances(base, reach, side)
        bins = [(b, edges[b], edges[b + 1] - 1, slice(edges[b], edges[b + 1])) for b in range(BINS)]
        bins = [entry for entry in bins if entry[2] >= entry[1]]
        if len(chance) > base.q:
            bins.append((BINS, None, None, slice(base.q, None)))
        for index, first, last, where in bins:
            found = float(share[where].sum()) if moved else None
            rows.append((side, index, first, last, found, float(chance[where].sum())))
    return rows


# --- angles, drift, velocity ----------------------------------------------------------------------------------------


def alignment(base: Spectrum, update: Spectrum, k: int, numerical_rank: int) -> dict[str, float]:
    """Principal angles between ΔW's own leading min(k, numerical rank) vectors and the base's first k."""
    own = min(k, numerical_rank)
    if own == 0:
        return {}
    row = {}
    for side in ("left", "right"):
        top, leading = base.side(side)[:, :k], update.side(side)[:, :own]
        angles = principal_angles(top, leading)
        row[f"{side}_angle_min"] = math.degrees(angles.min())
        row[f"{side}_angle_mean"] = math.degrees(angles.mean())
        row[f"{side}_angle_max"] = math.degrees(angles.max())
        row[f"{side}_overlap"] = float(((top.T @ leading) ** 2).sum()) / own
    return row


def rotation(before: Spectrum, after: Spectrum, k: int) -> dict[str, float]:
    row = {}
    for side in ("left", "right"):
        angles = principal_angles(before.side(side)[:, :k], after.side(side)[:, :k])
        row[f"{side}_rotation_max"] = math.degrees(angles.max())
        row[f"{side}_rotation_mean"] = math.degrees(angles.mean())
    return row


def gap_columns(base: Spectrum, k: int, spectral_norm: float) -> dict[str, float | None]:
    gap = base.gap(k)
    ratio = spectral_norm / gap if gap > 0 else None
    bound = math.degrees(math.asin(ratio / (1 - ratio))) if ratio is not None and ratio < 0.5 else None
    return {"spectral_gap": gap, "gap_ratio": ratio, "rotation_bound": bound}


def intruder_cosines(base: Spectrum, after: Spectrum) -> np.ndarray:
    """For W₊'s leading left vectors, the largest |cos| with any thin left vector of the base."""
    count = min(INTRUDER_COUNT, base.q)
    return np.abs(base.side("left")[:, : base.q].T @ after.side("left")[:, :count]).max(axis=0)


def drift(base: Spectrum, after: Spectrum) -> dict[str, float | int]:
    shift = np.linalg.norm(after.values - base.values) / np.linalg.norm(base.values)
    cosines = intruder_cosines(base, after)
    energy = after.values[: len(cosines)] ** 2
    intruding = cosines < INTRUDER_COSINE
    return {
        "spectral_shift": float(shift),
        "intruder_count": int(intruding.sum()),
        "intruder_energy": float(energy[intruding].sum() / energy.sum()),
    }


def shift_velocity(base: Spectrum, delta: np.ndarray, k: int, interval: int) -> float:
    """First-order change of the first and last k singular values of the base, per step."""
    kept = sorted({*range(k), *range(base.q - k, base.q)})
    left, right = base.side("left")[:, kept], base.side("right")[:, kept]
    moves = np.einsum("ij,ij->j", left, delta @ right)
    return float(np.linalg.norm(moves) / np.linalg.norm(base.matrix) / interval)


# --- how well posed -------------------------------------------------------------------------------------------------


def conditioning(
    base: Spectrum,
    before: Spectrum | None,
    after: Spectrum | None,
    tau: np.ndarray,
    k: int,
    own: int,
    threshold: float,
    since: bool,
) -> dict[str, float | None]:
    """The columns of <case>.conditioning.csv; the README of this folder says how to read them."""
    boundaries = {b * base.q // BINS for b in range(1, BINS)} - {0}
    if base.rows != base.columns:
        boundaries.add(base.q)
    row: dict[str, float | None] = {
        "base_condition": base.condition(k),
        "bottom_condition": max(base.condition(base.q - k), base.condition(base.q) if base.rows != base.columns else 0),
        "profile_condition": max(base.condition(j) for j in boundaries),
    }
    candidates = sorted(gap_candidates(base, k).values(), reverse=True)
    row["k_gap_margin"] = candidates[0] - candidates[1] if len(candidates) > 1 else None
    if own:
        following = float(tau[own]) if own < len(tau) else 0.0
        gap = float(tau[own - 1]) - following
        row["alignment_condition"] = float(tau[0]) / gap if gap > 0 else math.inf
    if len(tau) and tau[0] > 0:
        safe = tau[tau > 0].astype(np.float64)
        row["numerical_rank_margin"] = float(np.abs(np.log(safe / threshold)).min())
    if after is None:
        return row
    row["rotation_condition"] = max(before.condition(k), after.condition(k))
    if not since:
        gap = gap_rank(base, k)
        row["rotation_gap_condition"] = max(base.condition(gap), after.condition(gap)) if gap else None
        count = min(INTRUDER_COUNT, base.q)
        row["intruder_condition"] = max(after.condition(j) for j in range(1, count + 1))
        row["intruder_margin"] = float(np.abs(intruder_cosines(base, after) - INTRUDER_COSINE).min())
    return row
