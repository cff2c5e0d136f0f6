"""Photos: faces at once, at the photo's own resolution."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from gpen_live.engine.photo import LOOKS, enhance_aligned, enhance_faces
from gpen_live.engine.result import Change, FaceCrop, StageError
from gpen_live.faces.align import GPEN_TEMPLATE, Points
from gpen_live.frame import Image
from gpen_live.look import Look
from tests.engine.networks import on_host, on_tensors
from tests.engine.stages import HostMove, nowhere, wavy

LOOK = Look()


class Waves(nn.Module):
    """Adds a pattern of its own, of a few pixels and up to a quarter of the range."""

    stride = 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.arange(x.shape[-2])[:, None] / 5
        return (x + 0.25 * torch.sin(y + torch.arange(x.shape[-1]) / 9)).clamp(-1, 1)


class Watching(HostMove):
    """Remembers which crops it saw."""

    def __init__(self, added: float = 0.0) -> None:
        super().__init__(nowhere, added)
        self.seen: list[int] = []

    def __call__(self, seen: Any, change: Change, told: Any) -> Change:
        assert isinstance(told, FaceCrop)
        assert seen.shape == change.added.shape
        self.seen.append(len(seen))
        return Change(change.added + np.float32(self.added))


def face(x: float, y: float, side: float) -> Points:
    return (GPEN_TEMPLATE - 0.5) * side + [x, y]


def photo(height: int = 900, width: int = 1300) -> Image:
    """A smooth picture that stays clear of black and white."""
    noise = np.random.default_rng(0).integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) // 2 + 60, np.uint8)


def test_the_network_alone() -> None:
    image = photo()
    before = image.copy()
    out = enhance_faces(image, on_host(Waves()), [face(400, 450, 700)], LOOK)
    assert np.abs(out.astype(int) - image)[450, 300:500].max() > 20
    assert np.array_equal(image, before)


@pytest.mark.parametrize(("side", "crop"), [(90, 256), (300, 384), (700, 768), (2500, 2048)])
def test_stages_draw_at_the_faces_own_size_and_what_the_network_changed_stays_in_its_place(side: float, crop: int) -> None:
    """The same picture with a stage that changes nothing and without one, within the rounding of two resamplings."""
    image, idle = photo(), Watching()
    faces = [face(500, 450, side)]
    network = on_host(Waves())
    plain = enhance_faces(image, network, faces, LOOK).astype(int)
    drawn = enhance_faces(image, network, faces, LOOK, [idle]).astype(int)
    assert idle.seen == [crop] * LOOKS
    assert np.abs(plain - image).max() > 15
    assert np.abs(drawn - plain).mean() < 0.4
    assert np.abs(drawn - plain).max() < 6


def test_without_the_network_stages_draw_all_the_same() -> None:
    image, stage = photo(), Watching(20.0)
    out = enhance_faces(image, on_host(Waves()), [face(400, 450, 500)], Look(strength=0), [stage]).astype(int) - image
    assert np.abs(out[350:550, 300:500] - 20).max() <= 1
    assert not out[:, 700:].any()


def test_every_face_is_drawn_once_and_counted() -> None:
    image, stage, counted = photo(), Watching(20.0), [0]
    faces = [face(300, 450, 500), face(800, 400, 260), face(1150, 450, 200)]

    def finished() -> None:
        counted[0] += 1

    out = enhance_faces(image, on_host(Waves()), faces, Look(strength=0), [stage], finished).astype(int) - image
    assert stage.seen == [512] * LOOKS + [384] * LOOKS + [256] * LOOKS
    assert counted == [3]
    assert [int(out[450, x, 0]) for x in (300, 800, 1150)] == [20, 20, 20]
    enhance_faces(image, on_host(Waves()), faces, LOOK, [], finished)
    assert counted == [6]


def test_a_face_is_moved_before_anything_is_added() -> None:
    image = photo()
    moved = enhance_faces(image, on_host(Waves()), [face(600, 450, 500)], Look(strength=0), [HostMove(wavy)])
    assert np.abs(moved.astype(int) - image)[300:600, 500:700].max() > 3
    assert np.array_equal(moved[:, :300], image[:, :300])


def test_a_stage_with_nothing_to_do_costs_no_bit() -> None:
    image, stage = photo(), Watching()
    stage.idle = True
    network, faces = on_host(Waves()), [face(400, 450, 700)]
    assert np.array_equal(enhance_faces(image, network, faces, LOOK, [stage]), enhance_faces(image, network, faces, LOOK))
    assert stage.seen == []


@pytest.mark.parametrize("open_network", [on_host, on_tensors])
def test_an_aligned_crop_has_no_mask(open_network: Any) -> None:
    image = photo(256, 256)
    network = open_network(Waves())
    plain = enhance_aligned(image, network, LOOK).astype(int)
    assert np.abs(plain - image)[:3].max() > 15
    drawn = enhance_aligned(image, network, LOOK, [Watching(10.0)]).astype(int)
    assert np.abs(drawn - plain - 10).max() <= 1
    moved = enhance_aligned(image, network, Look(strength=0), [HostMove(wavy)]).astype(int)
    assert np.abs(moved - image).max() > 3
    assert np.array_equal(enhance_aligned(image, network, Look(strength=0)), image)


def test_what_a_stage_remembers_of_a_face_settles() -> None:
    """A stage that does half of what is missing in each frame, with a memory of each face's own."""

    class Settling(Watching):
        def __call__(self, seen: Any, change: Change, told: Any) -> Change:
            before, at = told.kept.get(self.name, (0.0, -1.0))
            assert told.at > at
            told.kept[self.name] = (before + (20 - before) / 2, told.at)
            return Change(change.added + np.float32(told.kept[self.name][0]))

    image = photo()
    faces = [face(300, 450, 500), face(800, 400, 260)]
    out = enhance_faces(image, on_host(Waves()), faces, Look(strength=0), [Settling()]).astype(int) - image
    assert {int(out[450, x, 0]) for x in (300, 800)} == {round(20 * (1 - 0.5**LOOKS))}


def test_a_stage_that_fails_says_so() -> None:
    class Failing(Watching):
        def __call__(self, seen: Any, change: Change, told: Any) -> Change:
            raise ValueError("no mouth")

    with pytest.raises(StageError, match="no mouth"):
        enhance_faces(photo(), on_host(Waves()), [face(400, 450, 700)], LOOK, [Failing()])
    with pytest.raises(StageError, match="not a number"):
        enhance_aligned(photo(256, 256), on_host(Waves()), LOOK, [Watching(float("nan"))])
