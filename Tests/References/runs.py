"""The runs of the reference set: what is trained, how PEFT saves it, the live weights that our reading must equal."""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from peft import (
    AdaLoraConfig,
    IA3Config,
    LNTuningConfig,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    MissConfig,
    PeftModel,
    VeraConfig,
    get_peft_model,
)
from peft.tuners.ln_tuning.layer import LNTuningLayer
from peft.tuners.lora.layer import LoraLayer, ParamWrapper
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import ModulesToSaveWrapper

import bases
import methods_reference
import models
import spectra_reference as reference

SEED = 20260
STEPS = (5, 10, 20)
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PREFIX = "base_model.model."

@dataclass
class Run:
    """One training run written by PEFT, and the evaluations of it: (suffix of the case, --initial?, --method).

    A run whose files do not say what was trained has no evaluations but a reason why a tool must refuse it.
    """

    name: str
    base: str
    config: dict
    rate: float = 2e-3
    evaluations: tuple = (("", False, None),)
    adapter_name: str = "default"
    adapter_dtype: torch.dtype | None = None
    start: str = "peft"
    converted: bool = False
    nan_at: int | None = None
    kind: type | None = LoraConfig
    allocation: str | None = None
    freezes_a: bool = False
    other_bases: tuple = ()
    refused: str | None = None
    weights: dict = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return Path("runs") / self.name

    @property
    def changes_base(self) -> bool:
        """Part of the base weight was moved into the adapter, so that loading it over the base is another model."""
        return self.start == "milora" or str(self.config.get("init_lora_weights")).startswith("pissa")

    @property
    def keeps_initial(self) -> bool:
        return any(initial for _, initial, _ in self.evaluations)


WITH_AND_WITHOUT = (("", False, None), ("-initial", True, None))
RUNS = [
    Run("lora", "llama", dict(r=4, lora_alpha=8, target_modules=ALL_LINEAR), nan_at=7),
    Run(
        "rslora",
        "llama",
        dict(r=4, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "v_proj", "down_proj"]),
        evaluations=WITH_AND_WITHOUT,
    ),
    Run("rank1", "llama", dict(r=1, lora_alpha=2, target_modules=["q_proj", "k_proj", "o_proj", "up_proj"])),
    Run(
        "patterns",
        "llama",
        dict(
            r=4,
            lora_alpha=8,
            target_modules=["q_proj", "v_proj", "up_proj", "down_proj"],
            # PEFT sorts the keys when it saves, so only an order that is already sorted survives a reload.
            rank_pattern={".*v_proj": 6, "layers.0.self_attn.q_proj": 2, "layers.0.self_attn.v_proj": 3, "q_proj": 5},
            alpha_pattern={r"layers\.0\.mlp\.(up|down)_proj": 7, "layers.1.self_attn.v_proj": 20, "v_proj": 3},
        ),
    ),
    Run(
        "lora-bf16",
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "gate_proj"]),
        adapter_dtype=torch.bfloat16,
        rate=3e-3,
    ),
    Run(
        "continued",
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"]),
        start="continued",
        evaluations=WITH_AND_WITHOUT,
    ),
    Run("gpt2", "gpt2", dict(r=4, lora_alpha=8, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
    Run("bert", "bert", dict(r=4, lora_alpha=8, target_modules=["query", "value", "output.dense"])),
    Run(
        "bert-pissa",
        "bert",
        dict(r=4, lora_alpha=8, target_modules=["query", "intermediate.dense"], init_lora_weights="pissa"),
        evaluations=(("-initial", True, None),),
    ),
    Run("embeddings", "llama", dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "q_proj"])),
    Run(
        "modules-to-save",
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["v_proj"], modules_to_save=["lm_head", "embed_tokens"]),
        rate=5e-3,
    ),
    Run(
        "adapter-name",
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
        adapter_name="policy",
    ),
    Run(
        "pissa-f32",
        "llama-f32",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj"], init_lora_weights="pissa"),
        rate=2e-5,
        evaluations=WITH_AND_WITHOUT,
    ),
    Run(
        "pissa-bf16",
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj"], init_lora_weights="pissa"),
        evaluations=WITH_AND_WITHOUT,
    ),
    Run(
        "pissa-niter",
        "llama-f32",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj"], init_lora_weights="pissa_niter_4"),
        evaluations=WITH_AND_WITHOUT,
    ),
    Run(
        "pissa-converted",
        "llama-f32",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj"], init_lora_weights="pissa"),
        rate=2e-5,
        converted=True,
    ),
    Run(
        "milora",
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj"]),
        start="milora",
        evaluations=(("", True, "milora"), ("-recognised", True, None)),
    ),
    Run("wide", "llama", dict(r=64, lora_alpha=64, target_modules=["layers.0.self_attn.k_proj"]), rate=5e-3),
]
ATTENTION_AND_DOWN = ["q_proj", "k_proj", "v_proj", "down_proj"]
ADALORA = dict(init_r=6, target_r=2, lora_alpha=12, tinit=2, tfinal=6, total_step=20, target_modules=ALL_LINEAR)
EXPERTS = dict(r=2, lora_alpha=4, target_modules=[], target_parameters=["experts.gate_up_proj", "experts.down_proj"])
RUNS += [
    Run(
        "dora",
        "llama",
        dict(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "k_proj", "down_proj"]),
        evaluations=WITH_AND_WITHOUT,
    ),
    Run(
        "dora-f32",
        "llama-f32",
        dict(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "k_proj", "up_proj"]),
        evaluations=WITH_AND_WITHOUT,
    ),
    Run("adalora-masked", "llama", ADALORA, kind=AdaLoraConfig, allocation="masks", rate=2e-2),
    Run("adalora-pruned", "llama", ADALORA, kind=AdaLoraConfig, allocation="cuts", rate=2e-2),
    Run("miss", "llama", dict(r=7, target_modules=ATTENTION_AND_DOWN), kind=MissConfig),
    Run("miss-bat", "llama", dict(r=8, init_weights="bat", target_modules=ATTENTION_AND_DOWN), kind=MissConfig),
    Run(
        "miss-mini",
        "llama",
        dict(r=8, mini_r=16, init_weights="mini", target_modules=ATTENTION_AND_DOWN),
        kind=MissConfig,
    ),
    Run("vera", "llama", dict(r=8, target_modules=["q_proj", "k_proj", "v_proj"]), kind=VeraConfig, rate=2e-2),
    Run(
        "vera-without-projections",
        "llama",
        dict(r=8, target_modules=["q_proj"], save_projection=False),
        kind=VeraConfig,
        rate=2e-2,
        evaluations=(),
        refused="vera_A and vera_B are not in the adapter (save_projection was false): the updates cannot be had",
    ),
    Run(
        "ia3",
        "llama",
        dict(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]),
        kind=IA3Config,
        rate=1e-2,
    ),
    Run(
        "ia3-biases",
        "bert",
        dict(target_modules=["key", "value", "output.dense"], feedforward_modules=["output.dense"]),
        kind=IA3Config,
        rate=1e-2,
    ),
    Run(
        "ln-tuning",
        "llama",
        dict(target_modules=["input_layernorm", "post_attention_layernorm", "model.norm"]),
        kind=LNTuningConfig,
        rate=1e-2,
    ),
    Run(
        "loha",
        "llama",
        dict(r=3, alpha=6, target_modules=["q_proj", "v_proj", "down_proj"]),
        kind=LoHaConfig,
        rate=1e-2,
    ),
    Run("lokr", "llama", dict(r=4, alpha=8, target_modules=["q_proj", "v_proj", "down_proj"]), kind=LoKrConfig),
    Run(
        "lora-fa",
        "llama",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj"]),
        freezes_a=True,
        evaluations=(("", False, "lora-fa"),),
    ),
    Run("full", "llama-small", {}, kind=None, rate=1e-3),
    Run("experts", "qwen3-moe", EXPERTS, rate=1e-2, other_bases=("qwen3-moe-split",)),
    Run("experts-transposed", "gpt-oss", EXPERTS, rate=1e-2),
]
LAYOUTS = {"verl": "runs/verl/global_step_{}/actor/lora_adapter", "openrlhf": "runs/openrlhf/global_step{}_hf"}


# --- training -------------------------------------------------------------------------------------------------------


def lora_layers(model) -> dict[str, LoraLayer]:
    return {n.removeprefix(PREFIX): m for n, m in model.named_modules() if isinstance(m, LoraLayer)}

def pair(layer: LoraLayer, adapter: str) -> tuple[torch.nn.Parameter, torch.nn.Parameter]:
    if adapter in layer.lora_embedding_A:
        return layer.lora_embedding_B[adapter], layer.lora_embedding_A[adapter]
    return layer.lora_B[adapter].weight, layer.lora_A[adapter].weight


def apply_milora(model) -> None:
    """MiLoRA: the last r components go into B and A, the rest stays as the base weight in its own dtype."""
    for layer in lora_layers(model).values():
        rank, scale, weight = layer.r["default"], layer.scaling["default"], layer.get_base_layer().weight
        u, s, vt = torch.linalg.svd(weight.data.double(), full_matrices=False)
        root = torch.sqrt(s[-rank:] / scale)
        b, a = (u[:, -rank:] * root).float(), (root[:, None] * vt[-rank:]).float()
        layer.lora_B["default"].weight.data, layer.lora_A["default"].weight.data = b, a
        weight.data = (weight.data.double() - scale * b.double() @ a.double()).to(weight.dtype)


def loss_function(run: Run):
    """Next-token loss on random tokens, for BERT a regression on random targets; the same data at every call."""
    generator = torch.Generator().manual_seed(SEED + 1)
    tokens = torch.randint(3, 64, (4, 4, 24), generator=generator)
    target = torch.randn(4, 24, 96, generator=generator)

    def loss_of(model, step: int) -> torch.Tensor:
        batch = tokens[step % 4]
        if run.base == "bert":
            return (model(input_ids=batch).last_hidden_state.float() - target).square().mean()
        return model(input_ids=batch, labels=batch).loss

    return loss_of


def prepare(run: Run):
    """The PEFT model of a run at its step 0."""
    torch.manual_seed(SEED)
    if run.kind is None:
        return bases.load(run.base)
    model = get_peft_model(bases.load(run.base), run.kind(**run.config), adapter_name=run.adapter_name)
    if run.start == "milora":
        apply_milora(model)
    if run.adapter_dtype:
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(run.adapter_dtype)
    for name, parameter in model.named_parameters():
        if ".ranknum." in name:  # PEFT lets optimisers move ρ and then saves without it: what is loaded is another model
            parameter.requires_grad_(False)
    if run.freezes_a:
        for layer in lora_layers(model).values():
            layer.lora_A["default"].requires_grad_(False)
    if run.start == "continued":
        models.train(model, loss_function(run), 4, 1e-2, (), None)
    return model


# --- what PEFT itself makes of a run --------------------------------------------------------------------------------


@torch.no_grad()
def effective_weights(model) -> dict[str, np.ndarray]:
    """Every adapted weight as PEFT's own forward pass applies it, out x in; the model is in float64."""
    weights: dict[str, np.ndarray] = {}
    for name, layer in model.named_modules():
        name = name.removeprefix(PREFIX)
        if isinstance(layer, ModulesToSaveWrapper):
            saved = layer.modules_to_save[layer.active_adapters[0]].weight.numpy()
            weights[name] = saved.T if reference.is_embedding(name) else saved
        elif isinstance(layer, ParamWrapper):
            fused = (layer.get_param() + layer.get_delta_weight(layer.active_adapters[0])).numpy()
            for expert, weight in enumerate(fused):
                path = f"{name.replace('.base_layer', '')}.{layer.parameter_name}.{expert}"
                weights[path] = weight.T if getattr(layer.get_base_layer(), "is_transposed", False) else weight
        elif isinstance(layer, LNTuningLayer):
            weights |= behind(name, layer, model)
        elif isinstance(layer, BaseTunerLayer):
            weights[name] = response(layer)
    if not weights:  # no adapter: the whole model was trained
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                name = name.removesuffix(".weight")
                weights[name] = parameter.numpy().T if reference.is_embedding(name) else parameter.numpy()
    return weights


def response(layer) -> np.ndarray:
    """The matrix that a layer applies: its outputs for the unit vectors, without those for zero (the bias)."""
    base = layer.get_base_layer()
    if isinstance(base, torch.nn.Embedding):
        return layer(torch.arange(base.num_embeddings)).numpy().T
    size = base.weight.shape[0] if type(base).__name__ == "Conv1D" else base.in_features
    inputs = torch.eye(size, dtype=torch.float64)
    return (layer(inputs) - layer(torch.zeros_like(inputs))).numpy().T


def behind(name: str, layer: LNTuningLayer, model) -> dict[str, np.ndarray]:
    """The weights that read a tuned norm, times the gains that PEFT's forward pass applies."""
    trained = layer.ln_tuning_layers[layer.active_adapters[0]]
    ones = torch.ones(len(trained.weight), dtype=torch.float64)
    gains = layer(ones) * torch.sqrt(1 + torch.tensor(trained.variance_epsilon, dtype=torch.float64))
    block, _, last = name.rpartition(".")
    parts = methods_reference.CONSUMERS.get(last)
    consumers = [f"{block}.{part}" for part in parts] if parts else ["lm_head"]
    return {path: (model.get_submodule(PREFIX + path).weight * gains).numpy() for path in consumers}


def live_weights(model) -> dict[str, np.ndarray]:
    """The effective weights of a model in training, computed in float64 from its parameters as they are."""
    return effective_weights(copy.deepcopy(model).double().eval())


def reloaded_weights(run: Run, folder: Path) -> dict[str, np.ndarray]:
    """The effective weights of a saved adapter that PEFT loads over the base, all in float64."""
    if run.kind is None:
        return effective_weights(bases.CLASSES[run.base].from_pretrained(folder, dtype="auto").double().eval())
    base = bases.load(run.base).double()
    return effective_weights(PeftModel.from_pretrained(base, reference.adapter_folder(folder)).double().eval())


def remember(run: Run, paths: dict[int, Path]) -> None:
    """Fills in what PEFT makes of the saved files; where the model was in training just now, the two must agree."""
    if run.changes_base or run.refused:
        return
    initial = {0: run.folder / "initial"} if run.keeps_initial else {}
    for step, path in (paths | initial).items():
        reloaded = reloaded_weights(run, path)
        for module, live in run.weights.get(step, {}).items():
            assert np.abs(live - reloaded[module]).max() <= 1e-6 * np.abs(live).max(), f"{run.name} {module} {step}"
        run.weights[step] = reloaded
    if not initial:
        base = reference.Base(Path("bases") / run.base, run.base == "gpt2")
        run.weights[0] = {module: start_of(base, module, run) for module in run.weights[STEPS[0]]}


def start_of(base: reference.Base, module: str, run: Run) -> np.ndarray:
    """The weight that a method which starts at zero starts from."""
    if run.kind is not LNTuningConfig:
        return base.weight(module)
    return methods_reference.behind_norm(base, module)


def perform(run: Run) -> None:
    """Trains a run and saves its checkpoints with PEFT; keeps the live effective weights for the check."""
    model = prepare(run)
    keep_initial = tempfile.TemporaryDirectory()
    initial = Path(keep_initial.name) / "initial"

    def allocate(step: int) -> None:
        tuner = model.base_model
        if run.allocation == "cuts":
            tuner.update_and_allocate(step)
        elif run.allocation == "masks":  # a trainer that masks, and leaves what it masked in the files
            tuner.rankallocator.update_and_allocate(tuner.model, step, force_mask=step >= 14)

    def save(step: int, log: list[dict]) -> None:
        run.weights[step] = live_weights(model)
        if step == 0:
            if run.keeps_initial or run.converted:
                model.save_pretrained(initial)
            return
        folder = run.folder / f"checkpoint-{step}"
        more = {"path_initial_model_for_weight_conversion": str(initial)} if run.converted else {}
        model.save_pretrained(folder, **more)
        if run.nan_at and step >= run.nan_at:
            log[run.nan_at - 1] = log[run.nan_at - 1] | {"grad_norm": float("nan")}
        models.write_trainer_state(folder, step, STEPS[-1], log)

    models.train(model, loss_function(run), STEPS[-1], run.rate, (0, *STEPS), save, after_step=allocate)
    if run.keeps_initial:
        shutil.copytree(initial, run.folder / "initial")
    keep_initial.cleanup()
    models.tidy(run.folder)


def write_layouts() -> None:
    """Copies of the rank-1 adapters where verl and OpenRLHF put theirs."""
    for layout in LAYOUTS.values():
        for step in STEPS[:2]:
            target = Path(layout.format(step))
            if target.exists():
                continue
            target.mkdir(parents=True)
            for name in ("adapter_config.json", "adapter_model.safetensors"):
                shutil.copy(f"runs/rank1/checkpoint-{step}/{name}", target / name)


