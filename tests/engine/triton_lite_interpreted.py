"""Runs light networks in Triton's interpreter, which must be on before Triton is imported: a process of its own.

Prints a line of JSON per case: its name, and the largest difference (in levels, 0..255) from plain PyTorch in float32.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

os.environ["TRITON_INTERPRET"] = "1"

import torch
from torch import Tensor

from gpen_live.engine.runtimes.triton_lite import TritonLite
from gpen_live.engine.runtimes.triton_lite_tiles import Choose, Tile, usual_tile
from gpen_live.models.files import load_network
from gpen_live.models.registry import get, locate
from gpen_live.nets.lite import Lite

CPU = torch.device("cpu")


def random(network: Lite) -> Lite:
    """Weights of which every one matters: a new network's last ones are zero."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3 if parameter.dim() == 1 else parameter[0].numel() ** -0.5)
    return network.eval()


def pictures(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width) * 2 - 1


def cases() -> Iterator[tuple[str, Lite, Tensor, Choose]]:
    shipped = load_network(get("lite-256"), locate(get("lite-256")))
    assert isinstance(shipped, Lite)
    yield "shipped", shipped, pictures(1, 64, 32), usual_tile
    yield "shipped, divided", shipped, pictures(1, 32, 64), lambda layer, _: Tile(32, 64, divided=layer.kind == "block")
    uneven = random(
        Lite(shuffle=2, channels=[20, 40], encoder=[0, 1], decoder=[2], kernel=3, expansion=3, exit_kernel=5, memory=False)
    )
    yield "uneven channels", uneven, pictures(3, 12, 20), usual_tile
    yield "uneven channels, divided", uneven, pictures(3, 12, 20), lambda layer, _: Tile(16, 16, divided=True)
    one = random(Lite(shuffle=1, channels=[8], encoder=[1], decoder=[], kernel=7, expansion=1, exit_kernel=1, memory=True))
    yield "one scale", one, pictures(2, 13, 9), lambda layer, _: Tile(32, 32)
    third = random(Lite(shuffle=3, channels=[16, 33], encoder=[1, 1], decoder=[0], expansion=4, memory=True))
    yield "smallest picture", third, pictures(2, 6, 6), usual_tile
    yield "wide picture", third, pictures(1, 6, 66), lambda layer, _: Tile(64, 16, divided=True)


@torch.inference_mode()
def main() -> None:
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)  # fills new tensors with NaN: what is read before it is written shows
    for name, network, x, choose in cases():
        previous = pictures(*x.shape[:1], *x.shape[2:])
        for before in (previous, None):
            want = network(x, before)
            for dtype in (torch.float32, torch.float16):
                out = TritonLite(network, dtype, CPU, choose=choose)(x, before)
                difference = float((out - want).abs().max()) * 127.5
                changed = float((want - x).abs().max()) * 127.5
                what = [name, "with one before" if before is not None else "first", str(dtype)]
                print(json.dumps([*what, difference, changed, str(out.dtype)]), flush=True)


if __name__ == "__main__":
    main()
