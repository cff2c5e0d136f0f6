"""MediaPipe's person mask in OpenVINO, for making labels: reads `selfie_segmentation.tflite` (Apache-2.0) as it is.

OpenVINO reads all of the file but its last convolution, an operation of MediaPipe's own. That one is exchanged for one that
OpenVINO knows in the bytes that it is given, and computed here.
"""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.inference.openvino.network import core, library

_SIDE = 256
_CUSTOM = b"Convolution2DTransposeBias"
_NEGATE = 59  # in TensorFlow Lite's list of operations
_CODES, _GRAPHS, _BUFFERS = 1, 2, 4  # fields of a model
_TENSORS, _OPERATORS = 0, 3  # of a graph


class PersonMask:
    """Where a picture shows a person.

    Args:
        path: `selfie_segmentation.tflite`.
    """

    def __init__(self, path: Path) -> None:
        content = bytearray(path.read_bytes())
        self._kernel, self._bias = _exchange(content)
        with TemporaryDirectory() as folder:  # OpenVINO knows the format by the file's name
            changed = Path(folder) / "person.tflite"
            changed.write_bytes(content)
            model = core().read_model(changed)
        features = next(each for each in model.get_ordered_ops() if each.get_type_name() == "Negative")
        model = library().Model([features.output(0)], model.get_parameters(), "person")
        self._request = core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1}).create_infer_request()

    def __call__(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """S x S in [0, 1], of S x S x 3, BGR."""
        small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        self._request.infer({0: small[None, ..., ::-1].astype(np.float32) / 255})
        features = -self._request.get_output_tensor(0).data[0].transpose(1, 2, 0)
        logits = np.einsum("hwc,ijc->hiwj", features, self._kernel).reshape(_SIDE, _SIDE) + self._bias
        mask = 1 / (1 + np.exp(-logits.clip(-30, 30)))
        return np.asarray(cv2.resize(mask.astype(np.float32), picture.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)


def _exchange(content: bytearray) -> tuple[npt.NDArray[np.float32], float]:
    """Has the last convolution negate what it gets instead, in place; its kernel (2 x 2 x channels) and its bias."""
    model = _Table(content, struct.unpack_from("<I", content, 0)[0])
    codes, buffers = model.tables(_CODES), model.tables(_BUFFERS)
    (graph,) = model.tables(_GRAPHS)
    tensors, operators = graph.tables(_TENSORS), graph.tables(_OPERATORS)
    custom = next(index for index, code in enumerate(codes) if code.text(1) == _CUSTOM)
    operator = next(each for each in operators if each.number(0) == custom)
    makers = {tensor: each for each in operators for tensor in each.numbers(2)}

    def half(tensor: int) -> npt.NDArray[np.float32]:
        """A constant: it is kept in half precision and widened by an operation of its own."""
        (source,) = makers[tensor].numbers(1)
        values = np.frombuffer(buffers[tensors[source].number(2)].text(0), np.float16).astype(np.float32)
        return values.reshape(tensors[source].numbers(0))

    _, kernel, bias = operator.numbers(1)
    constants = half(kernel)[0], float(half(bias)[0])
    code = codes[custom]
    content[code.place(0)] = _NEGATE
    if code.has(3):
        struct.pack_into("<i", content, code.place(3), _NEGATE)
    return constants


class _Table:
    """A table of FlatBuffers."""

    def __init__(self, content: bytearray, start: int) -> None:
        self._content, self._start = content, start
        self._fields = start - int(self._read("<i", start))
        self._count = (int(self._read("<H", self._fields)) - 4) // 2

    def _read(self, kind: str, place: int) -> Any:
        return struct.unpack_from(kind, self._content, place)[0]

    def has(self, field: int) -> bool:
        return field < self._count and self._read("<H", self._fields + 4 + 2 * field) != 0

    def place(self, field: int) -> int:
        return self._start + int(self._read("<H", self._fields + 4 + 2 * field))

    def number(self, field: int) -> int:
        return int(self._read("<I", self.place(field))) if self.has(field) else 0

    def _vector(self, field: int) -> tuple[int, int]:
        if not self.has(field):
            return 0, 0
        place = self.place(field)
        place += int(self._read("<I", place))
        return int(self._read("<I", place)), place + 4

    def numbers(self, field: int) -> list[int]:
        count, place = self._vector(field)
        return list(struct.unpack_from(f"<{count}i", self._content, place))

    def text(self, field: int) -> bytes:
        count, place = self._vector(field)
        return bytes(self._content[place : place + count])

    def tables(self, field: int) -> list[_Table]:
        count, place = self._vector(field)
        places = range(place, place + 4 * count, 4)
        return [_Table(self._content, each + int(self._read("<I", each))) for each in places]
