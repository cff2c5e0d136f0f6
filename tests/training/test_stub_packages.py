from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from gpen_live.training.stub_packages import stub_packages

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that is heavy, with a light module in a heavy package in it."""
    inner = tmp_path / "heavy_outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "heavy_outer" / "__init__.py").write_text("whole = True\n")
    (inner / "__init__.py").write_text("raise RuntimeError('too heavy')\n")
    (inner / "light.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "heavy_outer"


def test_a_module_comes_without_its_packages(package: str) -> None:
    with stub_packages(package, f"{package}.inner"):
        assert importlib.import_module(f"{package}.inner.light").value == 7
        assert not hasattr(sys.modules[package], "whole")
    assert not [name for name in sys.modules if name.startswith(package)]
    assert importlib.import_module(package).whole
    with stub_packages(package, f"{package}.inner"):
        assert sys.modules[package].whole
    assert sys.modules.pop(package).whole


def test_a_failure_leaves_nothing_behind(package: str) -> None:
    with pytest.raises(ImportError), stub_packages(package, f"{package}.absent"):
        pass
    with pytest.raises(ImportError), stub_packages("heavy_absent"):
        pass
    with pytest.raises(KeyError), stub_packages(package):
        raise KeyError
    assert not [name for name in sys.modules if name.startswith("heavy_")]


def test_the_detector_comes_without_pytorch_s_compiler() -> None:
    code = """
import sys, torch
from gpen_live.training.facexlib_network import build_network
network = build_network(torch.device("cpu"))
print(sorted({"torch._dynamo", "sympy", "torchvision", "facexlib"} & sys.modules.keys()), len(network.state_dict()) > 100)
import facexlib, torchvision
print(callable(torchvision.ops.nms), callable(facexlib.detection.init_detection_model))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["[] True", "True True"], done.stdout + done.stderr
