from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from gpen_live.live.slot import Slot
from tests.live.fakes import wait_for


@given(st.integers(1, 3), st.lists(st.sampled_from(["put", "take"]), max_size=60))
def test_newest_wins_and_nothing_is_counted_twice(places: int, steps: list[str]) -> None:
    """Against a model of a list: what is taken is the oldest that is there, what had to go is given back to be counted."""
    slot: Slot[int] = Slot(places)
    held: list[int] = []
    given_, replaced, taken = 0, 0, 0
    last = -1
    for step in steps:
        assert slot.empty == (not held)
        if step == "put":
            back = slot.put(given_)
            assert back == (held.pop(0) if len(held) == places else None)
            replaced += back is not None
            held.append(given_)
            given_ += 1
        else:
            item = slot.take(0)
            assert item == (held.pop(0) if held else None)
            if item is not None:
                taken += 1
                assert item > last
                last = item
    assert given_ == replaced + taken + len(held)


def test_a_taker_is_woken() -> None:
    slot: Slot[str] = Slot()
    got: list[str | None] = []
    taker = threading.Thread(target=lambda: got.append(slot.take(30)))
    taker.start()
    slot.put("frame")
    taker.join(10)
    assert got == ["frame"]


def test_nothing_comes_to_those_who_wait_too_long() -> None:
    assert Slot[int]().take(0.01) is None


def test_put_when_free_waits_for_the_taker() -> None:
    slot: Slot[int] = Slot()
    assert slot.put_when_free(1, 0)
    assert not slot.put_when_free(2, 0.01)
    threading.Timer(0.05, lambda: slot.take(0)).start()
    assert slot.put_when_free(3, 30)
    assert slot.take(0) == 3


def test_closing_wakes_both_sides_and_keeps_the_item() -> None:
    full: Slot[int] = Slot()
    full.put(1)
    empty: Slot[int] = Slot()
    results: list[object] = []
    waiting = [
        threading.Thread(target=lambda: results.append(full.put_when_free(2, 60))),
        threading.Thread(target=lambda: results.append(empty.take(60))),
    ]
    for thread in waiting:
        thread.start()
    full.close()
    empty.close()
    for thread in waiting:
        thread.join(10)
    assert sorted(map(str, results)) == ["False", "None"]
    assert full.take(0) == 1


def test_order_never_goes_back_between_threads() -> None:
    slot: Slot[int] = Slot()
    seen: list[int] = []

    def take() -> None:
        while (item := slot.take(5)) != -1:
            if item is not None:
                seen.append(item)

    taker = threading.Thread(target=take)
    taker.start()
    for i in range(3000):
        slot.put(i)
    wait_for(lambda: slot.empty)
    slot.put(-1)
    taker.join(10)
    assert seen == sorted(set(seen))
    assert seen[-1] == 2999
