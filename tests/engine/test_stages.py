"""Stages after the network: what they add and where they move a face, on the processor's path and on PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import Engine
from gpen_live.engine.paths.mask import face_mask
from gpen_live.engine.paths.torch import TorchPath
from gpen_live.faces.align import to_template
from gpen_live.frame import Array, Image
from gpen_live.inference.device import CPU
from gpen_live.look import Look, Mode
from tests.engine.networks import on_host, on_tensors
from tests.engine.stages import Displacement, HostMove, TensorMove, aside, nowhere, wavy
from tests.engine.test_engine import Known, known_face

Make = Callable[[nn.Module, Known, HostMove | None], Engine]

SIZE = 64
STEP = 1 / 30


class Sharper(nn.Module):
    stride = 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * torch.sin(20 * x)


class Nothing(nn.Module):
    stride = 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone()


def on_processor(network: nn.Module, known: Known, stage: HostMove | None) -> Engine:
    return Engine(CPU, known, on_host(network, SIZE), stages=[] if stage is None else [stage])


def in_pytorch(network: nn.Module, known: Known, stage: HostMove | None) -> Engine:
    enhancer = on_tensors(network, size=SIZE)
    return Engine(CPU, known, enhancer, TorchPath(CPU, known, enhancer, [] if stage is None else [stage]))


WAYS = [(on_processor, HostMove), (in_pytorch, TensorMove)]
BOTH = pytest.mark.parametrize(("make", "move"), WAYS, ids=["processor", "PyTorch"])


def settled(engine: Engine, image: Image, look: Look | None = None) -> Image:
    for i in range(8):  # a new face fades in
        done = engine.process(image, i * STEP, look or Look())
    assert not done.raw_reason
    return done.image


def rough(height: int = 300, width: int = 560) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int = 300, width: int = 560) -> Image:
    soft = cv2.GaussianBlur(rough(height, width), (0, 0), 9)
    return np.asarray(cv2.normalize(soft, soft, 30, 220, cv2.NORM_MINMAX), np.uint8)


def close(a: Array, b: Array) -> None:
    apart = np.abs(a.astype(int) - b.astype(int))
    assert apart.max() <= 3
    assert apart.mean() < 0.25


@BOTH
def test_a_stage_is_timed_under_its_own_name(make: Make, move: type[HostMove]) -> None:
    engine = make(Sharper(), Known(200), move(wavy))
    settled(engine, rough())
    for look in (Look(), Look(mode=Mode.FULL)):
        assert engine.process(rough(), 8 * STEP, look).times_ms["move"] > 0


@BOTH
@pytest.mark.parametrize("mode", list(Mode))
def test_where_nothing_moves_every_bit_is_the_same(make: Make, move: type[HostMove], mode: Mode) -> None:
    plain = settled(make(Sharper(), Known(200, 90), None), rough(), Look(mode=mode))
    assert np.array_equal(settled(make(Sharper(), Known(200, 90), move(nowhere)), rough(), Look(mode=mode)), plain)


@BOTH
def test_only_what_lies_within_the_mask_moves(make: Make, move: type[HostMove]) -> None:
    known, image = Known(200), rough()
    out = settled(make(Nothing(), known, move(aside)), image)
    matrix = to_template(known.faces[0].landmarks, SIZE)
    y, x = np.mgrid[0:300, 0:560]
    there = (np.stack([x, y], axis=-1) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    support = cv2.dilate((face_mask(SIZE) > 0).astype(np.float32), np.ones((3, 3)))
    reached = cv2.remap(support, there[:, :, 0], there[:, :, 1], cv2.INTER_LINEAR, borderValue=(0.0,)) > 0
    assert not (out != image).any(axis=2)[~reached].any()
    assert (out != image).any(axis=2)[reached].mean() > 0.8


@BOTH
@pytest.mark.parametrize("roll", [0.0, 0.5])
@pytest.mark.parametrize("side", [30.0, 60.0, 200.0])
def test_straight_edges_go_where_the_displacement_points(make: Make, move: type[HostMove], roll: float, side: float) -> None:
    """On a slope the level that is seen tells where it comes from, to a fraction of a pixel."""
    known = Known(side)
    turn = cv2.getRotationMatrix2D((140.0, 150.0), np.degrees(roll), 1.0)
    points = known.faces[0].landmarks @ turn[:, :2].T + turn[:, 2]
    known.faces = [type(known.faces[0])(known.faces[0].box, 0.99, points)]
    y, x = np.mgrid[0:300, 0:280].astype(np.float64)
    steep = 110 / side

    def level(x: Array, y: Array) -> Array:
        slope: Array = (128 + steep * (0.8 * (x - 140) - 0.6 * (y - 150))).clip(20, 235)
        return slope

    image = np.repeat(level(x, y)[:, :, None], 3, axis=2).round().astype(np.uint8)
    out = settled(make(Nothing(), known, move(aside)), image)
    matrix = to_template(points, SIZE)
    there = (np.stack([x, y], axis=-1) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    mask = cv2.remap(face_mask(SIZE), there[:, :, 0], there[:, :, 1], cv2.INTER_LINEAR, borderValue=(0.0,))
    moved = np.linalg.inv(matrix[:, :2]) @ [3.5, -2.25]
    expected = level(x + mask * moved[0], y + mask * moved[1])
    assert np.abs(out[:, :, 0] - expected).max() < 1.5
    assert np.abs(expected - level(x, y)).max() > 3


@pytest.mark.parametrize("sides", [(200,), (160, 120), (30,)])
@pytest.mark.parametrize("displacement", [aside, wavy])
def test_both_paths_show_the_same(sides: tuple[float, ...], displacement: Displacement) -> None:
    image, look = smooth(), Look(strength=0.7)
    close(
        settled(on_processor(Sharper(), Known(*sides), HostMove(displacement, 10.0)), image, look),
        settled(in_pytorch(Sharper(), Known(*sides), TensorMove(displacement, 10.0)), image, look),
    )


def test_faces_that_overlap_are_moved_alike_on_both_paths() -> None:
    found = []
    for make, move in WAYS:
        known = Known()
        known.faces = [known_face(150, 150, 180), known_face(220, 160, 150)]
        found.append(settled(make(Sharper(), known, move(aside)), smooth()))
    close(*found)


@pytest.mark.parametrize("network", [Sharper(), Nothing()])
def test_both_paths_show_the_same_whole_frame(network: nn.Module) -> None:
    for stride in (16, None):
        network.stride = stride  # type: ignore[assignment]
        look = Look(mode=Mode.FULL, strength=0.6)
        a = on_processor(network, Known(), HostMove(wavy)).process(smooth(90, 160), 0.0, look).image
        b = in_pytorch(network, Known(), TensorMove(wavy)).process(smooth(90, 160), 0.0, look).image
        close(a, b)
        assert np.abs(a.astype(int) - smooth(90, 160)).max() > 10


@BOTH
def test_what_was_moved_stays_so_where_the_network_rests(make: Make, move: type[HostMove]) -> None:
    engine, image = make(Sharper(), Known(200), move(wavy)), rough()
    moved = settled(engine, image)
    engine.effort = Effort(enhance_every=3)
    done = engine.process(image, 8 * STEP, Look())
    assert "network" not in done.times_ms
    assert np.abs(done.image.astype(int) - moved).max() <= 1


@BOTH
def test_a_stage_s_change_is_not_scaled_by_the_strength_of_the_network(make: Make, move: type[HostMove]) -> None:
    image = np.full((300, 280, 3), 100, np.uint8)
    for strength in (0.0, 1.0):
        out = settled(make(Nothing(), Known(200), move(nowhere, 20.0)), image, Look(strength=strength))
        assert out[150, 140].tolist() == [120, 120, 120]
