"""What is true of a run, computed in float64 by NumPy from the saved files alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

PREFIX = "base_model.model."


@dataclass
class Case:
    """How a run is to be analysed, and what is so about it."""

    name: str
    source: str
    base: str
    find: str  # what a diagnosis has to say; "nothing" where it must keep silent
    true: str = ""
    initial: str | None = None
    exit: int = 0
    base_given: str | None = None  # where a wrong one is passed
    true_initial: str | None = None  # step 0 for the truth here, kept from the tool or not
    numbers: dict = field(default_factory=dict)

    def __post_init__(self):
        self.true_initial = self.true_initial or self.initial


def relative(part: np.ndarray, whole: np.ndarray) -> float:
    return float(np.linalg.norm(part) / np.linalg.norm(whole))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.vdot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


def read_adapter(folder: Path) -> tuple[dict, dict[str, dict[str, np.ndarray]]]:
    config = json.loads((folder / "adapter_config.json").read_text())
    modules: dict[str, dict[str, np.ndarray]] = {}
    for key, tensor in load_file(folder / "adapter_model.safetensors").items():
        path, _, part = key.removeprefix(PREFIX).replace(".weight", "").rpartition(".")
        modules.setdefault(path, {})[part] = tensor.double().numpy()
    return config, modules


def read_base(folder: str) -> dict[str, np.ndarray]:
    tensors = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        tensors |= {key.removesuffix(".weight"): value.double().numpy() for key, value in load_file(file).items()}
    return tensors


def scale(config: dict) -> float:
    return config["lora_alpha"] / config["r"]


def updates(folder: Path, base: dict[str, np.ndarray], initial: Path | None) -> dict[str, np.ndarray]:
    """ΔW of every module of a checkpoint, relative to where training started; W₀ where no `initial` is given."""
    if (folder / "model.safetensors").exists():
        saved = read_base(str(folder))
        return {name: saved[name] - base[name] for name in saved if saved[name].ndim == 2}
    config, modules = read_adapter(folder)
    start = read_adapter(initial)[1] if initial else {}
    found = {}
    for name, parts in modules.items():
        b, a, s = parts["lora_B"], parts["lora_A"], scale(config)
        if "lora_magnitude_vector" in parts:
            direction = base[name] + s * b @ a
            gain = (parts["lora_magnitude_vector"] / np.linalg.norm(direction, axis=1))[:, None]
            found[name] = (gain - 1) * base[name] + gain * s * b @ a
        elif start:  # (B − B₀)A + B₀(A − A₀) loses nothing where the two states are close
            b0, a0 = start[name]["lora_B"], start[name]["lora_A"]
            found[name] = s * ((b - b0) @ a + b0 @ (a - a0))
        else:
            found[name] = s * b @ a
    return found


def checkpoints(folder: Path) -> dict[int, Path]:
    found = {int(path.name.removeprefix("checkpoint-")): path for path in folder.glob("checkpoint-*")}
    return dict(sorted(found.items())) or {0: folder}


def truth(case: Case) -> list[dict]:
    """Size, stable rank and velocity of every module at every checkpoint; the first velocity is that since step 0."""
    base = read_base(case.base)
    before, before_step, rows = {}, 0, []
    for step, folder in checkpoints(Path(case.source)).items():
        now = updates(folder, base, Path(case.true_initial) if case.true_initial else None)
        for name, delta in now.items():
            row = {"step": step, "module": name}
            if np.isfinite(delta).all():
                norm, size = np.linalg.norm(base[name]), np.linalg.norm(delta)
                largest = np.linalg.svd(delta, compute_uv=False)[0]
                row |= {"relative_norm": size / norm, "stable_rank": (size / largest) ** 2 if largest else None}
                moved = delta - before.get(name, 0)
                if np.isfinite(moved).all():
                    row["velocity"] = np.linalg.norm(moved) / norm / max(1, step - before_step)
            rows.append(row)
        before, before_step = now, step
    return rows


def summary(case: Case, rows: list[dict]) -> dict:
    """Per step the least and the largest over the modules, and what was logged there; the loss over the whole run."""
    steps, losses = {}, []
    for step, folder in checkpoints(Path(case.source)).items():
        here = [row for row in rows if row["step"] == step]
        entry = steps[step] = {}
        for column in ("relative_norm", "stable_rank", "velocity"):
            values = [row[column] for row in here if row.get(column) is not None]
            entry[column] = [min(values), max(values)] if values else None
        entry["not_finite"] = [row["module"] for row in here if "relative_norm" not in row]
        if log := logged(folder):
            entry |= {key: plain(log[-1].get(key)) for key in ("loss", "grad_norm", "learning_rate")}
            losses = [line["loss"] for line in log]
    if not losses:
        return {"steps": steps}
    means = {"mean_of_first_5": np.mean(losses[:5]), "mean_of_last_5": np.mean(losses[-5:])}
    return means | {"largest_loss": max(losses), "steps": steps}


def plain(value):
    """NaN has no place in JSON; the manifest says it in words."""
    return value if value is None or np.isfinite(value) else str(value)


def fit(folder: Path, base: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """How well PiSSA's factors sit on the leading part of a base: ‖sBA − W_r‖_F/‖W_r‖_F, and overlaps."""
    config, modules = read_adapter(folder)
    rank, found = config["r"], {}
    for name, parts in modules.items():
        u, s, vt = np.linalg.svd(base[name], full_matrices=False)
        leading = (u[:, :rank] * s[:rank]) @ vt[:rank]
        product = scale(config) * parts["lora_B"] @ parts["lora_A"]
        left, right = np.linalg.qr(parts["lora_B"])[0], np.linalg.qr(parts["lora_A"].T)[0]
        found[name] = {
            "distance": float(np.linalg.norm(product - leading) / np.linalg.norm(leading)),
            "overlap_left": float(np.linalg.norm(u[:, :rank].T @ left) ** 2 / rank),
            "overlap_right": float(np.linalg.norm(vt[:rank] @ right) ** 2 / rank),
        }
    return found


def logged(folder: Path) -> list[dict]:
    state = folder / "trainer_state.json"
    return json.loads(state.read_text())["log_history"] if state.exists() else []
