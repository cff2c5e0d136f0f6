"""The ways in which a network can run on a CUDA device, and the one that is fast and near enough to float32."""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gpen_live.errors import reason_of
from gpen_live.faces.state import MAX_FACES
from gpen_live.inference import measurements as store
from gpen_live.inference.autotune_cpu import CLEARLY, Candidate, sample_crop
from gpen_live.inference.openvino.network import RuntimeMissingError
from gpen_live.kernels.gpen_plan import Plan
from gpen_live.messages import Message, message
from gpen_live.models.architectures import STRICT

if TYPE_CHECKING:
    import torch

    from gpen_live.inference.torch_network import Network
    from gpen_live.models.architectures.base import Kernels
    from gpen_live.nets.torch_graph import TorchGraph

Say = Callable[[float], None]
"""Told the share of a long measurement that is done, 0..1."""

_DTYPES = {"fp16": "float16", "bf16": "bfloat16", "tf32": "float32", "fp32": "float32"}


class CudaAutotuner:
    """Finds how to run one network on one CUDA device.

    Args:
        network: in float32; it may be moved to the device, or its weights copied.
        size: of its crops in pixels.
        kernels: by which of ours it can run; None: by PyTorch's alone.
        memory: whether it also gets its last pictures.
        fingerprint: tells its weights from others'; empty: nothing is remembered about them.
        notes: gets a message about each way that can't be used.
        fit: told about the fitting to the card, which happens once; None: it does not happen, and tiles are guessed.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        size: int,
        device: torch.device,
        *,
        kernels: Kernels | None,
        memory: bool,
        fingerprint: str,
        notes: list[Message],
        fit: Say | None,
    ) -> None:
        self._module, self._size, self._device, self._kernels = network, size, device, kernels
        self._memory, self._fingerprint, self._notes, self._fit = memory, fingerprint, notes, fit

    def choose(self, *, thorough: bool) -> tuple[list[Candidate], Network]:
        """What was measured, the chosen one marked, and its network, ready to run.

        Ways are tried from the fastest on; the first whose picture differs from float32's by less than `STRICT` is taken.

        Args:
            thorough: try all of them, and take the fastest that is near enough; of about the same time the first one.

        Raises:
            RuntimeError: none runs.
        """
        import torch

        crop = torch.from_numpy(sample_crop(self._size)).to(self._device)
        found: list[Candidate] = []
        best: tuple[int, Network] | None = None
        truth: torch.Tensor | None = None
        for runtime, precision, make in self._ways():
            known = None if thorough else self._recalled(runtime, precision)
            try:
                network = make()
                if known is None:
                    truth = self._truth(crop) if truth is None else truth
                candidate = self._measured(network, crop, runtime, precision, truth, known)
            except (RuntimeError, RuntimeMissingError) as error:
                told = message("network.fails_on_card", runtime=runtime, precision=precision, reason=reason_of(error))
                self._notes.append(told)
                continue
            near = candidate.error_mean < STRICT.mean and candidate.error_max < STRICT.most
            if not near:
                self._notes.append(
                    message(
                        "network.coarse",
                        runtime=runtime,
                        precision=precision,
                        mean=candidate.error_mean,
                        most=candidate.error_max,
                    )
                )
            found.append(candidate)
            if near and (best is None or candidate.ms < CLEARLY * found[best[0]].ms):
                best = (len(found) - 1, network)
            del network  # the next one may need its room
            if best is not None and not thorough:
                break
        if best is None:
            raise RuntimeError(" ".join(note.what for note in self._notes) or "there is no way to run it")
        return [replace(one, chosen=i == best[0]) for i, one in enumerate(found)], best[1]

    def _measured(
        self,
        network: Network,
        crop: torch.Tensor,
        runtime: str,
        precision: str,
        truth: torch.Tensor | None,
        known: tuple[float, float] | None,
    ) -> Candidate:
        from gpen_live.kernels.replay import graph_ms

        before = crop if self._memory else None
        picture = network(crop, before).float().clamp(-1, 1)
        if known is None:
            assert truth is not None
            difference = (picture - truth).abs().nan_to_num(2.0) * 127.5
            known = float(difference.mean()), float(difference.max())
            self._remember(runtime, precision, known)
        elif not bool(picture.isfinite().all()):
            raise RuntimeError("its picture holds values that are not numbers")
        ms = graph_ms(lambda: network(crop, before), self._device)
        return Candidate(runtime, precision, None, round(ms, 4), error_mean=known[0], error_max=known[1])

    def _truth(self, crop: torch.Tensor) -> torch.Tensor:
        """The network's picture in float32, all of it: without TF32."""
        import torch

        from gpen_live.inference.torch_network import torch_network

        exact = copy.deepcopy(self._module).to(self._device)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return torch_network(exact, memory=self._memory)(crop, crop if self._memory else None).clamp(-1, 1)

    def _ways(self) -> Iterator[tuple[str, str, Callable[[], Network]]]:
        """Runtime, precision and how to make the network, the fastest first."""
        ours = {"gpen": (self._fused_gpen, ("fp16", "bf16", "tf32")), "graph": (self._fused_residual, ("fp16", "bf16"))}
        if self._kernels is not None and _has_triton():
            make, precisions = ours[self._kernels]
            for precision in precisions:
                yield "Triton", precision, partial(make, precision)
        for precision in ("fp16", "bf16"):
            yield "PyTorch", precision, lambda precision=precision: self._plain(precision)  # type: ignore[misc]
        yield "PyTorch", "fp32", lambda: self._plain("fp32")

    def _plain(self, precision: str) -> Network:
        import torch

        from gpen_live.inference.torch_network import torch_network

        dtype: torch.dtype = getattr(torch, _DTYPES[precision])
        return torch_network(copy.deepcopy(self._module).to(self._device, dtype), memory=self._memory)

    def _fused_gpen(self, precision: str) -> Network:
        import torch

        gpen = _late("gpen")
        processors = torch.cuda.get_device_properties(self._device).multi_processor_count
        dtype: torch.dtype = getattr(torch, _DTYPES[precision])
        plan = Plan(processors, depth=32 if precision == "tf32" else 64)
        if precision != "tf32":  # which is slow however it is cut
            self._fit_plan(plan, lambda: gpen.TritonGpen(self._module, dtype, self._device, plan, both=True))
        network = gpen.TritonGpen(self._module, dtype, self._device, plan)
        for faces in range(1, min(MAX_FACES, network.most) + 1):  # not when they come into view
            network.compile(faces)
        made: Network = network
        return made

    def _fit_plan(self, plan: Plan, make: Callable[[], Any]) -> None:
        """Takes in what was measured on this card; measures what was not, with a network that `make` gives, if it may."""
        from gpen_live.kernels.streams import give_memory_back

        tiles_key, filters_key = self._key("tiles"), self._key("filters", f"{self._size}")
        plan.unpack(store.recall(tiles_key))  # of all networks: the larger ones share most of their layers
        filters = store.recall(filters_key)
        if isinstance(filters, list):
            plan.doubled = {side for side in filters if isinstance(side, int)}
        elif self._fit is not None:
            try:
                _late("gpen_tune").tune(make(), 1, self._fit)
                store.remember(filters_key, sorted(plan.doubled))
            finally:  # what was found before it was given up need not be found again
                store.remember(tiles_key, plan.pack())
                give_memory_back()

    def _fused_residual(self, precision: str) -> Network:
        import torch

        from gpen_live.nets.torch_graph import network

        graph = network(cast("TorchGraph", self._module))
        made: Network = _late("network").TritonNetwork(graph, getattr(torch, _DTYPES[precision]), self._device)
        for faces in range(MAX_FACES, 0, -1):  # compiles for each number of them, not when they come into view
            crops = torch.zeros(faces, 3, self._size, self._size, device=self._device)
            made(crops, crops if self._memory else None)
        return made

    def _recalled(self, runtime: str, precision: str) -> tuple[float, float] | None:
        """The errors in levels that were measured for these weights on this card, mean and largest."""
        value = store.recall(self._key("error", runtime, precision, self._fingerprint)) if self._fingerprint else None
        if isinstance(value, list) and len(value) == 2 and all(isinstance(each, float) for each in value):
            return value[0], value[1]
        return None

    def _remember(self, runtime: str, precision: str, errors: tuple[float, float]) -> None:
        if self._fingerprint:
            store.remember(self._key("error", runtime, precision, self._fingerprint), list(errors))

    def _key(self, *parts: str) -> str:
        return card_key(self._device, *parts)


def card_key(device: torch.device, *parts: str) -> str:
    """Under what a measurement is kept: it holds for this card, these versions and these kernels alone."""
    import torch

    card = torch.cuda.get_device_properties(device)
    return " | ".join((*parts, f"{card.name} {card.major}.{card.minor}", _versions(), _kernels_version()))


def _has_triton() -> bool:
    """There is none for Windows and macOS."""
    return importlib.util.find_spec("triton") is not None


def _versions() -> str:
    """Of PyTorch, its CUDA, and Triton."""
    import torch

    triton = importlib.metadata.version("triton") if _has_triton() else "none"
    return f"torch {torch.__version__}, triton {triton}, CUDA {torch.version.cuda}"


def _late(room: str) -> Any:
    """A module that imports Triton. Raises RuntimeError where there is none (Windows, macOS)."""
    try:
        return importlib.import_module(f"gpen_live.kernels.{room}")
    except (ImportError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RuntimeError(f"Triton does not load: {reason}") from error


def _kernels_version() -> str:
    """Changes with the source of all that networks run in."""
    rooms = sorted((Path(__file__).parents[1] / "kernels").glob("*.py"))
    return hashlib.sha256(b"".join(room.read_bytes() for room in rooms)).hexdigest()[:12]
