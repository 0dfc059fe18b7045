"""Spectral quantities of PEFT updates in plain NumPy: the reference values that the Swift code is tested against.

Everything follows the definitions in the README of this folder. Updates are products L·R of stacked factors; their
singular values come from Householder QR and one-sided Jacobi in extended precision (x87 `longdouble`, 64-bit
mantissa), norms and shapes from those values; where they lie against the base is `geometry_reference`'s. Here are LoRA
and its relatives and whole weights; the other methods are in `methods_reference`. Matrices are out x in.
"""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

import geometry_reference as geometry
from geometry_reference import Reach, Spectrum

UNIT_ROUNDOFF = {torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings")
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
FROZEN_ROWS = ("lora-fa", "miss", "vera")
EXTENDED = np.longdouble
assert np.finfo(EXTENDED).nmant >= 63, "extended precision is needed: run this on x86-64 or on an IEEE quad machine"


# --- linear algebra in extended precision ---------------------------------------------------------------------------


def triangle(matrix: np.ndarray) -> np.ndarray:
    """The R factor of a Householder QR, in extended precision."""
    work = np.array(matrix, dtype=EXTENDED)
    size = min(work.shape)
    for j in range(size):
        column = work[j:, j]
        norm = np.sqrt((column * column).sum())
        if norm == 0:
            continue
        reflector = column.copy()
        reflector[0] += norm if column[0] >= 0 else -norm
        reflector /= np.sqrt((reflector * reflector).sum())
        block = work[j:, j:]
        block -= 2 * reflector[:, None] * (reflector[:, None] * block).sum(axis=0)
    return np.triu(work[:size])


def pairings(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rounds of a round-robin tournament: each round pairs every one of an even number of columns once."""
    order, rounds = list(range(count)), []
    for _ in range(count - 1):
        half = count // 2
        rounds.append((np.array(order[:half]), np.array(order[half:][::-1])))
        order = [order[0], order[-1]] + order[1:-1]
    return rounds


def jacobi_singular_values(matrix: np.ndarray) -> np.ndarray:
    """Singular values, descending, by one-sided Jacobi in extended precision."""
    work = np.array(matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T, dtype=EXTENDED)
    count = work.shape[1]
    if count % 2:
        work = np.hstack([work, np.zeros((work.shape[0], 1), EXTENDED)])
    tolerance = 16 * np.finfo(EXTENDED).eps
    rounds = pairings(work.shape[1])
    for _ in range(80):
        rotated = False
        for i, j in rounds:
            x, y = work[:, i], work[:, j]
            xx, yy, xy = (x * x).sum(axis=0), (y * y).sum(axis=0), (x * y).sum(axis=0)
            active = np.abs(xy) > tolerance * np.sqrt(xx * yy)
            if not active.any():
                continue
            rotated = True
            zeta = np.where(active, yy - xx, 0) / np.where(active, 2 * xy, 1)
            tangent = np.where(zeta >= 0, 1, -1) / (np.abs(zeta) + np.sqrt(1 + zeta * zeta))
            tangent = np.where(active, tangent, 0)
            cosine = 1 / np.sqrt(1 + tangent * tangent)
            work[:, i], work[:, j] = cosine * (x - tangent * y), cosine * (tangent * x + y)
        if not rotated:
            return np.sort(np.sqrt((work * work).sum(axis=0)))[::-1][:count]
    raise ArithmeticError("one-sided Jacobi did not converge")


def product_singular_values(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The min(p, q) leading singular values of left (m x p) · right (p x n), never formed where p < q."""
    width, q = left.shape[1], min(left.shape[0], right.shape[1])
    if width >= q:
        return jacobi_singular_values(left.astype(EXTENDED) @ right.astype(EXTENDED))
    return jacobi_singular_values(triangle(left) @ triangle(right.T).T)


# --- what is on disk ------------------------------------------------------------------------------------------------


@dataclass
class Factors:
    """A stored low-rank pair: B (out x rank), A (rank x in), exact in float64; the dtype is the stored one."""

    b: np.ndarray
    a: np.ndarray
    scale: float
    dtype: torch.dtype

    label: int | None = None
    frozen_a: bool = False

    @property
    def rank(self) -> int:
        return self.a.shape[0]

    @property
    def configured(self) -> int:
        """The rank of the table's column, where it is not that of the stored factors."""
        return self.rank if self.label is None else self.label

    @property
    def vanishes(self) -> bool:
        return not self.b.any() or not self.a.any()

    def dense(self) -> np.ndarray:
        return self.scale * (self.b @ self.a)

    def rounding(self) -> float:
        """s·η·√(2 Σ ‖b_i‖² ‖a_i‖²)."""
        energy = ((self.b**2).sum(axis=0) * (self.a**2).sum(axis=1)).sum()
        return self.scale * eta(self.dtype) * math.sqrt(2 * energy)


@dataclass
class Saved:
    """A whole weight in the adapter folder (`modules_to_save`), out x in."""

    weight: np.ndarray
    dtype: torch.dtype

    def dense(self) -> np.ndarray:
        return self.weight

    def rounding(self) -> float:
        return eta(self.dtype) * float(np.linalg.norm(self.weight))


@dataclass
class Adapter:
    """One adapter folder: its configuration and, per module of the base model, what it holds."""

    config: dict
    modules: dict[str, Factors | Saved]


def eta(dtype: torch.dtype) -> float:
    return 0.425 * UNIT_ROUNDOFF[dtype]


def is_embedding(module: str) -> bool:
    return module.rsplit(".", 1)[-1] in EMBEDDINGS


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    with safe_open(file, framework="pt") as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys()}


class Base:
    """A Hugging Face model folder, sharded or not; weights are handed out as float64, out x in."""

    def __init__(self, folder: Path, fan_in_fan_out: bool = False):
        self.fan_in_fan_out = fan_in_fan_out
        config = json.loads((folder / "config.json").read_text())
        self.experts_transposed = config["model_type"] == "gpt_oss"
        self.tensors: dict[str, torch.Tensor] = {}
        for file in sorted(folder.glob("model*.safetensors")):
            self.tensors.update(read_tensors(file))

    def names(self) -> list[str]:
        """Every matrix: two-dimensional weights, and each expert's part of a fused parameter (fused here if need be)."""
        plain = {n.removesuffix(".weight") for n, t in self.tensors.items() if t.ndim == 2 and n.endswith(".weight")}
        split = {n for n in plain if re.search(r"\.experts\.\d+\.\w+$", n)}
        fused = {n for n, t in self.tensors.items() if t.ndim == 3}
        fused |= {f"{n.rsplit('.', 2)[0]}.{part}" for n in split for part in ("gate_up_proj", "down_proj")}
        return sorted((plain - split) | {f"{n}.{expert}" for n in fused for expert in range(self.expert_count(n))})

    def dtype(self, module: str) -> torch.dtype:
        return self.tensors[module + ".weight"].dtype

    def fused(self, parameter: str) -> torch.Tensor:
        """A parameter with one matrix an expert, experts x out x in, whichever way the folder stores it."""
        if parameter in self.tensors:
            stored = self.tensors[parameter]
            return stored.transpose(1, 2) if self.experts_transposed else stored
        block, _, last = parameter.rpartition(".")
        parts = ["gate_proj", "up_proj"] if last == "gate_up_proj" else [last]
        each, expert = [], 0
        while f"{block}.{expert}.{parts[0]}.weight" in self.tensors:
            each.append(torch.cat([self.tensors[f"{block}.{expert}.{part}.weight"] for part in parts]))
            expert += 1
        return torch.stack(each)

    def expert_shape(self, parameter: str) -> tuple[int, int]:
        return tuple(self.fused(parameter).shape[1:])

    def expert_count(self, parameter: str) -> int:
        return self.fused(parameter).shape[0]

    def weight(self, module: str) -> np.ndarray:
        parameter, _, last = module.rpartition(".")
        if last.isdigit():
            return self.fused(parameter)[int(last)].double().numpy()
        stored = self.tensors[module + ".weight"].double().numpy()
        return stored.T if self.fan_in_fan_out or is_embedding(module) else stored


def resolve(pattern: dict, module: str, otherwise: float) -> float:
    """The value of the first pattern, in the file's order, that matches a module's name as PEFT matches it."""
    for key, value in pattern.items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return otherwise


def read_config(folder: Path) -> dict:
    return json.loads((adapter_folder(folder) / "adapter_config.json").read_text())


def adapter_folder(folder: Path) -> Path:
    """Where an adapter's files lie: one that is not called "default" lies in a subfolder."""
    if not (folder / "adapter_config.json").exists():
        (folder,) = [file.parent for file in folder.glob("*/adapter_config.json")]
    return folder


def read_adapter(folder: Path) -> Adapter:
    """A LoRA folder as PEFT writes it."""
    folder = adapter_folder(folder)
    config = read_config(folder)
    tensors = read_tensors(folder / "adapter_model.safetensors")
    modules: dict[str, Factors | Saved] = {}
    for name, tensor in tensors.items():
        path = name.removeprefix("base_model.model.")
        if path.endswith((".lora_A.weight", ".lora_embedding_A")):
            module = re.sub(r"\.lora_(A\.weight|embedding_A)$", "", path)
            partner = tensors[name.replace("lora_A", "lora_B").replace("embedding_A", "embedding_B")]
            modules[module] = factors(config, module, partner, tensor)
        elif path.endswith(".weight") and "lora_" not in path and ".base_layer" not in path:
            module = path.removesuffix(".weight")
            weight = tensor.double().numpy()
            modules[module] = Saved(weight.T if is_embedding(module) else weight, tensor.dtype)
    return Adapter(config, dict(sorted(modules.items())))


def factors(config: dict, module: str, b: torch.Tensor, a: torch.Tensor) -> Factors:
    rank = resolve(config["rank_pattern"], module, config["r"])
    alpha = resolve(config["alpha_pattern"], module, config["lora_alpha"])
    assert a.shape[0] == b.shape[1] == rank, f"{module}: rank {rank} expected, found {a.shape} and {b.shape}"
    scale = alpha / math.sqrt(rank) if config["use_rslora"] else alpha / rank
    return Factors(b.double().numpy(), a.double().numpy(), scale, a.dtype)


# --- updates --------------------------------------------------------------------------------------------------------


@dataclass
class Update:
    """One ΔW of one module: stacked factors (or a dense matrix) and what the table says of it."""

    step: int
    module: str
    method: str
    delta: str
    rank: int | None
    matrix: tuple[np.ndarray, np.ndarray] | np.ndarray
    floor: float
    residual_rounding: float | None = None
    interval: int | None = None
    weight_norm_after: float | None = None
    dtype: torch.dtype | None = None
    base: Spectrum | None = None
    before: Spectrum | None = None
    reach: Reach = field(default_factory=Reach)
    rank_for_k: int | None = None

    def dense(self) -> np.ndarray:
        if isinstance(self.matrix, tuple):
            return self.matrix[0] @ self.matrix[1]
        return self.matrix


def single(now: Factors) -> tuple[np.ndarray, np.ndarray]:
    return now.scale * now.b, now.a


def difference(now: Factors, before: Factors) -> tuple[np.ndarray, np.ndarray]:
    """s·B·A - s₀·B₀·A₀ as stacked factors; (B-B₀)A + B₀(A-A₀) where scale and rank agree, which does not cancel."""
    if before.vanishes:
        return single(now)
    if now.scale == before.scale and now.frozen_a and np.array_equal(now.a, before.a):
        return (now.b - before.b) * now.scale, now.a
    if now.scale == before.scale and now.rank == before.rank:
        left = np.hstack([now.b - before.b, before.b]) * now.scale
        return left, np.vstack([now.a, now.a - before.a])
    return np.hstack([now.scale * now.b, -before.scale * before.b]), np.vstack([now.a, before.a])


def method_of(config: dict, override: str | None) -> str:
    if override:
        return override
    if str(config["init_lora_weights"]).startswith("pissa"):
        return "pissa"
    return "rslora" if config["use_rslora"] else "lora"


def principal(weight: np.ndarray, like: Factors) -> Factors:
    """PiSSA's exact starting factors, recomputed from the base weight in float64."""
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    root = np.sqrt(s[: like.rank] / like.scale)
    return replace(like, b=u[:, : like.rank] * root, a=root[:, None] * vt[: like.rank])


def residual_rounding(weight: np.ndarray, start: Factors, dtype: torch.dtype) -> float:
    """‖round(W₀ - sB₀A₀) - (W₀ - sB₀A₀)‖_F / ‖W₀‖_F, rounded to nearest even in the base's dtype."""
    residual = weight - start.dense()
    rounded = torch.from_numpy(np.ascontiguousarray(residual)).to(dtype).double().numpy()
    return float(np.linalg.norm(rounded - residual) / np.linalg.norm(weight))


def quadrature(*terms: float) -> float:
    return math.sqrt(math.fsum(term * term for term in terms))


class ModuleHistory:
    """The updates of one factored module over a run."""

    def __init__(self, base: Base, module: str, method: str, config: dict, start: Factors | None, first: Factors):
        self.module, self.method = module, method
        self.weight = base.weight(module)
        self.spectrum = Spectrum(self.weight)
        self.rank_for_k = first.configured
        self.norm = float(np.linalg.norm(self.weight))
        self.mutates = method in ("pissa", "milora")
        self.given = start
        self.zero_start = start is None and not self.mutates
        self.start, self.recomputed = start, False
        if start is None and config.get("init_lora_weights") == "pissa":
            self.start, self.recomputed = principal(self.weight, first), True
        self.residual = None
        if self.mutates and self.start is not None:
            self.residual = residual_rounding(self.weight, self.start, base.dtype(module))

    def floor(self, *terms: float) -> float:
        return quadrature(*terms) / self.norm

    def update(self, step: int, delta: str, now: Factors, matrix, floor: float, **more) -> Update:
        reach = Reach("rows", now.a) if self.method in FROZEN_ROWS else Reach()
        common = dict(base=self.spectrum, reach=reach, rank_for_k=self.rank_for_k)
        return Update(step, self.module, self.method, delta, now.configured, matrix, floor, **common, **more)

    def effective(self, state: Factors) -> Spectrum | None:
        """W_eff of a state; nothing where the base was changed by what is not known."""
        if self.mutates:
            if self.start is None:
                return None
            moved = difference(state, self.start)
            return Spectrum(self.weight + moved[0] @ moved[1])
        return Spectrum(self.weight + state.dense())

    def since_start(self, step: int, now: Factors) -> list[Update]:
        """The rows `init` and `pretrained`, where the start is known."""
        alone = self.floor(now.rounding())
        if self.zero_start:
            return [self.update(step, delta, now, single(now), alone) for delta in ("init", "pretrained")]
        if self.start is None:
            return []
        recomputing = self.residual if self.recomputed else 0.0
        floor = quadrature(self.floor(now.rounding(), self.start.rounding()), recomputing)
        moved = difference(now, self.start)
        init = self.update(step, "init", now, moved, floor)
        if self.mutates:
            return [init, self.update(step, "pretrained", now, moved, floor, residual_rounding=self.residual)]
        return [init, self.update(step, "pretrained", now, single(now), alone)]

    def since(self, step: int, now: Factors, before: tuple[int, Factors] | None) -> list[Update]:
        """The row `previous`; step 0 stands in for the checkpoint before the first one where it is known."""
        if before is None and self.given is not None:
            before = (0, self.given)
        if before is not None:
            floor = self.floor(now.rounding(), before[1].rounding())
            moved, earlier = difference(now, before[1]), self.effective(before[1])
            return [self.update(step, "previous", now, moved, floor, interval=step - before[0], before=earlier)]
        if self.zero_start:
            floor, earlier = self.floor(now.rounding()), self.spectrum
            return [self.update(step, "previous", now, single(now), floor, interval=step, before=earlier)]
        return []


def saved_updates(base: Base, module: str, history: list[tuple[int, Saved]]) -> list[Update]:
    """The updates of a module whose whole weight is stored; before the first checkpoint stands the base."""
    weight = base.weight(module)
    norm, rows, spectrum = float(np.linalg.norm(weight)), [], Spectrum(weight)
    before_step, before, before_rounding = 0, weight, 0.0
    for step, saved in history:
        common = dict(weight_norm_after=float(np.linalg.norm(saved.weight)), dtype=saved.dtype, base=spectrum)
        floor = saved.rounding() / norm
        for delta in ("init", "pretrained"):
            rows.append(Update(step, module, "full", delta, None, saved.weight - weight, floor, **common))
        floor = quadrature(saved.rounding(), before_rounding) / norm
        moved = saved.weight - before
        interval = step - before_step
        common |= dict(interval=interval, before=Spectrum(before))
        rows.append(Update(step, module, "full", "previous", None, moved, floor, **common))
        before_step, before, before_rounding = step, saved.weight, saved.rounding()
    return rows


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


def short(value) -> str:
    """Ten digits: for the long files, whose columns are promised to fewer."""
    return f"{value:.10g}" if isinstance(value, float) else cell(value)


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
    for update in rows:
        found = measure(update, with_geometry=thorough)
        if thorough:
            check_against_dense(update, found.tau)
        key = [update.step, update.module, update.delta]
        tables["modules"].add([cell(found.row[name]) for name in COLUMNS])
        for index, value in enumerate(found.tau):
            tables["singular_values"].add([*key, index, cell(float(value))])
        if "updated" in tables and update.delta == "pretrained":
            for index, value in enumerate(found.after.values):
                tables["updated"].add([update.step, update.module, "updated", index, short(float(value))])
        if "profiles" in tables:
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
