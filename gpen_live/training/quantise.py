"""Makes the 8-bit version of a light network: calibrated on degraded training faces, nothing is trained.

    python -m gpen_live.training.quantise --photos PHOTOS --weights WEIGHTS.safetensors --out WEIGHTS-int8.safetensors

PHOTOS is the folder with `manifest.csv` or what `gpen_live.facedata.pack` made of it. The same photos and weights give the same
file, byte for byte. It prints the length and the digest for `gpen_live.models.registry`, and what the 8 bits cost on the
validation faces.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch
from safetensors.numpy import save
from torch import Generator, Tensor, nn

from gpen_live.facedata.degrade import degrade, ladder, random_webcams
from gpen_live.facedata.pack import Faces
from gpen_live.inference.autotune_cpu import most_threads
from gpen_live.inference.openvino.network import OpenVinoNetwork
from gpen_live.models.files import sha256
from gpen_live.nets.layers import Network
from gpen_live.nets.quantised import BITS, Quantised, Ranges, lite_convolutions, pack_state, unpack_state
from gpen_live.nets.torch_graph import arrays
from gpen_live.nets.torch_lite import Lite
from gpen_live.training.identity import Identity
from gpen_live.training.lite import as_pictures, centre, load_lite, read_faces
from gpen_live.training.validation import FRAMES, Enhance, Rung, validate

_BATCH = 8
_FRAMES = 4
"""Of each face: enough for a memory to fill."""
_HELD = 0.9
_GRAIN = 64
"""Ranges are whole multiples of 1/64, so that another processor's rounding does not change the file."""


def calibration_frames(faces: Faces, count: int, seed: int = 0) -> list[Tensor]:
    """A few frames of the same still faces, seen through random webcams: count x 3 x S x S in [-1, 1] each."""
    generator = Generator().manual_seed(seed)
    few = as_pictures(faces.train[np.linspace(0, len(faces.train) - 1, count).astype(int)], torch.device("cpu"))
    bank = torch.from_numpy(faces.kernels)
    frames: list[list[Tensor]] = [[] for _ in range(_FRAMES)]
    for part in torch.split(few, _BATCH):
        webcams = random_webcams(len(part), len(bank), generator)
        for frame in frames:
            seen = degrade(part.float() / 255, webcams, bank, generator)
            frame.append(centre(seen, faces.size) * 2 - 1)
    return [torch.cat(frame) for frame in frames]


@torch.no_grad()
def calibrate(network: Lite, frames: list[Tensor]) -> dict[str, tuple[float, float]]:
    """The range of what each convolution to be quantised gets; 0 is always within.

    It holds all values of nine pictures in ten; the tenth may lose its most extreme ones. Finer steps for all are worth more: the
    loss at level 0.25 falls from 0.13 to 0.09 dB.

    Args:
        network: in float32.
        frames: N x 3 x H x W in [-1, 1] each, of the same scenes in turn: a network with a memory gets its last output too.
    """
    extremes: dict[str, list[Tensor]] = {name: [] for name in lite_convolutions(network.graph)}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            extremes[name].append(torch.stack([-inputs[0].amin((1, 2, 3)), inputs[0].amax((1, 2, 3))]))

        return note

    hooks = [network.get_submodule(name).register_forward_pre_hook(watch(name)) for name in extremes]
    try:
        for parts in zip(*(torch.split(frame, _BATCH) for frame in frames), strict=True):
            previous: Tensor | None = None
            for part in parts:
                previous = network(part, previous).clamp(-1, 1)
    finally:
        for hook in hooks:
            hook.remove()
    ranges: dict[str, tuple[float, float]] = {}
    for name, seen in extremes.items():
        low, high = torch.cat(seen, dim=1).quantile(_HELD, dim=1).tolist()
        ranges[name] = min(0.0, -math.ceil(low * _GRAIN) / _GRAIN), max(1.0, math.ceil(high * _GRAIN)) / _GRAIN
    return ranges


def serialise(network: Lite, ranges: Ranges, made_of: str) -> bytes:
    """The 8-bit network as a safetensors file; `made_of` is the SHA-256 of the float weights' file."""
    metadata = {
        "architecture": "lite",
        "version": "1",
        "settings": json.dumps(network.settings),
        "bits": str(BITS),
        "made_of": made_of,
    }
    data = save(pack_state(arrays(network), ranges), metadata)
    # The library writes metadata in any order: write the header again, sorted.
    length = struct.unpack("<Q", data[:8])[0]
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def rounded(network: Lite, ranges: Ranges) -> Quantised:
    """The network as the file will be read."""
    state, kept = unpack_state(pack_state(arrays(network), ranges))
    return Quantised(Network(network.graph, state), kept)


def in_eight_bits(quantised: Quantised, size: int) -> Enhance:
    """The network as the product runs it on crops of `size`."""
    cores = most_threads()
    run = OpenVinoNetwork(quantised.network, "int8", size=size, threads=cores, most_threads=cores, ranges=quantised.ranges)
    return lambda x, before: torch.from_numpy(run(x.numpy(), None if before is None else before.numpy()))


@torch.no_grad()
def identity_kept(enhance: Enhance, truth: Tensor, level: float, identity: Identity) -> float:
    """Mean cosine of the faces' embeddings with the truth's, after some frames at a level of the ladder."""
    generator = Generator().manual_seed(0)
    kept = []
    for clean in torch.split(truth, _BATCH):
        out: Tensor | None = None
        for _ in range(FRAMES):
            out = enhance(ladder(clean, level, generator) * 2 - 1, out).clamp(-1, 1)
        assert out is not None
        kept.append((identity(out) * identity(clean * 2 - 1)).sum(1))
    return float(torch.cat(kept).mean())


def cost(network: Enhance, eight: Enhance, truth: Tensor) -> list[tuple[Rung, Rung]]:
    """The validation ladder of the network in float and in 8 bits, on N x 3 x S x S in [0, 1]."""
    return list(zip(*(validate(one, truth, None, batch=_BATCH) for one in (network, eight)), strict=True))


@click.command()
@click.option(
    "--photos", type=click.Path(exists=True, path_type=Path), required=True, help="Folder with manifest.csv, or a packed file."
)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="In float.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--faces", "count", default=96, show_default=True, help="Training faces to calibrate on.")
@click.option("--judges", default=48, show_default=True, help="Validation faces to measure the cost on; 0: don't.")
@click.option("--identity-net", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Face embedding, ONNX.")
def main(photos: Path, weights: Path, out: Path, count: int, judges: int, identity_net: Path | None) -> None:
    """Makes the 8-bit version of a light network."""
    network = load_lite(weights)
    faces = read_faces(photos)
    ranges = calibrate(network, calibration_frames(faces, min(count, len(faces.train))))
    out.write_bytes(serialise(network, ranges, sha256(weights)))
    click.echo(f'{out}: {len(ranges)} convolutions in 8 bits\n    bytes={out.stat().st_size:_},\n    sha256="{sha256(out)}",')
    if judges:
        truth = as_pictures(faces.val[:: max(1, len(faces.val) // judges)][:judges], torch.device("cpu")).float() / 255
        truth = centre(truth, faces.size)
        eight = in_eight_bits(rounded(network, ranges), faces.size)
        click.echo(f"\n{len(truth)} validation faces\n{_table(cost(network, eight, truth))}")
        if identity_net is not None:
            identity = Identity(identity_net)
            for level in (0.25, 0.5, 0.75, 1.0):
                likeness = [identity_kept(one, truth, level, identity) for one in (network, eight)]
                click.echo(f"identity at level {level:g}: {likeness[0]:.3f} in float, {likeness[1]:.3f} in 8 bits")


def _table(rungs: list[tuple[Rung, Rung]]) -> str:
    lines = [
        "| level | PSNR of the first frame | in 8 bits | lost | PSNR later | in 8 bits | lost | changed by | in 8 bits |",
        "|" + " --- |" * 9,
    ]
    for a, b in rungs:
        first, later = (f"{x:.2f} | {y:.2f} | {x - y:.2f}" for x, y in ((a.psnr_first, b.psnr_first), (a.psnr_out, b.psnr_out)))
        lines.append(f"| {a.level:g} | {first} | {later} | {a.change:.2f} | {b.change:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
