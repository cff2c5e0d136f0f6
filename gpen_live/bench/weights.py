"""Weights to measure with: a network's own, or untrained ones in a file of the same names and shapes where those are not here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpen_live.errors import WeightsError
from gpen_live.models.registry import ModelSpec, locate

_SEED = 0


def weights_for(spec: ModelSpec, folder: Path) -> tuple[Path, bool]:
    """The model's file and True; or an untrained one of a GPEN, written into `folder`, and False: the times are the same.

    Raises:
        WeightsError: a file that comes with GPEN Live is missing.
    """
    try:
        return locate(spec), True
    except WeightsError:
        if spec.shipped:
            raise
    path = folder / f"{spec.name}-untrained.pth"
    if not path.is_file():
        write_untrained(spec, path)
    return path, False


def write_untrained(spec: ModelSpec, path: Path) -> None:
    """A GPEN's state dict of random values, always the same, scaled so that no part of the network is idle or overflows."""
    import torch

    from gpen_live.nets.gpen import Gpen
    from gpen_live.nets.gpen_variants import VARIANTS

    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Gpen(**VARIANTS[spec.name]).state_dict().items()}
    generator = np.random.default_rng(_SEED)
    state = {}
    for name in sorted(shapes):
        values = generator.standard_normal(shapes[name], dtype=np.float32)
        state[name] = torch.from_numpy(np.asarray(_scaled(name, values), np.float32))
    torch.save(state, path)


def _scaled(
    name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """As a trained network's: mapping layers undo their small learning rate, styles lie around one, biases are small."""
    if name.startswith("generator.style."):
        return values * np.float32(100 if name.endswith("weight") else 10)
    if name.endswith("modulation.bias"):
        return 1 + np.float32(0.1) * values
    if name.endswith("noise.weight"):
        return np.float32(0.5) * values
    return np.float32(0.1) * values if name.endswith("bias") else values
