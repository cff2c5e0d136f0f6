"""Where the GPU path's tests run: on a CUDA device, or on the CPU in Triton's interpreter.

Triton decides when it is imported whether to interpret, so the latter happens in a process of its own (test_interpreter.py),
with TRITON_INTERPRET=1. Where there is a GPU, the same tests run on it too.
"""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch


@pytest.fixture
def device() -> torch.device:
    if importlib.util.find_spec("triton") is None:
        pytest.skip("Triton is not installed: it comes with PyTorch for CUDA on Linux")
    if os.environ.get("TRITON_INTERPRET") == "1":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU; test_interpreter.py runs this test on the CPU")
    return torch.device("cuda", 0)
