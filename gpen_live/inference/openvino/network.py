"""Networks through OpenVINO, on processors: its compiled graph outruns PyTorch's calls, and it computes in 8 bits."""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict
from functools import cache
from types import ModuleType
from typing import Any, Literal

import numpy as np

from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.inference.openvino.graph import build
from gpen_live.nets.layers import Array, Network
from gpen_live.nets.quantised import Ranges

Precision = Literal["fp32", "bf16", "int8"]
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32", "as built": "dynamic"}  # int8: what is not in 8 bits
_SHAPES = 2  # compiled ones that are kept: of frames, and of a camera turned upright


class RuntimeMissingError(GpenLiveError):
    """What a network would run in (OpenVINO, Triton) is not installed, or does not load."""


def library() -> ModuleType:
    """OpenVINO, imported at the first call (about 0.3 s).

    Without its converter, which stays blocked in this process: nothing here needs it, and its import alone would report the use
    of OpenVINO to its makers.

    Raises:
        RuntimeMissingError: it is not installed, or does not load.
    """
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except (ImportError, OSError, RuntimeError) as error:  # not there; a library of the system's that it lacks
        raise RuntimeMissingError("runtime.no_openvino", reason=reason_of(error)) from error


@cache
def core() -> Any:
    """OpenVINO's state in this process, for all networks and never let go of.

    Its processor plugin gives the thread that first uses it a stack for signals and takes it away with the last network: the
    next signal there, Ctrl-C for one, would end the process.
    """
    return library().Core()


class OpenVinoNetwork:
    """A network that says what is to be added to its picture, with that sum, in OpenVINO.

    It takes pictures and, where it has a memory, the ones before, and gives enhanced pictures.
    Pictures are N x 3 x H x W, float32 RGB, about [-1, 1]; sides multiples of the network's stride. Crops of `size` are taken one
    by one with `threads`, which is what was measured. Any other shape is compiled when it first comes (about 0.1 s) and gets
    `most_threads`.

    Args:
        ranges: of what its convolutions get, for "int8".

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the network.
    """

    def __init__(
        self,
        network: Network,
        precision: Precision,
        *,
        size: int,
        threads: int,
        most_threads: int,
        ranges: Ranges | None = None,
    ) -> None:
        self._memory = len(network.graph.inputs) > 1
        model = build(library(), network, ranges)
        self._crop_shape = (1, 3, size, size)
        self._crop = Requests(model, precision, threads).of(self._crop_shape)
        self._others = Requests(model, precision, most_threads)

    def __call__(self, pictures: Array, previous: Array | None = None) -> Array:
        """The enhanced pictures; `previous`: the ones before, None: `pictures` themselves. Raises RuntimeError where it fails."""
        before = pictures if previous is None else previous
        if pictures.shape[1:] == self._crop_shape[1:]:
            made = [self._infer(self._crop, pictures[i : i + 1], before[i : i + 1]) for i in range(len(pictures))]
            return np.concatenate(made) if len(made) > 1 else made[0]
        return self._infer(self._others.of(pictures.shape), pictures, before)

    def _infer(self, request: Any, pictures: Array, before: Array) -> Array:
        """The sum is NumPy's, in float32: a picture that is clean loses nothing through the network's precision."""
        inputs = [pictures, before] if self._memory else [pictures]
        request.infer({i: np.ascontiguousarray(each) for i, each in enumerate(inputs)}, share_inputs=True)
        made: Array = pictures + request.get_output_tensor(0).data
        return made


class Requests:
    """A graph compiled for each shape of its inputs, when that first comes (about 0.1 s); the last few are kept."""

    def __init__(self, model: Any, precision: Precision, threads: int) -> None:
        self._model, self._precision, self._threads = model, precision, threads
        self._kept: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def of(self, shape: tuple[int, ...]) -> Any:
        """The request for inputs that all have this shape. Raises RuntimeError where OpenVINO refuses it."""
        if shape not in self._kept:
            model = self._model.clone()
            model.reshape({each: library().PartialShape(list(shape)) for each in model.inputs})
            self._kept[shape] = compiled(core(), model, self._precision, self._threads)
            if len(self._kept) > _SHAPES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(shape)
        return self._kept[shape]


def compiled(core: Any, model: Any, precision: Precision | Literal["as built"], threads: int) -> Any:
    """A request for inference of a graph on the processor, in one precision or in those that the graph itself says.

    Raises:
        RuntimeError: OpenVINO refuses the graph.
    """
    settings = {
        "ENABLE_CPU_PINNING": False,  # the streamer's game needs the cores too
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return core.compile_model(model, "CPU", settings).create_infer_request()
