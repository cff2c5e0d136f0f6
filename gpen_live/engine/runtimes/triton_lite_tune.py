"""Finds the light network's tiles for a card: each layer is timed by itself with all that make sense."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from gpen_live.engine.runtimes.triton_lite import TritonLite
from gpen_live.engine.runtimes.triton_lite_tiles import Layer, Tile, possible_tiles, shape_key, usual_tile
from gpen_live.nets.lite import Lite

_LAUNCHES = 20
"""Of a layer in one CUDA graph: as close as in the network, and long enough for the clock."""
_REPLAYS = 5

Tiles = dict[str, Tile]
"""Tiles by `shape_key`."""


def measured_tiles(tiles: Tiles) -> Callable[[Layer, int], Tile]:
    """What a `TritonLite` wants as `choose`: these tiles, and the usual ones for any other shape."""
    return lambda layer, pixels: tiles.get(shape_key(layer, pixels)) or usual_tile(layer, pixels)


def launch_ms(launch: Callable[[], Tensor]) -> float:
    """Median milliseconds of one launch on the current CUDA device, in a graph of many."""
    launch()  # compiles
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        for _ in range(_LAUNCHES):
            launch()
    times: list[float] = []
    for _ in range(_REPLAYS + 1):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / _LAUNCHES)
    return statistics.median(times[1:])  # the first replay uploads the graph


def tune(
    network: Lite,
    pictures: Tensor,
    dtype: torch.dtype,
    *,
    measure: Callable[[Callable[[], Tensor]], float] = launch_ms,
    say: Callable[[str], None] = lambda line: None,
) -> Tiles:
    """The fastest tile of each of the layers' shapes, for pictures like these (N x 3 x H x W, float32, on the card).

    Takes a minute or two, most of it in Triton's compiler. Tiles that the card refuses are left out.

    Raises:
        RuntimeMissingError, RuntimeError: the network does not run there through Triton; see `TritonLite`.
    """
    tiles: Tiles = {}
    for step in TritonLite(network, dtype, pictures.device, choose=measured_tiles(tiles)).steps(pictures):
        key = shape_key(step.layer, step.pixels)
        if key in tiles:
            continue
        times: dict[Tile, float] = {}
        for tile in possible_tiles(step.layer, step.pixels):
            tiles[key] = tile
            try:
                times[tile] = measure(step.launch)
            except RuntimeError as error:
                say(f"{key}: {tile}: {error}")
        tiles[key] = min(times, key=lambda each: times[each]) if times else usual_tile(step.layer, step.pixels)
        if times:
            say(f"{key}: {1e3 * times[tiles[key]]:.2f} us, usual {1e3 * next(iter(times.values())):.2f} us, {tiles[key]}")
    return tiles
