"""Writes files as PyTorch, PEFT, FSDP and quantisers write them, and what a reader must find in them.

    python generate_readers.py

Everything beside this script and README.md is written anew. Three minutes on two cores.
"""

import hashlib
import json
import os
import shutil
import socket
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent
SEED = 20250917
FLOATS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
OTHERS = {
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.uint16: "U16", torch.bool: "BOOL", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
}


def values_digest(tensor):
    """SHA-256 of the values in row-major order as little-endian float64."""
    values = tensor.detach().to(torch.float64).contiguous().numpy().astype("<f8")
    return hashlib.sha256(values.tobytes()).hexdigest()


def bytes_digest(tensor):
    """SHA-256 of the elements in row-major order as they are stored."""
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(data).hexdigest()


def expectation(tensor):
    tensor = tensor.detach()
    found = {"shape": list(tensor.shape), "dtype": (FLOATS | OTHERS)[tensor.dtype], "bytes": bytes_digest(tensor)}
    if tensor.dtype in FLOATS:
        found["values"] = values_digest(tensor)
        found["norm"] = float(torch.linalg.vector_norm(tensor.to(torch.float64)))
    return found


def expectations(tensors):
    return {name: expectation(tensor) for name, tensor in tensors.items()}


# MARK: - Plain files


def sample_tensors(generator):
    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    wide = normal(7, 10)
    cube = normal(3, 4, 5)
    return OrderedDict(
        float32=normal(5, 6),
        float64=normal(4, 3).double(),
        float16=normal(9).half(),
        bfloat16=normal(2, 3, 4).bfloat16(),
        scalar=torch.tensor(1.5),
        empty=torch.zeros(0, 3),
        int64=torch.arange(6).reshape(2, 3),
        int8=torch.arange(-3, 3, dtype=torch.int8),
        uint8=torch.arange(5, dtype=torch.uint8),
        bool=torch.tensor([True, False, True]),
        uint16=torch.arange(4).to(torch.uint16),
        parameter=torch.nn.Parameter(normal(2, 2)),
        transposed=normal(6, 4).t(),
        transposed_bfloat16=normal(6, 4).bfloat16().t(),
        columns=wide[:, 2:7],
        rows=wide[3:6],
        every_second=normal(11)[1::2],
        checkered=wide[::2, 1::3],
        permuted=cube.permute(2, 0, 1),
        whole_of_shared=wide,
        one_row=normal(1, 8).t(),
    )


def write_plain(expected):
    generator = torch.Generator().manual_seed(SEED)
    tensors = sample_tensors(generator)
    folder = HERE / "plain"
    folder.mkdir()
    for protocol in (2, 3, 4, 5):
        torch.save(tensors, folder / f"protocol-{protocol}.pt", pickle_protocol=protocol)
    expected["plain/protocol-2.pt"] = expectations(tensors)
    small = {"a": tensors["float32"], "b": tensors["bfloat16"]}
    torch.save({"epoch": 3, "state_dict": small, "note": ("x", 1.5, None)}, folder / "wrapped.pt")
    expected["plain/wrapped.pt"] = expectations(small)
    nested = {"encoder": {"0": small}, "state": {7: {"step": tensors["scalar"]}}, "lr": 1e-3}
    torch.save(nested, folder / "nested.pt")
    names = {"encoder.0.a": small["a"], "encoder.0.b": small["b"], "state.7.step": tensors["scalar"]}
    expected["plain/nested.pt"] = expectations(names)
    torch.save(tensors["float32"], folder / "one-tensor.pt")
    write_zip64(folder / "wrapped.pt", folder / "zip64.pt")
    torch.save(small, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"a": small["a"], "f": Malicious()}, folder / "malicious.pt")


def write_zip64(source, target):
    """The same archive with every size and offset in zip64 fields, as those of more than 4 GB are."""
    limits = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
    zipfile.ZIP64_LIMIT = zipfile.ZIP_FILECOUNT_LIMIT = 0
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))
    zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limits


class Malicious:
    """What a hostile file asks torch.load to run; this script only writes it."""

    def __reduce__(self):
        return os.system, ("echo this was run",)


# MARK: - Models


def peft_model(dtype=torch.float32, layers=1):
    torch.manual_seed(SEED)
    config = LlamaConfig(
        hidden_size=8, intermediate_size=12, num_hidden_layers=layers, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=11, max_position_embeddings=16,
    )
    model = LlamaForCausalLM(config).to(dtype)
    lora = LoraConfig(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    return get_peft_model(model, lora)


def write_adapter(expected):
    model = peft_model()
    folder = HERE / "adapter"
    model.save_pretrained(folder, safe_serialization=False)
    (folder / "README.md").unlink(missing_ok=True)
    state = torch.load(folder / "adapter_model.bin", weights_only=True)
    expected["adapter/adapter_model.bin"] = expectations(state)


def write_bases(expected):
    """The two layouts that transformers wrote up to version 4: one file, and shards with an index."""
    torch.manual_seed(SEED + 1)
    model = peft_model(torch.bfloat16, layers=2).unload()
    state = model.state_dict()
    del state["lm_head.weight"]
    for name, count in (("base", 1), ("base-sharded", 2)):
        folder = HERE / name
        folder.mkdir()
        model.config.to_json_file(folder / "config.json")
        if count == 1:
            torch.save(state, folder / "pytorch_model.bin")
        else:
            write_shards(state, folder, count)
        expected[name] = expectations(state)


def write_shards(state, folder, count):
    weight_map = {}
    for index in range(count):
        shard = f"pytorch_model-{index + 1:05}-of-{count:05}.bin"
        names = [name for position, name in enumerate(state) if position * count // len(state) == index]
        torch.save({name: state[name] for name in names}, folder / shard)
        weight_map |= {name: shard for name in names}
    size = sum(tensor.nbytes for tensor in state.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")


# MARK: - 8-bit floating point


def write_float8(expected):
    patterns = torch.arange(256, dtype=torch.uint8)
    tables = {}
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        numbers = patterns.view(dtype).to(torch.float32)
        tables[OTHERS[dtype]] = [None if np.isnan(x) else repr(float(x)) for x in numbers.numpy()]
    expected["float8"] = tables
    generator = torch.Generator().manual_seed(SEED)
    folder = HERE / "float8"
    folder.mkdir()
    files, wholes = float8_weights(generator)
    save_file(files, folder / "model.safetensors", metadata={"format": "pt"})
    config = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
    (folder / "config.json").write_text(json.dumps(config) + "\n")
    expected["float8/model.safetensors"] = expectations(wholes)
    names = ("one.weight", "one.weight_scale", "tensor.weight", "tensor.weight_scale_inv")
    torch.save({name: files[name] for name in names}, folder / "pytorch_model.bin")
    expected["float8/pytorch_model.bin"] = expectations({name: wholes[name] for name in wholes if name in names})


def float8_weights(generator):
    """Weights as DeepSeek (blocks), transformers (one scale) and compressed-tensors (one per row) store them."""
    files, wholes = {}, {}

    def add(name, scale, suffix, dtype, spread):
        shape = (130, 140) if name == "blocks" else (6, 5)
        weight = torch.randn(*shape, generator=generator).to(dtype)
        files[f"{name}.weight"], files[f"{name}.weight{suffix}"] = weight, scale
        wholes[f"{name}.weight"] = weight.to(torch.float64) * spread(scale).to(torch.float64)

    def blockwise(scale):
        return scale.repeat_interleave(128, 0)[:130].repeat_interleave(128, 1)[:, :140]

    e4m3, e5m2 = torch.float8_e4m3fn, torch.float8_e5m2
    add("blocks", torch.rand(2, 2, generator=generator) / 100, "_scale_inv", e4m3, blockwise)
    add("tensor", torch.tensor(0.0123), "_scale_inv", e5m2, lambda scale: scale)
    add("one", torch.tensor([0.037]), "_scale", e4m3, lambda scale: scale)
    add("rows", torch.rand(6, 1, generator=generator).bfloat16(), "_scale", e4m3, lambda scale: scale)
    add("flat_rows", torch.rand(6, generator=generator), "_scale", e5m2, lambda scale: scale[:, None])
    files["alone.weight"] = torch.ones(2, 2).to(e4m3)
    files["misfit.weight"] = torch.ones(6, 5).to(e4m3)
    files["misfit.weight_scale"] = torch.ones(3)
    return files, wholes


# MARK: - Ranks of FSDP


def start_rank(rank, size, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(size))
    dist.init_process_group("gloo", rank=rank, world_size=size)


def save_rank(state, folder, rank, size, only=""):
    """As verl's checkpoint manager does."""
    state = OrderedDict((name, tensor) for name, tensor in state.items() if only in name)
    torch.save(state, folder / f"model_world_size_{size}_rank_{rank}.pt")


def fsdp2(rank, size, port, folder, shape, only):
    """Modules cut by `fully_shard`; the tensors are DTensors over a grid of ranks."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    start_rank(rank, size, port)
    names = ("fsdp",) if len(shape) == 1 else ("ddp", "fsdp")
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=names)
    model = peft_model()
    for layer in model.base_model.model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    save_rank(model.state_dict(), folder, rank, size, only)
    dist.destroy_process_group()


def fsdp1(rank, size, port, folder, has_mesh):
    """A module wrapped by FSDP 1: ShardedTensors, or DTensors where it is given a grid of ranks, as verl gives it."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, ShardedStateDictConfig, StateDictType

    start_rank(rank, size, port)
    mesh = init_device_mesh("cpu", (size,), mesh_dim_names=("fsdp",)) if has_mesh else None
    model = FullyShardedDataParallel(
        peft_model(), use_orig_params=True, device_mesh=mesh, device_id=torch.device("cpu"))
    config = ShardedStateDictConfig(offload_to_cpu=True)
    with FullyShardedDataParallel.state_dict_type(model, StateDictType.SHARDED_STATE_DICT, config):
        save_rank(model.state_dict(), folder, rank, size, "lora_")
    dist.destroy_process_group()


def axes(rank, size, port, folder, tensors):
    """Tensors cut along other axes than the first, replicated ones, and a plain one."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    start_rank(rank, size, port)
    mesh = init_device_mesh("cpu", (size,), mesh_dim_names=("fsdp",))
    placements = {"columns": Shard(1), "middle": Shard(1), "replicated": Replicate(), "rows": Shard(0)}
    state = OrderedDict()
    for name, tensor in tensors.items():
        state[name] = distribute_tensor(tensor, mesh, [placements[name]]) if name in placements else tensor
    save_rank(state, folder, rank, size)
    dist.destroy_process_group()


def write_ranks(expected):
    whole = peft_model().state_dict()
    adapter = {name: tensor for name, tensor in whole.items() if "lora_" in name}
    generator = torch.Generator().manual_seed(SEED)
    tensors = OrderedDict(
        columns=torch.randn(4, 7, generator=generator),
        middle=torch.randn(3, 5, 2, generator=generator).bfloat16(),
        replicated=torch.randn(3, 2, generator=generator),
        rows=torch.randn(5, 3, generator=generator).half(),
        plain=torch.randn(4, generator=generator),
    )
    runs = {
        "fsdp2": (fsdp2, 2, ((2,), ""), whole),
        "fsdp2-uneven": (fsdp2, 4, ((4,), "lora_"), adapter),
        "hsdp": (fsdp2, 4, ((2, 2), "lora_"), adapter),
        "fsdp1": (fsdp1, 4, (False,), adapter),
        "fsdp1-mesh": (fsdp1, 2, (True,), adapter),
        "axes": (axes, 2, (tensors,), tensors),
    }
    for name, (function, size, arguments, state) in runs.items():
        folder = HERE / name / "actor"
        folder.mkdir(parents=True)
        mp.spawn(function, (size, free_port(), folder, *arguments), nprocs=size)
        expected[f"{name}/actor"] = expectations(state)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    for path in HERE.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    expected = {}
    for write in (write_plain, write_adapter, write_bases, write_float8, write_ranks):
        write(expected)
    files = sorted(path for path in HERE.glob("*/**/*") if path.is_file())
    digests = {str(path.relative_to(HERE)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    manifest = {"torch": torch.__version__, "seed": SEED, "files": digests, "expected": expected}
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
