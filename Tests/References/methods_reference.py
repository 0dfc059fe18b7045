"""The methods beside plain LoRA: what PEFT stores for each, and the update that it stands for.

States that are a product (AdaLoRA, VeRA, MiSS, LoHa, LoKr, experts) become the `Factors` of `spectra_reference`. The
others (DoRA, IA3, norm tuning, MiSS-bat) change every singular value; a `DenseState` knows its effective weight and its
exact difference from another state, formed without cancellation against W₀.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import spectra_reference as reference
from geometry_reference import Reach, Spectrum
from spectra_reference import Adapter, Base, Factors, Saved, Update, eta, quadrature

ADALORA_EPSILON = 1e-5
CONSUMERS = {
    "input_layernorm": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "post_attention_layernorm": ["mlp.gate_proj", "mlp.up_proj"],
}


def product(b, a, scale: float, dtype: torch.dtype, **more) -> Factors:
    return Factors(np.asarray(b, np.float64), np.asarray(a, np.float64), scale, dtype, **more)


# --- products -------------------------------------------------------------------------------------------------------


def adalora(config: dict, tensors: dict[str, torch.Tensor]) -> Factors:
    """α/(init_r + 1e-5)·B·diag(E)·A; the configured rank is the number of triplets with E ≠ 0."""
    e = tensors["lora_E"].double().numpy()[:, 0]
    b, a = tensors["lora_B"].double().numpy() * e, tensors["lora_A"].double().numpy()
    scale = config["lora_alpha"] / (config["init_r"] + ADALORA_EPSILON)
    return product(b, a, scale, tensors["lora_E"].dtype, label=int((e != 0).sum()))


def vera(config: dict, tensors: dict[str, torch.Tensor], projections: dict[str, torch.Tensor], shape) -> Factors:
    """diag(λ_b)·B_f·diag(λ_d)·A_f, the shared projections cut to the module's shape."""
    rows, columns = shape
    outer, inner = (tensors[name].double().numpy() for name in ("vera_lambda_b", "vera_lambda_d"))
    b, a = projections["vera_B"].double().numpy()[:rows], projections["vera_A"].double().numpy()[:, :columns]
    return product(outer[:, None] * b * inner, a, 1.0, tensors["vera_lambda_b"].dtype, frozen_a=True)


@dataclass
class Shards(Factors):
    """MiSS: Dᵀ·T, where T repeats the unit matrix along the inputs. T is exact, so each entry is rounded once."""

    def rounding(self) -> float:
        return eta(self.dtype) * float(np.linalg.norm(self.dense()))


def miss(config: dict, block: torch.Tensor, shape) -> Factors:
    rows, columns = shape
    d = block.double().numpy()
    if config["init_weights"] == "mini":
        d = np.tile(d, (1, rows // d.shape[1]))
    rank = d.shape[0]
    repeated = np.tile(np.eye(rank), (1, -(-columns // rank)))[:, :columns]
    return Shards(d.T, repeated, 1.0, block.dtype, frozen_a=True)


@dataclass
class Hadamard(Factors):
    """LoHa: four stored factors in every term, so four independent roundings."""

    def rounding(self) -> float:
        return math.sqrt(2) * super().rounding()


def loha(config: dict, tensors: dict[str, torch.Tensor]) -> Factors:
    """s·(w1_a·w1_b)∘(w2_a·w2_b) as r² rank-one terms: the face-splitting products of the columns and of the rows."""
    b1, a1, b2, a2 = (tensors[f"hada_{name}"].double().numpy() for name in ("w1_a", "w1_b", "w2_a", "w2_b"))
    rank = resolve_rank(config, tensors)
    b = (b1[:, :, None] * b2[:, None, :]).reshape(len(b1), -1)
    a = (a1[:, None, :] * a2[None, :, :]).reshape(-1, a1.shape[1])
    return Hadamard(b, a, config["alpha"] / rank, tensors["hada_w1_a"].dtype, label=rank)


def resolve_rank(config: dict, tensors: dict[str, torch.Tensor]) -> int:
    assert not config["rank_pattern"] and not config["alpha_pattern"]
    return config["r"]


@dataclass
class Kronecker(Factors):
    """LoKr: the rounding is that of w1 and w2, whole (η‖w‖) or of two factors (η√(2Σ‖b_i‖²‖a_i‖²))."""

    error: float = 0.0

    def rounding(self) -> float:
        return self.error


def lokr(config: dict, tensors: dict[str, torch.Tensor]) -> Factors:
    """s·w1 ⊗ w2 as two factors, through the narrower of the two ways."""
    dtype = next(iter(tensors.values())).dtype
    scale = config["alpha"] / resolve_rank(config, tensors)

    def part(name: str) -> tuple[np.ndarray, np.ndarray, float]:
        if f"lokr_{name}" in tensors:
            whole = tensors[f"lokr_{name}"].double().numpy()
            return whole, np.eye(whole.shape[1]), eta(dtype) * float(np.linalg.norm(whole))
        pair = product(*(tensors[f"lokr_{name}_{end}"].double().numpy() for end in "ab"), 1.0, dtype)
        return pair.b, pair.a, pair.rounding()

    (b1, a1, error1), (b2, a2, error2) = part("w1"), part("w2")
    norms = np.linalg.norm(b1 @ a1), np.linalg.norm(b2 @ a2)
    error = scale * math.hypot(error1 * norms[1], error2 * norms[0])
    if b1.shape[0] < a1.shape[0]:  # a wide w1: its rows are fewer than its columns
        b1, a1 = np.eye(b1.shape[0]), b1 @ a1
    if b2.shape[0] < a2.shape[0]:
        b2, a2 = np.eye(b2.shape[0]), b2 @ a2
    return Kronecker(np.kron(b1, b2), np.kron(a1, a2), scale, dtype, label=config["r"], error=error)


def experts(config: dict, base: Base, tensors: dict[str, dict[str, torch.Tensor]]) -> dict[str, Factors]:
    """LoRA on fused expert parameters: A lists experts first and B ranks first, as PEFT's own reshapes have it."""
    found = {}
    for path, pair in tensors.items():
        a, b = pair["lora_A"], pair["lora_B"]
        block = path.replace(".base_layer", "")
        targets = {f"{block}.{target.rsplit('.', 1)[-1]}" for target in config["target_parameters"]}
        (parameter,) = [t for t in targets if base.expert_shape(t) == (b.shape[0], a.shape[1])]
        count = base.expert_count(parameter)
        rank = a.shape[0] // count
        assert rank == config["r"] and not config["rank_pattern"] and not config["use_rslora"]
        for expert in range(count):
            left = b.double().numpy().reshape(b.shape[0], rank, count)[:, :, expert]
            right = a.double().numpy().reshape(count, rank, -1)[expert]
            found[f"{parameter}.{expert}"] = product(left, right, config["lora_alpha"] / rank, a.dtype)
    return found


# --- states of full rank --------------------------------------------------------------------------------------------


class DenseState:
    """A weight that an adapter makes without being low-rank; `None` in place of a state is W₀ itself."""

    rank: int | None = None
    dtype: torch.dtype

    def minus(self, weight: np.ndarray, before) -> np.ndarray:
        raise NotImplementedError

    def rounding(self, weight: np.ndarray) -> float:
        raise NotImplementedError

    def effective(self, weight: np.ndarray) -> np.ndarray:
        return weight + self.minus(weight, None)

    reach = Reach()


class DoRA(DenseState):
    """diag(g)·(W₀ + s·B·A) with g = m ⊘ c, c the row norms of W₀ + s·B·A."""

    def __init__(self, factors: Factors, magnitude: torch.Tensor):
        self.factors, self.magnitude = factors, magnitude.double().numpy()
        self.rank, self.dtype = factors.rank, magnitude.dtype

    def gain(self, weight: np.ndarray) -> np.ndarray:
        return self.magnitude / np.linalg.norm(weight + self.factors.dense(), axis=1)

    def magnitude_part(self, weight: np.ndarray, before: DoRA | None) -> np.ndarray:
        earlier = before.gain(weight) if before else 1.0
        return (self.gain(weight) - earlier)[:, None] * weight

    def direction_part(self, weight: np.ndarray, before: DoRA | None) -> tuple[np.ndarray, np.ndarray]:
        """s·diag(g)·B·A less the same of the state before, as stacked factors."""
        left, right = self.scaled(weight)
        if before is None or before.factors.vanishes:
            return left, right
        left_before, right_before = before.scaled(weight)
        return np.hstack([left - left_before, left_before]), np.vstack([right, right - right_before])

    def scaled(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.gain(weight)[:, None] * self.factors.b * self.factors.scale, self.factors.a

    def minus(self, weight: np.ndarray, before: DoRA | None) -> np.ndarray:
        left, right = self.direction_part(weight, before)
        return self.magnitude_part(weight, before) + left @ right

    def magnitude_rounding(self) -> float:
        return eta(self.dtype) * float(np.linalg.norm(self.magnitude))

    def rounding(self, weight: np.ndarray) -> float:
        return quadrature(self.factors.rounding(), self.magnitude_rounding())


class Scaled(DenseState):
    """diag(d)·W₀ or W₀·diag(d): IA3 and, with d = γ ⊘ γ₀ over the weight behind the norm, norm tuning."""

    def __init__(self, scale: np.ndarray, dtype: torch.dtype, by_rows: bool):
        self.scale, self.dtype, self.by_rows = scale, dtype, by_rows
        self.reach = Reach("row-scaling" if by_rows else "column-scaling")

    def minus(self, weight: np.ndarray, before: Scaled | None) -> np.ndarray:
        change = self.scale - (before.scale if before else 1.0)
        return change[:, None] * weight if self.by_rows else weight * change

    def rounding(self, weight: np.ndarray) -> float:
        return eta(self.dtype) * float(np.linalg.norm(self.effective(weight)))


class Norm(Scaled):
    """Norm tuning: W₀·diag(γ) against W₀·diag(γ₀); `weight` here is W₀·diag(γ₀), differences are formed from W₀."""

    def __init__(self, gains: torch.Tensor, plain: np.ndarray, start: np.ndarray):
        super().__init__(gains.double().numpy(), gains.dtype, by_rows=False)
        self.plain, self.start = plain, start

    def minus(self, weight: np.ndarray, before: Norm | None) -> np.ndarray:
        return self.plain * (self.scale - (before.scale if before else self.start))


class Bat(DenseState):
    """MiSS-bat: the block in block-row i and block-column j gains (W_ij + I)·D_i."""

    def __init__(self, block: torch.Tensor):
        self.d, self.dtype, self.rank = block.double().numpy(), block.dtype, block.shape[-1]

    def blocks(self, weight: np.ndarray) -> np.ndarray:
        """W_ij + I, indexed (i, j, row, column)."""
        r = self.rank
        return weight.reshape(weight.shape[0] // r, r, -1, r).transpose(0, 2, 1, 3) + np.eye(r)

    def minus(self, weight: np.ndarray, before: Bat | None) -> np.ndarray:
        change = self.d - (before.d if before else 0.0)
        return (self.blocks(weight) @ change[:, None]).transpose(0, 2, 1, 3).reshape(weight.shape)

    def rounding(self, weight: np.ndarray) -> float:
        """The rms of (W_ij + I)·δD_i with independent δD of size η|D|."""
        lengths = (self.blocks(weight) ** 2).sum(axis=(1, 2))  # (i, column): over j and rows
        return eta(self.dtype) * math.sqrt(float((lengths[:, :, None] * self.d**2).sum()))


class DenseHistory:
    """The updates of one module whose states are dense."""

    def __init__(self, spectrum: Spectrum, module: str, method: str, start: DenseState | None):
        self.spectrum, self.module, self.method, self.start = spectrum, module, method, start
        self.weight = spectrum.matrix
        self.norm = float(np.linalg.norm(self.weight))

    def row(self, step: int, delta: str, now: DenseState, matrix, roundings: list[float], **more) -> Update:
        more = dict(base=self.spectrum, reach=now.reach) | more
        if not isinstance(matrix, tuple):
            later = float(np.linalg.norm(now.effective(self.weight)))
            more |= dict(weight_norm_after=later, dtype=now.dtype)
        floor = quadrature(*roundings) / self.norm
        return Update(step, self.module, self.method, delta, now.rank, matrix, floor, **more)

    def difference(self, step: int, delta: str, now: DenseState, earlier: DenseState | None, **more) -> Update:
        roundings = [state.rounding(self.weight) for state in (now, earlier) if state]
        return self.row(step, delta, now, now.minus(self.weight, earlier), roundings, **more)

    def since_start(self, step: int, now: DenseState) -> list[Update]:
        rows = [
            self.difference(step, "init", now, self.start),
            self.difference(step, "pretrained", now, None),
        ]
        if isinstance(now, DoRA):
            both = [now, self.start] if self.start else [now]
            magnitude, sizes = now.magnitude_part(self.weight, self.start), [state.magnitude_rounding() for state in both]
            rows.append(self.row(step, "init.magnitude", now, magnitude, sizes, reach=Reach("row-scaling")))
            direction, sizes = now.direction_part(self.weight, self.start), [s.factors.rounding() for s in both]
            rows.append(self.row(step, "init.direction", now, direction, sizes))
        return rows

    def since(self, step: int, now: DenseState, before: tuple[int, DenseState | None]) -> Update:
        stood = self.spectrum if before[1] is None else Spectrum(before[1].effective(self.weight))
        return self.difference(step, "previous", now, before[1], interval=step - before[0], before=stood)


# --- reading --------------------------------------------------------------------------------------------------------


def groups(tensors: dict[str, torch.Tensor], endings: list[str]) -> dict[str, dict[str, torch.Tensor]]:
    """Tensors by module and by name, PEFT's prefix and `.weight` removed."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        path = name.removeprefix("base_model.model.").removesuffix(".weight")
        module, _, last = path.rpartition(".")
        if last in endings:
            found.setdefault(module, {})[last] = tensor
    return dict(sorted(found.items()))


LOKR = ["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b"]
HADAMARD = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"]


def read_peft(folder: Path, base: Base) -> Adapter:
    """Any adapter folder of the supported methods; plain LoRA is `spectra_reference`'s."""
    config = reference.read_config(folder)
    kind = config["peft_type"]
    if kind == "LORA" and not config["use_dora"] and not config.get("target_parameters"):
        return reference.read_adapter(folder)
    tensors = reference.read_tensors(folder / "adapter_model.safetensors")
    return Adapter(config, dict(sorted(modules_of(kind, config, tensors, base).items())))


def modules_of(kind: str, config: dict, tensors: dict[str, torch.Tensor], base: Base) -> dict:
    if kind == "LORA" and config["use_dora"]:
        found = groups(tensors, ["lora_A", "lora_B", "lora_magnitude_vector"])
        return {
            m: DoRA(reference.factors(config, m, t["lora_B"], t["lora_A"]), t["lora_magnitude_vector"])
            for m, t in found.items()
        }
    if kind == "LORA":
        return experts(config, base, groups(tensors, ["lora_A", "lora_B"]))
    if kind == "ADALORA":
        return {m: adalora(config, t) for m, t in groups(tensors, ["lora_A", "lora_B", "lora_E"]).items()}
    if kind == "VERA":
        shared = {name: tensors[f"base_model.{name}"] for name in ("vera_A", "vera_B")}
        found = groups(tensors, ["vera_lambda_b", "vera_lambda_d"])
        return {m: vera(config, t, shared, base.weight(m).shape) for m, t in found.items()}
    if kind == "MISS":
        found = {m: t["miss_block"] for m, t in groups(tensors, ["miss_block"]).items()}
        if config["init_weights"] == "bat":
            return {m: Bat(block) for m, block in found.items()}
        return {m: miss(config, block, base.weight(m).shape) for m, block in found.items()}
    if kind == "IA3":
        found = {m: t["ia3_l"] for m, t in groups(tensors, ["ia3_l"]).items()}
        return {m: Scaled(l.double().numpy().ravel(), l.dtype, by_rows=l.shape[1] == 1) for m, l in found.items()}
    if kind == "LN_TUNING":
        return norms(groups(tensors, ["ln_tuning_layers"]), base)
    if kind == "LOHA":
        return {m: loha(config, t) for m, t in groups(tensors, HADAMARD).items()}
    if kind == "LOKR":
        return {m: lokr(config, t) for m, t in groups(tensors, LOKR).items()}
    raise ValueError(f"unknown method {kind}")


def norms(found: dict[str, dict[str, torch.Tensor]], base: Base) -> dict[str, Norm]:
    """A state for every linear that reads a tuned norm."""
    states = {}
    for norm, tensors in found.items():
        block, _, last = norm.rpartition(".")
        consumers = [f"{block}.{part}" for part in CONSUMERS[last]] if last in CONSUMERS else ["lm_head"]
        start = base.tensors[norm + ".weight"].double().numpy()
        for consumer in consumers:
            states[consumer] = Norm(tensors["ln_tuning_layers"], base.weight(consumer), start)
    return states


def behind_norm(base: Base, module: str) -> np.ndarray:
    """W₀·diag(γ₀) of a linear that reads a norm."""
    for norm, parts in CONSUMERS.items():
        for part in parts:
            if module.endswith("." + part):
                gains = base.tensors[f"{module.removesuffix(part)}{norm}.weight"]
                return base.weight(module) * gains.double().numpy()
    return base.weight(module) * base.tensors["model.norm.weight"].double().numpy()


def read_model(folder: Path, like: Base) -> Adapter:
    """A whole fine-tuned model: every two-dimensional weight that the base has too."""
    model = Base(folder, like.fan_in_fan_out)
    config = {"peft_type": "FULL"}
    return Adapter(config, {name: Saved(model.weight(name), model.dtype(name)) for name in model.names()})


# --- updates of a run -----------------------------------------------------------------------------------------------

NAMES = {"ADALORA": "adalora", "VERA": "vera", "MISS": "miss", "IA3": "ia3", "LN_TUNING": "ln-tuning"}
NAMES |= {"LOHA": "loha", "LOKR": "lokr", "FULL": "full"}


def method_of(config: dict, override: str | None) -> str:
    if override:
        return override
    if config["peft_type"] == "LORA":
        return "dora" if config["use_dora"] else reference.method_of(config, None)
    return NAMES[config["peft_type"]]


def dense_updates(base: Base, run: dict[int, Adapter], start: Adapter | None, module: str, method: str) -> list[Update]:
    first = next(iter(run.values())).modules[module]
    weight = base.weight(module)
    spectrum = Spectrum(weight * first.start if isinstance(first, Norm) else weight)
    given = start.modules[module] if start else None
    history = DenseHistory(spectrum, module, method, given)
    rows = history.since_start(0, given) if given else []
    before = (0, given)
    for step in sorted(run):
        now = run[step].modules[module]
        rows += [*history.since_start(step, now), history.since(step, now, before)]
        before = (step, now)
    return rows


def factored_updates(
    base: Base, run: dict[int, Adapter], start: Adapter | None, module: str, method: str
) -> list[Update]:
    config = next(iter(run.values())).config
    steps = sorted(run)
    first, given = run[steps[0]].modules[module], start.modules[module] if start else None
    history = reference.ModuleHistory(base, module, method, config, given, first)
    if method == "adalora":
        history.rank_for_k = config["init_r"]
    rows = history.since_start(0, given) if given else []
    before = None
    for step in steps:
        now = run[step].modules[module]
        rows += history.since_start(step, now) + history.since(step, now, before)
        before = (step, now)
    return rows


def updates(base: Base, run: dict[int, Adapter], start: Adapter | None, override: str | None) -> list[Update]:
    """All updates of a run of any method."""
    first = run[min(run)]
    method = method_of(first.config, override)
    rows: list[Update] = []
    for module, state in first.modules.items():
        if isinstance(state, DenseState):
            rows += dense_updates(base, run, start, module, method)
        elif isinstance(state, Saved):
            rows += reference.saved_updates(base, module, [(step, run[step].modules[module]) for step in sorted(run)])
        else:
            rows += factored_updates(base, run, start, module, method)
    return sorted(rows, key=lambda row: (row.step, row.module, row.delta))
