"""Stages after the network, so that one that fails costs what it draws and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gpen_live.engine.result import FaceCrop, Stage, StageError
from gpen_live.errors import reason_of
from gpen_live.inference.failures import Failure, failure_of

Acting = Sequence[tuple[Stage, list[int]]]
"""Stages that have anything to do, each with the places of the faces on which it has."""

NOT_FINITE = "it gave what is not a number"


@contextmanager
def answering(stage: Stage) -> Iterator[None]:
    """Whatever `stage` raises is its own failure, unless the device is lost: that is everybody's.

    Raises:
        StageError: it failed.
    """
    try:
        yield
    except StageError:
        raise
    except Exception as error:
        if failure_of(error) is Failure.LOST:
            raise
        raise StageError(stage, reason_of(error)) from error


def active(stages: Sequence[Stage], faces: Sequence[FaceCrop]) -> Acting:
    """The stages that have anything to do, in their order.

    Raises:
        StageError: one failed.
    """
    acting = []
    for stage in stages:
        with answering(stage):
            places = [place for place, face in enumerate(faces) if stage.active(face)]
        if places:
            acting.append((stage, places))
    return acting
