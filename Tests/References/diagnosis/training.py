"""Runs of Hugging Face's Trainer, and what becomes of their adapters when PEFT loads them on the original base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora.layer import LoraLayer
from transformers import AutoModelForCausalLM, BertModel, Trainer, TrainingArguments, default_data_collator

from data import BERT, LAB, SEED, accuracy, answer_logits, sentence_pairs

PREFIX = "base_model.model."


def load(base: str, dtype=torch.float32):
    if base == BERT:
        return BertModel.from_pretrained(base, dtype=dtype, add_pooling_layer=False)
    return AutoModelForCausalLM.from_pretrained(base, dtype=dtype)


def adapted(base: str, dtype=torch.float32, seed: int = SEED, **config):
    torch.manual_seed(seed)
    return get_peft_model(load(base, dtype), LoraConfig(**config))


def layers(model) -> dict[str, LoraLayer]:
    return {n.removeprefix(PREFIX): m for n, m in model.named_modules() if isinstance(m, LoraLayer)}


def contrastive_loss(model, pairs) -> torch.Tensor:
    """Every first sentence must find its own paraphrase in the batch: the usual loss of sentence embedders."""
    first, second = (model(input_ids=pairs[part]).last_hidden_state.mean(1) for part in ("first", "second"))
    first, second = (torch.nn.functional.normalize(part, dim=-1) for part in (first, second))
    return torch.nn.functional.cross_entropy(first @ second.T / 0.05, torch.arange(len(first)))


@torch.no_grad()
def contrast(model) -> float:
    """The contrastive loss on 128 pairs that training does not see."""
    return float(contrastive_loss(model, default_data_collator(sentence_pairs(128, SEED + 99))))


class Contrastive(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss = contrastive_loss(model, inputs)
        return (loss, None) if return_outputs else loss


def train(
    model, folder, data, *, steps, rate, every, batch=8, seed=SEED, kind=Trainer, rate_at=None, callbacks=None, **more
):
    """Hugging Face's Trainer, which saves checkpoint-N with PEFT; of what it saves, what a user would publish is kept.

    `rate_at` is a factor on the rate by step, through the scheduler, as a user's own schedule would be.
    """
    folder = Path(folder)
    more.setdefault("lr_scheduler_type", "constant")
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=rate,
        save_steps=every,
        logging_steps=1,
        per_device_train_batch_size=batch,
        weight_decay=0.0,
        seed=seed,
        use_cpu=True,
        save_only_model=True,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        save_strategy="steps",
        **more,
    )
    optimizers = (None, None)
    if rate_at:
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
        optimizers = (optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate_at))
    trainer = kind(
        model=model,
        args=arguments,
        train_dataset=data,
        data_collator=default_data_collator,
        optimizers=optimizers,
        callbacks=callbacks,
    )
    trainer.train()
    tidy(folder)
    model.eval()
    return model


def tidy(folder: Path) -> None:
    """Removes what is no data, and what may name paths of this machine; opens the files."""
    models = ("adapter_model.safetensors", "model.safetensors")
    for file in [file for file in folder.rglob("*") if file.is_file()]:
        if file.name in ("adapter_config.json", "config.json", "trainer_state.json", *models):
            file.chmod(0o644)
        else:
            file.unlink()


def save(model, folder: Path) -> None:
    model.save_pretrained(folder)
    tidy(folder)


def live_weights(model) -> dict[str, np.ndarray]:
    """What a PEFT model in training computes with, in float64: the base as it is now (a residual), plus s·B·A."""
    weights = {}
    for name, layer in layers(model).items():
        b, a = layer.lora_B["default"].weight, layer.lora_A["default"].weight
        part = layer.scaling["default"] * b.detach().double() @ a.detach().double()
        weights[name] = (layer.get_base_layer().weight.detach().double() + part).numpy()
    return weights


def reload(live, base: str, adapter: Path, seed: int) -> dict:
    """How far from the trained model a user is who loads the saved adapter on the original base, and merges.

    The seed is that of the loading process, which nothing ties to the trainer's.
    """
    torch.manual_seed(seed)
    merged = PeftModel.from_pretrained(load(base), adapter).merge_and_unload().eval()
    original = load(base).eval()
    largest, norms = 0.0, []
    for name, weight in live_weights(live).items():
        error = merged.get_submodule(name).weight.detach().double().numpy() - weight
        largest = max(largest, float(np.abs(error).max()))
        norms.append(float(np.linalg.norm(error) / original.get_submodule(name).weight.detach().double().norm()))
    entry = {"seed": seed, "largest_weight_error": largest, "relative_error_of_a_module": [min(norms), max(norms)]}
    if base == LAB:
        live.eval()
        right, wrong = answer_logits(live), answer_logits(merged)
        entry |= {
            "mean_kl": float((right.exp() * (right - wrong)).sum(-1).mean()),
            "accuracy_of_base": accuracy(original),
            "accuracy_in_training": accuracy(live),
            "accuracy_reloaded": accuracy(merged),
        }
    return entry
