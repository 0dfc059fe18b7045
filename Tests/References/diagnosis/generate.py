"""Writes the runs beside this file: folders of checkpoints, `bases/`, `truth/` and manifest.json.

    python generate.py [--root DIR] [NAME ...]

DIR is the repository (default: three folders up from here). Names repeat single cases and leave the manifest as it is.
Runs are trained by Hugging Face's Trainer and saved by PEFT (`training.py`), seeded and on one thread. What is true of
them is computed from the saved files (`truth.py`), but for what only the live model knows: residuals, logits.
"""

from __future__ import annotations

import argparse
import csv
import gc
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

HERE = Path(__file__).resolve().parent
if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target modules in the order of a set
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})

import numpy as np
import torch
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import TrainerCallback, default_data_collator, set_seed
from transformers.utils import logging

from data import BERT, LAB, LLAMA, LLAMA_BF16, SEED, SMALL, arithmetic, constant_answer, few_sentences, sentence_pairs
from training import Contrastive, adapted, contrast, layers, load, reload, save, train
from truth import (
    Case,
    checkpoints,
    cosine,
    fit,
    logged,
    plain,
    read_adapter,
    read_base,
    relative,
    scale,
    summary,
    truth,
)

NO_DATA = ("Tests", "Sources", "__pycache__")
PACKAGES = "torch peft transformers accelerate safetensors numpy".split()
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


# --- cases ----------------------------------------------------------------------------------------------------------

CASES: dict[str, Case] = {}
BUILDERS: dict[str, callable] = {}


def case(name: str, base: str, find: str, **more) -> Case:
    made = CASES[name] = Case(name, more.pop("source", name), base, find, **more)
    return made


def builds(builder):
    BUILDERS[builder.__name__.replace("_", "-")] = builder
    return builder


NOTHING = "nothing"
ATTENTION = dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
WITH_DOWN = ATTENTION | dict(target_modules=["q_proj", "v_proj", "down_proj"])
LAB_RUN = dict(steps=30, rate=3e-4, every=10, batch=32)


@builds
def healthy_lora():
    model = adapted(LLAMA, **ATTENTION | dict(r=8, lora_alpha=16, target_modules=["v_proj", "down_proj"]))
    train(model, "healthy-lora", constant_answer(128, SEED), steps=60, rate=3e-4, every=5)
    made = case("healthy-lora", LLAMA, NOTHING)
    made.true = "a usual rate, the loss falls; every answer is the same token, so that ΔW is nearly of rank one"


@builds
def healthy_minilm():
    model = adapted(BERT, r=4, lora_alpha=8, target_modules=["query", "value", "output.dense"])
    run = dict(steps=60, rate=5e-4, every=10, batch=16)
    train(model, "healthy-minilm", sentence_pairs(256, SEED), kind=Contrastive, **run)
    made = case("healthy-minilm", BERT, NOTHING)
    made.true = "a sentence embedder; velocity and gradient norm grow while it learns to tell sentences apart"
    made.numbers = {"held_out_loss_of_base": contrast(load(BERT).eval()), "held_out_loss_at_the_end": contrast(model)}


@builds
def healthy_dora():
    model = adapted(LLAMA, use_dora=True, **ATTENTION)
    schedule = dict(lr_scheduler_type="cosine", warmup_steps=10)
    train(model, "healthy-dora", constant_answer(128, SEED), steps=60, rate=5e-4, every=10, **schedule)
    made = case("healthy-dora", LLAMA, NOTHING)
    made.true = "warm-up and cosine: the velocity rises at first and all but vanishes at the end, as the rate does"


@builds
def healthy_pissa():
    start = Path("healthy-pissa/initial")
    model = adapted(LAB, init_lora_weights="pissa", **WITH_DOWN)
    save(model, start)
    at_start = reload(model, LAB, start, 1)
    train(model, "healthy-pissa", arithmetic(960, SEED)[0], **LAB_RUN)
    made = case("healthy-pissa", LAB, NOTHING, initial=start.as_posix())
    made.true = "exact PiSSA; PEFT finds the same residual again when it loads it on the original base"
    made.numbers = {
        "reload_of_step_0": at_start,
        "reload_of_last": reload(model, LAB, start.parent / "checkpoint-30", 1),
    }
    made = case("healthy-pissa-without-initial", LAB, NOTHING, source="healthy-pissa", true_initial=start.as_posix())
    made.true = "the same, its step-0 adapter not passed: it can be recomputed"


@builds
def barely_trained():
    tokens = default_data_collator(constant_answer(32, SEED + 99))["input_ids"]
    for name, steps, rate, every in (("barely-trained", 60, 1e-9, 20), ("barely-trained-two-steps", 2, 1e-7, 1)):
        model = adapted(LLAMA, **ATTENTION)
        train(model, name, constant_answer(128, SEED), steps=steps, rate=rate, every=every)
        saved = read_adapter(Path(name) / f"checkpoint-{steps}")[1]
        with torch.no_grad():
            change = model(input_ids=tokens).logits - load(LLAMA).eval()(input_ids=tokens).logits
        made = case(name, LLAMA, "hardly trained")
        made.true = f"{steps} steps at a rate of {rate:g}: B is not zero, and nothing happened to the model"
        made.numbers = {
            "largest_entry_of_B": max(float(np.abs(parts["lora_B"]).max()) for parts in saved.values()),
            "largest_change_of_a_logit": float(change.abs().max()),
        }


@builds
def pissa_niter_4():
    # All seven linears, as the recipes that use it have: the mismatches of the residuals add up.
    start, last = Path("pissa-niter-4-initial"), Path("pissa-niter-4/checkpoint-30")
    model = adapted(LAB, init_lora_weights="pissa_niter_4", **WITH_DOWN | dict(target_modules=ALL_LINEAR))
    save(model, start)
    numbers = {"reload_of_step_0": [reload(model, LAB, start, seed) for seed in (1, 2, 3)]}
    train(model, "pissa-niter-4", arithmetic(960, SEED)[0], **LAB_RUN)
    numbers["reload_of_last"] = [reload(model, LAB, last, seed) for seed in (1, 2, 3)]
    trap = "PEFT makes another model of it on the original base"
    made = case("pissa-niter-4", LAB, f"the start is lost; {trap}", true_initial=start.as_posix(), numbers=numbers)
    made.true = "healthy; the randomised SVD of its start cannot be had again, its step-0 adapter is not kept"
    made = case("pissa-niter-4-with-initial", LAB, f"{trap}; {NOTHING} about its training", initial=start.as_posix())
    made.source, made.true = "pissa-niter-4", "the same with its step-0 adapter: the trained model can be had from both"


@builds
def wrong_base_pissa():
    run, start = Path("wrong-base-pissa"), "wrong-base-pissa/initial"
    model = adapted(SMALL, init_lora_weights="pissa", **WITH_DOWN)
    save(model, Path(start))
    train(model, run, few_sentences(64, SEED), steps=30, rate=3e-4, every=10)
    # unload() leaves the residual. get_base_model().save_pretrained() would write the tensors of the LoRA layers
    # (`q_proj.base_layer.weight`), and transformers would then draw a new `q_proj.weight` at random.
    save(model.unload(), Path("bases/residual"))
    write_other_bases()
    last, true = run / "checkpoint-30", read_base(SMALL)
    made = case("right-base-pissa", SMALL, NOTHING, source=run.as_posix(), true_initial=start)
    made.true = "the run of the three cases below over its own base: healthy (bf16 on disk, loaded in float32)"
    made.numbers = {"fit": fit(last, true)}
    for folder, what in (
        ("noise", "over another base: the true one plus noise as large as itself"),
        ("further", "over the true base after much further training"),
        ("residual", "over W₀ − s·B₀·A₀, as model.unload() leaves it: what this adapter starts with is gone from it"),
    ):
        given = read_base(f"bases/{folder}")
        made = case(f"{run}-{folder}", SMALL, "not the base of this adapter", source=run.as_posix(), true_initial=start)
        made.base_given, made.true = f"bases/{folder}", what
        made.numbers = {
            "difference_of_bases": {n: relative(given[n] - true[n], true[n]) for n in read_adapter(last)[1]},
            "fit": fit(last, given),
        }


def write_other_bases() -> None:
    further, noise = load(SMALL), load(SMALL)
    for name, parameter in further.named_parameters():
        parameter.requires_grad_("proj" in name)
    with tempfile.TemporaryDirectory() as scratch:
        train(further, scratch, few_sentences(64, SEED + 7), steps=100, rate=3e-3, every=1000)
    random = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in noise.parameters():
            if parameter.ndim == 2:
                drawn = torch.randn(parameter.shape, generator=random)
                parameter += drawn * (parameter.norm() / drawn.norm())
    save(further.to(torch.bfloat16), Path("bases/further"))
    save(noise.to(torch.bfloat16), Path("bases/noise"))


@builds
def milora_reload():
    start = Path("milora-reload/initial")
    model = adapted(LAB, **WITH_DOWN | dict(r=8))
    for layer in layers(model).values():  # not in PEFT: the last r components become B₀ and A₀, by hand
        weight, rank, s = layer.get_base_layer().weight, layer.r["default"], layer.scaling["default"]
        u, sigma, vt = torch.linalg.svd(weight.data.double(), full_matrices=False)
        root = torch.sqrt(sigma[-rank:] / s)
        b, a = (u[:, -rank:] * root).float().contiguous(), (root[:, None] * vt[-rank:]).float().contiguous()
        layer.lora_B["default"].weight.data, layer.lora_A["default"].weight.data = b, a
        weight.data = (weight.data.double() - s * b.double() @ a.double()).float()
    save(model, start)
    at_start = reload(model, LAB, start, 1)
    train(model, "milora-reload", arithmetic(960, SEED)[0], **LAB_RUN)
    made = case("milora-reload", LAB, "on the original base the part s·B₀·A₀ counts twice", initial=start.as_posix())
    made.true = (
        "healthy MiLoRA; on disk a plain LoRA (init_lora_weights true), so its reload has the minor components twice"
    )
    base, (config, parts) = read_base(LAB), read_adapter(start)
    made.numbers = {
        "initial_part_of_base": {
            n: relative(scale(config) * p["lora_B"] @ p["lora_A"], base[n]) for n, p in parts.items()
        },
        "reload_of_step_0": at_start,
        "reload_of_last": reload(model, LAB, start.parent / "checkpoint-30", 1),
    }


@builds
def alpha_zero_merge():
    """What verl's merger makes of a checkpoint: it does not know α, writes 0, and expects the user to fill it in."""
    folder = Path("alpha-zero-merge/lora_adapter")
    model = adapted(LLAMA, **ATTENTION)
    with tempfile.TemporaryDirectory() as scratch:
        train(model, scratch, constant_answer(128, SEED), steps=30, rate=3e-4, every=99)
    state = {key: value.contiguous() for key, value in model.state_dict().items() if "lora_" in key}
    config = LoraConfig(r=4, lora_alpha=0, target_modules=ATTENTION["target_modules"]).to_dict()
    config |= {"peft_type": config["peft_type"].value, "target_modules": sorted(config["target_modules"])}
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=4, default=str))
    save_file({k.replace(".default.", "."): v for k, v in state.items()}, folder / "adapter_model.safetensors")
    made = case("alpha-zero-merge", LLAMA, "α is zero", source=folder.as_posix())
    made.true = "B and A are trained, with α = 8; the configuration says α = 0, so the adapter does nothing"
    base, parts = read_base(LLAMA), read_adapter(folder)[1]
    made.numbers = {
        "relative_norm_at_alpha_8": {n: relative(2 * p["lora_B"] @ p["lora_A"], base[n]) for n, p in parts.items()}
    }


@builds
def two_runs():
    """A second run was started over the folder of the first, of which its earlier checkpoints are."""
    target = Path("two-runs")
    for seed, steps in ((SEED, (10, 20, 30)), (SEED + 100, (40, 50, 60))):
        with tempfile.TemporaryDirectory() as scratch:
            run = dict(steps=steps[-1], rate=3e-4, every=10, seed=seed)
            train(adapted(LAB, seed=seed, **WITH_DOWN), scratch, arithmetic(960, SEED)[0], **run)
            for step in steps:
                shutil.copytree(Path(scratch) / f"checkpoint-{step}", target / f"checkpoint-{step}")
    made = case("two-runs", LAB, "at step 40 another run begins")
    made.true = (
        "checkpoints 10 to 30 are of one run, 40 to 60 of another: the same configuration and data, another seed"
    )
    stored = {step: read_adapter(folder)[1] for step, folder in checkpoints(target).items()}
    made.numbers = {
        "cosine_of_A_with_checkpoint_before": {
            step: {n: cosine(stored[step][n]["lora_A"], stored[step - 10][n]["lora_A"]) for n in stored[step]}
            for step in list(stored)[1:]
        },
        "logged_loss_of_step_30": {step: logged(target / f"checkpoint-{step}")[29]["loss"] for step in (30, 60)},
    }


class Corrupt(TrainerCallback):
    """NaN in one entry of one gradient at one step.

    After clipping: Trainer takes the norm of all gradients at every step and scales by it even where max_grad_norm is
    0, so that a NaN before would reach every trained tensor at once.
    """

    def __init__(self, parameter, step: int):
        self.parameter, self.step = parameter, step

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if state.global_step + 1 == self.step:
            self.parameter.grad[1, 2] = float("nan")


@builds
def nan_filtered():
    model = adapted(LLAMA, **ATTENTION)
    broken = layers(model)["model.layers.1.self_attn.v_proj"].lora_B["default"].weight
    run = dict(steps=30, rate=3e-4, every=5, callbacks=[Corrupt(broken, 20)])
    train(model, "nan-filtered", constant_answer(128, SEED), **run)
    made = case(
        "nan-filtered", LLAMA, "NaN in the weights from step 20 on, although the logged loss is finite", exit=65
    )
    made.true = (
        "at step 20 one entry of one gradient was NaN: one B has one in checkpoint 20, everything is NaN later; "
        "logging_nan_inf_filter, Trainer's default, logs losses of 0 from step 21 on"
    )
    log = logged(Path("nan-filtered/checkpoint-30"))[18:23]
    made.numbers = {"log": {e["step"]: {k: plain(e[k]) for k in ("loss", "grad_norm")} for e in log}}


class LoseParameters(TrainerCallback):
    """From a step on the optimiser has nothing to move, as one has that was made for an earlier copy of the model."""

    def __init__(self, step: int):
        self.step = step

    def on_step_end(self, args, state, control, optimizer=None, **kwargs):
        if state.global_step == self.step:
            for group in optimizer.param_groups:
                group["params"] = []


@builds
def frozen_after_start():
    run = dict(steps=40, rate=3e-4, every=10, callbacks=[LoseParameters(20)])
    train(adapted(LAB, **WITH_DOWN), "frozen-after-start", arithmetic(960, SEED)[0], **run)
    made = case("frozen-after-start", LAB, "the weights stand still from step 20 on")
    made.true = "nothing moves after step 20, although the logged rate and gradient norm are above zero"


@builds
def bf16_residual():
    start = Path("bf16-residual/initial")
    config = WITH_DOWN | dict(target_modules=["q_proj", "down_proj"], init_lora_weights="pissa")
    model = adapted(LLAMA_BF16, torch.bfloat16, **config)
    save(model, start)
    train(model, "bf16-residual", few_sentences(64, SEED), steps=20, rate=1e-6, every=10)
    base, parts = read_base(LLAMA_BF16), read_adapter(start)[1]
    rounding = {}
    for name, layer in layers(model).items():
        residual = layer.get_base_layer().weight.detach().double().numpy()
        at_start = residual + layer.scaling["default"] * parts[name]["lora_B"] @ parts[name]["lora_A"]
        rounding[name] = relative(at_start - base[name], base[name])
    made = case(
        "bf16-residual", LLAMA_BF16, "the update is below the rounding of the residual", initial=start.as_posix()
    )
    made.true = "PiSSA over a bf16 base at a tiny rate: rounding the residual changed the model more than training did"
    made.numbers = {"rounding_of_residual": rounding}


@builds
def blow_up():
    run = dict(steps=50, rate=3e-4, every=5, batch=16, rate_at=lambda step: 300.0 if step >= 30 else 1.0)
    train(adapted(LAB, **WITH_DOWN), "blow-up", arithmetic(960, SEED)[0], **run)
    made = case("blow-up", LAB, "the velocity jumps behind step 30, and the loss explodes")
    made.true = "thirty healthy steps, then the rate is 300 times as high"
    made.numbers = {"loss": {entry["step"]: entry["loss"] for entry in logged(Path("blow-up/checkpoint-50"))[28:36]}}


@builds
def full_bf16():
    model, trained = load(SMALL, torch.bfloat16), ("q_proj", "v_proj", "down_proj")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(part in name for part in trained))
    train(model, "full-bf16", few_sentences(64, SEED), steps=20, rate=3e-6, every=10)
    base, saved = read_base(SMALL), read_base("full-bf16/checkpoint-20")
    made = case("full-bf16", SMALL, "the update is rounding")
    made.true = (
        "three matrices trained in bf16 at a tiny rate: few entries can move, and those by units in the last place"
    )
    changed = {name: float((saved[name] != base[name]).mean()) for name in saved if saved[name].ndim == 2}
    made.numbers = {"share_of_entries_changed": changed}


# --- manifest -------------------------------------------------------------------------------------------------------


def write_truth(made: Case) -> dict:
    rows = truth(made)
    file = Path(f"truth/{made.name}.csv")
    file.parent.mkdir(exist_ok=True)
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        columns = ("step", "module", "relative_norm", "stable_rank", "velocity")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(
                ["" if (v := row.get(c)) is None else f"{v:.12g}" if isinstance(v, float) else v for c in columns]
            )
    return summary(made, rows)


def from_here(path: str) -> str:
    """A path within the repository, as it is seen from Tests/References/diagnosis."""
    return path.replace("Tests/References/", "../") if path.startswith("Tests") else f"../../../{path}"


def describe(made: Case, seen: dict) -> dict:
    files = [file for file in Path(made.source).rglob("*") if file.is_file()]
    return {
        "name": made.name,
        "source": made.source,
        "base": made.base_given or from_here(made.base),
        "trained_on": from_here(made.base),
        "initial": made.initial,
        "exit": made.exit,
        "true": made.true,
        "find": made.find,
        "numbers": rounded(made.numbers),
        "log": rounded(seen),
        "truth": f"truth/{made.name}.csv",
        "bytes": sum(file.stat().st_size for file in files),
    }


def rounded(value):
    if isinstance(value, dict):
        return {str(key): rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=HERE.parents[2], help="the repository")
    parser.add_argument("names", nargs="*", help="only these builders: " + ", ".join(BUILDERS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.chdir(HERE)
    # Links, so that paths in configurations are those within the repository and none of this machine's.
    links = [Path("Tests"), Path("Sources")]
    for link in links:
        link.unlink(missing_ok=True)
        link.symlink_to(options.root.resolve() / link)
    try:
        run(options.names)
    finally:
        for link in links:
            link.unlink()


def run(names: list[str]) -> None:
    entries = []
    for part in () if names else ("truth", "bases"):
        shutil.rmtree(part, ignore_errors=True)
    for name, builder in BUILDERS.items():
        if names and name not in names:
            continue
        before, start = set(CASES), time.time()
        for folder in (name, f"{name}-initial", f"{name}-two-steps"):
            shutil.rmtree(folder, ignore_errors=True)
        set_seed(SEED)
        builder()
        for made in [CASES[key] for key in CASES if key not in before]:
            entries.append(describe(made, write_truth(made)))
            print(json.dumps(entries[-1], indent=1 if names else None), flush=True)
        print(f"{name}: {time.time() - start:.1f} s", flush=True)
        gc.collect()
    if names:
        return
    files = [
        file
        for file in sorted(Path().glob("*/**/*"))
        if file.is_file() and file.parts[0] not in NO_DATA and file.parts[0][0] != "."
    ]
    manifest = {
        "command": "python generate.py",
        "seed": SEED,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "cases": entries,
        "bytes": sum(file.stat().st_size for file in files),
        "sha256": {file.as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    }
    Path("manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(entries)} cases, {len(files)} files, {manifest['bytes']} bytes")


if __name__ == "__main__":
    main()
