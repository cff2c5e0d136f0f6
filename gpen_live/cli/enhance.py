"""`gpen-live enhance`: one photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gpen_live.errors import UsageError
from gpen_live.look import Beauty, Look
from gpen_live.options import beauty_options, check_weights, network_options


@click.command(name="enhance")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--aligned", is_flag=True, help="IN is an aligned face crop: write it alone, at the network's size.")
@network_options
@beauty_options()
def command(
    *,
    source: Path,
    target: Path,
    aligned: bool,
    model: str,
    weights: Path | None,
    strength: float,
    device: str,
    beauty: Beauty,
) -> int:
    """Enhance the faces of the photo IN and write OUT."""
    from gpen_live.export.photo import check_photo_target, enhance_aligned, enhance_photo, read_photo
    from gpen_live.media.picture_file import write_picture

    check_photo_target(target)
    if source.is_file() and target.exists() and source.samefile(target):
        raise UsageError("enhance.onto_itself", path=target)
    photo = read_photo(source)
    check_weights(model, weights)
    look = Look(strength=strength, beauty=beauty)
    if aligned:
        write_picture(target, enhance_aligned(photo.image, model=model, weights=weights, device=device, look=look))
        return 0
    with _counting() as progress:
        picture = enhance_photo(photo.image, model=model, weights=weights, device=device, look=look, progress=progress)
    write_picture(target, picture, photo.alpha)
    return 0


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal, one step a face; nothing where there is none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, of: None
        return
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Loading", total=None)
        yield lambda done, of: bar.update(task, description="Faces", completed=done, total=of)
