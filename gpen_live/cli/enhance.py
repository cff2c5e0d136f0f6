"""`gpen-live enhance`: one photo."""

from __future__ import annotations

from pathlib import Path

import click

from gpen_live.errors import UsageError
from gpen_live.options import check_weights, network_options


@click.command(name="enhance")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--aligned", is_flag=True, help="IN is an aligned face crop: write just the network's picture of it.")
@network_options
def command(*, source: Path, target: Path, aligned: bool, model: str, weights: Path | None, strength: float, device: str) -> int:
    """Enhance the faces of the photo IN and write OUT."""
    from gpen_live.export.photo import check_photo_target, enhance_aligned, enhance_photo, read_photo
    from gpen_live.media.picture_file import write_picture

    check_photo_target(target)
    if source.is_file() and target.exists() and source.samefile(target):
        raise UsageError("enhance.onto_itself", path=target)
    photo = read_photo(source)
    check_weights(model, weights)
    if aligned:
        picture = enhance_aligned(photo.image, model=model, weights=weights, device=device, strength=strength)
        write_picture(target, picture)
    else:
        picture = enhance_photo(photo.image, model=model, weights=weights, device=device, strength=strength)
        write_picture(target, picture, photo.alpha)
    return 0
