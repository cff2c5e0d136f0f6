"""The face mesh as one model of OpenVINO's, from the picture to the points: nothing between its networks waits for Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpen_live.inference.openvino.graph import nodes
from gpen_live.nets import face_mesh as nets
from gpen_live.nets.layers import Network


def build(openvino: Any, base: Network, parts: Network) -> Any:
    """A model from a picture (1 x 3 x 192 x 192, uint8, RGB) to 478 x 3 points in its pixels and the logit of a face (1 x 1).

    Args:
        openvino: the library. base, parts: as `gpen_live.nets.face_mesh.networks` gives them.
    """
    return _Builder(openvino).model(base, parts)


class _Builder:
    def __init__(self, openvino: Any) -> None:
        self._openvino, self._ops = openvino, openvino.opset13

    def model(self, base: Network, parts: Network) -> Any:
        ops = self._ops
        picture = ops.parameter([1, 3, nets.SIDE, nets.SIDE], np.uint8, name="picture")
        numbers, features = nodes(ops, base, [ops.multiply(ops.convert(picture, np.float32), self._floats(1 / 255))])
        points, logit = ops.variadic_split(numbers, self._integers(1), self._integers([3 * nets.BASE_POINTS, 1])).outputs()
        points = self._shaped(points, [nets.BASE_POINTS, 3])
        flat = self._picked(points, [0, 1], 1)
        linear, offset = self._transforms(flat)
        (found,) = nodes(ops, parts, [self._crops(features, linear, offset)])
        placed = self._placed(found, linear, offset)
        out = self._together(points, flat, placed)
        return self._openvino.Model([ops.result(out), ops.result(logit)], [picture], "face mesh")

    def _transforms(self, flat: Any) -> tuple[Any, Any]:
        """From fractions of each crop's sides to pixels of the picture: 3 x 2 x 2, and what is added, 3 x 2 x 1."""
        ops = self._ops
        most = max(map(len, nets.CROPS))
        boxes = self._picked(flat, [[*box, *[box[0]] * (most - len(box))] for box in nets.CROPS], 0)  # 3 x most x 2
        corners = self._picked(flat, [list(each) for each in nets.CORNERS], 0)
        across = ops.reduce_sum(ops.multiply(corners, self._floats([[[-1.0], [1.0]]])), self._integers(1), True)  # 3 x 1 x 2
        length = ops.sqrt(ops.reduce_sum(ops.multiply(across, across), self._integers(2), True))
        cosine, sine = ops.split(ops.divide(across, ops.maximum(length, self._floats(1e-6))), self._integers(2), 2).outputs()
        back = ops.add(ops.multiply(cosine, self._floats(np.eye(2))), ops.multiply(sine, self._floats([[0, -1], [1, 0]])))
        level = ops.matmul(boxes, back, False, False)
        low, high = (which(level, self._integers(1), True) for which in (ops.reduce_min, ops.reduce_max))  # 3 x 1 x 2
        linear = ops.multiply(back, ops.multiply(ops.subtract(high, low), self._floats(nets.CROP_MARGIN)))
        middle = ops.matmul(back, ops.multiply(ops.add(low, high), self._floats(0.5)), False, True)
        half = ops.multiply(ops.reduce_sum(linear, self._integers(2), True), self._floats(0.5))
        return linear, ops.subtract(middle, half)

    def _crops(self, features: Any, linear: Any, offset: Any) -> Any:
        """What the parts see, 1 x 160 x 16 x 16."""
        ops, side = self._ops, nets.SIDE // nets.FEATURE_STEP
        right, down = ops.split(linear, self._integers(2), 2).outputs()
        x, y = (self._floats(each[None]) for each in nets.CROP_PIXELS)
        at = ops.add(ops.add(ops.multiply(right, x), ops.multiply(down, y)), offset)  # 3 x 2 x 256
        grid = ops.subtract(ops.multiply(at, self._floats(2 / nets.SIDE)), self._floats(1.0))  # the whole map is -1..1
        near = ops.less_equal(ops.reduce_max(ops.abs(grid), self._integers(1), False), self._floats(1 - 1 / side))  # 3 x 256
        grid = self._shaped(ops.transpose(grid, self._integers([0, 2, 1])), [1, len(nets.CROPS), -1, 2])
        sampled = ops.grid_sample(features, grid, {"align_corners": False, "mode": "bilinear", "padding_mode": "zeros"})
        sampled = ops.multiply(sampled, self._shaped(ops.convert(near, np.float32), [1, 1, len(nets.CROPS), -1]))
        crops = self._picked(ops.transpose(sampled, self._integers([0, 2, 1, 3])), list(nets.CROP_OF_PART), 1)
        return self._shaped(crops, [1, len(nets.PARTS) * nets.FEATURES, nets.CROP_SIDE, nets.CROP_SIDE])

    def _placed(self, found: Any, linear: Any, offset: Any) -> Any:
        """The parts' points in the picture, in the order of `PARTS`: P x 2."""
        ops, half = self._ops, nets.PART_WIDTH // 2
        places = [part * half + index for part, points in enumerate(nets.PARTS) for index in range(len(points))]
        crop_of = [crop for crop, points in zip(nets.CROP_OF_PART, nets.PARTS, strict=True) for _ in points]
        local = self._picked(self._shaped(found, [-1, 1, 2]), places, 0)  # P x 1 x 2
        local = ops.multiply(local, self._floats(1 / (nets.FEATURE_STEP * nets.CROP_SIDE)))
        turned = ops.reduce_sum(ops.multiply(self._picked(linear, crop_of, 0), local), self._integers(2), False)
        return ops.add(turned, self._shaped(self._picked(offset, crop_of, 0), [-1, 2]))

    def _together(self, points: Any, flat: Any, placed: Any) -> Any:
        """The base's points with those in place that were found anew: 478 x 3."""
        ops = self._ops
        order = [index for part in nets.PARTS for index in part]
        kept = [index for index in range(nets.BASE_POINTS) if index not in set(order)]
        source = np.argsort([*order, *kept])  # where each point is among those that are found anew, then kept
        places = self._picked(ops.concat([placed, self._picked(flat, kept, 0)], 0), source.tolist(), 0)
        depth = self._picked(points, [2], 1)
        means = [
            ops.reduce_mean(self._picked(depth, list(eye[: nets.EYE_EDGE]), 0), self._integers(0), True)
            for eye in (nets.LEFT_EYE, nets.RIGHT_EYE)
        ]
        irises = self._picked(ops.concat(means, 0), [0] * len(nets.LEFT_IRIS) + [1] * len(nets.RIGHT_IRIS), 0)
        return ops.concat([places, ops.concat([depth, irises], 0)], 1)

    def _picked(self, x: Any, indices: Any, axis: int) -> Any:
        return self._ops.gather(x, self._integers(indices), self._integers(axis))

    def _shaped(self, x: Any, shape: list[int]) -> Any:
        return self._ops.reshape(x, self._integers(shape), False)

    def _integers(self, values: Any) -> Any:
        return self._ops.constant(np.array(values, np.int64))

    def _floats(self, values: Any) -> Any:
        return self._ops.constant(np.array(values, np.float32))
