"""The published GPEN networks, and how their files are told apart. Imports no runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypedDict


class Settings(TypedDict):
    """What tells one GPEN from another: see `gpen_live.nets.gpen.Gpen`."""

    size: int
    channel_multiplier: int
    narrow: float


VARIANTS: Final[dict[str, Settings]] = {
    "gpen-256": {"size": 256, "channel_multiplier": 1, "narrow": 0.5},
    "gpen-512": {"size": 512, "channel_multiplier": 2, "narrow": 1.0},
    "gpen-1024": {"size": 1024, "channel_multiplier": 2, "narrow": 1.0},
    "gpen-2048": {"size": 2048, "channel_multiplier": 2, "narrow": 1.0},
}
"""The published networks."""


def describe(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The name in `VARIANTS` of the network with parameters of these shapes, by its depth and its widths; None: none."""
    depth = sum(name.startswith("ecd") and name.endswith(".weight") for name in shapes)
    first, constant = shapes.get("ecd0.0.0.weight"), shapes.get("generator.input.input")
    if depth == 0 or first is None or constant is None or len(first) != 4 or len(constant) != 4:
        return None
    for name, settings in VARIANTS.items():
        widths = widths_of(**settings)
        if depth == len(widths) and first[0] == widths[settings["size"]] and constant[1] == widths[4]:
            return name
    return None


def widths_of(size: int, channel_multiplier: int, narrow: float) -> dict[int, int]:
    """Side of the feature maps -> their channels, from 4 px to `size`."""
    sides = [4 << level for level in range(size.bit_length() - 2)]
    return {side: int((512 if side <= 32 else 16384 // side * channel_multiplier) * narrow) for side in sides}
