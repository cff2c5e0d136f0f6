"""The engine with networks and detectors of the tests' own: what happens around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gpen_live.engine.engine import COMING, NO_FACE, Engine
from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.faces.detect import Detection, Detector
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.inference.enhancer import NetworkError
from gpen_live.look import Look, Mode
from tests.engine.networks import on_host

STEP = 1 / 30


class Brighter(nn.Module):
    stride = 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.2


class Squares(Brighter):
    """Takes nothing but squares of its size, as GPEN does."""

    stride = None  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[-2:] == (256, 256)
        return x + 0.2


class Failing(Brighter):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        if self.what == "raises":
            raise RuntimeError("CUDA error: device lost\nmore lines")
        return {"nan": x * float("nan"), "shape": x[:, :, ::2], "infinite": x / 0}[self.what]


def known_face(x: float, y: float, side: float) -> Detection:
    points = (GPEN_TEMPLATE - 0.5) * side + [x, y]
    return Detection((x - side / 4, y - side / 4, x + side / 4, y + side / 4), 0.99, points)


class Known(Detector):
    """A detector that knows where the faces are."""

    def __init__(self, *sides: float) -> None:
        self.faces = [known_face(140.0 + 260 * i, 150.0, side) for i, side in enumerate(sides)]

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = 0.6) -> list[Detection]:
        return self.faces[:max_faces]


def engine(network: nn.Module, *sides: float) -> Engine:
    return Engine(CPU, Known(*sides), on_host(network))


def frame(height: int = 300, width: int = 560) -> Image:
    return np.random.default_rng(0).integers(20, 200, (height, width, 3), dtype=np.uint8)


def settle(one: Engine, image: Image, strength: float = 1.0) -> Image:
    for i in range(10):  # a new face fades in
        done = one.process(image, i * STEP, Look(strength=strength))
    assert not done.raw_reason
    return done.image


def test_a_face_is_enhanced_and_its_stages_are_timed() -> None:
    one, image = engine(Brighter(), 200), frame()
    settle(one, image)
    done = one.process(image, 10 * STEP, Look())
    assert set(done.times_ms) == {"detect", "warp", "network", "blend"}
    assert all(value >= 0 for value in done.times_ms.values())
    change = done.image.astype(int) - image
    assert abs(change[150, 140].mean() - 0.2 * 127.5) < 2
    assert (change[:, 300:] == 0).all()


def test_two_faces_both_change() -> None:
    image = frame()
    change = settle(engine(Brighter(), 160, 120), image).astype(int) - image
    assert change[150, 140].mean() > 20
    assert change[150, 400].mean() > 20


def test_strength_scales_the_change() -> None:
    image = frame()
    half = settle(engine(Brighter(), 200), image, 0.5).astype(int) - image
    assert abs(half[150, 140].mean() - 0.1 * 127.5) < 2
    assert np.array_equal(settle(engine(Brighter(), 200), image, 0.0), image)


def test_without_a_face_the_raw_frame_goes_out_with_the_reason() -> None:
    image = frame()
    done = engine(Brighter()).process(image, 0.0, Look())
    assert done.image is image
    assert done.raw_reason == NO_FACE


@pytest.mark.parametrize("what", ["raises", "nan", "infinite", "shape"])
def test_a_network_that_fails_says_so_in_a_sentence(what: str) -> None:
    one = engine(Failing(what), 200)
    one.process(frame(), 0.0, Look())  # weight zero yet: the network is not asked
    with pytest.raises(NetworkError) as caught:
        one.process(frame(), STEP, Look())
    assert "lite-256" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("network", [Brighter(), Squares()])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (37, 53), (180, 320), (90, 40)])
def test_full_frame_mode_takes_any_size(network: nn.Module, height: int, width: int) -> None:
    image = np.full((height, width, 3), 100, np.uint8)
    done = engine(network).process(image, 0.0, Look(mode=Mode.FULL))
    assert done.image.shape == image.shape
    assert not done.raw_reason
    assert np.abs(done.image.astype(int) - 125.5).max() <= 1


class DarkRim(Brighter):
    """Spoils what lies within eight pixels of its picture's border, and asks for its stride."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[-2] % self.stride == x.shape[-1] % self.stride == 0
        out = torch.full_like(x, -1)
        out[..., 8:-8, 8:-8] = x[..., 8:-8, 8:-8]
        return out


@pytest.mark.parametrize(("height", "width"), [(180, 320), (176, 304), (37, 53)])
def test_the_frames_rim_lies_inside_what_the_network_sees(height: int, width: int) -> None:
    image = frame(height, width)
    assert np.array_equal(engine(DarkRim()).process(image, 0.0, Look(mode=Mode.FULL)).image, image)


def test_hopeless_landmarks_spoil_nothing_but_their_own_face() -> None:
    image = frame()
    good = known_face(140.0, 150.0, 200)
    broken = [
        np.full((5, 2), 400.0) + np.eye(5, 2) * 1e-9,
        (GPEN_TEMPLATE * [-1, 1] + [1, 0]) * 150 + [300, 50],
        GPEN_TEMPLATE * 1e6,
    ]
    for points in broken:
        one = engine(Brighter())
        assert isinstance(one.detector, Known)
        one.detector.faces = [good, Detection((300, 50, 450, 200), 0.99, points)]
        out = settle(one, image)
        assert (out.astype(int) - image)[150, 140].mean() > 20
        assert np.array_equal(out[:, 300:], image[:, 300:])


def test_a_face_that_just_appeared_is_not_called_enhanced() -> None:
    image = frame()
    done = engine(Brighter(), 200).process(image, 0.0, Look())
    assert np.array_equal(done.image, image)
    assert done.raw_reason == COMING


class Remembering(Brighter):
    """Goes halfway from its last picture to what it sees, and counts how often it had one."""

    memory = True

    def __init__(self) -> None:
        super().__init__()
        self.settings = {"memory": True}
        self.remembered = 0

    def forward(self, x: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        assert previous is not None
        assert previous.shape == x.shape
        self.remembered += not torch.equal(previous, x)
        return (x + previous) / 2


def flat(level: int) -> Image:
    return np.full((300, 560, 3), level, np.uint8)


def test_a_network_with_a_memory_gets_its_last_picture_of_each_face() -> None:
    network = Remembering()
    one = engine(network, 160, 120)
    settle(one, flat(100))
    assert network.remembered == 0  # a still picture: the last one is what is seen
    done = one.process(flat(140), 10 * STEP, Look())
    assert network.remembered == 1
    for x in (140, 400):
        assert abs(int(done.image[150, x, 0]) - 120) <= 1
    after = one.process(flat(140), 11 * STEP, Look())
    assert abs(int(after.image[150, 140, 0]) - 130) <= 1


@pytest.mark.parametrize("how", ["gap", "scene", "network", "face"])
def test_the_memory_ends_with_what_it_is_of(how: str) -> None:
    network = Remembering()
    one = engine(network, 200)
    settle(one, flat(100))
    at = 10 * STEP
    if how == "gap":
        at += 0.5
    elif how == "scene":
        one.new_scene()
    elif how == "network":
        one.use(one.enhancer)
    else:
        assert isinstance(one.detector, Known)
        faces, one.detector.faces = one.detector.faces, []
        for _ in range(20):
            at += STEP
            one.process(flat(100), at, Look())
        one.detector.faces = faces
        at += STEP
    for i in range(10):
        one.process(flat(140), at + i * STEP, Look())
    assert network.remembered == 0


def test_the_whole_frame_is_remembered_too() -> None:
    network = Remembering()
    one = engine(network)
    one.process(flat(100), 0.0, Look(mode=Mode.FULL))
    assert abs(int(one.process(flat(140), STEP, Look(mode=Mode.FULL)).image[0, 0, 0]) - 120) <= 1
    assert one.process(flat(140)[:100], 2 * STEP, Look(mode=Mode.FULL)).image[0, 0, 0] == 140  # another size: no use
    assert network.remembered == 1


def test_a_failed_frame_does_not_spoil_the_memory() -> None:
    network = Remembering()
    one = engine(network, 200)
    settle(one, flat(100))
    forward, network.forward = network.forward, Failing("nan").forward  # type: ignore[method-assign]
    with pytest.raises(NetworkError):
        one.process(flat(140), 10 * STEP, Look())
    network.forward = forward  # type: ignore[method-assign]
    done = one.process(flat(140), 11 * STEP, Look())
    assert abs(int(done.image[150, 140, 0]) - 120) <= 1
