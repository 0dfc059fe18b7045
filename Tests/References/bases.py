"""The small models of bases/, cut from real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    GptOssConfig,
    GptOssForCausalLM,
    LlamaForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

import models

CLASSES = {
    "llama": LlamaForCausalLM,
    "llama-f32": LlamaForCausalLM,
    "gpt2": GPT2LMHeadModel,
    "bert": BertModel,
    "llama-small": LlamaForCausalLM,
    "qwen3-moe": Qwen3MoeForCausalLM,
    "qwen3-moe-split": Qwen3MoeForCausalLM,
    "gpt-oss": GptOssForCausalLM,
    "angles": LlamaForCausalLM,
}


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


def write_llama_small() -> None:
    """One layer in bf16, small enough that whole fine-tuned copies of it can be kept."""
    config = models.llama_config(
        vocab_size=64,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    models.cut(model, models.smollm2(), layers={0: 15})
    model.to(torch.bfloat16).save_pretrained("bases/llama-small")


ANGLE_RANK = 4
ANGLE_SPECTRUM = [1.0, 0.9, 0.8, 0.7, *(0.3 * 0.9**j for j in range(16))]


def write_angles() -> None:
    """A float64 model whose 24 x 20 projections have a wide gap behind their fourth singular value."""
    random = np.random.default_rng(7)
    config = models.llama_config(
        vocab_size=8,
        hidden_size=20,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=6,
        tie_word_embeddings=False,
    )
    torch.manual_seed(7)
    model = LlamaForCausalLM(config).double()
    attention = model.model.layers[0].self_attn
    with torch.no_grad():
        for layer in (attention.q_proj, attention.k_proj):
            left, right = (np.linalg.qr(random.standard_normal((size, 20)))[0] for size in (24, 20))
            layer.weight.copy_(torch.from_numpy((left * ANGLE_SPECTRUM) @ right.T))
    model.save_pretrained("bases/angles")


EXPERT_SIZES = dict(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=1,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    num_experts_per_tok=2,
    bos_token_id=0,
    eos_token_id=0,
    pad_token_id=None,
    tie_word_embeddings=False,
)
EXPERTS, EXPERT_WIDTH = 4, 24


def write_experts() -> None:
    """A layer of four experts cut from one MLP: fused and split as Qwen3-MoE stores it, fused in x out as GPT-OSS."""
    torch.manual_seed(0)
    config = Qwen3MoeConfig(moe_intermediate_size=EXPERT_WIDTH, num_experts=EXPERTS, **EXPERT_SIZES)
    qwen = Qwen3MoeForCausalLM(config)
    oss = GptOssForCausalLM(GptOssConfig(intermediate_size=EXPERT_WIDTH, num_local_experts=EXPERTS, **EXPERT_SIZES))
    source = models.smollm2().model
    mlp = source.layers[15].mlp
    gate, up, down = (part.weight.detach() for part in (mlp.gate_proj, mlp.up_proj, mlp.down_proj))
    with torch.no_grad():
        for model in (qwen, oss):
            model.model.embed_tokens.weight.copy_(source.embed_tokens.weight[1000:1064, :32])
            model.lm_head.weight.copy_(source.embed_tokens.weight[1000:1064, :32])
            experts = model.model.layers[0].mlp.experts
            for expert in range(EXPERTS):
                cut = slice(EXPERT_WIDTH * expert, EXPERT_WIDTH * (expert + 1))
                both, back = torch.cat([gate[cut, :32], up[cut, :32]]), down[:32, cut]
                transposed = model is oss
                experts.gate_up_proj[expert].copy_(both.T if transposed else both)
                experts.down_proj[expert].copy_(back.T if transposed else back)
    qwen.save_pretrained("bases/qwen3-moe", save_original_format=False)
    qwen.save_pretrained("bases/qwen3-moe-split")
    oss.save_pretrained("bases/gpt-oss")


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
    if "llama-small" in missing:
        write_llama_small()
    if {"qwen3-moe", "qwen3-moe-split", "gpt-oss"} & set(missing):
        write_experts()
    if "angles" in missing:
        write_angles()
    models.tidy(Path("bases"))
