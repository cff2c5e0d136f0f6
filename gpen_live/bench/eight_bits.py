"""What a network's picture would lose in 8 bits: its convolutions compute on rounded numbers, and all else as ever.

    python -m gpen_live.bench.eight_bits --model gpen-512

Weights are rounded with a scale for each output, what goes into a convolution with one for the whole map, chosen for this very
picture: better than any calibration. So this is the least that would be lost. The light networks were adapted to 8 bits; GPEN was
not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gpen_live.bench.weights import weights_for
from gpen_live.inference.autotune_cpu import sample_crop
from gpen_live.inference.device import choose_device, describe_device
from gpen_live.models.architectures import STRICT
from gpen_live.models.loading import load
from gpen_live.models.registry import get
from gpen_live.options import DEVICE, MODEL

Round = Callable[[Tensor, Tensor], Tensor]

_LARGEST_FP8 = 448.0


def to_int8(values: Tensor, largest: Tensor) -> Tensor:
    """On one of 255 even steps from -`largest` to `largest`."""
    step = largest / 127
    return (values / step).round_().mul_(step)


def to_fp8(values: Tensor, largest: Tensor) -> Tensor:
    """On a value of float8 (e4m3: 3 bits of fraction), scaled so that `largest` is its largest."""
    scale = largest / _LARGEST_FP8
    return (values / scale).to(torch.float8_e4m3fn).to(values.dtype).mul_(scale)


class EightBits(TorchFunctionMode):
    """Inside, convolutions see rounded numbers.

    Args:
        rounding: `to_int8` or `to_fp8`.
        sides: maps of these sides alone, in pixels; None: all.
    """

    def __init__(self, rounding: Round, sides: range | None = None) -> None:
        super().__init__()
        self._round, self._sides = rounding, sides

    def __torch_function__(
        self, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        groups = options.get("groups", args[6] if len(args) > 6 else 1)
        if function in _OUTPUTS and groups == 1 and self._wanted(args[0]):
            x, weight, *others = args
            others_of = [i for i in range(4) if i != _OUTPUTS[function]]
            x = self._round(x, x.abs().amax().clamp_min(1e-12))
            weight = self._round(weight, weight.abs().amax(dim=others_of, keepdim=True).clamp_min(1e-12))
            args = [x, weight, *others]
        return function(*args, **options)

    def _wanted(self, x: Tensor) -> bool:
        return x.shape[1] > 3 and (self._sides is None or x.shape[-1] in self._sides)


_OUTPUTS: Final[dict[Any, int]] = {torch.conv2d: 0, F.conv2d: 0, torch.conv_transpose2d: 1, F.conv_transpose2d: 1}
"""Which dimension of a kernel counts the outputs."""


def difference(network: torch.nn.Module, picture: Tensor, mode: EightBits) -> tuple[float, float]:
    """By how many levels (of 0..255) the picture changes, on average and at most."""
    with torch.inference_mode():
        exact = network(picture).clamp(-1, 1)
        with mode:
            rounded = network(picture).clamp(-1, 1)
    levels = (rounded - exact).abs() * 127.5
    return float(levels.mean()), float(levels.max())


@click.command()
@click.option("--model", type=MODEL, default="gpen-512", show_default=True)
@click.option("--device", type=DEVICE, default="auto", show_default=True)
def command(*, model: str, device: str) -> None:
    """Measure what a network's picture would lose in int8 and in fp8."""
    spec, chosen = get(model), choose_device(device)
    with tempfile.TemporaryDirectory() as folder:
        path, own = weights_for(spec, Path(folder))
        network = load(spec, path).module().to(chosen.torch())
    picture = torch.from_numpy(sample_crop(spec.size)).to(chosen.torch())
    table = Table("rounded", "to", "mean levels", "largest", "near enough", title=f"{model}{'' if own else ' (untrained)'}")
    console = Console()
    console.print(describe_device(chosen), highlight=False)
    for name, sides in (("all convolutions", None), ("maps of 128 pixels and more", range(128, 1 << 16))):
        for kind, rounding in (("int8", to_int8), ("fp8 (e4m3)", to_fp8)):
            mean, most = difference(network, picture, EightBits(rounding, sides))
            near = mean < STRICT.mean and most < STRICT.most
            table.add_row(name, kind, f"{mean:.2f}", f"{most:.1f}", "yes" if near else "no")
    console.print(table)


if __name__ == "__main__":
    command()
