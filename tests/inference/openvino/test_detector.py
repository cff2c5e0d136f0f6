"""The face detector on a processor: PyTorch's candidates in every shape, and PyTorch itself where OpenVINO is missing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import numpy as np
import pytest

from gpen_live.faces.detect import Detector, Planes
from gpen_live.inference.device import CPU
from gpen_live.inference.fast_detector import difference
from gpen_live.inference.loading import load_detector, openvino_search
from gpen_live.inference.torch_detector import TorchDetector
from gpen_live.models.loading import load
from gpen_live.models.registry import get, locate
from tests.engine.portraits import portrait

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def plain() -> TorchDetector:
    return TorchDetector.load(locate(get("detector")), CPU)


def shipped() -> Callable[[Planes], Planes]:
    network = load(get("detector"), locate(get("detector"))).network
    assert network is not None
    return openvino_search(network)


def test_candidates_are_those_of_pytorch_in_every_shape(plain: TorchDetector) -> None:
    search = shipped()
    random = np.random.default_rng(3)
    for height, width in ((180, 320), (320, 180), (31, 33), (1, 1), (180, 320)):
        picture = random.uniform(0, 255, (1, 3, height, width)).astype(np.float32)
        with torch.inference_mode():
            expected = plain.plain_candidates(torch.from_numpy(picture))
        pixels, logits = difference(torch.from_numpy(search(picture)), expected)
        assert pixels < 1e-2
        assert logits < 1e-3


def test_a_result_is_not_written_over_by_the_next_one() -> None:
    search = shipped()
    one, other = np.random.default_rng(3).uniform(0, 255, (2, 1, 3, 96, 96)).astype(np.float32)
    first = search(one)
    kept = first.copy()
    search(other)
    assert np.array_equal(first, kept)


def test_without_openvino_pytorch_finds_the_faces(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with caplog.at_level(logging.WARNING):
        detector = load_detector(CPU)
    assert isinstance(detector, TorchDetector)
    assert "PyTorch finds the faces" in caplog.text
    assert len(detector.detect(portrait(180, 320))) == 1


def test_where_openvino_fails_pytorch_finds_the_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr("gpen_live.inference.openvino.detector.OpenVinoDetector.__call__", fail)
    assert isinstance(load_detector(CPU), TorchDetector)


def test_the_product_s_detector_on_a_processor_is_openvino_s() -> None:
    assert type(load_detector(CPU)) is Detector
