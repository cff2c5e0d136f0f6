"""A real NVIDIA card that fails under the running pipeline; where there is one. Each in a process that may break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA card: its errors are faked in test_device.py")
@pytest.mark.parametrize("fault", ["lost", "full"])
def test_a_card_that_fails_is_left_for_the_processor(fault: str) -> None:
    command = [sys.executable, "-m", "tests.faults.lost_card", fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("well")
