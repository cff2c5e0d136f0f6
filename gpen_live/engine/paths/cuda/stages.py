"""Stages after the network on a CUDA device: what of their work is recorded, and how a frame chooses from it.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from gpen_live.engine.result import Change, FaceCrop, Stage


class Variant(NamedTuple):
    """Which of a stage's recorded work a frame takes.

    `looks`: it looks at the crops, beside the network. `moves`: it gives a displacement.
    """

    looks: bool
    moves: bool


class DeviceStage(Stage, Protocol):
    """A stage whose work is recorded in CUDA graphs.

    It is recorded once for each number of faces and each of its `variants`, and repeated: whatever differs from frame to
    frame lies in device memory, and nothing waits. A frame calls `variant`, then `tell`, and repeats what was recorded.
    """

    @property
    def variants(self) -> Sequence[Variant]:
        """All that `variant` ever gives: recorded ahead, so that no frame waits because a slider moves."""

    def variant(self, faces: Sequence[FaceCrop]) -> Variant | None:
        """What these faces (1 to 4) need; None: nothing, the frame is as it were without the stage."""

    def tell(self, faces: Sequence[FaceCrop], at: float) -> None:
        """Copies what the recorded work has to know of each face, at `at` seconds, to the device; waits for nothing.

        No faces: the work is to be recorded, on what happens to lie there, and nothing is to come of it.
        """

    def look(self, seen: Tensor) -> None:
        """What can be done beside the network, and is kept on the device: the crops, N x 3 x S x S, RGB in [-1, 1], tell all."""

    def draw(self, seen: Tensor, change: Change) -> None:
        """Works on `change` in place: `added` has what the network added; `displacement`, where there is one, is to be filled."""


class Course(NamedTuple):
    """What is done with the crops of a frame: whether the network runs, and the variant of each stage, None without it."""

    network: bool
    variants: tuple[Variant | None, ...]

    @property
    def plain(self) -> bool:
        """The network alone."""
        return self.network and all(variant is None for variant in self.variants)

    @property
    def looking(self) -> tuple[int, ...]:
        """The stages that look at the crops."""
        return tuple(i for i, variant in enumerate(self.variants) if variant is not None and variant.looks)

    @property
    def moves(self) -> bool:
        """A stage gives a displacement."""
        return any(variant is not None and variant.moves for variant in self.variants)


def courses(stages: Sequence[DeviceStage], *, network: bool) -> list[Course]:
    """All courses that frames can take, with the network or without it: then a stage has something to do."""
    found: list[tuple[Variant | None, ...]] = [()]
    for stage in stages:
        found = [(*before, variant) for before in found for variant in (None, *stage.variants)]
    return [Course(network, variants) for variants in found if network or any(variant is not None for variant in variants)]
