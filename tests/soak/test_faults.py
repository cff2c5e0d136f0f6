"""Each fault alone: what the pipeline gets to meet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from gpen_live.engine.device import describe_device
from gpen_live.engine.engine import load_detector
from gpen_live.engine.enhancer import NetworkError, load_enhancer
from gpen_live.errors import SinkError, SourceError
from gpen_live.faces.detect import Detector
from gpen_live.frame import Image, Size
from gpen_live.live.clock import now
from gpen_live.live.fit import fit
from gpen_live.live.loader import Loaded, Wanted
from gpen_live.sinks.null import NullSink
from gpen_live.soak import stamp
from gpen_live.soak.faults import DisturbedSink, DisturbedSource, Faults, Kind, _DisturbedDetector, _garbage, disguised
from gpen_live.soak.watch import Watch
from gpen_live.sources.demo import DemoSource

SIZE = Size(320, 180)
CPU = torch.device("cpu")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def source(faults: Faults) -> Iterator[DisturbedSource]:
    made = DisturbedSource(DemoSource(Size(200, 200), 30, realtime=False), SIZE, faults, Watch())
    yield made
    made.close()


def read(source: DisturbedSource) -> Image:
    image = source.read()
    assert image is not None
    return image


def test_frames_of_another_shape_are_fitted_before_they_get_their_numbers(source: DisturbedSource) -> None:
    for number in range(3):
        image = read(source)
        assert Size.of(image) == SIZE
        assert stamp.read(image[:, :, 1]) == number


def test_another_size_keeps_its_number_when_it_is_fitted_back(source: DisturbedSource, faults: Faults) -> None:
    faults.other_size = True
    image = read(source)
    assert Size.of(image) == Size(160, 90)
    assert stamp.read(fit(image, SIZE)[:, :, 1]) == 0


def test_a_camera_that_is_gone_raises_and_comes_back(source: DisturbedSource, faults: Faults) -> None:
    faults.camera_gone = True
    with pytest.raises(SourceError, match="gone"):
        source.read()
    faults.camera_gone = False
    read(source)


def test_a_camera_hangs_once_until_it_is_closed(source: DisturbedSource, faults: Faults) -> None:
    faults.once(Kind.CAMERA_HANGS, 30.0)
    closing = threading.Timer(0.1, source.close)
    start = now()
    closing.start()
    with pytest.raises(SourceError, match="closed"):
        source.read()
    assert 0.05 < now() - start < 20
    assert faults.hung_at >= start
    read(source)


def test_garbage_is_what_the_pipeline_can_make_no_picture_of(source: DisturbedSource, faults: Faults) -> None:
    faults.garbage = True
    assert not isinstance(source.read(), np.ndarray) or source.read() is not None
    garbage = _garbage(SIZE)
    for _ in range(6):
        with pytest.raises((ValueError, AttributeError)):
            fit(next(garbage), SIZE)


def test_an_output_that_is_gone_or_slow(faults: Faults) -> None:
    watch = Watch()
    sink = DisturbedSink(NullSink(), faults, watch)
    image = np.full((180, 320, 3), 90, np.uint8)
    watch.captured(image, now())
    faults.sink_gone = True
    with pytest.raises(SinkError, match="gone"):
        sink.send(image)
    faults.sink_gone = False
    faults.once(Kind.SINK_SLOW, 0.05)
    start = now()
    sink.send(image)
    assert now() - start >= 0.05
    assert watch.look().fresh == 1


def test_a_disturbed_network_raises_gives_nan_and_works_again(faults: Faults) -> None:
    enhancer = load_enhancer("lite-256", None, CPU)
    loaded = faults.disturb(Loaded(Wanted("lite-256", None, "cpu"), CPU, describe_device(CPU), load_detector(CPU), enhancer))
    crop = torch.zeros(1, 3, 256, 256)
    with torch.inference_mode():
        before = loaded.enhancer(crop)
        faults.network_raises = True
        with pytest.raises(NetworkError, match="a fault of the soak"):
            loaded.enhancer(crop)
        faults.network_raises, faults.network_nan = False, True
        with pytest.raises(NetworkError, match="not numbers"):
            loaded.enhancer(crop)
        faults.network_nan = False
        assert torch.equal(loaded.enhancer(crop), before)
    assert loaded.detector.detect(np.zeros((180, 320, 3), np.uint8)) == []


def test_where_the_network_is_only_replayed_the_detector_meets_the_fault(faults: Faults) -> None:
    plain = SimpleNamespace(read=lambda found, scale: [found, scale], device=CPU)
    detector = _DisturbedDetector(cast(Detector, plain), faults)
    assert detector.device == CPU
    assert detector.read(1, scale=2) == [1, 2]
    faults.network_raises = True
    with pytest.raises(RuntimeError, match="a fault of the soak"):
        detector.read(1, scale=2)


def test_what_is_no_device_is_told_to_the_pipeline_as_one() -> None:
    assert disguised("demo", "none") == ("camera:0", "vcam")
    assert disguised("camera:3", "vcam:OBS") == ("camera:3", "vcam:OBS")
    assert disguised("film.mp4", "out.mp4") == ("camera:0", "out.mp4")
