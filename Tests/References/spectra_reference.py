"""Spectral quantities of PEFT updates in plain NumPy: the reference values that the Swift code is tested against.

Everything follows the definitions in the README of this folder. Updates are products L·R of stacked factors; their
singular values come from Householder QR and one-sided Jacobi in extended precision (x87 `longdouble`, 64-bit
mantissa), norms and shapes from those values; where they lie against the base is `geometry_reference`'s. Here are LoRA
and its relatives and whole weights; the other methods are in `methods_reference`. Matrices are out x in.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from geometry_reference import Reach, Spectrum

UNIT_ROUNDOFF = {torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings")
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
        """Every matrix: two-dimensional weights, and each expert's part of a fused parameter (or of one fused here)."""
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
