"""The same work in PyTorch, transformers and PEFT: one repetition for each line on standard input, its seconds as a line of JSON.

    python training.py laboratory|step|sampling|grpo --threads N --base FOLDER
"""
import argparse
import json
import math
import sys
import time

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

CHARACTERS = "_0123456789+-*=>;:RSCabcdefgh"
TOKEN = {character: index for index, character in enumerate(CHARACTERS)}
END = TOKEN[";"]
PROMPT, RESPONSE = 8, 8
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def size_s():
    torch.manual_seed(0)
    return Qwen2ForCausalLM(
        Qwen2Config(
            hidden_size=128, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=384,
            vocab_size=64, max_position_embeddings=256, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1,
            pad_token_id=0, attn_implementation="sdpa")).float()


def step(_):
    """One step of LoRA with HF PEFT, eager: 64 sequences of 64 tokens, rank 16 on all seven linear layers."""
    import peft

    model = peft.get_peft_model(size_s(), peft.LoraConfig(r=16, lora_alpha=32, target_modules=LINEAR))
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    tokens = torch.randint(2, 64, (64, 64), generator=torch.Generator().manual_seed(1))

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        return {"loss": loss.item()}

    return run


def sampling(_):
    """transformers' generate: 64 prompts of 16 tokens, 32 new tokens each, merged weights, temperature 1."""
    model = size_s().eval()
    prompts = torch.randint(2, 64, (64, 16), generator=torch.Generator().manual_seed(2))
    options = dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0, min_new_tokens=32, max_new_tokens=32, pad_token_id=0)

    @torch.inference_mode()
    def run():
        result = model.generate(input_ids=prompts, attention_mask=torch.ones_like(prompts), **options)
        return {"tokens": result.shape[1]}

    return run


def grpo(_):
    """Steps of TRL's GRPOTrainer with LoRA of rank 16: 16 prompts of 32 tokens, 8 completions of 32 each, no KL term.

    The trainer has a loop of its own: a generator lets it go on by one step for each repetition, on a thread of its own.
    """
    import queue
    import tempfile
    import threading

    import peft
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    wanted, done = queue.Queue(), queue.Queue()

    class Turns(TrainerCallback):
        def on_step_begin(self, *_, **__):
            wanted.get()

        def on_step_end(self, *_, **__):
            done.put({"tokens": 128 * 32})

    words = {"<pad>": 0, "<eos>": 1} | {f"t{i}": i for i in range(2, 64)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="t2"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", padding_side="left")
    prompts = torch.randint(2, 64, (1024, 32), generator=torch.Generator().manual_seed(3)).tolist()
    data = Dataset.from_dict({"prompt": [" ".join(f"t{i}" for i in prompt) for prompt in prompts]})
    settings = GRPOConfig(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=128, num_generations=8, max_completion_length=32,
        max_steps=10**6, learning_rate=1e-4, beta=0.0, temperature=1.0, generation_kwargs={"min_new_tokens": 32},
        use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", save_strategy="no", logging_steps=1,
        disable_tqdm=True, dataloader_pin_memory=False)
    trainer = GRPOTrainer(
        model=size_s(), args=settings, train_dataset=data, processing_class=fast, callbacks=[Turns()],
        reward_funcs=lambda completions, **_: [text.split().count("t7") / 32 for text in completions],
        peft_config=peft.LoraConfig(r=16, lora_alpha=32, target_modules=LINEAR, task_type="CAUSAL_LM"))

    def train():
        # Its own lines would get between ours.
        sys.stdout = sys.stderr
        trainer.train()

    threading.Thread(target=train, daemon=True).start()

    def run():
        wanted.put(None)
        return done.get()

    return run


class Laboratory:
    """GRPO with LoRA on the embedded base, written for speed in plain PyTorch: effective weights, one functional forward pass for
    training and for sampling with a key-value cache."""

    def __init__(self, folder):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        c = model.config
        self.layers, self.heads, self.groups = c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads
        self.size, self.epsilon = c.hidden_size // c.num_attention_heads, c.rms_norm_eps
        self.base = {name: value.detach() for name, value in model.state_dict().items()}
        frequencies = 1 / (10000 ** (torch.arange(0, self.size, 2) / self.size))
        angles = torch.outer(torch.arange(PROMPT + RESPONSE).float(), frequencies)
        self.cosines, self.sines = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()
        self.linear = [f"model.layers.{i}.{block}.{name}.weight" for i in range(self.layers)
                       for block, names in (("self_attn", LINEAR[:4]), ("mlp", LINEAR[4:])) for name in names]

    def turn(self, x, first):
        half, last = x.shape[-1] // 2, first + x.shape[2]
        turned = torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * self.cosines[first:last] + turned * self.sines[first:last]

    def forward(self, w, tokens, cache=None, first=0):
        x = w["model.embed_tokens.weight"][tokens]
        batch, length, width = x.shape
        split = lambda y: y.view(batch, length, -1, self.size).transpose(1, 2)
        norm = lambda y, name: F.rms_norm(y, (width,), w[name], self.epsilon)
        for i in range(self.layers):
            p, m = f"model.layers.{i}.self_attn.", f"model.layers.{i}.mlp."
            y = norm(x, f"model.layers.{i}.input_layernorm.weight")
            q, k, v = (split(F.linear(y, w[p + n + "_proj.weight"], w[p + n + "_proj.bias"])) for n in "qkv")
            q, k = self.turn(q, first), self.turn(k, first)
            if cache is not None:
                if i in cache:
                    k, v = torch.cat([cache[i][0], k], 2), torch.cat([cache[i][1], v], 2)
                cache[i] = (k, v)
            a = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1, enable_gqa=True)
            x = x + F.linear(a.transpose(1, 2).reshape(batch, length, width), w[p + "o_proj.weight"])
            y = norm(x, f"model.layers.{i}.post_attention_layernorm.weight")
            y = F.silu(F.linear(y, w[m + "gate_proj.weight"])) * F.linear(y, w[m + "up_proj.weight"])
            x = x + F.linear(y, w[m + "down_proj.weight"])
        return F.linear(norm(x, "model.norm.weight"), w["model.embed_tokens.weight"])

    @torch.no_grad()
    def sample(self, w, prompts, generator, greedy=False):
        cache, count = {}, prompts.shape[0]
        out = torch.zeros(count, RESPONSE, dtype=torch.long)
        ended = torch.zeros(count, dtype=torch.bool)
        logits = self.forward(w, prompts, cache)[:, -1]
        for t in range(RESPONSE):
            if greedy:
                token = logits.argmax(-1)
            else:
                noise = torch.rand(logits.shape, generator=generator).clamp_min(1e-20)
                token = (logits - torch.log(-torch.log(noise))).argmax(-1)
            token = torch.where(ended, 0, token)
            out[:, t] = token
            ended |= token == END
            if t == RESPONSE - 1 or bool(ended.all()):
                break
            logits = self.forward(w, token[:, None], cache, prompts.shape[1] + t)[:, -1]
        length = torch.where(ended, (out == END).int().argmax(1) + 1, RESPONSE)
        return out, torch.arange(RESPONSE)[None] < length[:, None], ended

    def problems(self, generator, count):
        draw = lambda low, high: torch.randint(low, high, (count,), generator=generator).tolist()
        numbers = list(zip(draw(10, 100), draw(2, 10), draw(10, 100)))
        prompts = torch.tensor([[TOKEN[x] for x in f"{a}*{b}+{c}="] for a, b, c in numbers])
        return prompts, [str(a * b + c)[::-1] for a, b, c in numbers]

    def rewards(self, out, ended, answers):
        judged = []
        for row, has_ended, answer in zip(out.tolist(), ended.tolist(), answers):
            text = "".join(CHARACTERS[i] for i in row).split(";")[0]
            judged.append(float(has_ended and text.split(">")[-1] == answer))
        return torch.tensor(judged)

    def evaluate(self, w):
        generator = torch.Generator().manual_seed(999)
        prompts, answers = self.problems(generator, 256)
        out, _, ended = self.sample(w, prompts, generator)
        accuracy = self.rewards(out, ended, answers).mean().item()
        self.sample(w, prompts, generator, greedy=True)
        return accuracy

    def run(self, seed, steps=60, prompts=16, group=8, rank=4, scaling=2.0, rate=5e-3):
        generator = torch.Generator().manual_seed(seed)
        factors = {}
        for name in self.linear:
            rows, columns = self.base[name].shape
            a = (torch.rand(rank, columns, generator=generator) * 2 - 1) / math.sqrt(columns)
            factors[name] = (a.requires_grad_(), torch.zeros(rows, rank, requires_grad=True))
        parameters = [p for pair in factors.values() for p in pair]
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
        history = []
        effective = lambda: self.base | {n: self.base[n] + scaling * b @ a for n, (a, b) in factors.items()}
        self.evaluate(self.base)
        for _ in range(steps):
            w = effective()
            frozen = {name: value.detach() for name, value in w.items()}
            questions, answers = self.problems(generator, prompts)
            questions = questions.repeat_interleave(group, 0)
            out, mask, ended = self.sample(frozen, questions, generator)
            reward = self.rewards(out, ended, [x for x in answers for _ in range(group)]).view(prompts, group)
            history.append(reward.mean().item())
            deviation = reward.std(1, keepdim=True)
            advantage = ((reward - reward.mean(1, keepdim=True)) / (deviation + 1e-4)).flatten()
            live = (deviation > 0).expand(-1, group).flatten()
            if not live.any():
                continue
            x = torch.cat([questions, out], 1)[live]
            logits = self.forward(w, x[:, :-1])[:, PROMPT - 1:]
            now = torch.log_softmax(logits, -1).gather(-1, x[:, PROMPT:, None])[..., 0]
            ratio = (now - now.detach()).exp()
            weight = advantage[live][:, None]
            gain = torch.minimum(ratio * weight, ratio.clamp(0.8, 1.28) * weight)
            loss = -(gain * mask[live]).sum() / mask.sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        accuracy = self.evaluate({n: v.detach() for n, v in effective().items()})
        return {"reward": sum(history[-10:]) / 10, "accuracy": accuracy}


def laboratory(base):
    peer, seeds = Laboratory(base), iter(range(10**6))
    return lambda: peer.run(next(seeds))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["laboratory", "step", "sampling", "grpo"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--base", default="")
    parser.add_argument("--scripts", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # A peer may take standard output for itself.
    answers = sys.stdout
    run = {"laboratory": laboratory, "step": step, "sampling": sampling, "grpo": grpo}[arguments.work](arguments.base)
    print(json.dumps({"torch": torch.__version__}), file=answers, flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        result = run()
        print(json.dumps({"seconds": time.perf_counter() - began} | result), file=answers, flush=True)


if __name__ == "__main__":
    main()
