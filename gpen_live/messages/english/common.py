"""What belongs to no room."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "joined": Sentence("{first} {then}"),
    "plain": Sentence("{what}", "{remedy}"),
}
