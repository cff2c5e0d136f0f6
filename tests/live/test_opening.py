"""Devices are opened and closed beside the thread that uses them."""

from __future__ import annotations

import threading

import pytest

from gpen_live.live import opening
from gpen_live.live.opening import Departures, Opening
from tests.live.fakes import FakeSource, wait_for


@pytest.fixture
def given_back(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The threads that gave memory back."""
    names: list[str] = []
    monkeypatch.setattr(opening, "give_back", lambda: names.append(threading.current_thread().name))
    return names


def test_what_opening_took_in_passing_goes_back_to_the_system(given_back: list[str]) -> None:
    source = FakeSource()
    work = Opening("demo", lambda: source)
    assert work.wait() is source
    assert given_back == ["gpen-live-open"]


def test_so_does_what_a_failed_one_took(given_back: list[str]) -> None:
    def fail() -> FakeSource:
        raise OSError("no")

    work = Opening("demo", fail)
    assert work.wait() is None
    assert isinstance(work.error, OSError)
    assert given_back == ["gpen-live-open"]


def test_and_what_was_closed_after_it_is_closed(given_back: list[str]) -> None:
    source, departures = FakeSource(), Departures()

    def close() -> None:
        source.close()
        assert given_back == []

    departures.start("demo", close)
    departures.wait(20)
    assert source.closed.is_set()
    wait_for(lambda: given_back == ["gpen-live-close"])
    assert departures.of("demo") == []
