"""Small batches of rollouts and what TRL's GRPO trainer finds: advantages, losses, gradients, clip fractions."""

from __future__ import annotations

import ast
import inspect
import math
import statistics
import textwrap
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from trl import GRPOTrainer
from trl.trainer.utils import nanstd

LOSS_TYPES = ("dapo", "bnpo", "grpo", "dr_grpo")
SCALES = ("group", "batch", "none")
# Every number of a batch is a multiple of this, so float32 holds it exactly.
GRID = 1024

Rows = list[list[float]]


# --- batches --------------------------------------------------------------------------------------------------------


@dataclass
class Batch:
    """Completions of one or several prompts, group after group; the rows have one entry per token of a completion."""

    name: str
    group_size: int
    rewards: list[float]
    log_ratios: Rows
    beta: float = 0.0
    epsilon_low: float = 0.2
    epsilon_high: float = 0.2
    mask: list[list[int]] | None = None
    max_completion_length: int = 12

    def __post_init__(self) -> None:
        """Draws the new log-probabilities; the old ones follow from the log ratios, the reference from a drift."""
        random = torch.Generator().manual_seed(sum(map(ord, self.name)))

        def draw(low: float, high: float) -> Rows:
            sizes = [len(row) for row in self.log_ratios]
            return [rounded(torch.empty(size).uniform_(low, high, generator=random).tolist()) for size in sizes]

        self.log_ratios = [rounded(row) for row in self.log_ratios]
        self.new = draw(-3, -0.75)
        self.old = [[n - d for n, d in zip(*rows)] for rows in zip(self.new, self.log_ratios)]
        drift = draw(-0.6, 0.6)
        reference = [[n + d for n, d in zip(*rows)] for rows in zip(self.new, drift)]
        self.reference = reference if self.beta else None
        self.mask = self.mask or [[1] * len(row) for row in self.new]
        assert len(self.rewards) == len(self.new) and len(self.new) % self.group_size == 0
        assert all(len(m) == len(n) <= self.max_completion_length for m, n in zip(self.mask, self.new))
        assert all(value < 0 for row in self.new + self.old + (self.reference or []) for value in row)


def rounded(values: list[float]) -> list[float]:
    return [round(value * GRID) / GRID for value in values]


def on_policy(*lengths: int) -> Rows:
    return [[0.0] * length for length in lengths]


# The nearest float32 to 0.7: a mean of equal rewards that float32 arithmetic does not return exactly.
SEVEN_TENTHS = 11744051 / 2**24
BELOW_TO_ABOVE = [-0.5, -0.3, -0.2, 0.0, 0.15, 0.2, 0.3, 0.5]

BATCHES = [
    Batch("on-policy", 4, [1, 0, 0, 1], on_policy(3, 5, 2, 4)),
    Batch("pair", 2, [0, 1], [[0.05, -0.03], [0.02, 0.01, -0.08]]),
    Batch("fractional", 8, [0.0, 0.25, 0.5, 1.0, 0.75, 0.125, 0.5, 0.0625], on_policy(2, 3, 1, 4, 5, 2, 3, 6)),
    # Each sign of the advantage meets ratios below, inside and above the clip range.
    Batch("both-clip-sides", 2, [1, 0], [BELOW_TO_ABOVE, BELOW_TO_ABOVE]),
    # ln 1.28 = 0.247, ln 1.2 = 0.182, ln 0.8 = -0.223: 0.21 is inside only because the upper side is wider.
    Batch("clip-higher", 2, [1, 0], [[0.21, 0.24, 0.26, -0.26], [0.21, 0.26, -0.21, -0.24]], epsilon_high=0.28),
    Batch("all-pass", 4, [1, 1, 1, 1], [[0.3, -0.3], [0.0], [0.4, 0.1, -0.4], [-0.1]]),
    Batch("all-fail-with-kl", 4, [0, 0, 0, 0], [[0.3, -0.3], [0.0], [0.4, 0.1, -0.4], [-0.1]], beta=0.04),
    Batch("one-live-group", 4, [1, 1, 1, 1, 0, 1, 0, 0], on_policy(6, 2, 3, 1, 4, 2, 5, 3)),
    Batch("equal-fractions", 7, [SEVEN_TENTHS] * 7, on_policy(1, 2, 3, 1, 2, 3, 1)),
    Batch("kl-on-policy", 4, [0, 1, 1, 0], on_policy(4, 2, 6, 3), beta=0.04),
    Batch("kl-off-policy", 3, [1, 0, 0.5], [[0.4, -0.4, 0.1], [0.5, -0.5], [0.25, -0.25, 0.3, -0.3]], beta=0.5),
    Batch("uneven-lengths", 4, [1, 0, 0, 1], [[0.3] * 12, [0.1], [-0.3, 0.3], [-0.1, 0.2, -0.3, 0.4, -0.5]]),
    Batch(
        "inner-mask",
        2,
        [1, 0],
        [[0.3, 0.4, -0.4, 0.0, 0.1], [0.3, -0.3, -0.4, 0.2]],
        beta=0.1,
        mask=[[1, 0, 0, 1, 1], [1, 1, 0, 1]],
    ),
    Batch(
        "truncated-completion",
        4,
        [1, 0, 0, 0],
        [[0.1, -0.1], [0.2, 0.3, 0.4], [-0.3] * 4, [0.0, -0.4]],
        mask=[[1, 1], [1, 1, 1], [0] * 4, [1, 1]],
    ),
    Batch("nothing-active", 2, [1, 0], on_policy(2, 3), beta=0.04, mask=[[0, 0], [0, 0, 0]]),
    Batch(
        "second-iteration",
        3,
        [1, 0, 1, 0.5, 0.25, 0, 1, 1, 1, 0, 0, 1],
        [[0.07 * ((5 * i + 3 * j) % 11 - 5) for j in range(1 + i % 5)] for i in range(12)],
        epsilon_high=0.28,
        beta=0.02,
    ),
]


# --- TRL ------------------------------------------------------------------------------------------------------------


def advantage_code():
    """The statements of TRL's trainer that turn rewards into advantages, compiled out of the method they are in."""
    method = ast.parse(textwrap.dedent(inspect.getsource(GRPOTrainer._generate_and_score_completions)))
    condition = "self.multi_objective_aggregation == 'sum_then_normalize'"
    (branch,) = [n for n in ast.walk(method) if isinstance(n, ast.If) and ast.unparse(n.test) == condition]
    return compile(ast.Module(body=branch.body, type_ignores=[]), "advantages of TRL", "exec")


def trl_advantages(batch: Batch, scale: str) -> dict[str, torch.Tensor]:
    """`rewards`, `advantages` and `is_std_zero` of a batch, one entry per completion, float64."""
    names = {
        "self": SimpleNamespace(scale_rewards=scale, reward_weights=torch.ones(1, dtype=torch.float64)),
        "rewards_per_func": torch.tensor(batch.rewards, dtype=torch.float64).unsqueeze(1),
        "unscorable_mask": torch.zeros(len(batch.rewards), dtype=torch.bool),
        "num_generations": batch.group_size,
        "device": "cpu",
        "torch": torch,
        "nanstd": nanstd,
    }
    exec(advantage_code(), names)
    return names


def padded(rows: list, length: int) -> torch.Tensor:
    return torch.tensor([list(row) + [0] * (length - len(row)) for row in rows], dtype=torch.float64)


def trl_loss(batch: Batch, advantages: list[float], loss_type: str, parts: int = 1):
    """Loss, its gradient by new log-probability, and the logged metrics, from `GRPOTrainer._compute_loss` in float64.

    With `parts` > 1 the batch is cut into as many micro-batches whose losses and gradients are accumulated.
    """
    length = max(len(row) for row in batch.new)
    new = padded(batch.new, length).requires_grad_()
    mask = padded(batch.mask, length)
    inputs = {
        "completion_mask": mask,
        "advantages": torch.tensor(advantages, dtype=torch.float64),
        "old_per_token_logps": padded(batch.old, length),
        "ref_per_token_logps": padded(batch.reference or batch.new, length),
        "completion_ids": mask.long(),
        "prompt_ids": torch.zeros(len(mask), 1, dtype=torch.long),
        "prompt_mask": torch.ones(len(mask), 1, dtype=torch.long),
    }
    metrics = defaultdict(lambda: defaultdict(list))
    total, size = torch.zeros((), dtype=torch.float64), len(mask) // parts
    for start in range(0, len(mask), size):
        rows = slice(start, start + size)
        trainer = SimpleNamespace(
            model=SimpleNamespace(training=True),
            _get_per_token_logps_and_entropies=lambda *_, part=new[rows], **__: (part, torch.zeros_like(part), 0),
            accelerator=SimpleNamespace(num_processes=1, reduce=lambda x, reduction: x, gather=lambda x: x),
            args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=parts),
            current_gradient_accumulation_steps=parts,
            loss_type=loss_type,
            beta=batch.beta,
            epsilon_low=batch.epsilon_low,
            epsilon_high=batch.epsilon_high,
            max_completion_length=batch.max_completion_length,
            importance_sampling_level="token",
            top_entropy_quantile=1.0,
            off_policy_mask_threshold=None,
            aux_loss_enabled=False,
            use_vllm=False,
            _entropy_bonus_enabled=False,
            _metrics=metrics,
        )
        micro_batch = {name: value[rows] for name, value in inputs.items()} | {"num_items_in_batch": mask.sum()}
        total = total + GRPOTrainer._compute_loss(trainer, trainer.model, micro_batch)
    (gradient,) = torch.autograd.grad(total, new)
    ragged = [row[: len(tokens)] for row, tokens in zip(gradient.tolist(), batch.new)]
    return total.item(), ragged, {name: values[0] for name, values in metrics["train"].items()}


# --- the same by hand -----------------------------------------------------------------------------------------------


def advantages_by_hand(batch: Batch, scale: str) -> list[float]:
    """(r - mean of the group) / (sample standard deviation of the group or of the batch + 1e-4)."""
    result = []
    for start in range(0, len(batch.rewards), batch.group_size):
        group = batch.rewards[start : start + batch.group_size]
        over = group if scale == "group" else batch.rewards
        centre, spread_centre = math.fsum(group) / len(group), math.fsum(over) / len(over)
        deviation = math.sqrt(math.fsum((r - spread_centre) ** 2 for r in over) / (len(over) - 1))
        result += [(r - centre) / (1 if scale == "none" else deviation + 1e-4) for r in group]
    return result


def loss_by_hand(batch: Batch, advantages: list[float], loss_type: str):
    """Loss, gradient and metrics token by token, with the derivative written out."""
    active, count = sum(map(sum, batch.mask)), len(batch.new)
    loss, kl, low, high, gradient = 0.0, 0.0, 0, 0, []
    for i, advantage in enumerate(advantages):
        gradient.append([0.0] * len(batch.new[i]))
        weight = {
            "dapo": 1 / max(1, active),
            "bnpo": 1 / max(1, active),
            "grpo": 1 / (count * max(1, sum(batch.mask[i]))),
            "dr_grpo": 1 / (count * batch.max_completion_length),
        }[loss_type]
        for t in [t for t, counts in enumerate(batch.mask[i]) if counts]:
            ratio = math.exp(batch.new[i][t] - batch.old[i][t])
            below, above = ratio < 1 - batch.epsilon_low, ratio > 1 + batch.epsilon_high
            clipped = min(max(ratio, 1 - batch.epsilon_low), 1 + batch.epsilon_high)
            value, slope = -min(ratio * advantage, clipped * advantage), -ratio * advantage
            if (below and advantage < 0) or (above and advantage > 0):
                slope, low, high = 0.0, low + below, high + above
            if batch.beta:
                away = batch.reference[i][t] - batch.new[i][t]
                kl += math.exp(away) - away - 1
                value += batch.beta * (math.exp(away) - away - 1)
                slope += batch.beta * (1 - math.exp(away))
            loss += weight * value
            gradient[i][t] = weight * slope
    metrics = {
        "clip_ratio/low_mean": low / max(1, active),
        "clip_ratio/high_mean": high / max(1, active),
        "clip_ratio/region_mean": (low + high) / max(1, active),
    }
    return loss, gradient, metrics | ({"kl": kl / max(1, active)} if batch.beta else {})


def close(left, right, allowed: float = 1e-12) -> bool:
    if isinstance(left, list):
        return len(left) == len(right) and all(close(l, r, allowed) for l, r in zip(left, right))
    return abs(left - right) <= allowed


# --- file -----------------------------------------------------------------------------------------------------------


def expected(batch: Batch) -> dict:
    """What must be found in a batch: advantages by hand, as TRL's correction n/(n-1) is a float32; the rest TRL's.

    Refused unless advantages agree to float32 accuracy and everything else with the formulas by hand to 1e-12.
    """
    scored = {scale: trl_advantages(batch, scale) for scale in SCALES}
    advantages = {scale: advantages_by_hand(batch, scale) for scale in SCALES}
    for scale in SCALES:
        assert close(scored[scale]["advantages"].tolist(), advantages[scale], 1e-6), (batch.name, scale)
    deviation = statistics.stdev(batch.rewards)
    assert close(nanstd(scored["group"]["rewards"]).item(), deviation, 1e-6), batch.name
    losses = {}
    for name, scale in [(loss_type, "group") for loss_type in LOSS_TYPES] + [("dr_grpo_unscaled", "none")]:
        loss_type = name.removesuffix("_unscaled")
        loss, gradient, metrics = trl_loss(batch, advantages[scale], loss_type)
        by_hand = loss_by_hand(batch, advantages[scale], loss_type)
        assert close(loss, by_hand[0]) and close(gradient, by_hand[1]), (batch.name, name)
        assert all(close(metrics[key], value) for key, value in by_hand[2].items()), (batch.name, name)
        losses[name] = {"loss": loss, "gradient": gradient}
        if (len(batch.new) // batch.group_size) % 2 == 0:
            loss, gradient, _ = trl_loss(batch, advantages[scale], loss_type, parts=2)
            losses[name]["two_micro_batches"] = {"loss": loss, "gradient": gradient}
            if name == "dapo":  # whose denominator is the whole batch's: cutting it changes nothing
                assert close(loss, losses[name]["loss"]) and close(gradient, losses[name]["gradient"]), batch.name
    return {
        "advantages": advantages,
        "reward": statistics.fmean(batch.rewards),
        "reward_std": deviation,
        "frac_reward_zero_std": scored["group"]["is_std_zero"].double().mean().item(),
        "kl": metrics.get("kl"),
        "clip_ratio_low_mean": metrics["clip_ratio/low_mean"],
        "clip_ratio_high_mean": metrics["clip_ratio/high_mean"],
        "clip_ratio_region_mean": metrics["clip_ratio/region_mean"],
        "losses": losses,
    }


def cases() -> list[dict]:
    return [
        {
            "name": batch.name,
            "group_size": batch.group_size,
            "epsilon_low": batch.epsilon_low,
            "epsilon_high": batch.epsilon_high,
            "beta": batch.beta,
            "max_completion_length": batch.max_completion_length,
            "rewards": [float(reward) for reward in batch.rewards],
            "mask": batch.mask,
            "new_logps": batch.new,
            "old_logps": batch.old,
            "reference_logps": batch.reference,
            "expected": expected(batch),
        }
        for batch in BATCHES
    ]
