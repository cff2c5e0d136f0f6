"""A face network on a device: built, loaded, warmed up, in the precision that suits it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gpen_live.errors import GpenLiveError, WeightsError
from gpen_live.inference.autotune_cpu import (
    LIGHT,
    STRICT,
    Candidate,
    Contest,
    most_threads,
    sample_crop,
    thread_counts,
    torch_network,
    ways,
)
from gpen_live.inference.device import synchronize
from gpen_live.models.registry import ModelSpec, get, locate
from gpen_live.system.heap import give_back

if TYPE_CHECKING:
    import torch

    from gpen_live.inference.autotune_cpu import Network
    from gpen_live.nets.quantised import Quantised

_WARM_UPS = 5
_HASTY_S, _PATIENT_S = 0.07, 0.5
"""Seconds for the timing of one candidate."""


class NetworkError(GpenLiveError):
    """A network that failed on a frame, or gave a picture that can't be shown."""


class Enhancer:
    """Turns face crops into enhanced ones.

    One thread calls it. `size` is the side of its crops in pixels, `stride` what the sides of a whole frame must be multiples
    of (None: it takes squares of `size` alone), `memory` whether it also looks at its last pictures. `runtime` is what it runs in
    ("PyTorch", "OpenVINO", "Triton"), `precision` the arithmetic ("fp32", "tf32", "bf16", "fp16", "int8"), `candidates` what was
    measured to choose them, `warm_up_s` how many seconds that took, and `notes` are sentences for the user about what could not
    be used.
    """

    def __init__(
        self, network: torch.nn.Module, spec: ModelSpec, device: torch.device, quantised: Quantised | None = None
    ) -> None:
        """`quantised`: the same network in 8 bits, which a processor may take instead."""
        import torch

        self.spec = spec
        self.device = device
        self.size = spec.size
        self.stride: int | None = getattr(network, "stride", None)
        self.memory = bool(getattr(network, "memory", False))
        self.precision = "fp32"
        self.runtime = "PyTorch"
        self.threads: int | None = None
        self.candidates: list[Candidate] = []
        self.notes: list[str] = []
        self.warm_up_s = 0.0
        self._module: torch.nn.Module | None = network.eval().requires_grad_(False)
        if device.type != "cuda":
            network.to(device)
        if device.type == "cpu":
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        run = torch_network(network, memory=self.memory)
        self._network: Network = self._moving(network, run) if device.type == "cuda" else run
        self._replayed: Network | None = None
        self._quantised = quantised

    def _moving(self, network: torch.nn.Module, run: Network) -> Network:
        """The network in PyTorch and float32, which moves to the card only if it is called before `warm_up` found its copy."""

        def moved(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
            network.to(self.device)
            return run(pictures, previous)

        return moved

    def warm_up(self, *, thorough: bool = False, fingerprint: str = "", fit: Callable[[float], None] | None = None) -> None:
        """Runs the network until it is at speed, in the fastest way that is good enough on this very machine.

        On a CPU candidates are runtime, precision (bf16, for light networks 8 bits too) and number of threads: having the
        instructions or the cores is no proof that they are faster. Small networks are often fastest on one thread, which also
        leaves the others to the streamer's game. What was measured is in `candidates`.

        Args:
            thorough: measure every candidate with every number of threads, for as long as it takes; else only the fastest of
                one thread is tried with more of them, so that a light network is ready in about a second, and GPEN gets all.
            fingerprint: tells the weights from others', so that on a CUDA device what was measured of them is remembered.
            fit: on a CUDA device, told the share done while the network is fitted to the card, which happens once and takes up
                to a minute; None: it is not fitted, and a little slower.
        """
        start = time.perf_counter()
        self._warm_up(thorough, fingerprint, fit)
        self.warm_up_s = time.perf_counter() - start

    def _warm_up(self, thorough: bool, fingerprint: str, fit: Callable[[float], None] | None) -> None:
        import torch

        with torch.inference_mode():
            if self.device.type == "cpu":
                self._take_fastest(thorough)
                return
            if self.device.type == "cuda":
                self._take_card(thorough, fingerprint, fit)
            else:
                crop = sample_crop(self.size).to(self.device)
                for _ in range(_WARM_UPS):
                    self(crop)
                    synchronize(self.device)
            if self.spec.float_model is not None:
                self.notes.append(f"8 bits are for processors: on {self.device} {self.spec.name} computes in {self.precision}.")

    def _take_card(self, thorough: bool, fingerprint: str, fit: Callable[[float], None] | None) -> None:
        import torch

        from gpen_live.inference.autotune_cuda import CudaAutotuner
        from gpen_live.inference.cuda.replay import Replayed
        from gpen_live.inference.cuda.streams import give_memory_back

        if self._module is None:
            return
        card = CudaAutotuner(
            self._module, self.size, self.device, memory=self.memory, fingerprint=fingerprint, notes=self.notes, fit=fit
        )
        try:
            self.candidates, self._network = card.choose(thorough=thorough)
        except RuntimeError as error:
            raise NetworkError(f"The network {self.spec.name} failed ({str(error).splitlines()[0]}).") from error
        chosen = next(one for one in self.candidates if one.chosen)
        self.runtime, self.precision = chosen.runtime, chosen.precision
        self._module = None  # its weights were copied
        self._replayed = Replayed(self._network, self.device)
        give_memory_back()  # what the others took, and the fitting
        torch.cuda.reset_peak_memory_stats(self.device)

    def _take_fastest(self, thorough: bool) -> None:
        if self._module is None:
            return
        options = ways(self._module, self.size, self._quantised, memory=self.memory, notes=self.notes)
        budget_s = _PATIENT_S if thorough or len(options) == 1 else _HASTY_S
        heavy = self.spec.kind == "gpen"
        contest = Contest(
            self.size,
            memory=self.memory,
            budget_s=budget_s,
            notes=self.notes,
            wanted="int8" if self.spec.float_model is not None else None,  # who asks for 8 bits gets them, where they run
            tolerance=STRICT if heavy else LIGHT,
        )
        # One thread has no chance with a large network, and would take seconds to show it.
        first, *more = thread_counts() if thorough or not heavy else (most_threads(),)
        try:
            for way in options:
                for threads in (first, *more) if thorough else (first,):
                    contest.enter(way, threads)
            if not thorough:
                ahead = contest.leader
                for way in options:
                    for threads in more if (way.runtime, way.precision) == (ahead.runtime, ahead.precision) else ():
                        contest.enter(way, threads)
            self.candidates, self._network = contest.best()
        except RuntimeError as error:
            raise NetworkError(f"The network {self.spec.name} failed ({str(error).splitlines()[0]}).") from error
        chosen = next(one for one in self.candidates if one.chosen)
        self.runtime, self.precision, self.threads = chosen.runtime, chosen.precision, chosen.threads
        if self.runtime != "PyTorch":
            self._module = None  # its weights were copied
        self.use_threads()

    def use_threads(self, *, whole_frame: bool = False) -> None:
        """Sets PyTorch's number of threads, which belongs to the calling thread, to what suits a crop, or a whole frame."""
        import torch

        if self.threads is not None:
            # OpenVINO has threads of its own: PyTorch runs the small detector alone then, and that fastest on one.
            crop = self.threads if self.runtime == "PyTorch" else 1
            torch.set_num_threads(most_threads() if whole_frame else crop)

    def surround(self, around: Callable[[Network], Network]) -> None:
        """Puts what `around` makes of the network in its place: for those who watch or disturb it, before its first use."""
        self._network = around(self._network)
        if self._replayed is not None:
            from gpen_live.inference.cuda.replay import Replayed

            self._replayed = Replayed(self._network, self.device)

    def launch(self, pictures: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        """As calling it, but only gives the device its work: no check, no wait, and a CUDA graph can record it.

        The pictures may be of any float type, are not clamped, and may hold values that are not numbers.
        """
        out: torch.Tensor = self._network(pictures, previous if self.memory else None)
        return out

    def __call__(self, pictures: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        """The enhanced pictures: N x 3 x H x W, float32 RGB, about [-1, 1], as `pictures` (float32, on the device).

        `previous`: what came out for the frame before, for networks with a memory; None: there is none.

        Raises:
            NetworkError: the network failed, or its pictures are of another shape or not finite.
        """
        import torch

        try:
            run = self._network if self._replayed is None else self._replayed
            out: torch.Tensor = run(pictures, previous if self.memory else None)
        except RuntimeError as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NetworkError(f"The network {self.spec.name} failed ({reason}).") from error
        out = out.to(torch.float32)
        if out.shape != pictures.shape:
            raise NetworkError(f"The network {self.spec.name} gave a picture of shape {tuple(out.shape)}.")
        if not bool(torch.isfinite(out).all()):
            raise NetworkError(f"The network {self.spec.name} gave a picture with values that are not numbers.")
        return out.clamp_(-1, 1)


def load_enhancer(
    name: str,
    weights: Path | None,
    device: torch.device,
    *,
    thorough: bool = False,
    fit: Callable[[float], None] | None = None,
) -> Enhancer:
    """The model `name` on `device`, from its own weights or the file `weights`, ready to run.

    On a CPU the shipped 8-bit version of the same weights is a candidate too.

    Args:
        thorough, fit: see `Enhancer.warm_up`.

    Raises:
        UsageError: no such model. WeightsError: its weights are missing, damaged or of another network.
    """
    from gpen_live.models.files import load_network, load_quantised

    spec = get(name)
    path = locate(spec, weights)
    quantised, notes = None, []
    if device.type == "cpu" and spec.kind == "lite":
        try:
            quantised = load_quantised(spec, path)
        except WeightsError as error:
            if spec.float_model is not None:
                raise
            notes.append(f"Without 8 bits: {error}")
    network = load_network(spec, path)
    enhancer = Enhancer(network, spec, device, quantised)
    enhancer.notes += notes
    del network, quantised  # the enhancer keeps what it needs
    about = path.stat()
    enhancer.warm_up(thorough=thorough, fingerprint=f"{name} {path.resolve()} {about.st_size} {about.st_mtime_ns}", fit=fit)
    give_back()
    return enhancer
