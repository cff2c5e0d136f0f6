"""Small graphs that together hold every kind of layer, with random parameters: for comparing runtimes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpen_live.nets import layers
from gpen_live.nets.layers import Array, Graph, Network


def with_random_parameters(graph: Graph, seed: int = 0) -> Network:
    """Of such a size that features keep theirs from layer to layer."""
    random = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    for name, shape in graph.parameters.items():
        scale = 0.3 if len(shape) == 1 else 1.4 / np.sqrt(np.prod(shape[1:]))
        weights[name] = (random.standard_normal(shape) * scale).astype(np.float32)
    return Network(graph, weights)


def mesh() -> Graph:
    """As a network of facial landmarks is built: PReLU, depthwise, strides, pooled shortcuts, dense heads."""
    x = layers.picture("x", 3)
    y = layers.affine(x, scale=(0.5, 0.25, 2.0), offset=(0.1, -0.2, 0.3))
    y = layers.prelu("entry.1", layers.convolution("entry.0", y, 12, kernel=3, stride=2, padding=(0, 0, 1, 1)))
    for index, width in enumerate((20, 24)):
        deep = layers.convolution(f"body.{index}.depthwise", y, y.channels, kernel=3, stride=2, padding=1, groups=y.channels)
        deep = layers.convolution(f"body.{index}.point", deep, width)
        short = layers.convolution(f"body.{index}.short", layers.pool(y, 2), width, bias=False)
        y = layers.prelu(f"body.{index}.slopes", layers.add(deep, short))
    points = layers.dense("points", layers.leaky_relu(layers.dense("hidden", layers.mean(y), 18), 0.2), 10)
    return Graph("mesh", (x,), (points, layers.sigmoid(layers.dense("score", layers.mean(y), 1))))


def retouch() -> Graph:
    """As a network that paints is built: two pictures in, skips, both kinds of upsampling, shuffles, a mask."""
    x, previous = layers.picture("x", 3), layers.picture("previous", 1)
    y = layers.convolution("entry", layers.unshuffle(layers.concatenate(x, previous), 2), 18)
    fine = layers.leaky_relu(y, 0.1)
    coarse = layers.relu(
        layers.convolution("down", layers.pool(fine, 3, stride=1, mode="mean"), 33, kernel=3, padding=2, stride=2)
    )
    coarse = layers.add(coarse, layers.convolution("grouped", coarse, 33, kernel=5, padding=2, groups=3))
    coarse = layers.upsample(layers.upsample(coarse, 2, mode="nearest"), 2)
    up = layers.convolution("up", layers.pool(coarse, 2), 18)
    y = layers.convolution("mix", layers.concatenate(up, fine), 16, kernel=1)
    mask = layers.sigmoid(layers.shuffle(layers.convolution("exit", y, 4, kernel=3, padding=1), 2))
    return Graph("retouch", (x, previous), (mask, layers.upsample(y, 3)))


def heads() -> Graph:
    """As a detector is built: rows at each pixel of two scales, and a map of known size as a vector."""
    x = layers.picture("x", 5)
    fine = layers.relu(layers.convolution("fine", x, 8, kernel=3, padding=1))
    coarse = layers.relu(layers.convolution("coarse", fine, 16, kernel=2, stride=2))
    boxes = [layers.rows(layers.convolution(f"boxes.{i}", level, 8), 4) for i, level in enumerate((fine, coarse))]
    whole = layers.dense("whole", layers.flatten(layers.pool(coarse, 4, mode="max"), 16 * 1 * 2), 7)
    return Graph("heads", (x,), (layers.concatenate(*boxes), layers.concatenate(whole, layers.mean(fine))))


SHAPES: dict[str, tuple[Callable[[], Graph], tuple[int, int, int]]] = {
    "mesh": (mesh, (2, 16, 24)),
    "retouch": (retouch, (2, 8, 12)),
    "heads": (heads, (1, 8, 16)),
}
"""Each graph with the number, height and width of pictures that it takes."""


def pictures(graph: Graph, shape: tuple[int, int, int], seed: int = 1) -> list[Array]:
    """Random ones for all of its inputs, in [-1, 1]."""
    random = np.random.default_rng(seed)
    count, height, width = shape
    return [random.uniform(-1, 1, (count, each.channels, height, width)).astype(np.float32) for each in graph.inputs]
