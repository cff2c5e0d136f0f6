"""A painted face for the look's implementations on devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpen_live.beauty.torch import FADE, FIRST_DIAL, LIPS, NEW, NUMBERS, ROW, SCLERA, Rows
from gpen_live.beauty.values import wished
from gpen_live.engine.result import Change
from gpen_live.look import CONTROLS, Beauty
from tests.beauty.painted import Painted


def wearing(values: dict[str, Any]) -> Beauty:
    return Beauty(**values)


ALL = wearing({one.name: 0.5 for one in CONTROLS if one.number})


def crops(faces: Sequence[Painted], device: torch.device) -> Tensor:
    """N x 3 x S x S, RGB in [-1, 1]."""
    pictures = np.stack([face.seen[:, :, ::-1] for face in faces]).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(pictures, np.float32)).to(device) / 127.5 - 1


def told_of(looks: Sequence[Beauty], device: torch.device, *, new: bool = True) -> Tensor:
    """What the host tells of faces in rows 1, 2 and so on."""
    told = torch.zeros(len(looks), NUMBERS)
    told[:, ROW], told[:, NEW], told[:, FADE] = torch.arange(1, len(looks) + 1), float(new), 1
    told[:, [LIPS, SCLERA]] = 1.0 if new else 0.25
    told[:, FIRST_DIAL:] = torch.from_numpy(np.stack([wished(look) for look in looks]))
    return told.to(device)


def rows_of(faces: Sequence[Painted], device: torch.device) -> Rows:
    """As if the faces' meshes and layers had been found."""
    rows = Rows(len(faces) + 1, device)
    rows.found[:] = 1
    for place, face in enumerate(faces, 1):
        rows.points[place], rows.layers[place] = torch.from_numpy(face.points), torch.from_numpy(face.layers)
    return rows


def nothing(seen: Tensor, *, moves: bool) -> Change:
    return Change(torch.zeros_like(seen), seen.new_full((len(seen), 2, *seen.shape[2:]), 9.0) if moves else None)
