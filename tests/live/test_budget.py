"""What is given up under load and taken back: the logic alone, with a machine that is nothing but arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.engine.effort import Effort
from gpen_live.live.budget.ladder import Budget, Rung, Seen, Window, Worked, describe, ladder
from gpen_live.messages import message

FPS = 30.0
LADDER = ladder(faces=True, in_between=True, lighter=1)


@dataclass
class Machine:
    """Takes `costs_ms` for each part of a frame, times `load`; latency is work, half a period of waiting, and what was missed."""

    load: float = 1.0
    detect_ms: float = 7.0
    network_ms: float = 12.0
    lighter_ms: float = 3.0
    rest_ms: float = 4.0
    faces: int = 1
    capture_fps: float = FPS
    at: float = 0.0
    levels: list[int] = field(default_factory=list)

    def work_ms(self, effort: Effort) -> float:
        network = self.lighter_ms if effort.lighter else self.network_ms
        faces = self.faces if effort.faces is None else min(self.faces, effort.faces)
        return self.load * (self.rest_ms + self.detect_ms / effort.detect_every + network * faces / effort.enhance_every)

    def seen(self, effort: Effort) -> Seen:
        work, period = self.work_ms(effort), 1e3 / self.capture_fps
        lost = max(0.0, 1 - period / work)
        return Seen(work, work * (2 if lost else 1) + period / 2, lost, self.capture_fps, self.faces)

    def run(self, budget: Budget, seconds: float, *, budget_ms: float = 100.0, rungs: tuple[Rung, ...] = LADDER) -> int:
        end = self.at + seconds
        while self.at < end:
            self.at += 0.25
            seen = self.seen(rungs[min(budget.level, len(rungs) - 1)].effort)
            self.levels.append(budget.look(self.at, seen, rungs, budget_ms, FPS))
        return budget.level


def test_the_ladder_gives_up_in_the_promised_order() -> None:
    first = {
        "detection": next(i for i, rung in enumerate(LADDER) if rung.effort.detect_every > 1),
        "network": next(i for i, rung in enumerate(LADDER) if rung.effort.lighter),
        "faces": next(i for i, rung in enumerate(LADDER) if rung.effort.faces is not None),
        "frames": next(i for i, rung in enumerate(LADDER) if rung.effort.enhance_every > 1),
    }
    assert list(first.values()) == sorted(first.values())
    assert LADDER[0].effort == Effort()


def test_looking_at_faces_less_often_comes_early_and_what_changes_a_face_comes_last() -> None:
    rungs = ladder(faces=True, in_between=True, lighter=1, beauty=True, shape=True, makeup=True)
    refresh = next(i for i, rung in enumerate(rungs) if rung.effort.refresh_every > 1)
    assert rungs[refresh - 1].effort.detect_every == 4
    assert rungs[refresh + 1].effort.lighter == 1
    assert [(rung.effort.shape, rung.effort.makeup) for rung in rungs[-3:]] == [(True, True), (False, True), (False, False)]
    assert rungs[-3].effort.enhance_every == 4
    plain = [rung.effort for rung in LADDER]
    unshaped = ladder(faces=True, in_between=True, lighter=1, beauty=True)
    assert [rung.effort for rung in unshaped if rung.effort.refresh_every == 1] == plain[:3]
    assert len(unshaped) == len(plain) + 1


def test_what_is_given_up_of_beauty_is_said() -> None:
    effort = Effort(refresh_every=2, shape=False, makeup=False)
    words = " ".join(one.what for one in describe(effort, "lite-256", [], 1))
    assert "Beauty looks at a face in one frame of 2" in words
    assert "shape" in words
    assert "Make-up" in words


@given(st.booleans(), st.booleans(), st.integers(0, 3), st.booleans(), st.booleans())
def test_each_rung_keeps_what_those_above_it_gave_up(
    faces: bool, in_between: bool, lighter: int, shape: bool, makeup: bool
) -> None:
    rungs = ladder(faces=faces, in_between=in_between, lighter=lighter, beauty=shape or makeup, shape=shape, makeup=makeup)
    for above, below in zip(rungs, rungs[1:], strict=False):
        a, b = above.effort, below.effort
        assert a != b
        assert b.detect_every >= a.detect_every
        assert b.lighter >= a.lighter
        assert (b.faces or 4) <= (a.faces or 4)
        assert b.enhance_every >= a.enhance_every
        assert b.refresh_every >= a.refresh_every
        assert (b.shape, b.makeup) <= (a.shape, a.makeup)
        assert faces or (b.faces is None and b.detect_every == b.enhance_every == 1)


def test_with_room_nothing_is_given_up() -> None:
    assert Machine().run(Budget(), 60) == 0


def test_under_load_as_much_is_given_up_as_is_needed_and_no_more() -> None:
    machine, budget = Machine(load=1.6), Budget()
    level = machine.run(budget, 10)
    assert level > 0
    assert machine.work_ms(LADDER[level].effort) < 1e3 / FPS
    assert machine.work_ms(LADDER[level - 1].effort) > 0.78 * 1e3 / FPS


def test_it_is_quick_on_the_way_down_and_comes_back_when_the_load_is_gone() -> None:
    machine, budget = Machine(load=4.0), Budget()
    level = machine.run(budget, 4)
    assert machine.work_ms(LADDER[level].effort) < 1e3 / FPS
    machine.load = 1.0
    assert machine.run(budget, 40) == 0


def test_a_budget_in_milliseconds_is_held_where_the_rate_is_no_trouble() -> None:
    machine, budget = Machine(load=1.0), Budget()
    level = machine.run(budget, 10, budget_ms=36)
    assert level > 0
    assert machine.seen(LADDER[level].effort).latency_ms <= 36


@pytest.mark.parametrize("load", [1.3, 1.6, 2.0, 3.0, 4.0])
def test_a_load_that_stays_is_no_reason_to_waver(load: float) -> None:
    machine, budget = Machine(load=load), Budget()
    machine.run(budget, 20)
    before = budget.steps_up
    machine.run(budget, 600)
    assert budget.steps_up - before <= 12, "a try a minute at most"


def test_what_a_rung_cost_is_remembered() -> None:
    """At once after the step down the rung above is known not to fit: it is not tried in the first ten seconds."""
    machine, budget = Machine(load=1.6), Budget()
    machine.run(budget, 3)
    level, tries = budget.level, budget.steps_up
    machine.run(budget, 10)
    assert (budget.level, budget.steps_up) == (level, tries)


def test_a_hopeless_step_up_is_taken_back_at_the_first_look() -> None:
    machine, budget = Machine(load=3.0), Budget()
    machine.run(budget, 20)
    low = budget.level
    machine.load = 0.3
    while budget.level == low:
        machine.run(budget, 0.25)
    assert budget.on_trial
    machine.load = 10.0
    machine.run(budget, 0.25)
    assert budget.level >= low
    assert not budget.on_trial


def test_one_bad_look_changes_nothing() -> None:
    budget = Budget()
    good, bad = Seen(15, 40, 0, FPS, 1), Seen(80, 250, 0.5, FPS, 1)
    for i in range(40):
        budget.look(i * 0.25, bad if i % 4 == 3 else good, LADDER, 100, FPS)
    assert budget.steps_down == 0


def test_what_makes_no_difference_is_not_given_up() -> None:
    """One face in view: not its neighbours' enhancement, which there is none of, but the network's every frame."""
    machine, budget = Machine(load=3.6, faces=1), Budget()
    visited = set()
    for _ in range(40):
        machine.run(budget, 0.5)
        visited.add(budget.level)
    faces_alone = {i for i, rung in enumerate(LADDER) if rung.least_faces > 1}
    assert faces_alone
    assert not visited & faces_alone
    assert max(visited) > max(faces_alone)


def test_with_three_faces_the_smaller_ones_go_first() -> None:
    machine, budget = Machine(load=2.2, faces=3), Budget()
    machine.run(budget, 6)
    effort = LADDER[budget.level].effort
    assert effort.faces is not None
    assert effort.enhance_every == 1


def test_a_camera_that_slows_down_in_the_dark_is_no_load() -> None:
    machine, budget = Machine(), Budget()
    machine.run(budget, 5)
    machine.capture_fps = 12.0
    assert machine.run(budget, 60) == 0


def test_a_slow_camera_leaves_the_engine_its_time() -> None:
    assert Machine(load=2.2, capture_fps=12.0).run(Budget(), 20) == 0


def test_where_nobody_is_in_view_nothing_is_concluded() -> None:
    machine, budget = Machine(load=4.0), Budget()
    level = machine.run(budget, 5)
    assert LADDER[level].least_faces > 0
    machine.faces = 0
    assert machine.run(budget, 60) == level


def test_a_whole_frame_has_but_its_network_to_change() -> None:
    assert [rung.effort for rung in ladder(faces=False, in_between=True, lighter=1)] == [Effort(), Effort(lighter=1)]


@given(
    st.lists(
        st.builds(Seen, st.floats(0, 1e4), st.floats(0, 1e5), st.floats(0, 1), st.floats(0, 1e3), st.integers(0, 4)), max_size=80
    ),
    st.floats(0, 1e4),
    st.floats(1, 240),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
)
def test_whatever_is_measured_the_level_lies_on_the_ladder(
    seen: list[Seen], budget_ms: float, fps: float, lighter: list[int]
) -> None:
    budget = Budget()
    for i, one in enumerate(seen):
        rungs = ladder(faces=i % 7 != 6, in_between=True, lighter=lighter[i % len(lighter)])
        before = budget.steps_down + budget.steps_up, min(budget.level, len(rungs) - 1)
        level = budget.look(i * 0.25, one, rungs, budget_ms, fps)
        assert 0 <= level < len(rungs)
        assert (budget.steps_down + budget.steps_up == before[0]) == (level == before[1])


def window(work_s: float, period_s: float, seconds: float, stall: Callable[[int], float] = lambda _: 0.0) -> Window:
    found, free_at = Window(), 0.0
    for number in range(int(seconds / period_s)):
        captured = number * period_s
        if captured < free_at - period_s:  # a newer one was there
            continue
        begun = max(captured, free_at)
        free_at = begun + work_s + stall(number)
        found.add(Worked(number, captured, begun, free_at, 1))
    return found


@given(st.floats(0.001, 1.5))
def test_however_slow_the_engine_is_it_is_told_before_long(work_s: float) -> None:
    assert window(work_s, 1 / FPS, 3 + 6 * work_s).since() is not None


def test_of_a_try_a_few_frames_tell() -> None:
    few = window(0.05, 1 / FPS, 0.2)
    assert few.since() is None
    assert few.since(soon=True) is not None
    assert few.seen(90.0).work_ms == pytest.approx(50, rel=0.01)
    assert window(0.05, 1 / FPS, 0.1).since(soon=True) is None


def test_a_window_tells_work_and_losses() -> None:
    seen = window(0.05, 1 / FPS, 3).seen(90.0)
    assert seen.work_ms == pytest.approx(50, rel=0.01)
    assert seen.lost == pytest.approx(1 - (1 / 0.05) / FPS, abs=0.06)
    assert seen.capture_fps == pytest.approx(FPS, rel=0.01)
    assert seen.latency_ms == 90.0
    calm = window(0.01, 1 / FPS, 3).seen(30.0)
    assert calm.lost == 0.0
    assert calm.work_ms == pytest.approx(10)


def test_one_frame_that_stalls_is_no_load() -> None:
    seen = window(0.01, 1 / FPS, 3, lambda number: 0.4 if number == 70 else 0.0).seen(40.0)
    assert seen.lost == 0.0
    assert seen.work_ms == pytest.approx(10)


def test_what_is_given_up_is_said() -> None:
    names = ["gpen-256", "lite-256"]
    assert describe(Effort(), "gpen-512", names, 3) == ()
    said = describe(Effort(4, 2, 1, 3), "gpen-512", names, 2)
    assert said == (
        message("effort.detect_every", every=4),
        message("effort.lighter", lighter="lite-256", model="gpen-512"),
        message("effort.largest_face"),
        message("effort.enhance_every", every=3),
    )
    assert message("effort.largest_face") not in describe(Effort(4, 2, 1, 3), "gpen-512", names, 1), "there is but one"
    assert message("effort.largest_faces", count=2) in describe(Effort(faces=2), "gpen-512", names, 3)
