"""The loader with the shipped weights: the network first, then what may stand in for it."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from gpen_live.live.config import LiveConfig
from gpen_live.live.models.loader import LoadedModel, Loader, ModelRequest
from gpen_live.live.session import Session
from tests.live.fakes import wait_for


def test_what_may_stand_in_comes_once_the_network_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpen_live.inference.loading as room

    order: list[str] = []
    real = room.load_enhancer
    gate = threading.Event()

    def load(name: str, *args: object, **kwargs: object) -> object:
        if order:
            gate.wait(60)
        order.append(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "load_enhancer", load)
    session = Session(LiveConfig())
    loader = Loader(session)
    thread = threading.Thread(target=loader.run)
    thread.start()
    try:
        loader.ask(ModelRequest("lite-512", None, "cpu"))
        first = loader.loaded.take(120)
        assert first is not None
        assert first.lighter == ()
        assert order == ["lite-512"]
        gate.set()
        again = loader.loaded.take(120)
        assert again is not None
        assert again.enhancer is first.enhancer
        assert [one.spec.name for one in again.lighter] == ["lite-256"]
        loader.ask(ModelRequest("lite-256", None, "cpu"))
        assert (other := loader.loaded.take(120)) is not None
        assert other.enhancer.spec.name == "lite-256"
        wait_for(loader.ready.is_set)
    finally:
        session.stop.set()
        thread.join(30)
    assert order == ["lite-512", "lite-256", "lite-256"]


class Shelved:
    def __init__(self, name: str) -> None:
        self.spec, self.notes = SimpleNamespace(name=name), list[str]()


class Shelf:
    """Enhancers by name that are there at once, and a loader that runs; `names` are those that were asked for, in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import gpen_live.inference.loading as room

        self.names: list[str] = []
        self.session = Session(LiveConfig())
        monkeypatch.setattr(room, "load_enhancer", self._enhancer)
        monkeypatch.setattr(room, "load_detector", lambda device: None)
        self.fault: Exception | None = None
        self.loader = Loader(self.session)
        self.thread = threading.Thread(target=self.loader.run)
        self.thread.start()

    def _enhancer(self, name: str, *_: object, **__: object) -> Shelved:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        self.names.append(name)
        return Shelved(name)

    def running(self, name: str) -> None:
        """Asks for a model and waits until it is there with its stand-ins, which nobody takes up."""
        self.loader.ask(ModelRequest(name, None, "cpu"))
        wait_for(lambda: self.waiting is not None and self.waiting.lighter, 120)

    @property
    def waiting(self) -> LoadedModel | None:
        return next(iter(self.loader.loaded._items), None)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    made = Shelf(monkeypatch)
    yield made
    made.session.stop.set()
    made.thread.join(30)


@pytest.mark.parametrize("words", ["CUDA out of memory", "CUDA error: unspecified launch failure"])
def test_stand_ins_of_what_was_given_up_are_not_taken_up(shelf: Shelf, words: str) -> None:
    shelf.running("lite-512")
    assert shelf.loader.step_down(RuntimeError(words), ModelRequest("lite-512", None, "cuda"))
    assert shelf.loader.loaded.take(0) is None, "the network that failed would run again"


def test_what_stands_in_on_a_lost_device_is_not_freed(shelf: Shelf) -> None:
    shelf.running("lite-512")
    assert shelf.waiting is not None
    waiting = weakref.ref(shelf.waiting.lighter[0])
    shelf.loader.step_down(RuntimeError("CUDA error: unspecified launch failure"), ModelRequest("lite-512", None, "cuda"))
    gc.collect()
    assert waiting() is not None


def test_nothing_stands_by_where_memory_ran_out(shelf: Shelf) -> None:
    shelf.fault = MemoryError()
    shelf.loader.ask(ModelRequest("gpen-512", None, "cpu"))
    loaded = shelf.loader.loaded.take(120)
    assert loaded is not None
    assert loaded.enhancer.spec.name == "lite-512"
    shelf.loader.ask(ModelRequest("lite-256", None, "cpu"))  # when its turn comes, all about the one before is done
    wait_for(lambda: shelf.names[-1] == "lite-256" and not shelf.loader.loaded.empty, 120)
    assert shelf.names == ["lite-512", "lite-256"]
