"""Writes the reference values of the methods beside LoRA's own: adapters/ and adapters.json, beside this file.

    python generate_adapters.py

LoRA with the optimisers of LoRA+ and LoRA-FA, rank 1, AdaLoRA with and without its allocator, MiSS, VeRA, IA3 and LN tuning, all of
Hugging Face PEFT, on the model `qwen2` of generate_training.py and its sequences; ten steps each, in float64. And one gradient each
of the methods that have dropout, PEFT's dropout layers being given the masks that Spectroscope draws.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import types
from importlib.metadata import version
from pathlib import Path

import torch
from peft import AdaLoraConfig, IA3Config, LNTuningConfig, LoraConfig, MissConfig, VeraConfig, get_peft_model
from peft.optimizers import create_lorafa_optimizer, create_loraplus_optimizer
from peft.tuners.tuners_utils import BaseTunerLayer

import generate_training as g

FOLDER, MANIFEST, MODEL = Path("adapters"), Path("adapters.json"), "qwen2"
RANK, ALPHA, RATIO, DECAY = 4, 8, 16.0, 0.01
ADALORA = dict(init_r=6, target_r=4, lora_alpha=ALPHA, target_modules=g.LINEAR, tinit=1, tfinal=2, total_step=g.STEPS)
CONFIGS = {
    "lora-plus": LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=g.LINEAR),
    "lora-fa": LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=g.LINEAR),
    "rank1": LoraConfig(r=1, lora_alpha=2, target_modules=g.LINEAR),
    "adalora": AdaLoraConfig(**ADALORA),
    "adalora-allocated": AdaLoraConfig(**ADALORA),
    "miss": MissConfig(r=5, target_modules=g.LINEAR),  # 5 divides neither 32 nor 48
    "vera": VeraConfig(r=7, target_modules=g.LINEAR, save_projection=True),
    "ia3": IA3Config(target_modules=["q_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "ln-tuning": LNTuningConfig(target_modules=["input_layernorm", "post_attention_layernorm", "norm"]),
}
FROZEN = {"lora-fa": {"lora_A"}}


def trained(model) -> g.Tensors:
    """The parameters of the adapters, as <module>.<tensor> with PEFT's names on disk; what does not train, too."""
    parameters = {}
    for name, layer in model.named_modules():
        if not isinstance(layer, BaseTunerLayer):
            continue
        module = name.removeprefix("base_model.model.")
        for part in layer.adapter_layer_names:
            holder = getattr(layer, part, {})
            if "default" not in holder:
                continue
            value = holder["default"]
            parameters[f"{module}.{part}"] = value.weight if isinstance(value, torch.nn.Module) else value
    return parameters


def optimizer_of(method: str, model, parameters: g.Tensors) -> torch.optim.Optimizer:
    settings = {key: value for key, value in g.ADAMW.items() if key not in ("lr", "weight_decay")}
    if method == "lora-plus":
        return create_loraplus_optimizer(
            model, torch.optim.AdamW, lr=g.ADAMW["lr"], loraplus_lr_ratio=RATIO, loraplus_weight_decay=DECAY, **settings)
    if method == "lora-fa":
        return create_lorafa_optimizer(model, RANK, ALPHA, lr=g.ADAMW["lr"], weight_decay=DECAY)
    return torch.optim.AdamW(list(parameters.values()), **g.ADAMW)


def loss_of(method: str, model, tokens) -> torch.Tensor:
    """The mean NLL; for an allocating AdaLoRA by way of its own forward, which adds the orthogonality term."""
    nll = g.mean_nll(g.logits_of(model, tokens), tokens)
    if method != "adalora-allocated":
        return nll
    inner, kept = model.base_model.model, model.base_model.model.forward
    inner.forward = lambda *_, **__: types.SimpleNamespace(loss=nll * 1)
    try:
        return model.base_model.forward().loss
    finally:
        inner.forward = kept


def train(method: str, model, tokens) -> dict:
    parameters = trained(model)
    optimizer = optimizer_of(method, model, parameters)
    losses, result, kept = [], {}, []
    for step in range(1, g.STEPS + 2):
        optimizer.zero_grad()
        loss = loss_of(method, model, tokens)
        losses.append(loss.detach())
        if step > g.STEPS:
            break
        loss.backward()
        if step == 1:
            result["gradient"] = {n: p.grad.clone() for n, p in parameters.items() if p.grad is not None}
        optimizer.step()
        if method == "adalora-allocated":
            model.base_model.update_and_allocate(step)
            kept.append(sum((p != 0).sum().item() for n, p in parameters.items() if n.endswith("lora_E")))
    result["end"] = {name: value.detach().clone() for name, value in parameters.items()}
    return result | {"losses": torch.stack(losses), "kept": torch.tensor(kept)}


def perturb(method: str, model) -> None:
    """Moves every parameter, so that no gradient is zero; the result is still exact in float32."""
    stream = g.random("adapters", method)
    with torch.no_grad():
        for name, parameter in trained(model).items():
            if name.rpartition(".")[2] in FROZEN.get(method, ()):
                continue
            size = 0.3 if name.endswith("lora_E") else 0.05
            parameter.copy_((parameter + size * torch.randn(parameter.shape, generator=stream)).float())


def write(method: str) -> dict:
    torch.manual_seed(g.SEED)
    model, tokens = get_peft_model(g.load(MODEL), CONFIGS[method]).eval(), g.sequences(MODEL)
    weights = g.linear_weights(g.load(MODEL))
    perturb(method, model)
    start = {name: value.detach().clone() for name, value in trained(model).items()}
    double = g.in_double(model)
    tensors = g.named("start", start)
    if method == "vera":
        layer = next(layer for layer in double.modules() if hasattr(layer, "vera_A"))
        tensors |= {"vera_A": layer.vera_A["default"].float(), "vera_B": layer.vera_B["default"].float()}
    merged = g.copy.deepcopy(double).merge_and_unload()
    for name, value in merged.state_dict().items():
        module, _, kind = name.rpartition(".")
        if module.startswith(g.FIRST_LAYER + "self_attn.q_proj") or module.startswith(g.FIRST_LAYER + "mlp.down_proj"):
            tensors[f"effective.{module}.{kind}"] = value
    values = train(method, double, tokens)
    tensors |= {"losses": values["losses"]} | g.named("gradient", values["gradient"]) | g.named("end", values["end"])
    if method == "adalora-allocated":
        tensors["kept"] = values["kept"]
    file = FOLDER / f"{method}.safetensors"
    g.save(tensors, file)
    assert all(value.abs().max() > 1e-8 for value in values["gradient"].values()), method
    return {"method": method, "file": file.as_posix(), "losses": values["losses"].tolist(), "weights": len(weights)}


# --- dropout --------------------------------------------------------------------------------------------------------

RATE, STREAM, PLACE = 0.3, 10, [1]
DROPOUT = {
    "lora": LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=g.LINEAR, lora_dropout=RATE),
    "dora": LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=g.LINEAR, lora_dropout=RATE, use_dora=True),
    "adalora": AdaLoraConfig(**ADALORA, lora_dropout=RATE),
    "miss": MissConfig(r=5, target_modules=g.LINEAR, miss_dropout=RATE),
    "vera": VeraConfig(r=7, target_modules=g.LINEAR, save_projection=True, vera_dropout=RATE),
}
WORD = 2**64 - 1


class Xoshiro:
    """xoshiro256** (Blackman and Vigna 2018), its state filled by SplitMix64."""

    def __init__(self, seed: int):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & WORD
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
            self.state.append(z ^ (z >> 31))

    def next(self) -> int:
        rotated = lambda x, k: ((x << k) | (x >> (64 - k))) & WORD
        s = self.state
        result, t = (rotated((s[1] * 5) & WORD, 7) * 9) & WORD, (s[1] << 17) & WORD
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotated(s[3], 45)
        return result

    def uniform(self) -> float:
        return ((self.next() >> 11) + 0.5) * 2.0**-53


def masks(modules: dict[str, int], tokens) -> list[dict[str, torch.Tensor]]:
    """Of each sequence, the mask of every module's input, a row a token: drawn lane by lane, of which each has two of the four sequences,
    module by module, row by row. The last token of a sequence predicts nothing, and has no row."""
    result = [{} for _ in tokens]
    for lane, members in enumerate(([0, 1], [2, 3])):
        state = STREAM
        for part in PLACE + [lane, 0]:
            state = Xoshiro(state ^ part).next()
        generator = Xoshiro(state)
        for module, columns in modules.items():
            for number in members:
                rows = len(tokens[number]) - 1
                drawn = [0.0 if generator.uniform() < RATE else 1 / (1 - RATE) for _ in range(rows * columns)]
                last = [1.0] * columns
                result[number][module] = torch.tensor(drawn + last, dtype=torch.float64).view(rows + 1, columns)
    return result


class GivenMask(torch.nn.Module):
    """Stands in for a dropout layer. MiSS pads its input first, with zeros."""

    def __init__(self):
        super().__init__()
        self.mask = None

    def forward(self, x):
        columns = self.mask.shape[1]
        return torch.cat([x[..., :columns] * self.mask.to(x.dtype), x[..., columns:]], -1)


def write_dropout(method: str) -> dict:
    torch.manual_seed(g.SEED)
    model, tokens = get_peft_model(g.load(MODEL), DROPOUT[method]), g.sequences(MODEL)
    perturb(method, model)
    start = {name: value.detach().clone() for name, value in trained(model).items()}
    double = g.in_double(model).train()
    layers = {}
    for name, layer in double.named_modules():
        for part in ("lora_dropout", "miss_dropout", "vera_dropout"):
            if isinstance(layer, BaseTunerLayer) and "default" in getattr(layer, part, {}):
                getattr(layer, part)["default"] = layers[name.removeprefix("base_model.model.")] = GivenMask()
    order = [f"model.layers.{i}.{'self_attn' if n in g.LINEAR[:4] else 'mlp'}.{n}" for i in range(2) for n in g.LINEAR]
    assert set(order) == set(layers)
    weights = g.linear_weights(g.load(MODEL))
    drawn = masks({module: weights[module].shape[1] for module in order}, tokens)
    logits = []
    for sequence, given in zip(tokens, drawn):
        for module, layer in layers.items():
            layer.mask = given[module]
        logits += g.logits_of(double, [sequence])
    loss = g.mean_nll(logits, tokens)
    loss.backward()
    tensors = g.named("start", start) | {"loss": loss.detach()[None]}
    if method == "vera":
        layer = next(layer for layer in double.modules() if hasattr(layer, "vera_A"))
        tensors |= {"vera_A": layer.vera_A["default"].float(), "vera_B": layer.vera_B["default"].float()}
    gradient = {n: p.grad.clone() for n, p in trained(double).items() if p.grad is not None}
    file = FOLDER / f"{method}-dropout.safetensors"
    g.save(tensors | g.named("gradient", gradient), file)
    return {"method": method, "dropout": RATE, "file": file.as_posix(), "loss": loss.item()}


def main() -> None:
    os.chdir(Path(__file__).resolve().parent)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    g.transformers.logging.disable_progress_bar()
    shutil.rmtree(FOLDER, ignore_errors=True)
    cases = [write(method) for method in CONFIGS] + [write_dropout(method) for method in DROPOUT]
    files = sorted(FOLDER.iterdir())
    g.write_json(MANIFEST, {
        "command": "python generate_adapters.py",
        "seed": g.SEED,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in g.PACKAGES},
        "rank": RANK, "alpha": ALPHA, "ratio": RATIO, "adamw": g.ADAMW, "adalora": ADALORA,
        "cases": cases,
        "sha256": {file.as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    })
    print(f"{len(files)} files, {sum(file.stat().st_size for file in files)} bytes")


if __name__ == "__main__":
    main()
