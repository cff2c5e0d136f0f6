"""Small graphs that together hold every kind of layer, with random parameters: for comparing runtimes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from gpen_live.nets import layers
from gpen_live.nets.layers import Array, Graph, Network


def with_random_parameters(graph: Graph, seed: int = 0) -> Network:
    """Of such a size that features keep theirs from layer to layer; a `skip` passes its channels on, with zeros behind them."""
    random = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    for name, shape in graph.parameters.items():
        scale = 0.3 if len(shape) == 1 else 1.4 / np.sqrt(np.prod(shape[1:]))
        weights[name] = (random.standard_normal(shape) * scale).astype(np.float32)
        if name.endswith("skip.weight"):
            groups = graph.convolutions[name.removesuffix(".weight")].op.groups  # type: ignore[union-attr]
            weights[name] = np.tile(np.eye(shape[0] // groups, shape[1], dtype=np.float32), (groups, 1))[..., None, None]
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


def parts() -> Graph:
    """Networks side by side as groups: depthwise and 1x1 layers, shortcuts that are pooled and get wider, down to one pixel."""
    x = layers.picture("x", 32)
    y = layers.prelu("entry.slopes", layers.convolution("entry", x, 32, groups=2))
    for index, width in enumerate((32, 64)):
        deep = layers.convolution(f"{index}.depthwise", y, 32, kernel=3, stride=2, padding=(0, 0, 1, 1), groups=32)
        short = layers.pool(y, 2)
        short = short if width == 32 else layers.convolution(f"{index}.skip", short, width, groups=2, bias=False)
        y = layers.prelu(f"{index}.slopes", layers.add(layers.convolution(f"{index}.point", deep, width, groups=2), short))
    deep = layers.relu(layers.convolution("last.depthwise", y, 64, kernel=3, padding=1, groups=64))
    y = layers.add(layers.relu(layers.convolution("last.point", deep, 64, groups=2)), y)
    points = layers.flatten(layers.convolution("points", y, 96, kernel=2, groups=2), 96)
    return Graph("parts", (x,), (points, layers.convolution("around", y, 64, kernel=3, padding=1, groups=64)))


def retouch() -> Graph:
    """As a network that paints is built: pictures of two sizes in, skips, both kinds of upsampling, shuffles, a mask."""
    x, previous, half = layers.picture("x", 3), layers.picture("previous", 1), layers.picture("half", 5, step=2)
    seen = layers.concatenate(layers.unshuffle(layers.concatenate(x, previous), 2), half)
    y = layers.convolution("entry", seen, 18)
    fine = layers.leaky_relu(y, 0.1)
    coarse = layers.relu(
        layers.convolution("down", layers.pool(fine, 3, stride=1, mode="mean"), 33, kernel=3, padding=2, stride=2)
    )
    coarse = layers.add(coarse, layers.convolution("grouped", coarse, 33, kernel=5, padding=2, groups=3))
    coarse = layers.upsample(layers.upsample(coarse, 2, mode="nearest"), 2)
    up = layers.convolution("up", layers.pool(coarse, 2), 18)
    y = layers.convolution("mix", layers.concatenate(up, fine), 16, kernel=1)
    mask = layers.sigmoid(layers.shuffle(layers.convolution("exit", y, 4, kernel=3, padding=1), 2))
    return Graph("retouch", (x, previous, half), (mask, layers.upsample(y, 3)))


def heads() -> Graph:
    """As a detector is built: rows at each pixel of two scales, and a map of known size as a vector."""
    x = layers.picture("x", 5)
    fine = layers.relu(layers.convolution("fine", x, 8, kernel=3, padding=1))
    coarse = layers.relu(layers.convolution("coarse", fine, 16, kernel=2, stride=2))
    boxes = [layers.rows(layers.convolution(f"boxes.{i}", level, 8), 4) for i, level in enumerate((fine, coarse))]
    whole = layers.dense("whole", layers.flatten(layers.pool(coarse, 4, mode="max"), 16 * 1 * 2), 7)
    return Graph("heads", (x,), (layers.concatenate(*boxes), layers.concatenate(whole, layers.mean(fine))))


def random_graph(seed: int, size: int = 9) -> Graph:
    """`size` layers of any kind on maps, each on one of those before it; the last two come out. Pictures are 16 x 24."""
    random = np.random.default_rng(seed)
    x = layers.picture("x", int(random.integers(1, 6)))
    found = [(x, Fraction(1))]  # with the pictures' pixels for each of its own
    while len(found) <= size:
        source, step = found[int(random.integers(max(0, len(found) - 3), len(found)))]
        alike = [other for other, theirs in found if theirs == step]
        name, channels = f"layer.{len(found)}", source.channels
        match random.choice(["convolution", "down", "depthwise", "active", "prelu", "add", "join", "up", "pool", "tiles"]):
            case "convolution":
                kernel, groups = (
                    int(random.choice([1, 3, 5])),
                    int(random.choice([each for each in (1, 2, 3) if channels % each == 0])),
                )
                outputs, bias = groups * int(random.integers(1, 40 // groups)), bool(random.integers(2))
                made = layers.convolution(name, source, outputs, kernel=kernel, padding=kernel // 2, groups=groups, bias=bias)
            case "down" if step < 4:
                padding = (0, 1, 1, 0) if random.integers(2) else 1
                made, step = layers.convolution(name, source, 24, kernel=3, stride=2, padding=padding), step * 2
            case "depthwise":
                made = layers.convolution(name, source, channels, kernel=3, padding=1, groups=channels)
            case "active":
                made = [layers.relu(source), layers.leaky_relu(source, 0.2), layers.sigmoid(source)][int(random.integers(3))]
            case "prelu":
                made = layers.prelu(name, source)
            case "add":
                made = layers.add(source, next(other for other in alike if other.channels == channels))
            case "join" if channels < 40:
                made = layers.concatenate(source, alike[int(random.integers(len(alike)))])
            case "up" if step > 1:
                made, step = layers.upsample(source, mode="nearest" if random.integers(2) else "bilinear"), step / 2
            case "pool" if step < 4:
                made, step = layers.pool(source, 2, mode="max" if random.integers(2) else "mean"), step * 2
            case "tiles" if channels % 4 == 0 and step > 1:
                made, step = layers.shuffle(source, 2), step / 2
            case "tiles" if channels < 10 and step < 4:
                made, step = layers.unshuffle(source, 2), step * 2
            case _:
                continue
        found.append((made, step))
    return Graph(f"random {seed}", (x,), (found[-2][0], found[-1][0]))


SHAPES: dict[str, tuple[Callable[[], Graph], tuple[int, int, int]]] = {
    "mesh": (mesh, (2, 16, 24)),
    "parts": (parts, (2, 8, 8)),
    "retouch": (retouch, (2, 8, 12)),
    "heads": (heads, (1, 8, 16)),
}
"""Each graph with the number, height and width of pictures that it takes."""


def pictures(graph: Graph, shape: tuple[int, int, int], seed: int = 1) -> list[Array]:
    """Random ones for all of its inputs, in [-1, 1]."""
    random = np.random.default_rng(seed)
    count, height, width = shape
    steps = [int(graph.steps[each]) for each in graph.inputs]
    shapes = [(count, each.channels, height // step, width // step) for each, step in zip(graph.inputs, steps, strict=True)]
    return [random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]
