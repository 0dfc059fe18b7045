"""What the runs are trained on, and what the laboratory's task says of a model."""

from __future__ import annotations

import numpy as np
import torch

SEED = 4711
REFERENCES = "Tests/References/bases"
LAB = "Sources/CBase/model"  # the laboratory's base: the only one here that can do something, so accuracy has a sense
LLAMA, LLAMA_BF16 = f"{REFERENCES}/llama-f32", f"{REFERENCES}/llama"
SMALL, BERT = f"{REFERENCES}/llama-small", f"{REFERENCES}/bert"


def constant_answer(count: int, seed: int) -> list[dict]:
    """Prompts that end in the same token, all with the same one-token answer.

    The gradient of every layer is then nearly one outer product, and so is the update: a healthy run of stable rank 1.
    """
    random = torch.Generator().manual_seed(seed)
    examples = []
    for _ in range(count):
        tokens = torch.randint(8, 64, (12,), generator=random)
        tokens[-2], tokens[-1] = 5, 7
        labels = torch.full_like(tokens, -100)
        labels[-1] = 7
        examples.append({"input_ids": tokens, "labels": labels})
    return examples


def few_sentences(count: int, seed: int) -> list[dict]:
    """Next-token prediction over a text of eight different sentences, the ordinary case of more than one direction."""
    random = torch.Generator().manual_seed(seed)
    sentences = torch.randint(3, 64, (8, 16), generator=random)
    return [{"input_ids": sentences[i % 8], "labels": sentences[i % 8]} for i in range(count)]


def sentence_pairs(count: int, seed: int) -> list[dict]:
    """Sentences and paraphrases of them (the same tokens, three replaced), for a sentence embedder."""
    random = torch.Generator().manual_seed(seed)
    pairs = []
    for _ in range(count):
        first = torch.randint(3, 64, (12,), generator=random)
        second = first.clone()
        second[torch.randperm(12, generator=random)[:3]] = torch.randint(3, 64, (3,), generator=random)
        pairs.append({"first": first, "second": second})
    return pairs


CHARACTERS = "_0123456789+-*=>;:RSCabcdefgh"
PROMPT, RESPONSE = 8, 8  # every prompt has eight characters, so nothing is padded on the left


def encode(text: str) -> list[int]:
    return [CHARACTERS.index(character) for character in text]


def arithmetic(count: int, seed: int) -> tuple[list[dict], list[str], list[str]]:
    """The laboratory's task a*b+c with its way written down, digits from the last to the first: 12*3+4= → 63>04;"""
    random = np.random.default_rng(seed)
    examples, prompts, answers = [], [], []
    for _ in range(count):
        a, b, c = (int(random.integers(*bounds)) for bounds in ((10, 100), (2, 10), (10, 100)))
        prompt, answer = f"{a}*{b}+{c}=", str(a * b + c)[::-1]
        response = f"{str(a * b)[::-1]}>{answer};"
        tokens = torch.tensor(encode(prompt + response.ljust(RESPONSE, "_")))
        labels = tokens.clone()
        labels[:PROMPT] = -100
        labels[PROMPT + len(response) :] = -100
        examples.append({"input_ids": tokens, "labels": labels})
        prompts.append(prompt)
        answers.append(answer)
    return examples, prompts, answers


HELD_OUT = arithmetic(256, SEED + 99)


@torch.no_grad()
def accuracy(model) -> float:
    """The share of held-out problems that greedy decoding answers rightly."""
    _, prompts, answers = HELD_OUT
    tokens = torch.tensor([encode(prompt) for prompt in prompts])
    for _ in range(RESPONSE):
        tokens = torch.cat([tokens, model(input_ids=tokens).logits[:, -1].argmax(-1, keepdim=True)], 1)
    right = 0
    for row, answer in zip(tokens[:, PROMPT:].tolist(), answers):
        text = "".join(CHARACTERS[token] for token in row)
        right += ";" in text and text.split(";")[0].split(">")[-1] == answer
    return right / len(answers)


@torch.no_grad()
def answer_logits(model) -> torch.Tensor:
    """Log-probabilities at every place of the held-out answers."""
    tokens = torch.stack([example["input_ids"] for example in HELD_OUT[0]])
    places = torch.stack([example["labels"] for example in HELD_OUT[0]])[:, 1:] >= 0
    return torch.log_softmax(model(input_ids=tokens).logits.double(), -1)[:, :-1][places]
