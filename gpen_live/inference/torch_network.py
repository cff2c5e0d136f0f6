"""Networks as PyTorch calls them: on tensors, or on the processor with NumPy's arrays. Imports torch: import it late."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch

from gpen_live.inference.autotune_cpu import HostNetwork, Pictures, Way

Network = Callable[[torch.Tensor, "torch.Tensor | None"], torch.Tensor]
"""Pictures and the ones before (None where there are none, or the network has no memory) to enhanced pictures."""


def torch_network(network: torch.nn.Module, *, memory: bool) -> Network:
    """The network as PyTorch calls it."""

    def run(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
        out: torch.Tensor = network(pictures, previous) if memory else network(pictures)
        return out

    return run


def host_network(network: torch.nn.Module, *, memory: bool) -> HostNetwork:
    """The network on the processor: NumPy's arrays in and out, with as many threads as the calling thread has set."""
    run = torch_network(network, memory=memory)

    @torch.inference_mode()
    def on_arrays(pictures: Pictures, previous: Pictures | None) -> Pictures:
        out = run(torch.from_numpy(pictures), None if previous is None else torch.from_numpy(previous))
        found: Pictures = out.float().numpy()
        return found

    return on_arrays


def torch_ways(network: torch.nn.Module, *, memory: bool, bf16: bool = True) -> Sequence[Way]:
    """PyTorch's ways to run `network` (in float32) on this processor, the most exact first.

    Args:
        bf16: in bfloat16 too, where the processor computes in it.
    """
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def make(one: Callable[[], torch.nn.Module]) -> Callable[[int], HostNetwork]:
        def made(threads: int) -> HostNetwork:
            torch.set_num_threads(threads)
            return host_network(one(), memory=memory)

        return made

    found = [Way("PyTorch", "fp32", make(lambda: network))]
    if bf16 and cpu_has_bf16():
        found.append(Way("PyTorch", "bf16", make(lambda: copy.deepcopy(network).to(torch.bfloat16))))
    return found


def cpu_has_bf16() -> bool:
    """Whether PyTorch computes in bfloat16 on this processor, instead of converting to and fro."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
