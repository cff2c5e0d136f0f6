"""Stages after the network: what they add and where they move a face, on the processor's path and on PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import Engine
from gpen_live.engine.paths.host_canvas import HostCanvas
from gpen_live.engine.paths.mask import rim_mask
from gpen_live.engine.paths.torch import TorchPath
from gpen_live.engine.result import Change, FaceCrop
from gpen_live.faces.align import to_template
from gpen_live.frame import Array, Image
from gpen_live.inference.device import CPU
from gpen_live.look import Beauty, Look, Mode
from tests.engine.networks import on_host, on_tensors
from tests.engine.stages import Displacement, HostMove, TensorMove, aside, nowhere, wavy
from tests.engine.test_engine import Known, known_face

Make = Callable[[nn.Module, Known, HostMove | None], Engine]

SIZE = 64
STEP = 1 / 30
DRAWN = Look(mode=Mode.FULL, beauty=Beauty(smooth=0.5))


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
    enhancer, stages = on_tensors(network, size=SIZE), [] if stage is None else [stage]
    return Engine(CPU, known, enhancer, TorchPath(CPU, known, enhancer, stages), stages=stages)


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
    for look in (Look(), DRAWN):
        assert engine.process(rough(), 8 * STEP, look).times_ms["move"] > 0


@BOTH
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("strength", [0.0, 0.8])
def test_a_stage_without_anything_to_do_costs_nothing_and_changes_no_bit(
    make: Make, move: type[HostMove], mode: Mode, strength: float
) -> None:
    look, idle = replace(DRAWN, mode=mode, strength=strength), move(wavy, 10.0)
    idle.idle = True
    engine = make(Sharper(), Known(200, 90), idle)
    plain = settled(make(Sharper(), Known(200, 90), None), rough(), look)
    assert np.array_equal(settled(engine, rough(), look), plain)
    assert "move" not in engine.process(rough(), 8 * STEP, look).times_ms
    assert np.array_equal(plain, rough()) == (strength == 0)


@BOTH
@pytest.mark.parametrize("mode", list(Mode))
def test_without_strength_the_network_does_not_run_and_stages_do(make: Make, move: type[HostMove], mode: Mode) -> None:
    engine = make(Sharper(), Known(200), move(nowhere, 20.0))
    look = replace(DRAWN, mode=mode, strength=0.0)
    out = settled(engine, np.full((300, 280, 3), 100, np.uint8), look)
    assert out[150, 140].tolist() == [120, 120, 120]
    assert "network" not in engine.process(rough(300, 280), 8 * STEP, look).times_ms


@BOTH
def test_a_whole_frame_is_enhanced_and_then_drawn_on_the_faces_alone(make: Make, move: type[HostMove]) -> None:
    look = Look(mode=Mode.FULL)
    plain = settled(make(Sharper(), Known(150), None), smooth(), look)
    out = settled(make(Sharper(), Known(150), move(nowhere, 20.0)), smooth(), DRAWN)
    apart = out.astype(int) - plain
    assert (apart[150, 140] == 20).all()
    assert not apart[:, 300:].any()
    assert (apart[150, 140 - 40 : 140 + 40] == 20).all()
    undrawn = make(Sharper(), Known(150), move(nowhere, 20.0))
    assert np.array_equal(settled(undrawn, smooth(), look), plain)  # no beauty is asked for: nobody looks for faces
    assert undrawn.process(smooth(), 8 * STEP, look).faces == []


class Failing(HostMove):
    """Fails from its first frame on, in a way of its own."""

    def __init__(self, way: str) -> None:
        super().__init__(nowhere, 10.0)
        self.way = way

    def active(self, face: FaceCrop) -> bool:
        if self.way == "active":
            raise OSError("no such file")
        return True

    def __call__(self, seen: Any, change: Change, told: Any) -> Change:
        if self.way == "raises":
            raise ValueError("points are not finite")
        added = change.added + (np.nan if self.way == "added" else 10.0)
        moved = change.added[:, :2] if isinstance(seen, torch.Tensor) else change.added[:, :, :2]
        return Change(added, moved + np.inf if self.way == "displacement" else None)


@BOTH
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("way", ["active", "raises", "added", "displacement"])
def test_a_stage_that_fails_costs_what_it_draws_and_nothing_else(make: Make, move: type[HostMove], mode: Mode, way: str) -> None:
    look, failing = replace(DRAWN, mode=mode), Failing(way)
    engine = make(Sharper(), Known(200), failing)
    plain = settled(make(Sharper(), Known(200), None), rough(), look)
    assert np.array_equal(settled(engine, rough(), look), plain)
    assert len(engine.notes) == 1
    assert "move failed" in engine.notes[0].text
    failing.way, well = "well", way
    assert np.array_equal(engine.process(rough(), 8 * STEP, look).image, plain)  # it is not tried again at once
    other = replace(look, beauty=Beauty(smooth=0.2))
    assert not np.array_equal(engine.process(rough(), 9 * STEP, other).image, plain)
    assert len(engine.notes) == 1
    failing.way = well
    engine.process(rough(), 10 * STEP, other)
    assert engine.stage_trouble is not None
    failing.way = "well"
    later = [engine.process(rough(), 10 * STEP + 5.1 + i * STEP, other).image for i in range(8)]
    assert not np.array_equal(later[-1], plain), "but some seconds later it is"
    assert engine.stage_trouble is None


@BOTH
def test_a_lost_device_is_no_failure_of_the_stage(make: Make, move: type[HostMove]) -> None:
    class Lost(move):  # type: ignore[valid-type, misc]
        def __call__(self, seen: Any, change: Change, told: Any) -> Change:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    engine = make(Sharper(), Known(200), Lost(nowhere))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        settled(engine, rough())


@BOTH
def test_only_what_lies_within_the_mask_moves(make: Make, move: type[HostMove]) -> None:
    known, image = Known(200), rough()
    out = settled(make(Nothing(), known, move(aside)), image)
    matrix = to_template(known.faces[0].landmarks, SIZE)
    y, x = np.mgrid[0:300, 0:560]
    there = (np.stack([x, y], axis=-1) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    support = cv2.dilate((rim_mask(SIZE) > 0).astype(np.float32), np.ones((3, 3)))
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
    mask = cv2.remap(rim_mask(SIZE), there[:, :, 0], there[:, :, 1], cv2.INTER_LINEAR, borderValue=(0.0,))
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
        a, b = (settled(make(network, Known(80), move(wavy)), smooth(), replace(DRAWN, strength=0.6)) for make, move in WAYS)
        close(a, b)
        assert np.abs(a.astype(int) - smooth()).max() > 10


@BOTH
def test_what_was_moved_stays_so_where_the_network_rests(make: Make, move: type[HostMove]) -> None:
    engine, image = make(Sharper(), Known(200), move(wavy)), rough()
    moved = settled(engine, image)
    engine.effort = Effort(enhance_every=3)
    done = engine.process(image, 8 * STEP, Look())
    assert "network" not in done.times_ms
    assert np.abs(done.image.astype(int) - moved).max() <= 1


@BOTH
def test_stages_go_on_where_the_network_rests(make: Make, move: type[HostMove]) -> None:
    """Lipstick of three frames ago would lie beside a mouth that speaks."""
    stage = move(nowhere, 10.0)
    engine, image = make(Sharper(), Known(200), stage), rough()
    before = settled(engine, image)
    engine.effort = Effort(enhance_every=3)
    stage.added = 16.0
    done = engine.process(image, 8 * STEP, Look())
    assert "network" not in done.times_ms
    assert done.times_ms["move"] > 0
    apart = done.image[100:200, 100:180].astype(int) - before[100:200, 100:180]
    assert 5 <= np.median(apart) <= 7
    stage.idle = True
    done = engine.process(image, 9 * STEP, Look())
    assert np.abs(done.image.astype(int) - settled(make(Sharper(), Known(200), None), image)).max() <= 1


@BOTH
def test_a_stage_s_change_is_not_scaled_by_the_strength_of_the_network(make: Make, move: type[HostMove]) -> None:
    image = np.full((300, 280, 3), 100, np.uint8)
    for strength in (0.0, 1.0):
        out = settled(make(Nothing(), Known(200), move(nowhere, 20.0)), image, Look(strength=strength))
        assert out[150, 140].tolist() == [120, 120, 120]


@pytest.mark.parametrize("fade", [1.0, 0.4])
def test_a_large_face_s_displacement_is_true_to_a_fraction_of_a_pixel_between_its_nodes(fade: float) -> None:
    """It is worked out for every fourth pixel of the frame; where nothing moves each pixel looks at itself, to the bit."""
    matrix = np.array([[0.45, 0.12, -60.0], [-0.12, 0.45, 40.0]])
    size = 256
    displacement = (wavy(size, size) * rim_mask(size)).transpose(1, 2, 0).copy()
    displacement[:100] = 0
    placed = HostCanvas(np.zeros((500, 700, 3), np.uint8)).field(matrix, displacement, fade)
    assert placed is not None
    (x0, y0, x1, y1), looks = placed
    x, y = (each.astype(np.float32) for each in np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)))
    u, v = (row[0] * x + row[1] * y + row[2] for row in matrix.astype(np.float32))
    there = cv2.remap(displacement, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    exact = there @ np.linalg.inv(matrix[:, :2]).T * fade + np.stack([x, y], axis=-1)
    inside = (v > 103) | (v < 97)  # but for where the picture of it was cut
    assert np.abs(looks - exact)[inside].max() < 0.25
    assert np.abs(looks - exact)[inside].mean() < 0.02
    assert np.abs(exact - np.stack([x, y], axis=-1)).max() > 4 * fade
    still = (v < 92) & (u > 4) & (u < 252)
    assert np.abs(looks - np.stack([x, y], axis=-1))[still].max() < 1 / 32


def test_what_moves_nothing_costs_nothing() -> None:
    canvas = HostCanvas(rough())
    assert canvas.field(np.eye(2, 3), np.zeros((64, 64, 2), np.float32)) is None
