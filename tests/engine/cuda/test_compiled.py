"""The frame path's kernels compile for cards that are not here, in each variant that stages ask for."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest
import torch

from gpen_live.engine.paths.cuda.faces import NUMBERS
from tests.kernels.compiling import compiled

pytestmark = [
    pytest.mark.kernels,
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed: it comes on Linux"),
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="interpreted, nothing is compiled"),
]
FLOATS, BYTES = torch.zeros(1), torch.zeros(1, dtype=torch.uint8)


def kernel(name: str) -> Any:
    from gpen_live.engine.paths.cuda import kernels

    return getattr(kernels, name)


@pytest.mark.parametrize(("staged", "moved"), [(False, False), (True, False), (True, True)])
def test_every_variant_compiles(staged: bool, moved: bool) -> None:
    block = {"BLOCK": 128}
    change = (FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, BYTES, 1, 1, 1, 1, 1)
    finish = (BYTES, FLOATS, FLOATS, FLOATS, BYTES, BYTES, 1, 1, 1, 1)
    whole = (BYTES, FLOATS, FLOATS, BYTES, BYTES, BYTES, 1, 1, 1, 1, 1)
    levels = (FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, BYTES, 1, 1, 1, 1, 1)
    for name, arguments, sizes in (
        ("_change", change, {"NUMBERS": NUMBERS, "STAGED": staged, "MOVED": moved}),
        ("_finish", finish, {"NUMBERS": NUMBERS, "MOVED": moved, "LAYOUT": 2}),
        ("_finish_whole", whole, {"LAYOUT": 1}),
        ("_levels", levels, {"NUMBERS": NUMBERS}),
    ):
        made = compiled(kernel(name), arguments, {**sizes, **block}, 75)
        assert ".entry" in made.asm["ptx"]
