"""Networks and the face detector, loaded from their weights and ready to run on a device.

On a processor without PyTorch, unless what is to run needs it: GPEN's weights, or where OpenVINO is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from gpen_live.errors import WeightsError
from gpen_live.faces.detect import Detector, Planes, decode
from gpen_live.inference.autotune_cpu import HostNetwork, Way, most_threads
from gpen_live.inference.device import Device
from gpen_live.inference.enhancer import Enhancer
from gpen_live.inference.host import HostEnhancer
from gpen_live.inference.openvino.network import OpenVinoNetwork, RuntimeMissingError, core, library
from gpen_live.messages import Message, message
from gpen_live.models.files import sha256
from gpen_live.models.loading import load, load_quantised
from gpen_live.models.registry import ModelSpec, get, locate
from gpen_live.system.heap import give_back

if TYPE_CHECKING:
    from gpen_live.inference.openvino.network import Precision
    from gpen_live.nets.gpen import Gpen
    from gpen_live.nets.layers import Network
    from gpen_live.nets.quantised import Quantised

_log = logging.getLogger(__name__)

_SMALL = 64_000_000
"""Bytes of a weights file whose digest is had in no time."""
_DETECTOR_THREADS = 2
"""More gain nothing for so small a picture, and are missing elsewhere."""
_USUAL_FRAME = (360, 640)


def load_enhancer(
    name: str,
    weights: Path | None,
    device: Device,
    *,
    thorough: bool = False,
    fit: Callable[[float], None] | None = None,
) -> HostEnhancer | Enhancer:
    """The model `name` on `device`, from its own weights or the file `weights`, ready to run.

    On a processor the shipped 8-bit version of the same weights is a candidate too.

    Args:
        thorough, fit: see `HostEnhancer.warm_up` and `Enhancer.warm_up`.

    Raises:
        UsageError: no such model. WeightsError: its weights are missing, damaged or of another network.
    """
    spec = get(name)
    path = locate(spec, weights)
    loaded: HostEnhancer | Enhancer
    if device.type == "cpu":
        loaded = _on_host(spec, path)
        loaded.warm_up(thorough=thorough, fingerprint=_fingerprint(name, path))
    else:
        loaded = Enhancer(load(spec, path).module(), spec, device)
        about = path.stat()
        fingerprint = f"{name} {path.resolve()} {about.st_size} {about.st_mtime_ns}"
        loaded.warm_up(thorough=thorough, fingerprint=fingerprint, fit=fit)
    give_back()
    return loaded


def _on_host(spec: ModelSpec, path: Path) -> HostEnhancer:
    loaded = load(spec, path)
    if loaded.network is None:
        return gpen_on_host(spec, cast("Gpen", loaded.module()))
    notes: list[Message] = []
    quantised: Quantised | None = None
    try:
        quantised = load_quantised(spec, path)
    except WeightsError as error:
        if spec.float_model is not None:
            raise
        notes.append(message("network.without_eight_bits", cause=error.message))

    def in_pytorch() -> Sequence[Way]:
        from gpen_live.inference.torch_network import torch_ways

        return torch_ways(loaded.module(), memory=loaded.memory)

    ways = _openvino_ways(loaded.network, quantised, spec.size, notes)
    enhancer = HostEnhancer(spec, ways, stride=loaded.stride, memory=loaded.memory, in_pytorch=in_pytorch)
    enhancer.notes += notes
    return enhancer


def _openvino_ways(network: Network, quantised: Quantised | None, size: int, notes: list[Message]) -> list[Way]:
    """All ways of OpenVINO to run `network` on this processor, the most exact first; none, and a note, where it is missing."""
    try:
        library()
    except RuntimeMissingError as error:
        notes.append(error.message)
        return []

    def way(precision: Precision) -> Way:
        eight = quantised if precision == "int8" else None

        def make(threads: int) -> HostNetwork:
            return OpenVinoNetwork(
                network if eight is None else eight.network,
                precision,
                size=size,
                threads=threads,
                most_threads=most_threads(),
                ranges=None if eight is None else eight.ranges,
            )

        return Way("OpenVINO", precision, make)

    found = [way("fp32")]
    if computes_in_bf16():
        found.append(way("bf16"))
    if quantised is not None:
        found.append(way("int8"))
    return found


def computes_in_bf16() -> bool:
    """Whether OpenVINO finds that this processor computes in bfloat16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def gpen_on_host(spec: ModelSpec, network: Gpen) -> HostEnhancer:
    """GPEN (built by PyTorch, in float32) for the processor, before its `warm_up`.

    Each way makes its copy of the weights when its turn comes, and not before: they are large.
    """
    from gpen_live.inference.openvino.gpen import OpenVinoGpen
    from gpen_live.inference.torch_network import torch_ways

    try:
        library()
    except RuntimeMissingError as error:
        enhancer = HostEnhancer(spec, torch_ways(network, memory=False))
        enhancer.notes.append(error.message)
        return enhancer
    ways = list(torch_ways(network, memory=False, bf16=False))
    ways.append(Way("OpenVINO", "fp32", lambda threads: OpenVinoGpen(network, "fp32", threads=threads)))
    if computes_in_bf16():
        ways.append(Way("OpenVINO", "bf16", lambda threads: OpenVinoGpen(network, "bf16", threads=threads)))
    return HostEnhancer(spec, ways)


def _fingerprint(name: str, path: Path) -> str:
    """Tells a model's weights from others'."""
    about = path.stat()
    return f"{name} {sha256(path)[:16]}" if about.st_size < _SMALL else f"{name} {about.st_size} {about.st_mtime_ns}"


def load_detector(device: Device) -> Detector:
    """The shipped face detector on `device`, by the fastest way that runs there, warmed up.

    Where the device is no processor, or OpenVINO is missing, a `TorchDetector`.

    Raises:
        WeightsError: its weights are missing or damaged.
    """
    path = locate(get("detector"), None)
    detector = _detector_on_host(path) if device.type == "cpu" else _detector_in_pytorch(path, device)
    try:
        _warm_up(detector)
    except RuntimeError:
        _log.warning("the face detector does not run in OpenVINO: PyTorch finds the faces", exc_info=True)
        detector = _detector_in_pytorch(path, device)
        _warm_up(detector)
    return detector


def _warm_up(detector: Detector) -> None:
    for _ in range(2):
        detector.detect(np.full((*_USUAL_FRAME, 3), 127, np.uint8))


def _detector_on_host(path: Path) -> Detector:
    network = load(get("detector"), path).network
    assert network is not None
    try:
        return Detector(openvino_search(network))
    except (RuntimeMissingError, RuntimeError) as error:
        _log.warning("the face detector does not run in OpenVINO (%s): PyTorch finds the faces", error)
        return _detector_in_pytorch(path, Device("cpu"))


def openvino_search(network: Network) -> Callable[[Planes], Planes]:
    """What `Detector` searches with on a processor.

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the network.
    """
    from gpen_live.inference.openvino.detector import OpenVinoDetector
    from gpen_live.nets.retinaface import STRIDE

    find = OpenVinoDetector(network, threads=min(most_threads(), _DETECTOR_THREADS))

    def search(reduced: Planes) -> Planes:
        height, width = (-(-side // STRIDE) * STRIDE for side in reduced.shape[-2:])
        boxes, classes, landmarks = find(reduced)
        return decode(boxes, classes, landmarks, height, width)

    return search


def _detector_in_pytorch(path: Path, device: Device) -> Detector:
    from gpen_live.inference.fast_detector import speed_up
    from gpen_live.inference.torch_detector import TorchDetector

    detector = TorchDetector.load(path, device)
    speed_up(detector)
    return detector
