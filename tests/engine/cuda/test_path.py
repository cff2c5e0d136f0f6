"""The frame path on the device against the canvas: the same faces, the same picture, the same memory and failures."""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import NO_FACE, Engine
from gpen_live.engine.paths.base import FramePath, open_path
from gpen_live.engine.paths.cuda.stages import Variant
from gpen_live.engine.paths.host import HostPath
from gpen_live.engine.result import Change, FaceCrop
from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.faces.detect import Detection, Detector
from gpen_live.frame import Array, Image, PixelFormat
from gpen_live.inference.device import CPU, Device
from gpen_live.inference.enhancer import Enhancer, NetworkError
from gpen_live.look import Beauty, Look, Mode
from gpen_live.media.pixel_formats import convert
from tests.engine.networks import on_host, on_tensors
from tests.engine.stages import Displacement, HostMove, TensorMove, aside, nowhere, wavy
from tests.messages.says import holds, says

if TYPE_CHECKING:
    from gpen_live.engine.paths.cuda.stages import DeviceStage
    from gpen_live.engine.paths.cuda.steps import Part
    from gpen_live.engine.paths.cuda.stream import DeviceStream
    from gpen_live.inference.torch_detector import TorchDetector

STEP = 1 / 30


def gpu_path(device: torch.device, detector: Detector, enhancer: Enhancer, stages: Sequence[DeviceStage] = ()) -> FramePath:
    from gpen_live.engine.paths.cuda.path import GpuPath
    from gpen_live.engine.paths.cuda.stream import CudaStream, HostStream
    from gpen_live.inference.device import low_priority_stream

    on_cpu = device.type == "cpu"
    stream: DeviceStream = HostStream() if on_cpu else CudaStream(device, low_priority_stream(of(device)))
    return GpuPath(stream, cast("TorchDetector", detector), enhancer, stages)


def of(device: torch.device) -> Device:
    return CPU if device.type == "cpu" else Device("cuda", device.index or 0)


class Known(Detector):
    """Knows where the faces are; reduces and reads as the real one does."""

    def __init__(self, device: torch.device, *faces: tuple[float, float, float]) -> None:
        self.long_side = 64
        self.faces = [Detection((x, y, x + side, y + side), 0.99, (GPEN_TEMPLATE - 0.5) * side + [x, y]) for x, y, side in faces]
        self.seen: torch.Tensor | None = None

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = 0.9) -> list[Detection]:
        return self.faces

    def candidates(self, reduced: torch.Tensor) -> torch.Tensor:
        self.seen = reduced
        return torch.zeros(7, 15, device=reduced.device) + reduced.mean()

    def read(self, candidates: Array, *, scale: Any, max_faces: int = 4, threshold: float = 0.9) -> list[Detection]:
        assert candidates.shape == (7, 15)
        self.told = float(candidates[0, 0])
        return self.faces


class Small(nn.Module):
    """Changes every pixel by what is around it; of a size that the interpreter manages."""

    stride = 16

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mix = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + 0.5 * torch.tanh(self.mix(x))
        return out


class Remembering(Small):
    """Goes halfway from its last picture to what it sees."""

    memory = True

    def forward(self, x: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        assert previous is not None
        return (x + previous) / 2


class Fragile(Small):
    """Gives what is not a number once it sees white."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.2 + torch.where(x.amax() > 0.9, float("nan"), 0.0)


def engines(device: torch.device, network: nn.Module, *faces: tuple[float, float, float]) -> tuple[Engine, Engine]:
    """One on the path under test, one on the processor's, which is the measure."""
    detector, enhancer = Known(device, *faces), on_tensors(copy.deepcopy(network), of(device), 64)
    fast = Engine(of(device), detector, enhancer, gpu_path(device, detector, enhancer))
    host, there = on_host(network, 64), Known(torch.device("cpu"), *faces)
    return fast, Engine(CPU, there, host, HostPath(there, host))


def smooth(height: int = 120, width: int = 200, phase: float = 0.0) -> Image:
    """Where neighbours differ little, so that the canvas's two ways to interpolate (OpenCV's is coarser) may differ little."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 90 * np.sin(x / 19 + p + phase) * np.cos(y / 23 - p) for p in (0.3, 1.7, 4.0)]
    return np.asarray(np.stack(planes, axis=2), dtype=np.uint8)


def close(got: Array, expected: Array, mean: float = 0.2) -> None:
    difference = np.abs(got.astype(int) - expected)
    assert difference.max() <= 3
    assert difference.mean() < mean


@pytest.mark.parametrize("faces", [[(90, 60, 100)], [(60, 50, 70), (150, 70, 50), (110, 110, 26), (10, 10, 30)]])
@pytest.mark.parametrize(("height", "width"), [(120, 200), (119, 201)])
def test_faces_look_as_on_the_canvas(device: torch.device, faces: list[Any], height: int, width: int) -> None:
    fast, slow = engines(device, Small(), *faces)
    for i in range(7):  # faces fade in
        layout = list(PixelFormat)[i % 3]
        image = smooth(height, width, i / 5)
        done, expected = (
            fast.process(image, i * STEP, Look(strength=0.9), layout),
            slow.process(image, i * STEP, Look(strength=0.9)),
        )
        assert done.raw_reason == expected.raw_reason
        if not done.raw_reason:
            pixels = done.picture.pixels(layout)
            close(done.image, expected.image)
            assert np.array_equal(pixels, convert(done.image, layout))
            assert (done.image != image).any()
    assert set(done.times_ms) == {"detect", "warp", "network", "blend", "convert"}
    assert done.busy_ms > 0
    assert not fast.notes


def test_the_detector_sees_the_reduced_frame(device: torch.device) -> None:
    fast, _ = engines(device, Small())
    image = smooth()
    assert fast.process(image, 0.0, Look()).raw_reason == NO_FACE
    assert isinstance(fast.detector, Known)
    assert fast.detector.seen is not None
    assert fast.detector.seen.shape == (1, 3, 38, 64)
    for shade in (smooth(phase=1.0) // np.uint8(2), image):  # of each frame anew
        fast.process(shade, 0.0, Look())
        assert abs(fast.detector.told - shade.mean()) < 1


def test_the_whole_frame_looks_as_on_the_canvas(device: torch.device) -> None:
    fast, slow = engines(device, Small())
    for i, layout in enumerate(PixelFormat):
        image = smooth(53, 77, i)
        done = fast.process(image, i * STEP, Look(mode=Mode.FULL, strength=0.7), layout)
        close(done.image, slow.process(image, i * STEP, Look(mode=Mode.FULL, strength=0.7)).image)
        assert np.array_equal(done.picture.pixels(layout), convert(done.image, layout))
    assert set(done.times_ms) == {"warp", "network", "blend", "convert"}


def test_a_network_of_fixed_size_takes_the_whole_frame(device: torch.device) -> None:
    network = Small()
    network.stride = None  # type: ignore[assignment]
    fast, slow = engines(device, network)
    close(fast.process(smooth(), 0.0, Look(mode=Mode.FULL)).image, slow.process(smooth(), 0.0, Look(mode=Mode.FULL)).image)


def flat(level: int) -> Image:
    return np.full((120, 200, 3), level, np.uint8)


@pytest.mark.parametrize("gap", [STEP, 0.5])
def test_a_network_with_a_memory_gets_its_last_picture_of_each_face(device: torch.device, gap: float) -> None:
    fast, slow = engines(device, Remembering(), (50, 60, 70), (150, 60, 60))
    at = 0.0
    for i in range(14):
        at += gap if i == 9 else STEP
        if i == 11:  # another order by size
            for one in (fast, slow):
                assert isinstance(one.detector, Known)
                one.detector.faces = [
                    Detection(face.box, face.score, (face.landmarks - centre) * by + centre)
                    for face, by in zip(one.detector.faces, (0.8, 1.2), strict=True)
                    for centre in [face.landmarks.mean(axis=0)]
                ]
        image = flat(100 + 7 * i)
        close(fast.process(image, at, Look()).image, slow.process(image, at, Look()).image)


def test_the_whole_frame_is_remembered_too(device: torch.device) -> None:
    fast, slow = engines(device, Remembering())
    for i in range(4):
        close(
            fast.process(flat(100 + 20 * i), i * STEP, Look(mode=Mode.FULL)).image,
            slow.process(flat(100 + 20 * i), i * STEP, Look(mode=Mode.FULL)).image,
        )
    fast.new_scene()
    assert fast.process(flat(40), 5 * STEP, Look(mode=Mode.FULL)).image[0, 0, 0] == 40


def test_what_is_no_number_is_an_error_and_the_next_frame_is_well(device: torch.device) -> None:
    fast, _ = engines(device, Fragile(), (90, 60, 100))
    for i in range(7):
        good = fast.process(flat(100), i * STEP, Look()).image
    with pytest.raises(NetworkError, check=says("network.not_finite")):
        fast.process(flat(255), 7 * STEP, Look())
    assert np.array_equal(fast.process(flat(100), 8 * STEP, Look()).image, good)
    with pytest.raises(NetworkError, check=says("network.not_finite")):
        fast.process(flat(255), 9 * STEP, Look(mode=Mode.FULL))
    assert not fast.notes


def test_a_failure_of_the_device_is_an_error_and_all_is_made_anew(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, _ = engines(device, Small(), (90, 60, 100))
    for i in range(7):
        good = fast.process(flat(100), i * STEP, Look()).image
    from gpen_live.engine.paths.cuda.buffers import FrameBuffers

    def lost(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nmore lines")

    with monkeypatch.context() as patched:
        patched.setattr(FrameBuffers, "fetch", lost)
        with pytest.raises(NetworkError, match="out of memory"):
            fast.process(flat(100), 7 * STEP, Look())
    assert np.array_equal(fast.process(flat(100), 8 * STEP, Look()).image, good)
    assert not fast.notes


def test_where_it_never_worked_the_canvas_takes_over(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = engines(device, Small(), (90, 60, 100))
    from gpen_live.engine.paths.cuda import kernels

    def broken(*_: object) -> None:
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(kernels, "reduce", broken)
    with pytest.raises(NetworkError):
        fast.process(flat(100), 0.0, Look())
    assert holds(fast.notes[0], "live.slow_path", device=str(device))
    for i in range(7):
        done, expected = fast.process(flat(100), i * STEP, Look()), slow.process(flat(100), i * STEP, Look())
    close(done.image, expected.image)


def test_the_engine_takes_this_path_where_there_is_a_gpu(device: torch.device) -> None:
    from gpen_live.engine.paths.cuda.path import GpuPath

    path = open_path(of(device), Known(device), on_tensors(Small(), of(device)) if device.type == "cuda" else on_host(Small()))
    assert isinstance(path, GpuPath if device.type == "cuda" else HostPath)


def test_finished_pixels_stay_as_they_are(device: torch.device) -> None:
    """Sender and window still hold them while the next frames are made."""
    fast, _ = engines(device, Small())
    kept = []
    for i in range(6):
        done = fast.process(flat(20 * i), i * STEP, Look(mode=Mode.FULL), PixelFormat.NV12)
        kept.append((done.picture, done.picture.pixels(PixelFormat.NV12)))
        if i % 2:
            kept[-1][0].image()
        gc.collect()
    for i, (picture, pixels) in enumerate(kept):
        expected = fast.process(flat(20 * i), 10 + i, Look(mode=Mode.FULL), PixelFormat.NV12)
        assert np.array_equal(pixels, expected.picture.pixels(PixelFormat.NV12))
        assert np.abs(picture.image().astype(int) - expected.image).max() <= 4  # once it has left the device: from the pixels


def test_a_staged_frame_is_the_same_frame(device: torch.device) -> None:
    fast, _ = engines(device, Small())
    image = smooth()
    staged = fast.pin(image)
    assert staged is not image
    assert np.array_equal(staged, image)
    if device.type == "cuda":
        assert torch.from_numpy(staged).is_pinned()
    plain = fast.process(image, 0.0, Look(mode=Mode.FULL)).image
    assert np.array_equal(fast.process(staged, STEP, Look(mode=Mode.FULL)).image, plain)


def test_another_network_and_another_size(device: torch.device) -> None:
    fast, slow = engines(device, Small(), (60, 50, 70))
    for i in range(12):
        image = smooth(120, 200, i) if i < 8 else smooth(100, 160, i)
        if i == 5:
            for one in (fast, slow):
                one.use(on_host(Remembering(), 64) if one is slow else on_tensors(Remembering(), of(device), 64))
        close(fast.process(image, i * STEP, Look()).image, slow.process(image, i * STEP, Look()).image)


def test_recording_does_not_count_as_the_device_s_work(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the host seconds, once; whoever leaves room for a game would wait many times as long."""
    fast, _ = engines(device, Small(), (90, 60, 100))
    stream = stream_of(fast)
    record = stream.record

    def slowly(work: Any) -> Any:
        time.sleep(0.2)
        return record(work)

    monkeypatch.setattr(stream, "record", slowly)
    start = time.perf_counter()
    done = fast.process(tiny(), 0.0, Look(), PixelFormat.NV12)
    assert time.perf_counter() - start > 2.4
    assert done.busy_ms < 1200


def stream_of(engine: Engine) -> DeviceStream:
    stream: DeviceStream = engine._path._stream  # type: ignore[attr-defined]
    return stream


def tiny(phase: float = 0.0) -> Image:
    return smooth(60, 120, phase)


def beside(engine: Engine, *faces: tuple[float, float, float]) -> None:
    """These are the faces in view from now on."""
    assert isinstance(engine.detector, Known)
    engine.detector.faces = Known(torch.device("cpu"), *faces).faces


def test_nothing_is_recorded_when_a_face_appears_or_a_slider_moves(device: torch.device) -> None:
    """All that a frame of this size can need is recorded with the first one, for as many faces as there may ever be."""
    fast, _ = engines(device, Small(), (30, 30, 30))
    fast.process(tiny(), 0.0, Look(), PixelFormat.NV12)
    recorded = stream_of(fast).recorded
    assert recorded == 1 + 4 * 3
    enhanced = []
    for i in range(1, 10):
        if i == 3:
            beside(fast, (30, 30, 30), (90, 30, 28))
        if i == 5:
            beside(fast, (30, 30, 30), (90, 30, 28), (60, 30, 26), (60, 50, 24))
        done = fast.process(tiny(), i * STEP, Look(strength=1 - i / 10), PixelFormat.NV12)
        enhanced.append(sum(face.weight > 0 for face in done.faces))
    assert enhanced[-1] == 4
    assert stream_of(fast).recorded == recorded
    fast.process(tiny(), 10 * STEP, Look(), PixelFormat.I420)  # another sink: the last part, for all numbers of faces
    assert stream_of(fast).recorded == recorded + 4


def test_a_stand_in_is_recorded_when_it_comes_and_not_when_it_is_needed(device: torch.device) -> None:
    """It is needed where time is short already."""
    fast, _ = engines(device, Small(), (30, 30, 30))
    fast.process(tiny(), 0.0, Look())
    recorded = stream_of(fast).recorded
    fast.lighter = (on_tensors(Remembering(), of(device), 64),)
    fast.process(tiny(), STEP, Look())
    assert stream_of(fast).recorded == recorded + 4 * 3
    for number, lighter in enumerate((1, 0, 1)):
        fast.effort = Effort(lighter=lighter)
        assert fast.process(tiny(), (2 + number) * STEP, Look()).raw_reason is None
    assert stream_of(fast).recorded == recorded + 4 * 3


def test_a_strength_of_zero_shows_the_raw_frame_without_recording(device: torch.device) -> None:
    fast, _ = engines(device, Small(), (30, 30, 40))
    for mode in Mode:
        for i in range(3):
            shown = fast.process(tiny(), i * STEP, Look(mode=mode)).image
        recorded = stream_of(fast).recorded
        raw = fast.process(tiny(), 3 * STEP, Look(mode=mode, strength=0.0)).image
        assert stream_of(fast).recorded == recorded
        assert np.array_equal(raw, tiny())
        assert not np.array_equal(raw, shown)


def test_a_card_without_room_for_more_faces_goes_on_with_fewer(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpen_live.engine.paths.cuda.steps import FacesStep

    record = FacesStep.record

    def full(self: FacesStep, part: Part) -> None:
        if self._numbers.shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        record(self, part)

    monkeypatch.setattr(FacesStep, "record", full)
    fast, slow = engines(device, Small(), (30, 30, 30), (90, 30, 28))
    for i in range(3):
        done, expected = fast.process(tiny(), i * STEP, Look()), slow.process(tiny(), i * STEP, Look())
    close(done.image, expected.image)
    assert not done.raw_reason


@pytest.mark.parametrize("displacement", [None, aside, wavy])
@pytest.mark.parametrize("faces", [[(50, 30, 50)], [(30, 30, 60), (70, 36, 50), (100, 20, 20)]])
def test_stages_add_and_move_as_on_the_processor(
    device: torch.device, faces: list[Any], displacement: Displacement | None
) -> None:
    fast, slow = staged(device, Small(), displacement, 6.0, faces)
    for i in range(4):
        look = Look(strength=0.8 - i / 10)
        done, expected = fast.process(tiny(), i * STEP, look, PixelFormat.NV12), slow.process(tiny(), i * STEP, look)
    assert set(done.times_ms) == {"detect", "warp", "network", "move", "blend", "convert"}
    close(done.image, expected.image)
    assert np.array_equal(done.picture.pixels(PixelFormat.NV12), convert(done.image, PixelFormat.NV12))
    plain, _ = engines(device, Small(), *faces)
    for i in range(4):
        unmoved = plain.process(tiny(), i * STEP, Look(strength=0.8 - i / 10))
    assert np.abs(done.image.astype(int) - unmoved.image).max() > 3


@pytest.mark.parametrize("strength", [0.0, 0.6])
@pytest.mark.parametrize("faces", [[], [(30, 30, 60), (70, 36, 50)]])
def test_stages_work_on_the_faces_of_the_whole_frame(device: torch.device, faces: list[Any], strength: float) -> None:
    fast, slow = staged(device, Small(), wavy, 6.0, faces)
    look = Look(mode=Mode.FULL, strength=strength, beauty=Beauty(smooth=0.5))
    for i in range(3):
        done, expected = fast.process(tiny(), i * STEP, look, PixelFormat.I420), slow.process(tiny(), i * STEP, look)
    close(done.image, expected.image, 0.35)
    assert (done.image != tiny()).any() == bool(faces or strength)
    assert np.array_equal(done.picture.pixels(PixelFormat.I420), convert(done.image, PixelFormat.I420))


def test_stages_work_without_the_network(device: torch.device) -> None:
    fast, slow = staged(device, Fragile(), wavy, 6.0, [(50, 30, 50)])
    white = np.full((60, 120, 3), 255, np.uint8)
    for i in range(3):
        image = white if i == 2 else tiny()
        done, expected = fast.process(image, i * STEP, Look(strength=0.0)), slow.process(image, i * STEP, Look(strength=0.0))
        close(done.image, expected.image)
    assert set(done.times_ms) == {"detect", "warp", "move", "blend", "convert"}


@pytest.mark.parametrize("mode", list(Mode))
def test_a_stage_that_rests_changes_nothing(device: torch.device, mode: Mode) -> None:
    faces: list[Any] = [(30, 30, 60), (70, 36, 50)]
    fast, _ = staged(device, Small(), wavy, 6.0, faces)
    plain, _ = engines(device, Small(), *faces)
    look = Look(mode=mode, beauty=Beauty(smooth=0.5))
    for i in range(6):
        stage_of(fast).idle = i % 2 == 1
        done, expected = fast.process(tiny(), i * STEP, look), plain.process(tiny(), i * STEP, look)
    assert np.array_equal(done.image, expected.image)
    assert "move" not in done.times_ms


def test_nothing_is_recorded_when_a_stage_begins_or_the_network_is_switched_off(device: torch.device) -> None:
    fast, _ = staged(device, Small(), wavy, 6.0, [(30, 30, 60)])
    for mode in Mode:
        for i in range(7):
            stage_of(fast).idle = i < 2
            look = Look(mode=mode, strength=0.0 if i > 4 else 0.5, beauty=Beauty(smooth=0.5))
            fast.process(tiny(), i * STEP, look)
            if i == 0:
                recorded = stream_of(fast).recorded
        assert stream_of(fast).recorded == recorded


def test_stages_that_come_later_are_recorded_bit_by_bit(device: torch.device) -> None:
    """No frame waits for more than a part of it, and none of those that stay is recorded anew."""
    fast, _ = engines(device, Small(), (30, 30, 60))
    for i in range(3):
        fast.process(tiny(), i * STEP, Look())
    plain = stream_of(fast).recorded
    fast.stages = (OnCard(wavy, 6.0, device),)
    for i in range(3, 40):
        recorded = stream_of(fast).recorded
        done = fast.process(tiny(), i * STEP, Look())
        assert stream_of(fast).recorded - recorded <= 1
        if "move" in done.times_ms:
            break
    assert "move" in done.times_ms
    assert stream_of(fast).recorded - plain == 4 * 4
    fast.stages = ()
    assert "move" not in fast.process(tiny(), 40 * STEP, Look()).times_ms
    assert stream_of(fast).recorded - plain == 4 * 4


def test_a_stage_looks_at_the_crops_beside_the_network(device: torch.device) -> None:
    """It sees the frame, not what the network makes of it, and its own work comes after both."""
    fast, _ = staged(device, Small(), None, 0.0, [(50, 30, 50)])
    stage = stage_of(fast)
    stage.variants = (Variant(looks=True, moves=False), Variant(looks=False, moves=False))
    for level in (40, 200):
        for i in range(3):
            fast.process(np.full((60, 120, 3), level, np.uint8), i * STEP, Look())
        assert abs(float(stage.saw[0, 0, 32, 32]) * 127.5 + 127.5 - level) < 0.01
    stage.variants = stage.variants[::-1]
    fast.process(np.full((60, 120, 3), 90, np.uint8), 3 * STEP, Look())
    assert abs(float(stage.saw[0, 0, 32, 32]) * 127.5 + 127.5 - 200) < 0.01


def test_where_nothing_changes_and_nothing_moves_every_bit_stays(device: torch.device) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 120, 3), dtype=np.uint8)
    fast, _ = staged(device, Nothing(), nowhere, 0.0, [(30, 30, 60), (70, 36, 50)])
    for mode in Mode:
        for i in range(3):
            done = fast.process(image, i * STEP, Look(mode=mode, beauty=Beauty(smooth=0.5)))
        assert not done.raw_reason
        assert np.array_equal(done.image, image)


class Nothing(Small):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone()


@pytest.mark.parametrize("mode", list(Mode))
def test_a_stage_that_fails_is_left_out(device: torch.device, mode: Mode) -> None:
    faces: list[Any] = [(30, 30, 60)]
    plain, _ = engines(device, Small(), *faces)
    look = Look(mode=mode, beauty=Beauty(smooth=0.5))
    for added in (float("nan"), "not a number"):
        fast, _ = staged(device, Small(), wavy, cast(float, added), faces)
        plain.new_scene()
        for i in range(3):
            done, expected = fast.process(tiny(), i * STEP, look), plain.process(tiny(), i * STEP, look)
        assert np.array_equal(done.image, expected.image)
        assert len(fast.notes) == 1
        assert holds(fast.notes[0], "live.stage_failed", name="move")


def staged(
    device: torch.device, network: nn.Module, displacement: Displacement | None, added: float, faces: list[Any]
) -> tuple[Engine, Engine]:
    """As `engines`, with a stage after the network that adds so many levels and moves what is seen."""
    fast, slow = engines(device, network, *faces)
    here = HostMove(displacement or nowhere, added)
    stage = OnCard(displacement, added, device)
    path = gpu_path(device, fast.detector, cast(Enhancer, fast.enhancer), [stage])
    return Engine(of(device), fast.detector, fast.enhancer, path, stages=[stage]), Engine(
        CPU, slow.detector, slow.enhancer, stages=[here]
    )


def stage_of(engine: Engine) -> OnCard:
    (stage,) = engine.stages
    return cast(OnCard, stage)


class OnCard(TensorMove):
    """Its displacement lies on the card before the first frame comes: a copy from the host can't be recorded."""

    def __init__(self, displacement: Displacement | None, added: float, device: torch.device) -> None:
        super().__init__(displacement or nowhere, added)
        self._there = torch.from_numpy(self._displacement(64, 64)).to(device).expand(4, -1, -1, -1).contiguous()
        self.saw = torch.zeros(4, 3, 64, 64, device=device)
        self.variants: Sequence[Variant] = (Variant(looks=False, moves=displacement is not None),)

    def variant(self, faces: Sequence[FaceCrop]) -> Variant | None:
        return None if self.idle else self.variants[0]

    def tell(self, faces: Sequence[FaceCrop], at: float) -> None:
        assert all(face.at == at for face in faces)

    def look(self, seen: torch.Tensor) -> None:
        self.saw[: seen.shape[0]].copy_(seen)

    def draw(self, seen: torch.Tensor, change: Change) -> None:
        change.added.add_(self.added)
        if change.displacement is not None:
            change.displacement.copy_(self._there[: seen.shape[0]])
