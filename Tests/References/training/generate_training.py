"""Writes the reference values of training beside this file: models/, methods/, the optimiser, rl.json, manifest.json.

    python generate_training.py

Small decoders of Hugging Face transformers, adapters of Hugging Face PEFT, `torch.optim.AdamW` and the losses of TRL,
all seeded, on one thread, in float64 from inputs that float32 holds exactly.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from types import MethodType

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora.layer import LoraLayer
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm, LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm, Qwen2RotaryEmbedding

import policy_loss

SEED = 31415
OUTPUTS = ("models", "methods", "optimizer.safetensors", "rl.json", "embedded.safetensors")
PACKAGES = "torch peft transformers trl safetensors numpy".split()
LENGTHS = (3, 14, 7, 10)
RANK, ALPHA = 4, 8
FIRST_LAYER = "model.layers.0."
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAMW = dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, foreach=False)
STEPS = 10

Tensors = dict[str, torch.Tensor]


def random(*parts: str) -> torch.Generator:
    """A stream of its own for every named use, so that adding one moves no other."""
    digest = hashlib.sha256("/".join((str(SEED), *parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:6], "little"))


# --- models ---------------------------------------------------------------------------------------------------------

SIZES = dict(
    vocab_size=29,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
)


def rope(theta: float) -> dict:
    return {"rope_type": "default", "rope_theta": theta}


MODELS = {
    "qwen2": (
        Qwen2ForCausalLM,
        Qwen2Config(
            num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=rope(1e4), **SIZES
        ),
    ),
    "qwen2-untied": (
        Qwen2ForCausalLM,
        Qwen2Config(
            num_key_value_heads=1, tie_word_embeddings=False, rms_norm_eps=1e-6, rope_parameters=rope(1e6), **SIZES
        ),
    ),
    "llama": (
        LlamaForCausalLM,
        LlamaConfig(
            num_key_value_heads=2,
            head_dim=16,
            tie_word_embeddings=False,
            rms_norm_eps=1e-5,
            rope_parameters=rope(1e4),
            **SIZES,
        ),
    ),
    "llama-bias": (
        LlamaForCausalLM,
        LlamaConfig(
            num_key_value_heads=4,
            attention_bias=True,
            tie_word_embeddings=True,
            rms_norm_eps=1e-5,
            rope_parameters=rope(1e5),
            **SIZES,
        ),
    ),
}


def write_model(name: str) -> None:
    """Weights and biases from N(0, 0.2²), norm gains from [0.5, 1.5): no parameter is without effect."""
    kind, config = MODELS[name]
    model, stream = kind(config), random("model", name)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "norm" in parameter_name:
                parameter.copy_(0.5 + torch.rand(parameter.shape, generator=stream))
            else:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=stream))
    folder = Path("models") / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "model.safetensors").chmod(0o644)


def load(name: str) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(f"models/{name}", dtype=torch.float32).eval()


def norm_in_double(self, hidden: torch.Tensor) -> torch.Tensor:
    mean_square = hidden.square().mean(-1, keepdim=True)
    return self.weight * hidden * torch.rsqrt(mean_square + self.variance_epsilon)


def rotary_in_double(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    size = getattr(self.config, "head_dim", None) or self.config.hidden_size // self.config.num_attention_heads
    exponents = torch.arange(0, size, 2, dtype=torch.float64) / size
    angles = position_ids[..., None].double() * self.config.rope_parameters["rope_theta"] ** -exponents
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def in_double(model: torch.nn.Module) -> torch.nn.Module:
    """A float64 copy, its norms and rotary angles too, which transformers computes in float32 whatever the dtype."""
    model = copy.deepcopy(model).double()
    for module in model.modules():
        if isinstance(module, (Qwen2RMSNorm, LlamaRMSNorm)):
            module.forward = MethodType(norm_in_double, module)
        if isinstance(module, (Qwen2RotaryEmbedding, LlamaRotaryEmbedding)):
            module.forward = MethodType(rotary_in_double, module)
    return model


def sequences(name: str) -> list[torch.Tensor]:
    stream = random("tokens", name)
    return [torch.randint(0, SIZES["vocab_size"], (length,), generator=stream) for length in LENGTHS]


def logits_of(model: torch.nn.Module, tokens: list[torch.Tensor]) -> list[torch.Tensor]:
    """One run per sequence: no padding, no mask but the causal one."""
    return [model(input_ids=sequence[None], use_cache=False).logits[0] for sequence in tokens]


def mean_nll(logits: list[torch.Tensor], tokens: list[torch.Tensor]) -> torch.Tensor:
    """-log p(next token), summed over all sequences and divided by the number of predicted tokens."""
    terms = [
        -values[:-1].log_softmax(-1).gather(1, sequence[1:, None]).sum() for values, sequence in zip(logits, tokens)
    ]
    return sum(terms) / sum(len(sequence) - 1 for sequence in tokens)


def numbered(prefix: str, values: list[torch.Tensor]) -> Tensors:
    return {f"{prefix}.{i}": value.detach() for i, value in enumerate(values)}


def named(prefix: str, values: Tensors) -> Tensors:
    return {f"{prefix}.{name}": value.detach() for name, value in values.items()}


def gradient_by_name(loss: torch.Tensor, parameters: Tensors) -> Tensors:
    return dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values()))))


def evaluate(model: torch.nn.Module, tokens: list[torch.Tensor], parameters: Tensors):
    logits = logits_of(model, tokens)
    loss = mean_nll(logits, tokens)
    return logits, loss, gradient_by_name(loss, parameters)


def distance(left: Tensors, right: Tensors) -> float:
    """The Frobenius norm of all differences together."""
    return sum((left[name].double() - right[name].double()).square().sum() for name in right).sqrt().item()


def norm(values: Tensors) -> float:
    return sum(value.double().square().sum() for value in values.values()).sqrt().item()


def largest(left: Tensors, right: Tensors) -> float:
    return max((left[name].double() - right[name].double()).abs().max().item() for name in right)


def worst_relative(left: Tensors, right: Tensors) -> float:
    """The largest ‖left - right‖ ÷ ‖right‖ of a single tensor."""
    return max(((left[n].double() - right[n].double()).norm() / right[n].double().norm()).item() for n in right)


def write_oracle(name: str) -> dict:
    """Logits, loss and all gradients of one model; returns its entry of the manifest."""
    single, tokens = load(name), sequences(name)
    double, half_way = in_double(single), copy.deepcopy(single).double()
    logits, loss, gradient = evaluate(double, tokens, dict(double.named_parameters()))
    logits32, loss32, gradient32 = evaluate(single, tokens, dict(single.named_parameters()))
    # Transformers' own mixture of float64 and float32 is between the two: ours is the same function.
    assert largest(numbered("", logits_of(half_way, tokens)), numbered("", logits)) < 1e-5
    assert all(value.abs().max() > 1e-6 for value in gradient.values())
    file = Path("models") / name / "oracle.safetensors"
    values = numbered("tokens", tokens) | numbered("logits", logits) | numbered("logits_float32", logits32)
    values |= {"loss": loss.detach()[None]} | named("gradient", gradient)
    save(values, file)
    return {
        "name": name,
        "folder": f"models/{name}",
        "oracle": file.as_posix(),
        "sequence_lengths": list(LENGTHS),
        "loss": loss.item(),
        "float32_against_float64": {
            "logits_max_abs": largest(numbered("", logits32), numbered("", logits)),
            "loss_abs": abs(loss32.item() - loss.item()),
            "gradient_relative": distance(gradient32, gradient) / norm(gradient),
            "gradient_relative_worst_tensor": worst_relative(gradient32, gradient),
        },
    }


# --- methods --------------------------------------------------------------------------------------------------------

CONFIGS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "pissa": {"init_lora_weights": "pissa"},
    "milora": {},
}
CASES = [("qwen2", method) for method in (*CONFIGS, "full")] + [("llama", "lora"), ("llama", "dora")]
SCALES = {"rslora": ALPHA / RANK**0.5}


def lora_layers(model: torch.nn.Module) -> dict[str, LoraLayer]:
    return {n.removeprefix("base_model.model."): m for n, m in model.named_modules() if isinstance(m, LoraLayer)}


def linear_weights(model: torch.nn.Module) -> Tensors:
    """The weights of the seven linear modules of every layer of a plain model, by module."""
    weights = {name.removesuffix(".weight"): value for name, value in model.named_parameters()}
    return {name: value for name, value in weights.items() if name.rpartition(".")[2] in LINEAR}


def trainable(model: torch.nn.Module) -> Tensors:
    """The parameters that train, as <module>.<tensor>."""
    if not isinstance(model, PeftModel):
        return {f"{name}.weight": value for name, value in linear_weights(model).items()}
    parameters = {}
    for name, layer in lora_layers(model).items():
        parts = {"lora_A": layer.lora_A, "lora_B": layer.lora_B, "lora_magnitude_vector": layer.lora_magnitude_vector}
        parameters |= {f"{name}.{part}": of["default"].weight for part, of in parts.items() if "default" in of}
    assert len(parameters) == sum(parameter.requires_grad for parameter in model.parameters())
    return parameters


def prepare(name: str, method: str) -> torch.nn.Module:
    """The model of a method at its initialisation, float32."""
    model = load(name)
    if method == "full":
        weights = linear_weights(model).values()
        for parameter in model.parameters():
            parameter.requires_grad_(any(parameter is weight for weight in weights))
        return model
    torch.manual_seed(SEED)
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=LINEAR, **CONFIGS[method])
    model = get_peft_model(model, config).eval()
    if method == "milora":
        apply_milora(model)
    return model


def apply_milora(model: PeftModel) -> None:
    """MiLoRA: the last r components go into B and A, the rest stays as the base weight."""
    for layer in lora_layers(model).values():
        scale, weight = layer.scaling["default"], layer.get_base_layer().weight
        u, s, vt = torch.linalg.svd(weight.data.double(), full_matrices=False)
        root = torch.sqrt(s[-RANK:] / scale)
        b, a = (u[:, -RANK:] * root).float(), (root[:, None] * vt[-RANK:]).float()
        layer.lora_B["default"].weight.data, layer.lora_A["default"].weight.data = b, a
        weight.data = (weight.data.double() - scale * b.double() @ a.double()).float()


def make_residual_exact(model: PeftModel, name: str, method: str, initial: Tensors) -> None:
    """Sets the base of PiSSA and MiLoRA in a float64 model to W0 - s·B0·A0 itself, which PEFT rounds to float32."""
    weights = linear_weights(load(name))
    for module, layer in lora_layers(model).items() if method in ("pissa", "milora") else ():
        b, a = (initial[f"{module}.{part}"].double() for part in ("lora_B", "lora_A"))
        residual, base = weights[module].detach().double() - layer.scaling["default"] * b @ a, layer.get_base_layer()
        assert relative(base.weight.detach(), residual) < 1e-6, module
        base.weight.data = residual


def perturb(model: torch.nn.Module, stream: torch.Generator) -> None:
    """Moves every trainable parameter, so that no gradient is zero; the result is still exact in float32."""
    with torch.no_grad():
        for name, parameter in trainable(model).items():
            noise = torch.randn(parameter.shape, generator=stream)
            if name.endswith("lora_magnitude_vector"):
                parameter.mul_(1 + 0.1 * noise)
            else:
                parameter.add_(0.05 * noise)


def formula(layer: LoraLayer) -> dict[str, torch.Tensor | float]:
    """A layer's factors, V = base + s·B·A, and W_eff = diag(m ÷ ‖V_i‖)·V for DoRA, V otherwise."""
    a, b = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
    scale = layer.scaling["default"]
    v = layer.get_base_layer().weight.detach() + scale * b @ a
    row_norm = v.norm(dim=1)
    gain = torch.ones_like(row_norm)
    if "default" in layer.lora_magnitude_vector:
        gain = layer.lora_magnitude_vector["default"].weight.detach() / row_norm
    return dict(a=a, b=b, scale=scale, v=v, row_norm=row_norm, gain=gain, effective=gain[:, None] * v)


def effective_weights(model: torch.nn.Module) -> Tensors:
    """W_eff by module: PEFT's merge, checked against the formulas."""
    if not isinstance(model, PeftModel):
        return {name: weight.detach().clone() for name, weight in linear_weights(model).items()}
    merged = linear_weights(copy.deepcopy(model).merge_and_unload())
    for name, layer in lora_layers(model).items():
        assert relative(merged[name], formula(layer)["effective"]) < 1e-14, name
    return {name: weight.detach().clone() for name, weight in merged.items()}


def relative(value: torch.Tensor, truth: torch.Tensor) -> float:
    return ((value - truth).norm() / truth.norm()).item()


def check_start(name: str, method: str, model: torch.nn.Module) -> float:
    """The largest ‖W_eff(0) - W0‖ ÷ ‖W0‖ of a module; that PiSSA and MiLoRA took the components they are named for."""
    weights, double = linear_weights(in_double(load(name))), in_double(model)
    effective = effective_weights(double)
    worst = max(relative(effective[module], weight.detach()) for module, weight in weights.items())
    assert worst < 1e-6, f"{name} {method}: {worst}"
    for module, layer in lora_layers(double).items() if method in ("pissa", "milora") else ():
        u, s, vt = torch.linalg.svd(weights[module].detach(), full_matrices=False)
        kept = slice(0, RANK) if method == "pissa" else slice(len(s) - RANK, len(s))
        part = (u[:, kept] * s[kept]) @ vt[kept]
        parts = formula(layer)
        assert relative(parts["scale"] * parts["b"] @ parts["a"], part) < 1e-4, module
        for factor in (parts["b"].T @ parts["b"], parts["a"] @ parts["a"].T):
            assert relative(factor, torch.diag(s[kept] / parts["scale"])) < 1e-4, module
    return worst


def check_gradients(name: str, method: str, model: torch.nn.Module, effective: Tensors, values: dict) -> None:
    """PEFT's gradients are those of the formulas, from ∂L/∂W_eff of a plain model that has W_eff as its weights.

    For DoRA that holds only with the row norm held constant; the gradient with it varied must be another.
    """
    tokens, gradient, plain = sequences(name), values["gradient"], in_double(load(name))
    weights = linear_weights(plain)
    with torch.no_grad():
        for module, weight in weights.items():
            weight.copy_(effective[module])
    plain_logits, _, by_weight = evaluate(plain, tokens, weights)
    assert largest(numbered("", plain_logits), numbered("", values["logits"])) < 1e-12
    if method == "full":
        assert worst_relative({f"{module}.weight": value for module, value in by_weight.items()}, gradient) < 1e-14
    for module, layer in lora_layers(model).items():
        parts = formula(layer)
        assert parts["scale"] == SCALES.get(method, ALPHA / RANK)
        g, gain, v = by_weight[module], parts["gain"][:, None], parts["v"]
        expected = {
            "lora_A": parts["scale"] * parts["b"].T @ (gain * g),
            "lora_B": parts["scale"] * (gain * g) @ parts["a"].T,
            "lora_magnitude_vector": (g * v).sum(1) / parts["row_norm"],
        }
        for tensor, value in expected.items():
            if f"{module}.{tensor}" in gradient:
                assert relative(gradient[f"{module}.{tensor}"], value) < 1e-11, (module, tensor)
        if method == "dora":
            radial = gain * (g * v).sum(1, keepdim=True) / parts["row_norm"][:, None] ** 2 * v
            through_the_norm = parts["scale"] * (gain * g - radial) @ parts["a"].T
            assert relative(gradient[f"{module}.lora_B"], through_the_norm) > 1e-2, module


def train(model: torch.nn.Module, tokens: list[torch.Tensor]) -> dict:
    """Ten AdamW steps on the mean NLL, gradients recomputed at each: what a method's file holds of them."""
    parameters = trainable(model)
    optimizer = torch.optim.AdamW(list(parameters.values()), **ADAMW)
    losses, result = [], {}
    for step in range(STEPS + 1):
        logits, loss, gradient = evaluate(model, tokens, parameters)
        losses.append(loss.detach())
        if step == 0:
            result |= {"logits": [value.detach() for value in logits], "gradient": gradient}
        if step in (1, STEPS):
            result[f"adamw{step}"] = {name: value.detach().clone() for name, value in parameters.items()}
        for name, parameter in parameters.items():
            parameter.grad = gradient[name]
        optimizer.step()
    return result | {"losses": torch.stack(losses)}


def snapshot(model: torch.nn.Module) -> Tensors:
    return {name: value.detach().clone() for name, value in trainable(model).items()}


def write_method(name: str, method: str) -> dict:
    """One method on one model; returns its entry of the manifest."""
    model, tokens = prepare(name, method), sequences(name)
    initial, at_zero = snapshot(model), check_start(name, method, model)
    if method != "full":
        perturb(model, random("start", name, method))
    start, double = snapshot(model), in_double(model)
    make_residual_exact(double, name, method, initial)
    effective, at_start = effective_weights(double), copy.deepcopy(double)
    values, values32 = train(double, tokens), train(model, tokens)
    assert all(gradient.abs().max() > 1e-6 for gradient in values["gradient"].values())
    check_gradients(name, method, at_start, effective, values)

    tensors = {"loss": values["losses"][:1], "losses": values["losses"]} | numbered("logits", values["logits"])
    if method != "full":  # which starts at the model's weights: the gradients are in the oracle of the model
        tensors |= named("initial", initial) | named("start", start) | named("gradient", values["gradient"])
    if name == "qwen2" and method != "full":  # one layer of one model, for the size of the file
        tensors |= named("effective", {m: weight for m, weight in effective.items() if m.startswith(FIRST_LAYER)})
    for part in ("adamw1", f"adamw{STEPS}"):
        tensors |= named(part, values[part])
    file = Path("methods") / f"{name}-{method}.safetensors"
    save(tensors, file)

    difference = {
        "logits_max_abs": largest(numbered("", values32["logits"]), numbered("", values["logits"])),
        "losses_max_abs": (values32["losses"] - values["losses"]).abs().max().item(),
        "gradient_relative": distance(values32["gradient"], values["gradient"]) / norm(values["gradient"]),
        "gradient_relative_worst_tensor": worst_relative(values32["gradient"], values["gradient"]),
    }
    for part in ("adamw1", f"adamw{STEPS}"):
        difference[f"{part}_max_abs"] = largest(values32[part], values[part])
        difference[f"{part}_relative_to_way"] = distance(values32[part], values[part]) / distance(start, values[part])
    return {
        "name": f"{name}-{method}",
        "model": f"models/{name}",
        "method": method,
        "file": file.as_posix(),
        "rank": None if method == "full" else RANK,
        "alpha": None if method == "full" else ALPHA,
        "scale": None if method == "full" else SCALES.get(method, ALPHA / RANK),
        "effective_at_initialisation_relative": at_zero,
        "smallest_gradient_entry": min(g.abs().min().item() for g in values["gradient"].values()),
        "losses": values["losses"].tolist(),
        "float32_against_float64": difference,
    }


# --- optimiser ------------------------------------------------------------------------------------------------------

LENGTH, OPTIMIZER_STEPS = 257, 12
OPTIMIZER_CASES = {
    "plain": dict(weight_decay=0.0, clip=None),
    "decay": dict(weight_decay=0.1, clip=None),
    "clipped": dict(weight_decay=0.1, clip=1.0),
}


def optimizer_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """A start and a gradient per step, entries from 1e-8 to 1 and some zero, the steps' norms on both sides of 1."""
    stream = random("optimizer")
    start = torch.randn(LENGTH, generator=stream)
    sizes = 10 ** (-8 * torch.rand(LENGTH, generator=stream))
    step_sizes = torch.tensor([1.0, 0.01, 2.0, 0.05, 1.0, 0.1, 3.0, 1.0, 0.02, 1.0, 0.5, 1.5])
    gradients = torch.randn(OPTIMIZER_STEPS, LENGTH, generator=stream) * sizes * step_sizes[:, None]
    gradients[:, 0] = 0
    gradients[5, ::7] = 0
    return start, gradients


def optimize(start: torch.Tensor, gradients: torch.Tensor, weight_decay: float, clip: float | None):
    """The parameters after each step, and the gradient norms before clipping."""
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([parameter], **(ADAMW | {"weight_decay": weight_decay}))
    path, norms = [], []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        if clip:
            norms.append(torch.nn.utils.clip_grad_norm_([parameter], clip, foreach=False))
        optimizer.step()
        path.append(parameter.detach().clone())
    return torch.stack(path), torch.stack(norms) if norms else None


def write_optimizer() -> dict:
    start, gradients = optimizer_inputs()
    tensors, cases = {"start": start, "gradients": gradients}, []
    for name, settings in OPTIMIZER_CASES.items():
        paths = {}
        for kind, dtype in (("float64", torch.float64), ("float32", torch.float32)):
            paths[kind], norms = optimize(start.to(dtype), gradients.to(dtype), **settings)
            tensors[f"{name}.{kind}"] = paths[kind]
            if norms is not None:
                tensors[f"{name}.norms.{kind}"] = norms
        difference = (paths["float32"].double() - paths["float64"]).abs().max().item()
        cases.append({"name": name} | settings | {"float32_against_float64_max_abs": difference})
    norms = tensors["clipped.norms.float64"]
    assert (norms > 1.2).any() and (norms < 0.8).any()
    save(tensors, Path("optimizer.safetensors"))
    return {"file": "optimizer.safetensors", "settings": ADAMW | {"weight_decay": None}, "cases": cases}


# --- the embedded base ----------------------------------------------------------------------------------------------


def write_embedded() -> dict:
    """The base that is a part of the program, as transformers loads it: its tokens and logits on some prompts."""
    folder = Path("../../../Sources/CBase/model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    model = model.eval()
    prompts = ["12*3+45=63>18;", "99*9+99=", "R:abc=cba;", "S:hgfed=defgh;", "47+38=58;"]
    values = {}
    for index, prompt in enumerate(prompts):
        tokens = tokenizer(prompt).input_ids
        assert tokenizer.decode(tokens) == prompt and len(tokens) == len(prompt)
        values[f"tokens.{index}"] = torch.tensor(tokens)
        with torch.no_grad():
            values[f"logits.{index}"] = model(torch.tensor([tokens])).logits[0]
    save(values, Path("embedded.safetensors"))
    return {"file": "embedded.safetensors", "prompts": prompts}


# --- files ----------------------------------------------------------------------------------------------------------


def save(values: Tensors, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    save_file({name: value.detach().contiguous().clone() for name, value in values.items()}, file)
    file.chmod(0o644)


def write_json(file: Path, value) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


def write_rl() -> dict:
    cases = policy_loss.cases()
    # One line a case's field: the numbers are many and short.
    lines = [
        "  {\n" + ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in case.items()) + "\n  }"
        for case in cases
    ]
    Path("rl.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    return {"file": "rl.json", "cases": [case["name"] for case in cases]}


def main() -> None:
    os.chdir(Path(__file__).resolve().parent)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.disable_progress_bar()
    for output in map(Path, OUTPUTS):
        shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)
    for name in MODELS:
        write_model(name)
    manifest = {
        "command": "python generate_training.py",
        "seed": SEED,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "adamw": ADAMW,
        "models": [write_oracle(name) for name in MODELS],
        "methods": [write_method(*case) for case in CASES],
        "optimizer": write_optimizer(),
        "rl": write_rl(),
        "embedded": write_embedded(),
    }
    everything = [path for output in map(Path, OUTPUTS) for path in (output, *output.rglob("*"))]
    files = sorted(path for path in everything if path.is_file())
    manifest["sha256"] = {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    write_json(Path("manifest.json"), manifest)
    total = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {total} bytes")
    assert total < 2_900_000


if __name__ == "__main__":
    main()
