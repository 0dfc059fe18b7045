"""The small models of bases/, cut from real weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

import models

CLASSES = {"llama": LlamaForCausalLM, "llama-f32": LlamaForCausalLM, "gpt2": GPT2LMHeadModel, "bert": BertModel}


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


def write_missing() -> None:
    """Writes the bases that are not there."""
    missing = [name for name in CLASSES if not (Path("bases") / name).exists()]
    if "llama" in missing or "llama-f32" in missing:
        write_llamas()
    if "gpt2" in missing:
        write_gpt2(models.minilm())
    if "bert" in missing:
        write_bert(models.minilm())
    models.tidy(Path("bases"))
