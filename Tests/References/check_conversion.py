"""Loads what `spectroscope convert --to peft` wrote as anybody would, and compares its logits with the training core's.

    python check_conversion.py FOLDER

Below FOLDER, every folder with `expected.safetensors` holds `base/`, `checkpoint-N/`, and in that file `tokens.I`,
`logits.N.I` and `base.I`, the logits of the base. A line for each adapter: its folder, the largest difference of a logit, and
the largest change that the adapter makes to one.
"""

import argparse
import pathlib
import warnings

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def check(folder):
    expected = load_file(folder / "expected.safetensors")
    count = sum(name.startswith("tokens.") for name in expected)
    for adapter in sorted(folder.glob("checkpoint-*")):
        step = adapter.name.removeprefix("checkpoint-")
        # PEFT changes the base that it is given.
        base = AutoModelForCausalLM.from_pretrained(folder / "base")
        assert base.dtype == torch.float32, base.dtype
        with warnings.catch_warnings():
            # A tensor that finds no place, or a place without a tensor, is a warning to PEFT.
            for kind in (UserWarning, RuntimeWarning):
                warnings.simplefilter("error", kind)
            # What PEFT says of every norm that is not PyTorch's own, when it trains one, too.
            warnings.filterwarnings("ignore", message="Unsupported layer type")
            model = PeftModel.from_pretrained(base, adapter).eval()
        difference = change = 0.0
        for index in range(count):
            with torch.no_grad():
                logits = model(expected[f"tokens.{index}"][None]).logits[0]
            difference = max(difference, (logits - expected[f"logits.{step}.{index}"]).abs().max().item())
            change = max(change, (logits - expected[f"base.{index}"]).abs().max().item())
        print(adapter, f"{difference:.2e}", f"{change:.2e}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    for path in sorted(parser.parse_args().folder.rglob("expected.safetensors")):
        check(path.parent)
