"""What a catalogue holds for each message."""

from __future__ import annotations

from typing import NamedTuple


class Sentence(NamedTuple):
    """Templates of `str.format` over the message's parameters, such as {name}, {share:.0%} or {cause.what}.

    Args:
        what: what happened, a whole sentence.
        remedy: what to do about it, a whole sentence; empty where there is nothing to do.
    """

    what: str
    remedy: str = ""
