"""The face detector in OpenVINO: PyTorch's candidates in every shape, and PyTorch's own where OpenVINO is missing or wrong."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from gpen_live.engine.engine import load_detector
from gpen_live.faces.detect import Detector, decode, padded
from gpen_live.inference.fast_detector import speed_up
from gpen_live.inference.openvino.detector import OpenVinoDetector
from gpen_live.models.files import load_graph
from gpen_live.models.registry import get, locate
from gpen_live.nets.layers import Network
from tests.engine.portraits import portrait

CPU = torch.device("cpu")


@pytest.fixture
def plain() -> Detector:
    return Detector.load(locate(get("detector"), None), CPU)


@pytest.fixture
def network() -> Network:
    return load_graph(get("detector"), locate(get("detector")))


def pictures(*sizes: tuple[int, int]) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    for height, width in sizes:
        yield torch.rand(1, 3, height, width, generator=generator) * 255


@torch.inference_mode()
def test_it_finds_what_pytorch_finds_in_every_shape(plain: Detector, network: Network) -> None:
    fast = OpenVinoDetector(network, threads=1)
    for picture in pictures((180, 320), (320, 180), (31, 33), (1, 1), (180, 320)):
        for found, wanted in zip(fast(picture.numpy()), plain.network(padded(picture)), strict=True):
            np.testing.assert_allclose(found, wanted, atol=2e-4)


def test_the_shipped_detector_takes_it_on_a_processor(plain: Detector) -> None:
    detector = load_detector(CPU)
    assert detector._search is not None
    frame = portrait(360, 640)
    (fast,), (slow,) = detector.detect(frame), plain.detect(frame)
    np.testing.assert_allclose(fast.landmarks, slow.landmarks, atol=0.02)
    assert fast.score == pytest.approx(slow.score, abs=1e-4)


def test_without_openvino_pytorch_finds_the_faces(
    plain: Detector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with caplog.at_level(logging.WARNING):
        assert not speed_up(plain)
    assert "PyTorch finds the faces" in caplog.text
    assert len(plain.detect(portrait(180, 320))) == 1


def test_a_wrong_result_is_not_taken(
    plain: Detector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    monkeypatch.setattr("gpen_live.inference.fast_detector.decode", lambda *found: decode(*found) + 3)
    with caplog.at_level(logging.WARNING):
        assert not speed_up(plain)
    assert "the candidates differ" in caplog.text
