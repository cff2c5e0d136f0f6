"""Converts the weights of MediaPipe's face mesh (Apache-2.0) into weights/face-mesh.safetensors, and checks the result.

    .venv/bin/python packaging/convert_face_mesh.py face_landmark_with_attention.tflite [--out FILE]

The file is read here: a flatbuffer by TensorFlow Lite's schema (tensorflow/lite/schema/schema.fbs), of which a few fields are
needed. Its layers are followed from the outputs back to the input, and put into the order and the shapes of
`gpen_live.nets.face_mesh`: values stay as they are, in half precision as in the source. Then both are run, the source's layers
one by one in NumPy, on pictures of noise and blotches; the exit code is 1 if any point differs by more than 0.05 pixels of 192.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from gpen_live.inference.face_mesh import FaceMesh
from gpen_live.nets import face_mesh

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "weights" / "face-mesh.safetensors"
ORIGIN: Final = "mediapipe 0.10.14 (Google), modules/face_landmark/face_landmark_with_attention.tflite, converted"
GOAL: Final = 0.05

Array = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_ADD, _CONVOLUTION, _DEPTHWISE, _DEQUANTISE, _POOL, _MULTIPLY, _RESHAPE, _PAD, _SLICE, _SLOPES, _CUSTOM = (
    *(0, 3, 4, 6, 17, 18, 22, 34, 45, 54, 32),
)
"""Of the schema's `BuiltinOperator`."""
_TYPES: Final = {0: np.float32, 1: np.float16, 2: np.int32}
"""Of the schema's `TensorType`."""


class Table:
    """A table of a flatbuffer; fields are numbered as in the schema, and zero or empty where they are left out."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._read("i", at)
        self._end = self._read("H", self._fields)

    @staticmethod
    def root(data: bytes) -> Table:
        return Table(data, struct.unpack_from("<I", data)[0])

    def number(self, field: int, kind: str) -> int:
        """A number of one of `struct`'s kinds."""
        at = self._field(field)
        return self._read(kind, at) if at else 0

    def tables(self, field: int) -> list[Table]:
        first, count = self._vector(field)
        return [Table(self._data, self._target(first + 4 * i)) for i in range(count)]

    def array(self, field: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """A vector of plain numbers; of bytes, as numbers of another type."""
        first, count = self._vector(field)
        return np.frombuffer(self._data[first : first + count * np.dtype(dtype).itemsize], dtype, count)

    def bytes(self, field: int) -> bytes:
        first, count = self._vector(field)
        return self._data[first : first + count]

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._field(field)
        if not at:
            return 0, 0
        start = self._target(at)
        return start + 4, self._read("I", start)

    def _field(self, number: int) -> int:
        entry = 4 + 2 * number
        offset = self._read("H", self._fields + entry) if entry < self._end else 0
        return self._at + offset if offset else 0

    def _target(self, at: int) -> int:
        return at + self._read("I", at)

    def _read(self, kind: str, at: int) -> int:
        return int(struct.unpack_from("<" + kind, self._data, at)[0])


@dataclass(frozen=True)
class Step:
    """One operation: what it is, the tensors that it reads and gives, the options of one that is custom."""

    code: int
    custom: str
    inputs: tuple[int, ...]
    output: int
    custom_options: dict[str, Any]


class Model:
    """A TensorFlow Lite file: its steps in order, its constants."""

    def __init__(self, data: bytes) -> None:
        root = Table.root(data)
        codes = [(max(each.number(0, "b"), each.number(3, "i")), each.bytes(1).decode()) for each in root.tables(1)]
        graph = root.tables(2)[0]
        self._buffers, self._tensors = root.tables(4), graph.tables(0)
        self.steps = [
            Step(
                *codes[each.number(0, "I")],
                tuple(each.array(1, "<i4").tolist()),
                int(each.array(2, "<i4")[0]),
                flexible(each.bytes(5)) if each.bytes(5) else {},
            )
            for each in graph.tables(3)
        ]
        self.input = int(graph.array(1, "<i4")[0])
        self.outputs = {self.name(each): each for each in graph.array(2, "<i4").tolist()}

    @cached_property
    def makers(self) -> dict[int, Step]:
        """The step that gives a tensor."""
        return {step.output: step for step in self.steps}

    def name(self, tensor: int) -> str:
        return self._tensors[tensor].bytes(3).decode()

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self._tensors[tensor].array(0, "<i4").tolist())

    def constant(self, tensor: int) -> npt.NDArray[Any] | None:
        """A tensor's values, if they lie in the file; half precision is widened."""
        maker = self.makers.get(tensor)
        if maker is not None:
            return self.constant(maker.inputs[0]) if maker.code == _DEQUANTISE else None
        about = self._tensors[tensor]
        held = self._buffers[about.number(2, "I")]
        dtype = np.dtype(_TYPES[about.number(1, "b")])
        values = held.array(0, np.uint8).tobytes()
        if not values:
            return None
        found = np.frombuffer(values, dtype).reshape(self.shape(tensor))
        return found.astype(np.float32) if dtype == np.float16 else found


def kernel(values: Array, *, depthwise: bool = False) -> Array:
    """A convolution's weights in PyTorch's order: O x H x W x I, depthwise 1 x H x W x O, to O x I x H x W."""
    return values.transpose(3, 0, 1, 2) if depthwise else values.transpose(0, 3, 1, 2)


def chain(model: Model, tensor: int) -> list[dict[str, Array]]:
    """The blocks that lead to a convolution's output, the first one first, each with its arrays by name.

    A block is a depthwise convolution (`depth`), one of 1x1 (`point`) and slopes; some have only one of the convolutions.
    """
    found: list[dict[str, Array]] = []
    block: dict[str, Array] = {}
    step = model.makers.get(tensor)
    while step is not None and step.code != _CUSTOM:
        source = step.inputs[0]
        if step.code == _SLOPES:
            found.append(block := {"slope.weight": _held(model, step.inputs[1]).reshape(-1)})
        elif step.code in (_CONVOLUTION, _DEPTHWISE):
            name = "depth" if step.code == _DEPTHWISE else "point"
            if not found:
                found.append(block)
            block[f"{name}.weight"] = kernel(_held(model, step.inputs[1]), depthwise=name == "depth")
            block[f"{name}.bias"] = _held(model, step.inputs[2])
        elif step.code == _ADD:
            # the branch of convolutions; the other one is the block's input, or that pooled and with zeros behind its channels
            source = next(each for each in step.inputs if model.makers[each].code == _CONVOLUTION)
        step = model.makers.get(source)
    return found[::-1]


def _held(model: Model, tensor: int) -> Array:
    values = model.constant(tensor)
    if values is None:
        raise ValueError(f"{model.name(tensor)} is not in the file")
    return values


def convert(model: Model) -> dict[str, Array]:
    """The parameters of `gpen_live.nets.face_mesh`.

    Raises:
        ValueError: the file holds another network.
    """
    mesh, flag = (chain(model, model.outputs[name]) for name in ("output_mesh_identity", "conv_faceflag"))
    entry, *blocks, points = mesh
    out = {f"base.entry.convolution.{name}": entry[f"point.{name}"] for name in _BOTH}
    out["base.entry.slope.weight"] = entry["slope.weight"]
    out |= {f"base.{i}.{name}": values for i, block in enumerate(blocks) for name, values in block.items()}
    out |= {f"base.points.{name}": np.concatenate([points[f"point.{name}"], flag[-1][f"point.{name}"]]) for name in _BOTH}
    moved = (
        model.makers[model.makers[model.outputs[name]].inputs[0]] for name in _PART_OUTPUTS
    )  # out of the crop, to the picture
    parts = [chain(model, step.inputs[0]) for step in moved]
    for i, together in enumerate(zip(*(part[:-1] for part in parts), strict=True)):
        out |= {f"parts.{i}.{name}": np.concatenate([block[name] for block in together]) for name in together[0]}
    for name in _BOTH:
        out[f"parts.points.{name}"] = np.concatenate([_filled(part[-1][f"point.{name}"]) for part in parts])
    for network in (face_mesh.base_graph(), face_mesh.part_graph()):
        for name, shape in network.parameters.items():
            if name.endswith("skip.weight"):
                groups = 1 if name.startswith("base") else len(parts)
                out[name] = np.concatenate([np.eye(shape[0] // groups, shape[1], dtype=np.float32)] * groups).reshape(shape)
    face_mesh.networks(out)
    return out


_BOTH: Final = ("weight", "bias")
_PART_OUTPUTS: Final = ("output_lips", "output_left_eye", "output_right_eye", "output_left_iris", "output_right_iris")
"""In the order of `face_mesh.PARTS`."""


def _filled(values: Array) -> Array:
    return np.concatenate([values, np.zeros((face_mesh.PART_WIDTH - len(values), *values.shape[1:]), np.float32)])


class Reference:
    """The file's own steps in NumPy, one picture at a time, all in float32, the three custom operations after their description.

    Those are `Landmarks2TransformMatrix` (the second version: where a crop around some points lies, turned upright),
    `TransformTensorBilinear` (the second version: bilinear samples at pixel centres, zero outside) and `TransformLandmarks`, in
    mediapipe/util/tflite/operations.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def __call__(self, picture: Bytes) -> dict[str, Array]:
        """The outputs by name for a picture (1 x 192 x 192 x 3, RGB)."""
        model = self._model
        values: dict[int, Array] = {model.input: picture / np.float32(255)}
        for step in model.steps:
            if step.code != _DEQUANTISE:
                values[step.output] = self._value(step, values)
        return {name: values[tensor] for name, tensor in model.outputs.items()}

    def _value(self, step: Step, values: dict[int, Array]) -> Array:
        model = self._model
        x = values[step.inputs[0]]
        other = step.inputs[1] if len(step.inputs) > 1 else -1
        shape = model.shape(step.output)
        if step.code in (_CONVOLUTION, _DEPTHWISE):
            depthwise = step.code == _DEPTHWISE
            return _convolved(x, _held(model, other), _held(model, step.inputs[2]), shape, depthwise=depthwise)
        if step.code == _ADD:
            return x + values[other]
        if step.code == _SLOPES:
            return np.where(x > 0, x, x * _held(model, other))
        if step.code == _POOL:
            return np.asarray(x.reshape(1, x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).max(axis=(2, 4)), np.float32)
        if step.code == _PAD:
            constant = model.constant(other)
            return np.pad(x, constant.tolist() if constant is not None else 0)
        if step.code == _MULTIPLY:
            return x * _held(model, other)
        if step.code in (_RESHAPE, _SLICE):  # the slice takes all
            return x.reshape(shape)
        if step.custom == "Landmarks2TransformMatrix":
            return _matrix(x[0], step.custom_options)
        if step.custom == "TransformTensorBilinear":
            return _sampled(x, values[other][0], shape)
        if step.custom == "TransformLandmarks":
            matrix = values[other][0]
            return np.asarray(x @ matrix[:2, :2].T + matrix[:2, 3], np.float32)
        raise ValueError(f"operation {step.code} {step.custom} is not known")


def _convolved(x: Array, weight: Array, bias: Array, shape: tuple[int, ...], *, depthwise: bool) -> Array:
    """`shape`: of what comes out. Padding as TensorFlow's "SAME" where it has more than "VALID" would give: the odd row last."""
    size, (_, height, width, _) = weight.shape[1], shape
    stride = x.shape[1] // height if size < x.shape[1] else 1
    short = max((height - 1) * stride + size - x.shape[1], 0)
    padded = np.pad(x[0], ((short // 2, short - short // 2),) * 2 + ((0, 0),))
    out = np.zeros((height, width, shape[3]), np.float32)
    for row in range(size):
        for column in range(size):
            seen = padded[row : row + stride * height : stride, column : column + stride * width : stride][:height, :width]
            out += seen * weight[0, row, column] if depthwise else seen @ weight[:, row, column].T
    return (out + bias)[None]


def _matrix(points: Array, options: dict[str, Any]) -> Array:
    first, second = points[options["left_rotation_idx"]], points[options["right_rotation_idx"]]
    angle = options["target_rotation_radians"] - np.arctan2(second[1] - first[1], second[0] - first[0])

    def turn(by: float) -> Array:
        return np.array([[np.cos(by), -np.sin(by)], [np.sin(by), np.cos(by)]], np.float32)

    level = points[options["subset_idxs"], :2] @ turn(angle).T
    low, high = level.min(axis=0), level.max(axis=0)
    sides = np.array([options["output_width"], options["output_height"]], np.float32)
    scale = np.array([options["scale_x"], options["scale_y"]], np.float32) * (high - low) / sides
    out = np.eye(4, dtype=np.float32)
    out[:2, :2] = turn(-angle) * scale
    out[:2, 3] = turn(-angle) @ ((low + high) / 2) - out[:2, :2] @ (sides / 2)
    return out[None]


def _sampled(x: Array, matrix: Array, shape: tuple[int, ...]) -> Array:
    _, height, width, _ = shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
    at = np.stack([columns, rows], axis=-1) @ matrix[:2, :2].T + matrix[:2, 3] - np.float32(0.5)
    most = np.array([x.shape[2] - 1, x.shape[1] - 1])
    inside = ((at >= 0) & (at <= most)).all(axis=-1)
    left, top = np.moveaxis(np.clip(np.floor(at), 0, most - 1).astype(int), -1, 0)
    right, low = at[..., 0] - left, at[..., 1] - top
    out = np.zeros((height, width, x.shape[3]), np.float32)
    for down in (0, 1):
        for across in (0, 1):
            share = (right if across else 1 - right) * (low if down else 1 - low) * inside
            out += share[..., None] * x[0, top + down, left + across]
    return out[None]


def flexible(data: bytes) -> Any:
    """What a FlexBuffer holds (flatbuffers.dev/flexbuffers): maps, numbers and their vectors, as custom options have them."""
    width = data[-1]
    return _flexible(data, len(data) - 2 - width, width, data[-2])


def _flexible(data: bytes, at: int, width: int, packed: int) -> Any:
    kind, inner = packed >> 2, 1 << (packed & 3)

    def unsigned(where: int, size: int) -> int:
        return int.from_bytes(data[where : where + size], "little")

    if kind == 1:
        return int.from_bytes(data[at : at + width], "little", signed=True)
    if kind == 2:
        return unsigned(at, width)
    if kind == 3:
        return struct.unpack({2: "<e", 4: "<f", 8: "<d"}[width], data[at : at + width])[0]
    start = at - unsigned(at, width)
    count = unsigned(start - inner, inner)
    if kind == 9:
        keys = start - 3 * inner - unsigned(start - 3 * inner, inner)
        key_width = unsigned(start - 2 * inner, inner)
        names = [keys + i * key_width - unsigned(keys + i * key_width, key_width) for i in range(count)]
        return {
            data[name : data.index(0, name)].decode(): _flexible(data, start + i * inner, inner, data[start + count * inner + i])
            for i, name in enumerate(names)
        }
    if kind == 10:
        return [_flexible(data, start + i * inner, inner, data[start + count * inner + i]) for i in range(count)]
    if kind in (11, 12):
        return [
            int.from_bytes(data[start + i * inner : start + (i + 1) * inner], "little", signed=kind == 11) for i in range(count)
        ]
    raise ValueError(f"FlexBuffers' type {kind} is not known")


def reference_points(outputs: dict[str, Array]) -> Array:
    """The 478 points (x, y, z in pixels of 192) of a file's outputs."""
    out = np.zeros((face_mesh.POINTS, 3), np.float32)
    out[: face_mesh.BASE_POINTS] = outputs["output_mesh_identity"].reshape(-1, 3)
    depths = [out[list(eye[: face_mesh.EYE_EDGE]), 2].mean() for eye in (face_mesh.LEFT_EYE, face_mesh.RIGHT_EYE)]
    for name, indices in zip(_PART_OUTPUTS, face_mesh.PARTS, strict=True):
        out[list(indices), :2] = outputs[name].reshape(-1, 2)
    for iris, depth in zip((face_mesh.LEFT_IRIS, face_mesh.RIGHT_IRIS), depths, strict=True):
        out[list(iris), 2] = depth
    return out


def our_points(weights: dict[str, Array], picture: Bytes) -> tuple[Array, float]:
    """The same of a picture by our networks, in OpenVINO, and the face's logit."""
    planes = np.ascontiguousarray(picture.transpose(0, 3, 1, 2))
    return FaceMesh(*face_mesh.networks(weights)).found(planes)


def soft_picture(seed: int) -> Bytes:
    """Blotches and noise, always the same: 1 x 192 x 192 x 3, RGB."""
    random = np.random.default_rng(seed)
    coarse = np.kron(random.random((12, 12, 3)), np.ones((16, 16, 1)))
    return np.asarray(np.clip(coarse + random.normal(0, 0.05, coarse.shape), 0, 1)[None] * 255, np.uint8)


def check(model: Model, weights: dict[str, Array], pictures: Iterable[Bytes]) -> float:
    """By how many pixels of 192 ours differ from the file's own points at most."""
    reference, worst = Reference(model), 0.0
    for picture in pictures:
        outputs = reference(picture)
        points, logit = our_points(weights, picture)
        worst = max(worst, float(np.abs(points - reference_points(outputs)).max()))
        worst = max(worst, abs(logit - float(outputs["conv_faceflag"].squeeze())))
    return worst


def save(weights: dict[str, Array], source: bytes, out: Path) -> None:
    """In half precision, as they lie in the source."""
    halves = {name: np.ascontiguousarray(values.astype(np.float16)) for name, values in weights.items()}
    if any((halves[name].astype(np.float32) != values).any() for name, values in weights.items()):
        raise ValueError("half precision doesn't hold the weights")
    about = {"architecture": "face-mesh", "origin": ORIGIN, "licence": "Apache-2.0"}
    about["source_sha256"] = hashlib.sha256(source).hexdigest()
    packed = safetensors.numpy.save(halves, about)
    length = int.from_bytes(packed[:8], "little")
    header = json.loads(packed[8 : 8 + length])
    header["__metadata__"] = about  # which comes in an order that changes, and with it the file's digest
    text = json.dumps(header, separators=(",", ":")).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    out.write_bytes(len(text).to_bytes(8, "little") + text + packed[8 + length :])


def main() -> int:
    """Converts and checks; returns the exit code."""
    parser = argparse.ArgumentParser(description="Converts the weights of MediaPipe's face mesh.")
    parser.add_argument("source", type=Path, help="face_landmark_with_attention.tflite")
    parser.add_argument("--out", type=Path, default=TARGET)
    wanted = parser.parse_args()
    source = wanted.source.read_bytes()
    model = Model(source)
    weights = convert(model)
    save(weights, source, wanted.out)
    worst = check(model, weights, (soft_picture(seed) for seed in range(4)))
    print(
        f"{wanted.out}: {sum(values.size for values in weights.values()):,} numbers; at most {worst:.4f} pixels from the source"
    )
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
