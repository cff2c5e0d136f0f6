"""Recording of graphs, as far as it can be seen without a card; with one, the tests of the frame path record many."""

from __future__ import annotations

import gc
from typing import Any, cast

import pytest

from gpen_live.kernels.replay import capture


class FakeGraph:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def capture_begin(self, pool: Any, capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        self.calls.append("begin")

    def capture_end(self) -> None:
        self.calls.append("end")


def test_no_garbage_is_collected_in_the_middle_of_a_recording() -> None:
    """An old graph in a cycle with an exception, freed then, made the device refuse the recording."""
    graph = FakeGraph()
    assert gc.isenabled()
    assert capture(cast("Any", graph), gc.isenabled) is False
    assert gc.isenabled()
    assert graph.calls == ["begin", "end"]


def test_where_the_work_fails_the_recording_ends_and_garbage_is_collected_again() -> None:
    graph = FakeGraph()
    with pytest.raises(ZeroDivisionError):
        capture(cast("Any", graph), lambda: 1 // 0)
    assert gc.isenabled()
    assert graph.calls == ["begin", "end"]


def test_who_has_turned_collection_off_keeps_it_off() -> None:
    gc.disable()
    try:
        capture(cast("Any", FakeGraph()), lambda: None)
        assert not gc.isenabled()
    finally:
        gc.enable()
