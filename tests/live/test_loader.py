"""The loader with the shipped weights: the network first, then what may stand in for it."""

from __future__ import annotations

import threading

import pytest

from gpen_live.live.board import Board
from gpen_live.live.loader import Loader, Wanted
from tests.live.fakes import wait_for


def test_what_may_stand_in_comes_once_the_network_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpen_live.engine.enhancer as room

    order: list[str] = []
    real = room.load_enhancer
    gate = threading.Event()

    def load(name: str, *args: object, **kwargs: object) -> object:
        if order:
            gate.wait(60)
        order.append(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "load_enhancer", load)
    stop, ready = threading.Event(), threading.Event()
    loader = Loader(Board(), stop, ready)
    thread = threading.Thread(target=loader.run)
    thread.start()
    try:
        loader.ask(Wanted("lite-512", None, "cpu"))
        first = loader.loaded.take(120)
        assert first is not None
        assert first.lighter == ()
        assert order == ["lite-512"]
        gate.set()
        again = loader.loaded.take(120)
        assert again is not None
        assert again.enhancer is first.enhancer
        assert [one.spec.name for one in again.lighter] == ["lite-256"]
        loader.ask(Wanted("lite-256", None, "cpu"))
        assert (other := loader.loaded.take(120)) is not None
        assert other.enhancer.spec.name == "lite-256"
        wait_for(ready.is_set)
    finally:
        stop.set()
        thread.join(30)
    assert order == ["lite-512", "lite-256", "lite-256"]
