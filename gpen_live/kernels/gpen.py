"""GPEN on NVIDIA cards as a handful of fused Triton kernels, written for one to four faces at a time.

What a layer does beside its convolution (demodulation, bias, activation, the next layer's modulation, the concatenation with the
encoder's features, the share of the picture's colours) happens while the sums are still in registers, or in the pass over memory
that the low-pass filter needs anyway; see `triton_gpen_kernels` for the layout that makes it possible. Coarse sizes split their
sums over the card's multiprocessors. What only depends on the encoder runs beside the decoder on a stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gpen_live.kernels import gpen_kernels as kernels
from gpen_live.kernels import gpen_style_kernels as style_kernels
from gpen_live.kernels.gpen_plan import Layer, Plan, Tile, pictures_at_once
from gpen_live.kernels.gpen_weights import BLOCK, GpenWeights, Level, Modulated
from gpen_live.kernels.launch import Launch, guarded, launch, prepare, together
from gpen_live.kernels.streams import stream_for
from gpen_live.nets.gpen import SLOPE, Gpen

_SLACK = 512  # rows behind a buffer: tiles read beyond its end
_ROWS = 4  # outputs of a program of the linear layers


class TritonGpen:
    """A GPEN on a CUDA device: N x 3 x size x size, float32 RGB in [-1, 1], to the same.

    Calls launch work on the current stream and never wait; a CUDA graph can record them. Buffers are kept for each number of
    pictures that came; the picture is a new tensor. Not for several threads at once.

    Args:
        network: in float32, on any device; copied, not kept.
        dtype: float16 or bfloat16; float32 computes in TF32. Styles, demodulation and colours stay in float32, as do all sums.
        plan: how each layer is cut into tiles.
        both: have widening layers in both forms, for `gpen_tune`.

    Raises:
        RuntimeError: the network's widths don't suit the kernels.
    """

    def __init__(self, network: Gpen, dtype: torch.dtype, device: torch.device, plan: Plan, *, both: bool = False) -> None:
        self.size = network.size
        self.dtype = dtype
        self.device = device
        self.plan = plan
        self.most = pictures_at_once(network.size)
        self.precision = "tf32" if dtype is torch.float32 else "ieee"
        self._weights = GpenWeights(network, dtype, device, plan, both=both)
        self._buffers: dict[int, _Buffers] = {}
        self._beside = _Beside(device)

    def layers(self) -> list[Layer]:
        """Every convolution, in the order in which they run."""
        return self._weights.layers()

    def __call__(self, pictures: Tensor, previous: Tensor | None = None) -> Tensor:
        """The restored pictures; `previous` is of no use to this network. Raises RuntimeError where the card refuses a kernel."""
        with guarded(self.device):
            batches = torch.split(pictures.contiguous(), self.most)
            restored = [self._pass(batch, launch).run() for batch in batches]
        return restored[0] if len(restored) == 1 else torch.cat(restored)

    def compile(self, samples: int = 1) -> None:
        """Compiles what a call with so many pictures needs, on several processor cores; from Triton's cache that takes no time.

        Raises:
            RuntimeError: the card or the compiler refuses a kernel.
        """
        pictures = torch.zeros(min(samples, self.most), 3, self.size, self.size, device=self.device)
        kept = dict(self._buffers)
        with guarded(self.device), together():
            self._pass(pictures, prepare).run()
        self._buffers = kept  # those for other numbers of pictures take room, and may never be needed

    def forget(self) -> None:
        """Frees what lies between the layers; after a change of the plan it is laid out anew."""
        self._buffers = {}

    def _pass(self, pictures: Tensor, how: Launch) -> _Pass:
        samples = len(pictures)
        if samples not in self._buffers:
            self._buffers[samples] = _Buffers(self._weights, self.plan, samples)
        return _Pass(self._weights, self._buffers[samples], pictures, self.plan, self.precision, self._beside, how)


class _Beside:
    """A second stream, which waits for the first and is waited for; none on a processor, where Triton is interpreted."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Launches inside go to the second stream, after all that was launched so far."""
        if self._device.type != "cuda":
            yield
            return
        beside = stream_for("beside", self._device)
        beside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(beside):
            yield

    def mark(self) -> torch.cuda.Event | None:
        """The point that the current stream has come to."""
        return None if self._device.type != "cuda" else torch.cuda.current_stream(self._device).record_event()

    def wait(self, mark: torch.cuda.Event | None) -> None:
        """Lets the current stream go on only after a point of the other one."""
        if mark is not None:
            torch.cuda.current_stream(self._device).wait_event(mark)


def rows_of(side: int) -> int:
    """Rows of one sample's flat padded map."""
    return (side + 2) * (side + 1) + 2


class _Buffers:
    """Everything between the layers, for one number of samples. Padding is zeroed here once and never written again."""

    def __init__(self, weights: GpenWeights, plan: Plan, samples: int) -> None:
        self.samples = samples
        dtype, device = weights.dtype, weights.device

        def maps(side: int, channels: int) -> Tensor:
            return torch.zeros(samples * rows_of(side) + _SLACK, channels, dtype=dtype, device=device)

        def floats(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float32, device=device)

        sides, channels = weights.sides, weights.channels
        self.features = {side: maps(side, channels[side]) for side in sides}
        self.first = {side: maps(side, 2 * channels[side]) for side in sides[1:]}
        self.first[4] = maps(4, channels[4])
        self.second = {side: maps(side, 2 * channels[side]) for side in sides[:-1]}
        planes = max((samples * (side // 2 + 1) ** 2 * 4 + _SLACK + side) * channels[side] for side in sides[1:])
        phases = max((samples * (side // 2 + 1) ** 2 * 4 + _SLACK) * channels[side] for side in sides[1:])
        # For the encoder's filtered maps, and for the decoder's widened ones: it begins when the encoder is done.
        self.planes = torch.zeros(max(planes, phases), dtype=dtype, device=device)
        width = weights.code_bias.shape[0]
        self.codes = [floats(samples, width), floats(samples, width)]
        self.styles = floats(samples, weights.styles.stride)
        self.before = floats(samples, weights.styles.stride)
        self.after = floats(samples, weights.styles.stride)
        self.rgb = {}
        for level in weights.levels:
            tile = plan.tile(level.layer, samples)
            self.rgb[level.side] = floats(samples, level.channels // tile.n, 3, level.side * (level.side + 1))
        self.encoder_rgb = {side: floats(samples, 3, side * (side + 1)) for side in sides}
        self.pictures = {side: floats(samples, 3, side, side) for side in sides[:-1]}
        tiles = [(layer, plan.tile(layer, samples)) for layer in weights.layers()]
        self.scratch = Scratch.of(tiles, samples, device)


class _Pass:
    """One forward pass: what is launched, in order."""

    def __init__(
        self, weights: GpenWeights, buffers: _Buffers, pictures: Tensor, plan: Plan, precision: str, beside: _Beside, how: Launch
    ) -> None:
        self.weights, self.buffers, self.pictures = weights, buffers, pictures
        self.plan, self.precision, self.beside, self._launch = plan, precision, beside, how
        self.samples = buffers.samples

    def run(self) -> Tensor:
        levels, beside = self.weights.levels, self.beside
        self._encode()
        self._style()
        injected = {}
        with beside.stream():
            for i, level in enumerate(levels):
                self._inject(i, level)
                injected[level.side] = beside.mark()
        out = torch.empty_like(self.pictures)
        for i, level in enumerate(levels):
            if level.up is not None:
                self._up(level, level.up)
            beside.wait(injected[level.side])
            self._conv(i, level)
            with beside.stream():
                self._paint(level, self.buffers.pictures.get(level.side, out))
                painted = beside.mark()
        beside.wait(painted)
        return out

    def _encode(self) -> None:
        w, b = self.weights, self.buffers
        side = w.size
        m = side * (side + 1)
        channels = w.channels[side]
        block = max(16, 4096 // channels)
        self._launch(
            kernels.enter,
            (_cdiv(m, block), self.samples),
            self.pictures,
            w.entry,
            w.entry_bias,
            b.features[side],
            rows_of(side),
            side,
            CHANNELS=channels,
            BM=block,
        )
        for coarser in reversed(w.sides[:-1]):
            half = side // 2 + 1
            channels = w.channels[side]
            block, wide = _patch(channels)
            self._launch(
                kernels.blur,
                (_cdiv(half * half, block), channels // wide, self.samples),
                b.features[side],
                b.planes,
                rows_of(side),
                4 * half * half,
                side,
                CHANNELS=channels,
                BM=block,
                BC=wide,
            )
            weight, bias = w.encoder[coarser]
            layer = Layer("halve", coarser, channels, w.channels[coarser])
            self._convolve(
                layer, b.planes, weight, b.features[coarser], bias=bias, a_rows=4 * half * half, plane_rows=half * half
            )
            side = coarser

    def _style(self) -> None:
        w, b = self.weights, self.buffers
        width = w.code_bias.shape[0]
        code, other = b.codes
        self._launch(
            style_kernels.encode,
            (width // 2, self.samples),
            b.features[4],
            w.code_weight,
            w.code_bias,
            code,
            rows_of(4),
            OUT=width,
            CHANNELS=w.channels[4],
            BO=2,
        )
        for i, (weight, bias) in enumerate(w.mapping):
            self._launch(
                style_kernels.linear,
                (width // _ROWS, self.samples),
                code,
                weight,
                bias,
                other,
                width,
                IN=width,
                NORMALISED=i == 0,
                ACTIVE=True,
                BO=_ROWS,
            )
            code, other = other, code
        styles = w.styles
        self._launch(
            style_kernels.linear,
            (styles.inputs // (2 * _ROWS), self.samples),
            code,
            styles.weight,
            styles.bias,
            b.styles,
            styles.stride,
            IN=width,
            NORMALISED=False,
            ACTIVE=False,
            BO=2 * _ROWS,
        )
        self._launch(style_kernels.modulate, (len(styles.table), self.samples),
            b.styles, styles.energy, styles.table, styles.gains, b.before, b.after, styles.stride, styles.stride,
            MOST=styles.most, BO=BLOCK,
        )  # fmt: skip
        first = w.levels[0].conv.before
        self._launch(
            style_kernels.begin,
            (self.samples, 16),
            w.constant,
            b.before[:, first:],
            b.first[4],
            rows_of(4),
            styles.stride,
            CHANNELS=w.channels[4],
        )

    def _inject(self, index: int, level: Level) -> None:
        w, b = self.weights, self.buffers
        side, channels = level.side, level.channels
        following = w.levels[index + 1].up if index + 1 < len(w.levels) else None
        first = level.up is not None
        m = side * (side + 1)
        block = max(4, 4096 // channels)
        up_bias = level.conv_bias if level.up_bias is None else level.up_bias
        self._launch(kernels.inject, (_cdiv(m, block), self.samples),
            b.features[side], b.first[side] if first else b.features[side],
            b.second.get(side, b.features[side]), level.strengths, up_bias[channels:], level.conv_bias[channels:],
            b.before[:, level.conv.before + channels if first else 0 :],
            b.before[:, following.before + channels if following is not None else 0 :],
            level.colours.weight[:, channels:], b.before[:, level.colours.before + channels :], b.encoder_rgb[side],
            rows_of(side), w.styles.stride, m, side, CHANNELS=channels, FIRST=first, SECOND=following is not None, BM=block,
        )  # fmt: skip

    def _up(self, level: Level, up: Modulated) -> None:
        w, b = self.weights, self.buffers
        low, channels = level.side // 2, level.channels
        assert level.up_bias is not None
        cin = 2 * w.channels[low]
        following = b.before[:, level.conv.before :]
        scale = b.after[:, up.after :]
        if up.doubled is not None and self.plan.doubles(low):
            layer = Layer("double", low, cin, 4 * channels)
            self._convolve(
                layer, b.second[low], up.doubled, b.first[level.side], bias=level.up_bias, scale=scale, following=following,
                out_rows=rows_of(level.side), ldo=2 * channels,
            )  # fmt: skip
            return
        plane = (low + 1) ** 2
        assert up.weight is not None
        layer = Layer("phases", low, cin, channels)
        self._convolve(layer, b.second[low], up.weight, b.planes, scale=scale, out_rows=4 * plane)
        block, wide = _patch(channels)
        self._launch(kernels.widen, (_cdiv(low * low, block), channels // wide, self.samples),
            b.planes, b.first[level.side], level.up_bias, following, 4 * plane, rows_of(level.side), w.styles.stride, low,
            CHANNELS=channels, LDO=2 * channels, BM=block, BC=wide,
        )  # fmt: skip

    def _conv(self, index: int, level: Level) -> None:
        w, b = self.weights, self.buffers
        side, channels = level.side, level.channels
        following = w.levels[index + 1].up if index + 1 < len(w.levels) else None
        assert level.conv.weight is not None
        self._convolve(
            level.layer, b.first[side], level.conv.weight, b.second.get(side), bias=level.conv_bias,
            scale=b.after[:, level.conv.after :], ldo=2 * channels,
            following=None if following is None else b.before[:, following.before :],
            colours=level.colours.weight, colour_styles=b.before[:, level.colours.before :], rgb=b.rgb[side],
        )  # fmt: skip

    def _convolve(self, layer: Layer, source: Tensor, weight: Tensor, target: Tensor | None, **others: Any) -> None:
        tile = self.plan.tile(layer, self.samples)
        stride = self.weights.styles.stride
        convolve(
            layer,
            tile,
            self.samples,
            source,
            weight,
            target,
            self.buffers.scratch,
            stride,
            self.precision,
            self._launch,
            **others,
        )

    def _paint(self, level: Level, target: Tensor) -> None:
        b = self.buffers
        side = level.side
        block = 256 if side <= 64 else 1024
        colours = level.colours
        own = b.rgb[side]
        self._launch(kernels.paint, (_cdiv(side * side, block), 3, self.samples),
            own, b.encoder_rgb[side], b.pictures.get(side // 2, own), b.after[:, colours.after :], colours.bias, target,
            self.weights.styles.stride, side, TILES=own.shape[1], COARSE=side > 4, BM=block,
        )  # fmt: skip


@dataclass(frozen=True)
class Scratch:
    """Where split sums meet: room for them, and a counter for each tile, zero between launches."""

    sums: Tensor
    counters: Tensor

    @staticmethod
    def of(layers: list[tuple[Layer, Tile]], samples: int, device: torch.device) -> Scratch:
        """Enough for any of these layers."""
        split = [(layer.tiles(tile) * samples, tile) for layer, tile in layers if tile.split > 1]
        sums = max((count * tile.split * tile.m * tile.n for count, tile in split), default=1)
        counters = max((count for count, _ in split), default=1)
        return Scratch(torch.empty(sums, device=device), torch.zeros(counters, dtype=torch.int32, device=device))


def convolve(
    layer: Layer,
    tile: Tile,
    samples: int,
    source: Tensor,
    weight: Tensor,
    target: Tensor | None,
    scratch: Scratch,
    style_stride: int,
    precision: str,
    launch: Launch,
    *,
    bias: Tensor | None = None,
    scale: Tensor | None = None,
    following: Tensor | None = None,
    colours: Tensor | None = None,
    colour_styles: Tensor | None = None,
    rgb: Tensor | None = None,
    a_rows: int | None = None,
    out_rows: int | None = None,
    plane_rows: int = 0,
    ldo: int | None = None,
) -> None:
    """Launches one convolution; `triton_gpen_kernels.shifted_gemm` says what the tensors are. What is None is not done."""
    side = layer.side
    channels = layer.outputs // 4 if layer.kind == "double" else layer.outputs
    phases = 4 if layer.kind == "phases" else 1
    nothing = scratch.sums
    some = [nothing if each is None else each for each in (target, scale, bias, following, colours, colour_styles, rgb)]
    launch(kernels.shifted_gemm, (_cdiv(layer.positions, tile.m) * (layer.outputs // tile.n), samples * phases, tile.split),
        source, weight, *some, scratch.sums, scratch.counters,
        rows_of(side) if a_rows is None else a_rows, rows_of(side) if out_rows is None else out_rows,
        style_stride, layer.positions, side, side + 1, plane_rows,
        CIN=layer.inputs, COUT=layer.outputs, LDO=channels if ldo is None else ldo, CHANNELS=channels,
        MODE=layer.mode, SPLIT=tile.split, BM=tile.m, BN=tile.n, BK=tile.k, SCALED=scale is not None,
        ACTIVE=bias is not None, NEXT=following is not None, STORE=target is not None, RGB=rgb is not None,
        PRECISION=precision, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip


def _patch(channels: int) -> tuple[int, int]:
    """Squares of pixels, and channels, of one program of the filters."""
    wide = min(channels, 64)
    return max(8, 1024 // wide), wide


def _cdiv(a: int, b: int) -> int:
    return math.ceil(a / b)


assert SLOPE == 0.2  # as in the kernels
