"""Measures a light network on the validation photos, with basicsr's metrics.

python -m gpen_live.training.evaluate --photos PHOTOS --weights weights/lite-256.safetensors [--feature-net VGG.pth]
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from torch import Generator, Tensor

from gpen_live.nets.lite import Lite
from gpen_live.training.degrade import LADDER, ladder
from gpen_live.training.features import Features
from gpen_live.training.lite import as_pictures, format_rungs, read_faces, validate
from gpen_live.training.pack import MARGIN, SIZE

Bytes = npt.NDArray[np.uint8]


def load_lite(path: Path) -> Lite:
    """The network in a weights file that training wrote, ready to use."""
    with safe_open(str(path), framework="pt") as file:  # type: ignore[no-untyped-call]
        net = Lite.from_settings(json.loads(file.metadata()["settings"]))
        net.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (no mapping)
    return net.eval()


def _bytes(x: Tensor) -> Bytes:
    """N,3,H,W in [0, 1] to N,H,W,3."""
    return np.ascontiguousarray((x.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy())


def judge(pictures: Bytes, truth: Bytes) -> dict[str, float]:
    """SSIM and NIQE by basicsr and the mean colour difference CIEDE2000; means over N,H,W,3 RGB pictures."""
    from gpen_live.training import basicsr_compat

    basicsr_compat.prepare()
    from basicsr.metrics.niqe import calculate_niqe
    from basicsr.metrics.psnr_ssim import calculate_ssim
    from skimage.color import deltaE_ciede2000, rgb2lab

    pairs = list(zip(pictures, truth, strict=True))
    return {
        "SSIM": float(np.mean([calculate_ssim(a[..., ::-1], b[..., ::-1], crop_border=0) for a, b in pairs])),
        "NIQE": float(np.mean([calculate_niqe(a[..., ::-1], crop_border=0) for a, _ in pairs])),
        "CIEDE2000": float(np.mean([deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean() for a, b in pairs])),
    }


@click.command()
@click.option(
    "--photos", type=click.Path(exists=True, path_type=Path), required=True, help="Folder with manifest.csv, or a packed file."
)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--feature-net", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="VGG-19 to relu3_1.")
@click.option("--faces", default=48, show_default=True, help="Faces for the slow metrics (SSIM, NIQE, CIEDE2000).")
def main(photos: Path, weights: Path, feature_net: Path | None, faces: int) -> None:
    """Prints the validation tables as Markdown."""
    net = load_lite(weights).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    truth = as_pictures(read_faces(photos).val, torch.device("cpu")).float() / 255
    truth = truth[..., MARGIN : MARGIN + SIZE, MARGIN : MARGIN + SIZE].contiguous()
    features = Features.load(feature_net) if feature_net else None
    click.echo(f"{len(truth)} faces\n{format_rungs(validate(net, truth, features, batch=8))}\n")

    few = truth[:: max(1, len(truth) // faces)][:faces]
    reference = _bytes(few)
    click.echo(f"{len(few)} faces; NIQE of the truth {judge(reference, reference)['NIQE']:.2f}")
    click.echo("| level | SSIM in | out | NIQE in | out | CIEDE2000 in | out |\n| --- | --- | --- | --- | --- | --- | --- |")
    for level in LADDER:
        seen = ladder(few, level, Generator().manual_seed(1))
        with torch.no_grad():
            out = torch.cat([(net(part * 2 - 1) + 1) / 2 for part in torch.split(seen, 8)])
        before, after = judge(_bytes(seen), reference), judge(_bytes(out), reference)
        click.echo(f"| {level:g} | " + " | ".join(f"{before[name]:.3g} | {after[name]:.3g}" for name in before) + " |")


if __name__ == "__main__":
    main()
