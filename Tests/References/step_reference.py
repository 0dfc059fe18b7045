"""expected/unit_step.csv: what one step of Adam moves each weight by, per unit of learning rate, and ÷ ‖W₀‖_F.

That is ‖J‖_F/‖W₀‖_F with J the Jacobian of the effective weight by all numbers that are trained. J is PyTorch's: the
saved adapters of `runs/` are loaded by PEFT over their bases, in float64; the unit vectors go through PEFT's own forward
pass, as in `runs.py`; and the weight that comes out is differentiated by every trained number. No formula of a method is
written here. What PEFT detaches (DoRA's norms) is therefore detached. ρ of AdaLoRA is left out, which PEFT 0.21.2 leaves
trainable and does not save.

A row per case, step and module; `previous`, `init` and `pretrained` share it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from peft.tuners.ln_tuning.layer import LNTuningLayer
from peft.tuners.lora.layer import ParamWrapper
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import ModulesToSaveWrapper

import bases
import methods_reference as methods
import spectra_reference as reference
from runs import PREFIX

# One of each kind of state. LoRA-FA's optimiser has no such law; what is stored beside a converted PiSSA is not all trained.
CASES = {
    "lora": [20],
    "rslora-initial": [0, 20],
    "patterns": [20],
    "lora-bf16": [20],
    "gpt2": [20],
    "embeddings": [20],
    "modules-to-save": [20],
    "pissa-f32-initial": [0, 20],
    "milora": [0, 20],
    "dora": [20],
    "dora-f32-initial": [0, 20],
    "adalora-masked": [5, 20],
    "adalora-pruned": [20],
    "miss": [20],
    "miss-bat": [20],
    "miss-mini": [20],
    "vera": [5, 20],
    "ia3": [20],
    "ia3-biases": [20],
    "ln-tuning": [20],
    "loha": [5, 20],
    "lokr": [20],
    "full": [20],
    "experts": [20],
    "experts-transposed": [20],
}
CHUNK = 128


def squared_jacobian(weight: torch.Tensor, trained: list[torch.Tensor]) -> float:
    """Σ (∂weight/∂trained)², one trained number after the other.

    Jᵀu is what autograd gives for any u, and linear in it: its derivative by u, in the direction of one trained number, is
    that number's column of J.
    """
    flat = weight.reshape(-1)
    u = torch.zeros_like(flat, requires_grad=True)
    pulled = torch.autograd.grad(flat, trained, u, create_graph=True, allow_unused=True)
    pulled = torch.cat([g.reshape(-1) for g in pulled if g is not None and g.requires_grad])
    total = 0.0
    for first in range(0, pulled.numel(), CHUNK):
        count = min(CHUNK, pulled.numel() - first)
        unit = torch.zeros(count, pulled.numel(), dtype=torch.float64)
        unit[torch.arange(count), first + torch.arange(count)] = 1
        (columns,) = torch.autograd.grad(pulled, u, unit, retain_graph=True, is_grads_batched=True)
        total += float(columns.square().sum())
    return total


def trained_numbers(layer) -> list[torch.Tensor]:
    """The adapter's own parameters of a layer."""
    found = []
    for name, parameter in layer.named_parameters():
        part = name.split(".")[0]
        if part in layer.adapter_layer_names and part != "ranknum":
            found.append(parameter.requires_grad_(True))
    return found


def response(layer) -> torch.Tensor:
    """The matrix that a layer applies, out x in: its outputs for the unit vectors, without those for zero (the bias)."""
    base = layer.get_base_layer()
    if isinstance(base, torch.nn.Embedding):
        return layer(torch.arange(base.num_embeddings)).T
    size = base.weight.shape[0] if type(base).__name__ == "Conv1D" else base.in_features
    inputs = torch.eye(size, dtype=torch.float64)
    return (layer(inputs) - layer(torch.zeros_like(inputs))).T


def behind(name: str, layer: LNTuningLayer, model) -> dict[str, torch.Tensor]:
    """The weights that read a tuned norm, times its gains."""
    gains = layer.ln_tuning_layers[layer.active_adapters[0]].weight
    block, _, last = name.rpartition(".")
    parts = methods.CONSUMERS.get(last)
    consumers = [f"{block}.{part}" for part in parts] if parts else ["lm_head"]
    return {path: model.get_submodule(PREFIX + path).weight * gains for path in consumers}


def adapted(model):
    """(module, effective weight, trained numbers) of every weight that an adapter changes."""
    for name, layer in model.named_modules():
        name = name.removeprefix(PREFIX)
        if isinstance(layer, ModulesToSaveWrapper):
            weight = layer.modules_to_save[layer.active_adapters[0]].weight.requires_grad_(True)
            yield name, weight.T if reference.is_embedding(name) else weight, [weight]
        elif isinstance(layer, ParamWrapper):
            trained = trained_numbers(layer)
            fused = layer.get_param() + layer.get_delta_weight(layer.active_adapters[0])
            for expert, weight in enumerate(fused):
                yield f"{name.replace('.base_layer', '')}.{layer.parameter_name}.{expert}", weight, trained
        elif isinstance(layer, LNTuningLayer):
            trained = trained_numbers(layer)
            for path, weight in behind(name, layer, model).items():
                yield path, weight, trained
        elif isinstance(layer, BaseTunerLayer):
            trained = trained_numbers(layer)
            yield name, response(layer), trained


def whole(model):
    """The same of a model that was trained itself."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            name = name.removesuffix(".weight")
            parameter.requires_grad_(True)
            yield name, parameter.T if reference.is_embedding(name) else parameter, [parameter]


def loaded(base_name: str, folder: Path):
    """The saved adapter over its base, in float64."""
    if (folder / "config.json").exists():
        return bases.CLASSES[base_name].from_pretrained(folder, dtype="auto").double().eval()
    place, base = reference.adapter_folder(folder), bases.load(base_name)
    # PEFT cuts AdaLoRA's factors in the base's type, and decomposes for PiSSA in no wider one than float32.
    starts_in_base = str(reference.read_config(place).get("init_lora_weights")).startswith("pissa")
    model = PeftModel.from_pretrained(base if starts_in_base else base.double(), place)
    return model.double().eval().requires_grad_(False)


def rows_of(case: dict, steps: list[int]):
    base_name = Path(case["base"]).name
    base = reference.Base(Path(case["base"]), base_name == "gpt2")
    for step in steps:
        folder = Path(case["initial"] if step == 0 else f"{case['source']}/checkpoint-{step}")
        is_whole = (folder / "config.json").exists()
        model = loaded(base_name, folder)
        for module, weight, trained in whole(model) if is_whole else adapted(model):
            is_norm = case["name"] == "ln-tuning"
            start = methods.behind_norm(base, module) if is_norm else base.weight(module)
            value = squared_jacobian(weight, trained) ** 0.5 / float(np.linalg.norm(start))
            yield case["name"], step, module, repr(value)


def write_unit_steps(cases: list[dict]) -> None:
    by_name = {case["name"]: case for case in cases}
    with open("expected/unit_step.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["case", "step", "module", "unit_step"])
        for name, steps in CASES.items():
            table.writerows(sorted(rows_of(by_name[name], steps)))
