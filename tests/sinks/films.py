"""Films that were recorded, read as a player reads them."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from gpen_live.errors import SourceError
from gpen_live.sources.video import VideoSource


def playable(path: Path) -> int:
    """How many pictures can be shown from the start, up to the end or to damage."""
    count = 0
    with suppress(SourceError), closing(VideoSource(path, realtime=False)) as film:
        while film.read() is not None:
            count += 1
    return count
