"""Compiles Triton's kernels for cards that are not here, and reads what the compiler made of them."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import torch

_TYPES = {torch.float16: "*fp16", torch.float32: "*fp32", torch.int32: "*i32", torch.uint8: "*u8"}
_OPTIONS = ("num_warps", "num_stages", "launch_pdl")


def compiled(kernel: Any, arguments: tuple[Any, ...], sizes: dict[str, Any], capability: int) -> Any:
    """A kernel for arguments of this kind, on cards of a compute capability (86 for 8.6)."""
    triton = importlib.import_module("triton")
    compiler = importlib.import_module("triton.compiler")
    target = importlib.import_module("triton.backends.compiler").GPUTarget("cuda", capability, 32)
    options = {key: sizes[key] for key in _OPTIONS if key in sizes}
    constants = {key: value for key, value in sizes.items() if key not in options}
    given = dict(zip(kernel.arg_names, arguments, strict=False))
    signature = {key: _type_of(value) for key, value in given.items()}
    tensors = [index for index, value in enumerate(given.values()) if isinstance(value, torch.Tensor)]
    source = compiler.ASTSource(
        fn=kernel,
        signature={**signature, **dict.fromkeys(constants, "constexpr")},
        constexprs={(kernel.arg_names.index(key),): value for key, value in constants.items()},
        attrs={(index,): [["tt.divisibility", 16]] for index in tensors},
    )
    return triton.compile(source, target=target, options=options)


def _type_of(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return _TYPES[value.dtype]
    return "fp32" if isinstance(value, float) else "i32"


def stack_bytes(cubin: bytes, folder: Path) -> int:
    """Of a thread: variables that spill to slow memory lie there."""
    tool = importlib.import_module("triton").knobs.nvidia.cuobjdump.path
    (folder / "kernel.cubin").write_bytes(cubin)
    told = subprocess.run([tool, "-res-usage", str(folder / "kernel.cubin")], capture_output=True, text=True, check=True).stdout
    found = re.search(r"STACK:(\d+)", told)
    assert found, told
    return int(found[1])
