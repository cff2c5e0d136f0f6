"""A face network on a device: built, loaded, warmed up, in the precision that suits it."""

from __future__ import annotations

import copy
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from gpen_live.engine.device import synchronize
from gpen_live.errors import GpenLiveError
from gpen_live.models.registry import ModelSpec, get, locate

if TYPE_CHECKING:
    import torch

_WARM_UPS = 2
_TIMED = 9
_TIMING_S = 0.5
_MOST_THREADS = 8


class NetworkError(GpenLiveError):
    """A network that failed on a frame, or gave a picture that can't be shown."""


class Enhancer:
    """Turns face crops into enhanced ones.

    One thread calls it. `size` is the side of its crops in pixels, `stride` what the sides of a whole frame must be multiples
    of (None: it takes squares of `size` alone), `precision` the arithmetic that it runs in ("fp32", "bf16").
    """

    def __init__(self, network: torch.nn.Module, spec: ModelSpec, device: torch.device) -> None:
        import torch

        self.spec = spec
        self.device = device
        self.size = spec.size
        self.stride: int | None = getattr(network, "stride", None)
        self.precision = "fp32"
        self.threads: int | None = None
        self._network = network.eval().requires_grad_(False).to(device)
        if device.type == "cpu":
            self._network = self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def warm_up(self) -> None:
        """Runs the network until it is at speed; on a CPU takes the fastest of what is good enough on this very machine.

        Candidates are the number of threads and, for light networks, bf16: having the instructions or the cores is no proof that
        they are faster. Small networks are often fastest on one thread, which also leaves the others to the streamer's game.
        """
        import torch

        with torch.inference_mode():
            if self.device.type == "cpu":
                self._take_fastest()
            else:
                self._time()

    def _take_fastest(self) -> None:
        import torch

        networks = {"fp32": self._network}
        if self.spec.kind == "lite" and _cpu_has_bf16():
            networks["bf16"] = copy.deepcopy(self._network).to(torch.bfloat16)
        best = float("inf")
        for precision, network in networks.items():
            for threads in sorted({1, _most_threads()}):
                torch.set_num_threads(threads)
                self._network = network
                taken = self._time()
                if taken < 0.9 * best:  # fewer threads and plain fp32 come first, and stay unless clearly beaten
                    best, self.precision, self.threads = taken, precision, threads
        self._network = networks[self.precision]
        self.use_threads()

    def use_threads(self, *, whole_frame: bool = False) -> None:
        """Sets PyTorch's number of threads, which belongs to the calling thread, to what suits a crop, or a whole frame."""
        import torch

        if self.threads is not None:
            torch.set_num_threads(_most_threads() if whole_frame else self.threads)

    def _time(self) -> float:
        """Median seconds of one crop, after a warm-up, within about half a second."""
        import torch

        crop = torch.rand(1, 3, self.size, self.size, device=self.device) * 2 - 1
        taken: list[float] = []
        end = time.perf_counter() + _TIMING_S
        while len(taken) <= _WARM_UPS or (len(taken) < _WARM_UPS + _TIMED and time.perf_counter() < end):
            start = time.perf_counter()
            self(crop)
            synchronize(self.device)
            taken.append(time.perf_counter() - start)
        return statistics.median(taken[_WARM_UPS:])

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """The enhanced pictures: N x 3 x H x W, float32 RGB, about [-1, 1], as `pictures` (float32, on the device).

        Raises:
            NetworkError: the network failed, or its pictures are of another shape or not finite.
        """
        import torch

        try:
            out: torch.Tensor = self._network(pictures)
        except RuntimeError as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NetworkError(f"The network {self.spec.name} failed ({reason}).") from error
        out = out.to(torch.float32)
        if out.shape != pictures.shape:
            raise NetworkError(f"The network {self.spec.name} gave a picture of shape {tuple(out.shape)}.")
        if not bool(torch.isfinite(out).all()):
            raise NetworkError(f"The network {self.spec.name} gave a picture with values that are not numbers.")
        return out.clamp_(-1, 1)


def load_enhancer(name: str, weights: Path | None, device: torch.device) -> Enhancer:
    """The model `name` on `device`, from its own weights or the file `weights`, ready to run.

    Raises:
        UsageError: no such model. WeightsError: its weights are missing, damaged or of another network.
    """
    from gpen_live.models.files import load_network

    spec = get(name)
    enhancer = Enhancer(load_network(spec, locate(spec, weights)), spec, device)
    enhancer.warm_up()
    return enhancer


def _most_threads() -> int:
    return min(_MOST_THREADS, psutil.cpu_count(logical=False) or 1)


def _cpu_has_bf16() -> bool:
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
