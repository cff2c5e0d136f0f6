"""GPEN's ways to run on a processor, against PyTorch in float32."""

from __future__ import annotations

import copy
import dataclasses
import gc
import sys
import weakref

import numpy as np
import pytest
import torch

from gpen_live.inference import autotune_cpu as candidates
from gpen_live.inference import host, torch_network
from gpen_live.inference.autotune_cpu import Pictures, sample_crop
from gpen_live.inference.host import HostEnhancer
from gpen_live.inference.loading import gpen_on_host
from gpen_live.inference.openvino.gpen import OpenVinoGpen
from gpen_live.inference.torch_network import host_network
from gpen_live.models.architectures import STRICT
from gpen_live.models.registry import get
from gpen_live.nets.gpen import Gpen


def random_gpen(size: int, narrow: float) -> Gpen:
    """A network with all of GPEN's parts and none of its weight, styles and injections included."""
    torch.manual_seed(size)
    network = Gpen(size=size, channel_multiplier=1, narrow=narrow).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.endswith(("noise.weight", "bias")):
            parameter.add_(0.3 * torch.randn_like(parameter))
        elif name.endswith("modulation.weight"):
            parameter.mul_(3)
    return network


def levels(a: Pictures, b: Pictures) -> Pictures:
    apart: Pictures = np.abs(a - b) * 127.5
    return apart


def exact(network: torch.nn.Module, faces: Pictures) -> Pictures:
    """In PyTorch."""
    return host_network(network, memory=False)(faces, None)


@pytest.mark.parametrize(("size", "narrow"), [(8, 0.0625), (16, 0.0625), (64, 0.125)])
def test_in_fp32_it_is_the_same_picture(size: int, narrow: float) -> None:
    network = random_gpen(size, narrow)
    faces = np.concatenate([sample_crop(size), -sample_crop(size)])
    expected = exact(network, faces)
    assert levels(expected[0], expected[1]).mean() > 1
    restored = OpenVinoGpen(network, "fp32", threads=1)(faces)
    assert levels(restored, expected).max() < 0.01
    assert levels(OpenVinoGpen(network.to(memory_format=torch.channels_last), "fp32", threads=2)(faces), expected).max() < 0.01  # type: ignore[call-overload]


@pytest.mark.parametrize(("size", "narrow"), [(16, 0.125), (64, 0.25)])
def test_bf16_is_near(size: int, narrow: float) -> None:
    network, face = random_gpen(size, narrow), sample_crop(size)
    expected = exact(network, face)
    error = levels(OpenVinoGpen(network, "bf16", threads=1)(face), expected)
    assert error.max() > 0.01, "it is not bf16 at all"
    assert error.mean() < 0.012 * 127.5 * expected.std()
    assert error.mean() < 1.1 * levels(exact(copy.deepcopy(network).to(torch.bfloat16), face), expected).mean()


def test_pictures_are_the_caller_s() -> None:
    """The runtime's memory must not show through: neither into the last picture nor out of the input."""
    network = OpenVinoGpen(random_gpen(16, 0.0625), "fp32", threads=1)
    face = sample_crop(16)
    first = network(face)
    kept = first.copy()
    network(-face)
    assert np.array_equal(first, kept)
    assert np.array_equal(face, sample_crop(16))
    first[:] = 0
    assert np.array_equal(network(face), kept)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_HASTY_S", 0.01)
    monkeypatch.setattr(host, "_PATIENT_S", 0.01)
    monkeypatch.setattr("gpen_live.inference.autotune_cpu.psutil.cpu_count", lambda logical: 2)


def enhanced_by(network: Gpen, *, thorough: bool = False) -> HostEnhancer:
    one = gpen_on_host(dataclasses.replace(get("gpen-256"), size=network.size), network)
    one.warm_up(thorough=thorough)
    return one


@pytest.mark.usefixtures("small")
def test_all_ways_are_measured_and_told() -> None:
    one = enhanced_by(random_gpen(16, 0.0625))
    told = {(c.runtime, c.precision) for c in one.candidates}
    assert told >= {("PyTorch", "fp32"), ("OpenVINO", "fp32")}
    assert {c.threads for c in one.candidates} == {2}
    (winner,) = (c for c in one.candidates if c.chosen)
    assert (one.runtime, one.precision, one.threads) == (winner.runtime, winner.precision, winner.threads)
    assert {c.threads for c in enhanced_by(random_gpen(16, 0.0625), thorough=True).candidates} == {1, 2}


@pytest.mark.usefixtures("small")
def test_the_picture_is_the_same_whichever_way_won() -> None:
    network = random_gpen(32, 0.0625)
    expected = exact(network, sample_crop(32)).clip(-1, 1)
    one = enhanced_by(network)
    assert levels(one(sample_crop(32)), expected).mean() < STRICT.mean


@pytest.mark.usefixtures("small")
def test_pytorch_s_weights_go_when_openvino_won(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_gpen(16, 0.0625)
    monkeypatch.setattr(candidates.Contest, "_time", lambda contest, run: 1.0 if isinstance(run, OpenVinoGpen) else 100.0)
    one = enhanced_by(network)
    assert one.runtime == "OpenVINO"
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None
    one.warm_up()
    assert one(sample_crop(16)).shape == (1, 3, 16, 16)


@pytest.mark.usefixtures("small")
def test_without_openvino_pytorch_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(torch_network, "cpu_has_bf16", lambda: True)
    one = enhanced_by(random_gpen(16, 0.0625))
    assert [c.runtime for c in one.candidates] in (["PyTorch"], ["PyTorch", "PyTorch"])
    assert one.runtime == "PyTorch"
    assert one.notes[0].id == "runtime.no_openvino"
    assert one(sample_crop(16)).shape == (1, 3, 16, 16)
