"""Messages and the errors that carry them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from gpen_live import messages
from gpen_live.errors import SourceError, UsageError
from gpen_live.messages import Message, joined, message
from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "camera.busy": Sentence("{name} is in use.", "Close the program that uses {name}."),
    "share": Sentence("{share:.0%} of {frames} frames were late."),
    "wrapped": Sentence("It failed: {cause.what}", "{cause.remedy}"),
    "joined": Sentence("{first.what} {then.what}", "{first.remedy} {then.remedy}"),
}


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "CATALOGUE", SENTENCES)


BUSY = message("camera.busy", name="Integrated Camera")


def test_sentences() -> None:
    assert BUSY.what == "Integrated Camera is in use."
    assert BUSY.remedy == "Close the program that uses Integrated Camera."
    assert str(BUSY) == BUSY.text == "Integrated Camera is in use. Close the program that uses Integrated Camera."
    assert message("share", share=0.256, frames=40).text == "26% of 40 frames were late."


def test_parameters_are_kept_or_become_text() -> None:
    made = message("x", path=Path("a") / "b.mp4", index=2, share=0.5, cause=BUSY)
    assert made.params == {"path": str(Path("a/b.mp4")), "index": 2, "share": 0.5, "cause": BUSY}


def test_equal_and_hashable_and_frozen() -> None:
    assert message("x", a=1, b="2") == message("x", b="2", a=1)
    assert len({message("x", a=1), message("x", a=1), message("x", a=2), message("y", a=1)}) == 3
    changed: Any = BUSY
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.id = "other"
    with pytest.raises(TypeError):
        changed.params["name"] = "other"


def test_messages_within_messages() -> None:
    assert message("wrapped", cause=BUSY).text == f"It failed: {BUSY.what} {BUSY.remedy}"
    assert joined([BUSY]) == BUSY
    late = message("share", share=1.0, frames=1)
    assert joined([BUSY, late]).what == f"{BUSY.what} {late.what}"
    assert joined([late, BUSY, late]).remedy == BUSY.remedy
    assert joined([late, late]).remedy == ""


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (message("nobody", knows="it", at=3), "nobody(at=3, knows=it)"),
        (message("nobody"), "nobody"),
        (message("camera.busy", other=1), "camera.busy(other=1)"),
        (message("share", share="much", frames=1), "share(frames=1, share=much)"),
        (message("wrapped", cause="a text has no attribute of that name"), "wrapped(cause=a text has no attribute of that name)"),
    ],
)
def test_what_the_catalogue_lacks_is_shown_bare(wrong: Message, text: str) -> None:
    assert wrong.what == text
    assert wrong.text.startswith(text)


def test_braces_in_a_parameter_stay() -> None:
    assert message("camera.busy", name="{x}").what == "{x} is in use."


def test_errors_carry_messages() -> None:
    error = SourceError("camera.busy", name="Integrated Camera")
    assert error.message == BUSY
    assert (error.what, error.remedy, str(error)) == (BUSY.what, BUSY.remedy, BUSY.text)
    assert SourceError(BUSY).message == BUSY


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_cross_processes(again: Any) -> None:
    error = again(UsageError("wrapped", cause=BUSY))
    assert type(error) is UsageError
    assert error.message == message("wrapped", cause=BUSY)
    assert error.exit_code == 2
