"""The English catalogue: one module a room, each a dict `SENTENCES` from a message's id to what it says."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from gpen_live.messages.english import (
    bench,
    cli,
    common,
    doctor,
    export,
    inference,
    live,
    models,
    presets,
    quality,
    settings,
    sinks,
    soak,
    sources,
    training,
    window,
)
from gpen_live.messages.sentence import Sentence

ROOMS = (
    *(bench, cli, common, doctor, export, inference, live, models),
    *(presets, quality, settings, sinks, soak, sources, training, window),
)


def merged(rooms: tuple[ModuleType, ...]) -> Mapping[str, Sentence]:
    """All rooms' sentences.

    Raises:
        ValueError: two rooms have the same id.
    """
    catalogue: dict[str, Sentence] = {}
    for room in rooms:
        if doubled := catalogue.keys() & room.SENTENCES.keys():
            raise ValueError(f"{room.__name__} repeats {', '.join(sorted(doubled))}")
        catalogue.update(room.SENTENCES)
    return catalogue


CATALOGUE = merged(ROOMS)
