"""Runs the tests of this folder on the CPU, in Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@pytest.mark.kernels
@pytest.mark.skipif(INTERPRETED, reason="this is its process")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed: it comes on Linux")
@pytest.mark.parametrize("file", ["test_kernels.py", "test_path.py"])
def test_in_the_interpreter(file: str) -> None:
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(here / file)]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, cwd=here.parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
