"""Draws the look in Triton's interpreter, which must be on before Triton is imported: a process of its own.

Prints a line of JSON for each comparison with PyTorch: what, and by how much the two differ at most.
"""

from __future__ import annotations

import json
import os
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"

import torch
from torch import Tensor

from gpen_live.beauty.torch import FADE, FIRST_DIAL, NUMBERS, ROW, STEP, Rows
from gpen_live.beauty.torch_draw import TorchDraws
from gpen_live.beauty.triton_draw import TritonDraws
from gpen_live.inference import face_mesh, retouch
from gpen_live.inference.device import CPU
from gpen_live.inference.torch_face_mesh import TorchFaceMesh
from gpen_live.look import Beauty
from tests.beauty.on_device import ALL, crops, nothing, rows_of, told_of
from tests.beauty.painted import DARK_SKIN, painted

THERE = torch.device("cpu")


def told(what: str, *apart: float) -> None:
    print(json.dumps([what, *apart]), flush=True)


def drawn(kernels: TritonDraws, pytorch: TorchDraws) -> None:
    """What is drawn with all dials up, and with none, and what is remembered."""
    faces = [painted(128, smiling=True), painted(128, DARK_SKIN)]
    seen = crops(faces, THERE)
    added = torch.randn(seen.shape, generator=torch.Generator().manual_seed(0))
    looks = told_of([ALL, Beauty()], THERE, new=False)
    found = []
    for draws in (kernels, pytorch):
        rows, change = rows_of(faces, THERE), nothing(seen, moves=True)
        rows.colours[1:] = torch.tensor([-0.3, 0.5, 0.9, 0.7, 1, 1])
        change.added.copy_(added)
        if draws is kernels:
            kernels.maps.dials[:2] = looks[:, FIRST_DIAL:]
            kernels.place(looks, rows, 2, 128)
        draws.draw(seen, change, looks, rows)
        found.append((change, rows))
    (one, rows), (other, expected) = found
    assert one.displacement is not None
    assert other.displacement is not None
    told("added", float((one.added - other.added).abs().max()), float((other.added - added).abs().max()))
    told("nothing", float((one.added[1] - added[1]).abs().max()))
    told("moved", float((one.displacement - other.displacement).abs().max()), float(other.displacement.abs().max()))
    told("remembered", float((rows.colours - expected.colours).abs().max()))


def found(kernels: TritonDraws) -> None:
    """The points of a face that moves, from what the networks give, over three frames."""
    generator = torch.Generator().manual_seed(0)

    def base(picture: Tensor) -> tuple[Tensor, Tensor]:
        points = torch.rand(2, 468, 3, generator=generator) * 20 + mean
        return torch.cat([points.flatten(1), torch.tensor([[5.0], [0.2]])], dim=1), torch.rand(2, 32, 48, 48, generator=generator)

    def parts(crops: Tensor) -> tuple[Tensor]:
        return (crops.flatten(2).mean(2).repeat(1, 5) * 64,)

    mean = torch.rand(1, 468, 3, generator=generator) * 150
    reference: Any = TorchFaceMesh(*face_mesh.shipped_networks(), CPU)
    there: Any = kernels
    for networks in (there, reference):
        networks._base, networks._parts = Network(base), Network(parts)
    rows, expected = Rows(3, THERE), Rows(3, THERE)
    pytorch = TorchDraws(reference, lambda _, before: before, THERE)
    seen = torch.rand(2, 3, 128, 128, generator=generator) * 2 - 1
    for step in (0.0, 1 / 30, 1 / 15):
        now = torch.zeros(2, NUMBERS)
        now[:, ROW], now[:, STEP], now[:, FADE] = torch.tensor([2.0, 0.0]), step, 0.3
        state = generator.get_state()
        kernels.find_meshes(seen, now, rows)
        generator.set_state(state)
        pytorch.look(seen, now, expected)
    told("points", float((rows.points - expected.points).abs().max()), float(expected.points.abs().max()))
    told("speed", float((rows.velocity - expected.velocity).abs().max()), float(expected.velocity.abs().max()))
    told(
        "found",
        float((rows.found - expected.found)[:, :2].abs().max()),
        float((rows.found[2, 2:] - rows.found[2, :2] * 0.9).abs().max()),
    )


class Network:
    """Stands for a network, called by either name."""

    def __init__(self, gives: Any) -> None:
        self._gives = gives

    def __call__(self, picture: Tensor) -> Any:
        return self._gives(picture)

    run = __call__


@torch.inference_mode()
def main() -> None:
    kernels = TritonDraws(*face_mesh.shipped_networks(), retouch.shipped_network(), THERE, torch.float32)
    pytorch: Any = TorchDraws(lambda _: (torch.empty(0), torch.empty(0)), lambda _, before: before, THERE)
    drawn(kernels, pytorch)
    found(kernels)


if __name__ == "__main__":
    main()
