"""A face network on a graphics device, in PyTorch's tensors: loaded, warmed up, in the precision that suits it.

The processor's is `gpen_live.inference.host.HostEnhancer`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.inference.autotune_cpu import Candidate, sample_crop
from gpen_live.inference.device import Device, exclusive, synchronize
from gpen_live.messages import Message, message
from gpen_live.models.registry import ModelSpec

if TYPE_CHECKING:
    import torch

    from gpen_live.inference.torch_network import Network

_WARM_UPS = 5


class NetworkError(GpenLiveError):
    """A network that failed on a frame, or gave a picture that can't be shown."""


class Enhancer:
    """Turns face crops into enhanced ones.

    One thread calls it. `size` is the side of its crops in pixels, `template` where a face lies in them, `stride` what the
    sides of a whole frame must be multiples of (None: it takes squares of `size` alone), `memory` whether it also looks at its
    last pictures. `runtime` is what it runs in ("PyTorch", "Triton"), `precision` the arithmetic ("fp32", "tf32", "bf16",
    "fp16"), `candidates` what was measured to choose them, `warm_up_s` how many seconds that took, and `notes` are messages for
    the user about what could not be used. `threads` is for processors.
    """

    threads: int | None = None

    def __init__(self, network: torch.nn.Module, spec: ModelSpec, device: Device) -> None:
        from gpen_live.inference.torch_network import torch_network

        self.spec = spec
        self.device = device
        self.size, self.template = spec.size, spec.architecture.template
        self.stride: int | None = getattr(network, "stride", None)
        self.memory = bool(getattr(network, "memory", False))
        self.precision = "fp32"
        self.runtime = "PyTorch"
        self.candidates: list[Candidate] = []
        self.notes: list[Message] = []
        self.warm_up_s = 0.0
        self._module: torch.nn.Module | None = network.eval().requires_grad_(False)
        if device.type != "cuda":
            with exclusive(device):
                network.to(device.torch())
        run = torch_network(network, memory=self.memory)
        self._network: Network = self._moving(network, run) if device.type == "cuda" else run
        self._replayed: Network | None = None

    def _moving(self, network: torch.nn.Module, run: Network) -> Network:
        """The network in PyTorch and float32, which moves to the card only if it is called before `warm_up` found its copy."""

        def moved(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
            network.to(self.device.torch())
            return run(pictures, previous)

        return moved

    def warm_up(self, *, thorough: bool = False, fingerprint: str = "", fit: Callable[[float], None] | None = None) -> None:
        """Runs the network until it is at speed, on a CUDA device in the fastest way that is good enough on this very card.

        What was measured is in `candidates`.

        Args:
            thorough: measure every candidate, for as long as it takes.
            fingerprint: tells the weights from others', so that what was measured of them is remembered.
            fit: told the share done while the network is fitted to the card, which happens once and takes up to a minute; None:
                it is not fitted, and a little slower.
        """
        import torch

        start = time.perf_counter()
        with torch.inference_mode():
            if self.device.type == "cuda":
                self._take_card(thorough, fingerprint, fit)
            else:
                crop = torch.from_numpy(sample_crop(self.size)).to(self.device.torch())
                for _ in range(_WARM_UPS):
                    with exclusive(self.device):
                        self(crop)
                        synchronize(self.device)
        if self.spec.float_model is not None:
            self.notes.append(message("network.wrong_device", device=self.device, name=self.spec.name, precision=self.precision))
        self.warm_up_s = time.perf_counter() - start

    def _take_card(self, thorough: bool, fingerprint: str, fit: Callable[[float], None] | None) -> None:
        import torch

        from gpen_live.inference.autotune_cuda import CudaAutotuner
        from gpen_live.kernels.replay import Replayed
        from gpen_live.kernels.streams import give_memory_back

        if self._module is None:
            return
        card = self.device.torch()
        tuner = CudaAutotuner(
            self._module,
            self.size,
            card,
            kernels=self.spec.architecture.kernels,
            memory=self.memory,
            fingerprint=fingerprint,
            notes=self.notes,
            fit=fit,
        )
        try:
            self.candidates, self._network = tuner.choose(thorough=thorough)
        except RuntimeError as error:
            raise NetworkError("network.failed", name=self.spec.name, reason=reason_of(error)) from error
        chosen = next(one for one in self.candidates if one.chosen)
        self.runtime, self.precision = chosen.runtime, chosen.precision
        self._module = None  # its weights were copied
        self._replayed = Replayed(self._network, card)
        give_memory_back()  # what the others took, and the fitting
        torch.cuda.reset_peak_memory_stats(card)

    def use_threads(self, *, whole_frame: bool = False) -> None:
        """The processor's threads are `HostEnhancer`'s business."""

    def surround(self, around: Callable[[Network], Network]) -> None:
        """Puts what `around` makes of the network in its place: for those who watch or disturb it, before its first use."""
        self._network = around(self._network)
        if self._replayed is not None:
            from gpen_live.kernels.replay import Replayed

            self._replayed = Replayed(self._network, self.device.torch())

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
        with exclusive(self.device):
            return self._checked(pictures, previous)

    def _checked(self, pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
        import torch

        try:
            run = self._network if self._replayed is None else self._replayed
            out: torch.Tensor = run(pictures, previous if self.memory else None)
        except RuntimeError as error:
            raise NetworkError("network.failed", name=self.spec.name, reason=reason_of(error)) from error
        out = out.to(torch.float32)
        if out.shape != pictures.shape:
            raise NetworkError("network.shape", name=self.spec.name, shape=tuple(out.shape))
        if not bool(torch.isfinite(out).all()):
            raise NetworkError("network.not_finite", name=self.spec.name)
        return out.clamp_(-1, 1)
