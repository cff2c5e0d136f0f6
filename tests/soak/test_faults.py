"""Each fault alone: what the pipeline gets to meet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from gpen_live.errors import SinkError, SourceError
from gpen_live.faces.detect import Detector
from gpen_live.frame import Image, Size
from gpen_live.inference.device import CPU, describe_device
from gpen_live.inference.enhancer import NetworkError
from gpen_live.inference.host import HostEnhancer
from gpen_live.inference.loading import load_detector, load_enhancer
from gpen_live.live.models.loader import LoadedModel, ModelRequest
from gpen_live.live.pacing.clock import now
from gpen_live.media.fit import fit
from gpen_live.sinks.null import NullSink
from gpen_live.soak import stamp
from gpen_live.soak.faults import DisturbedDevice, DisturbedSink, FaultKind, Faults, _DisturbedDetector, disguised, outside
from gpen_live.soak.watch import Watch
from gpen_live.sources.base import Source
from gpen_live.sources.camera import CameraSource
from gpen_live.sources.demo import DemoSource
from tests.messages.says import says

SIZE = Size(320, 180)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def device(faults: Faults) -> DisturbedDevice:
    demo = DemoSource(Size(200, 200), 30, realtime=False)
    return DisturbedDevice(demo.read, demo.close, SIZE, faults, Watch())


def picture(device: DisturbedDevice) -> Image:
    there, image = device.read()
    assert there
    assert isinstance(image, np.ndarray)
    return image


def test_frames_of_another_shape_are_fitted_before_they_get_their_numbers(device: DisturbedDevice) -> None:
    for number in range(3):
        image = picture(device)
        assert Size.of(image) == SIZE
        assert stamp.read(image[:, :, 1]) == number


def test_another_size_keeps_its_number_when_it_is_fitted_back(device: DisturbedDevice, faults: Faults) -> None:
    faults.other_size = True
    image = picture(device)
    assert Size.of(image) == Size(160, 90)
    assert stamp.read(fit(image, SIZE)[:, :, 1]) == 0


def test_a_camera_that_is_gone_gives_nothing_and_comes_back(device: DisturbedDevice, faults: Faults) -> None:
    faults.camera_gone = True
    assert device.read() == (False, None)
    faults.camera_gone = False
    picture(device)


def test_a_camera_hangs_once(device: DisturbedDevice, faults: Faults) -> None:
    faults.once(FaultKind.CAMERA_HANGS, 0.1)
    start = now()
    picture(device)
    assert now() - start >= 0.1
    assert faults.hung_at >= start
    assert faults.met(FaultKind.CAMERA_HANGS) == 0


def test_garbage_is_what_nobody_can_make_a_picture_of(device: DisturbedDevice, faults: Faults) -> None:
    faults.garbage = True
    for _ in range(6):
        there, thing = device.read()
        assert there
        with pytest.raises((ValueError, AttributeError)):
            fit(thing, SIZE)


def test_a_device_s_own_garbage_is_passed_on_as_it_is(faults: Faults) -> None:
    strange = np.zeros(5, np.uint8)
    device = DisturbedDevice(lambda: strange, lambda: None, SIZE, faults, Watch())
    assert device.read()[1] is strange


def read_on(camera: Source) -> None:
    while True:
        camera.read()


def test_any_source_is_a_camera_to_the_pipeline_with_the_code_for_cameras(faults: Faults) -> None:
    watch = Watch()
    world = outside(faults, watch, source="demo", sink="none")
    assert world.open_source is not None
    camera = world.open_source("camera:0", size=SIZE, fps=60.0, realtime=True, loop=True)
    try:
        assert isinstance(camera, CameraSource)
        first, second = (camera.read() for _ in range(2))
        assert first is not None
        assert second is not None
        numbers = [stamp.read(image[:, :, 1]) for image in (first, second)]
        assert None not in numbers
        assert numbers[0] != numbers[1]
        faults.camera_gone = True
        with pytest.raises(SourceError, check=says("camera.stopped")):
            read_on(camera)
        with pytest.raises(SourceError, check=says("soak.camera_gone")):
            world.open_source("camera:0", size=SIZE, fps=60.0, realtime=True, loop=True)
    finally:
        camera.close()


def test_an_output_that_is_gone_or_slow(faults: Faults) -> None:
    watch = Watch()
    sink = DisturbedSink(NullSink(), faults, watch)
    image = np.full((180, 320, 3), 90, np.uint8)
    watch.captured(image, now())
    faults.sink_gone = True
    with pytest.raises(SinkError, check=says("soak.output_gone")):
        sink.send(image, 0.0)
    faults.sink_gone = False
    faults.once(FaultKind.SINK_SLOW, 0.05)
    start = now()
    sink.send(image, 0.0)
    assert now() - start >= 0.05
    assert watch.look().fresh == 1


def test_a_disturbed_network_raises_gives_nan_and_works_again(faults: Faults) -> None:
    enhancer = load_enhancer("lite-256", None, CPU)
    loaded = faults.disturb(
        LoadedModel(ModelRequest("lite-256", None, "cpu"), CPU, describe_device(CPU), load_detector(CPU), enhancer)
    )
    crop = np.zeros((1, 3, 256, 256), np.float32)
    assert isinstance(loaded.enhancer, HostEnhancer)
    before = loaded.enhancer(crop)
    faults.network_raises = True
    with pytest.raises(NetworkError, check=says("network.failed", reason="a fault of the soak")):
        loaded.enhancer(crop)
    faults.network_raises, faults.network_nan = False, True
    with pytest.raises(NetworkError, check=says("network.not_finite")):
        loaded.enhancer(crop)
    faults.network_nan = False
    assert np.array_equal(loaded.enhancer(crop), before)
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
