"""Runs light networks in Triton's interpreter, which must be on before Triton is imported: a process of its own.

Prints a line of JSON per run: the case's name, its arithmetic, by how much (in levels, 0..255) its picture and the original one
differ at most from plain PyTorch's in float32, and the picture's dtype.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

os.environ["TRITON_INTERPRET"] = "1"

import torch
from torch import Tensor

from gpen_live.kernels.lite_tiles import Choose, Tile, usual_tile
from gpen_live.kernels.network import TritonNetwork
from gpen_live.models.loading import load
from gpen_live.models.registry import get, locate
from gpen_live.nets.torch_graph import network as as_network
from gpen_live.nets.torch_lite import Lite

CPU = torch.device("cpu")


def random(network: Lite) -> Lite:
    """Weights of which every one matters: a new network's last ones are zero."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3 if parameter.dim() == 1 else parameter[0].numel() ** -0.5)
    return network.eval()


def pictures(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width) * 2 - 1


def cases() -> Iterator[tuple[str, Lite, tuple[int, int, int], Choose, torch.dtype]]:
    """Name, network, pictures and their height and width, tiles, arithmetic. Few and small: the interpreter takes its time."""
    exact, half = torch.float32, torch.float16
    shipped = load(get("lite-256"), locate(get("lite-256"))).module()
    assert isinstance(shipped, Lite)
    yield "shipped", shipped, (1, 32, 32), usual_tile, exact
    yield "shipped, divided", shipped, (1, 32, 64), lambda layer, _: Tile(32, 128, divided=True), half
    uneven = random(
        Lite(shuffle=2, channels=[20, 40], encoder=[0, 1], decoder=[2], kernel=3, expansion=3, exit_kernel=5, memory=False)
    )
    yield "uneven channels", uneven, (3, 12, 20), lambda layer, _: Tile(64, 32), exact
    yield "uneven channels, divided", uneven, (2, 12, 20), lambda layer, _: Tile(32, 16, divided=True), half
    one = random(Lite(shuffle=1, channels=[8], encoder=[1], decoder=[], kernel=7, expansion=1, exit_kernel=1, memory=True))
    yield "one scale", one, (2, 13, 9), lambda layer, _: Tile(32, 32), exact
    third = random(Lite(shuffle=3, channels=[16, 33], encoder=[1, 1], decoder=[0], expansion=4, memory=True))
    yield "smallest picture", third, (2, 6, 6), usual_tile, half
    yield "wide picture", third, (1, 6, 66), lambda layer, _: Tile(64, 16, divided=True), exact


@torch.inference_mode()
def main() -> None:
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)  # fills new tensors with NaN: what is read before it is written shows
    for name, network, shape, choose, dtype in cases():
        x, previous = pictures(*shape), pictures(*shape)
        fast = TritonNetwork(as_network(network), dtype, CPU, choose=choose)
        for before in (previous, None) if name in ("one scale", "smallest picture") else (previous,):
            out, want = fast(x, before), network(x, before)
            difference, changed = (float((each - want).abs().max()) * 127.5 for each in (out, x))
            print(json.dumps([name, str(dtype), difference, changed, str(out.dtype)]), flush=True)


if __name__ == "__main__":
    main()
