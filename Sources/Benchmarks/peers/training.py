"""The same work in PyTorch, transformers and PEFT: one repetition for each line on standard input, its seconds as a line of JSON.

    python training.py WORK --threads N [--base FOLDER] [--scripts FOLDER]

The loop written by hand is not here: the works beside it take it, and what is compiled, from train.py in the folder of scripts.
"""
import argparse
import json
import math
import os
import queue
import sys
import tempfile
import threading
import time
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

CHARACTERS = "_0123456789+-*=>;:RSCabcdefgh"
TOKEN = {character: index for index, character in enumerate(CHARACTERS)}
END = TOKEN[";"]
PROMPT, RESPONSE = 8, 8
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


SIZES = {
    "s": dict(hidden_size=128, num_hidden_layers=4, intermediate_size=384),
    "m": dict(hidden_size=256, num_hidden_layers=6, intermediate_size=768),
}


def base_model(size):
    torch.manual_seed(0)
    return Qwen2ForCausalLM(
        Qwen2Config(
            **SIZES[size], num_attention_heads=4, num_key_value_heads=2, vocab_size=64, max_position_embeddings=256,
            tie_word_embeddings=True, bos_token_id=0, eos_token_id=1, pad_token_id=0,
            attn_implementation="sdpa")).float()


def step(size, layers=None):
    """One step of LoRA with HF PEFT, eager: 64 sequences of 64 tokens, rank 16 on all seven linear layers, or on those of some
    decoder layers."""
    import peft

    model = peft.get_peft_model(
        base_model(size), peft.LoraConfig(r=16, lora_alpha=32, target_modules=LINEAR, layers_to_transform=layers))
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


def sampling(size):
    """transformers' generate: 64 prompts of 16 tokens, 32 new tokens each, merged weights, temperature 1."""
    model = base_model(size).eval()
    prompts = torch.randint(2, 64, (64, 16), generator=torch.Generator().manual_seed(2))
    options = dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0, min_new_tokens=32, max_new_tokens=32, pad_token_id=0)

    @torch.inference_mode()
    def run():
        result = model.generate(input_ids=prompts, attention_mask=torch.ones_like(prompts), **options)
        return {"tokens": result.shape[1]}

    return run


class Turns:
    """Lets a loop that somebody else runs, on a thread of its own, go on by one turn for each repetition."""

    def __init__(self, loop):
        self.wanted, self.done = queue.Queue(), queue.Queue()
        threading.Thread(target=loop, args=(self,), daemon=True).start()

    def begin(self):
        self.wanted.get()

    def end(self, result):
        self.done.put(result)

    def __call__(self):
        self.wanted.put(None)
        return self.done.get()


def occurs_often(tokens):
    """How often a token occurs."""
    return tokens.count("t7") / 32


def occurs_early(tokens):
    """Right where a token is among the first four, which one completion in sixteen is: most groups are wrong throughout."""
    return float("t7" in tokens[:4])


def grpo(size, reward):
    """Steps of TRL's GRPOTrainer with LoRA of rank 16: 16 prompts of 32 tokens, 8 completions of 32 each, no KL term."""
    import peft
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

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

    def train(turns):
        class Callback(TrainerCallback):
            def on_step_begin(self, *_, **__):
                turns.begin()

            def on_step_end(self, *_, **__):
                turns.end({"tokens": 128 * 32})

        trainer = GRPOTrainer(
            model=base_model(size), args=settings, train_dataset=data, processing_class=fast, callbacks=[Callback()],
            reward_funcs=lambda completions, **_: [reward(text.split()) for text in completions],
            peft_config=peft.LoraConfig(r=16, lora_alpha=32, target_modules=LINEAR, task_type="CAUSAL_LM"))
        # Its own lines would get between ours.
        sys.stdout = sys.stderr
        trainer.train()

    return Turns(train)


def loops(folder):
    """The module train.py of that folder, which would confine this process to one core."""
    cores = os.sched_getaffinity(0)
    sys.path.insert(0, folder)
    import train

    os.sched_setaffinity(0, cores)
    return train


def step_compiled(size, scripts):
    """The step of PEFT under torch.compile, which has compiled before this returns."""
    train = loops(scripts)
    model = torch.compile(train.peft_wrap(train.base_model(train.MODELS[size]), "lora"))
    model.train()
    run, _ = train.stepper(model, train.MODELS[size])
    run()
    return lambda: {"loss": run()}


def step_by_hand(size, scripts, compiled):
    """The same step in plain functions of torch, compiled or not."""
    train = loops(scripts)
    run = train.hand_step(train.MODELS[size], compiled)
    run()
    return lambda: run() or {"tokens": 64 * 64}


def grpo_by_hand(size, scripts):
    """Steps of GRPO in plain functions of torch, with merged and fused weights while it samples."""
    train, threads = loops(scripts), torch.get_num_threads()

    def run(turns):
        def twice(body):
            # It has limited itself to one thread.
            torch.set_num_threads(threads)
            while True:
                turns.begin()
                turns.end({name: seconds / 2 for name, seconds in timed(body).items()} | {"tokens": 128 * 32})

        # Its loop times two steps at a time where it is to be quick, and knows the small size alone then.
        train.C.once, train.MODELS = twice, {"s": train.MODELS[size]}
        train.sec_grpo(SimpleNamespace(quick=True))

    return Turns(run)


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


WORKS = {
    "laboratory": lambda a: laboratory(a.base),
    "step": lambda _: step("s"),
    "step-upper": lambda _: step("s", layers=[2, 3]),
    "step-compiled": lambda a: step_compiled("s", a.scripts),
    "step-hand": lambda a: step_by_hand("s", a.scripts, False),
    "step-hand-compiled": lambda a: step_by_hand("s", a.scripts, True),
    "sampling": lambda _: sampling("s"),
    "sampling-m": lambda _: sampling("m"),
    "grpo": lambda _: grpo("s", occurs_often),
    "grpo-rare": lambda _: grpo("s", occurs_early),
    "grpo-m": lambda _: grpo("m", occurs_often),
    "grpo-hand": lambda a: grpo_by_hand("s", a.scripts),
    "grpo-hand-m": lambda a: grpo_by_hand("m", a.scripts),
}


def timed(body):
    """Seconds of the clock and of the processor, and what else the body says."""
    began, used = time.perf_counter(), time.process_time()
    result = body()
    measured = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - used}
    return measured | result if isinstance(result, dict) else measured


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--base", default="", help="the folder of the embedded base, for the laboratory")
    parser.add_argument("--scripts", default="", help="the folder of train.py")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # A peer may take standard output for itself.
    answers = sys.stdout
    run = WORKS[arguments.work](arguments)
    print(json.dumps({"torch": torch.__version__}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(timed(run)), file=answers, flush=True)
    # A loop on a thread of its own does not end by itself.
    os._exit(0)


if __name__ == "__main__":
    main()
