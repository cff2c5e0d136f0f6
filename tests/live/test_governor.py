"""The engine's thread within its budget, on a clock that the tests set."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np

from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import Engine
from gpen_live.frame import Frame
from gpen_live.live.budget.governor import QualityGovernor
from gpen_live.live.config import LiveConfig
from gpen_live.live.session import Session
from gpen_live.look import Beauty, Look, Mode
from gpen_live.messages import message
from tests.messages.says import holds

IMAGE = np.zeros((2, 2, 3), np.uint8)
FPS = 30.0


class Desk:
    """A governor with an engine whose frames take `work_s` at full effort, and less the less it does."""

    def __init__(self, work_s: float, config: LiveConfig | None = None) -> None:
        self.at, self.number, self.work_s = 0.0, 0, work_s
        self.session = Session(config or LiveConfig(), clock=lambda: self.at)
        self.board, self.meters = self.session.board, self.session.meters
        lighter = (SimpleNamespace(spec=SimpleNamespace(name="lite-256")),)
        self.engine = SimpleNamespace(effort=Effort(), lighter=lighter, in_between=True)
        self.governor = QualityGovernor(self.session, lambda: FPS)
        self.governor.take(cast(Engine, self.engine))

    def frames(self, count: int) -> list[int]:
        """So many frames of the camera go by; returns those that changed the effort."""
        changed = []
        for _ in range(count):
            captured, self.number = self.number / FPS, self.number + 1
            if captured < self.at - 1 / FPS:
                continue
            begun = max(self.at, captured)
            effort = self.engine.effort
            self.at = begun + self.work_s / (effort.detect_every * effort.enhance_every * (2 if effort.lighter else 1))
            times = {"send": 0.5, "end_to_end": (self.at - captured) * 1e3}
            self.meters.sent(self.at, self.number, times, enhanced=True)
            if self.governor.worked(Frame(IMAGE, self.number, captured, captured), begun, 1):
                changed.append(self.number)
        return changed


def test_an_engine_in_time_works_at_full_effort() -> None:
    desk = Desk(0.02)
    assert desk.frames(300) == []
    state = desk.governor.state
    assert (state.level, state.given_up, state.full_share) == (0, (), 1.0)


def test_an_engine_that_is_late_gives_up_what_is_needed_and_says_so() -> None:
    desk = Desk(0.055)
    assert desk.frames(300)
    assert desk.engine.effort.detect_every > 1
    assert message("effort.detect_every", every=2) in desk.governor.state.given_up
    assert 0 < desk.governor.state.full_share < 1
    assert any(holds(note, "live.budget", budget_ms=100.0) for note in desk.board.notes())
    desk.work_s = 0.015
    desk.frames(600)
    state = desk.governor.state
    assert (desk.engine.effort, state.level, state.given_up) == (Effort(), 0, ())
    assert state.steps_up >= 1


def test_the_network_that_stands_in_is_named() -> None:
    desk = Desk(0.2, LiveConfig(model="gpen-512"))
    desk.frames(400)
    assert desk.engine.effort.lighter == 1
    assert message("effort.lighter", lighter="lite-256", model="gpen-512") in desk.governor.state.given_up


def test_without_a_budget_all_is_taken_back_at_once() -> None:
    desk = Desk(0.055)
    desk.frames(300)
    desk.session.change(budget_ms=0.0)
    assert desk.frames(1) != []
    assert desk.engine.effort == Effort()
    assert desk.frames(300) == []


def test_another_look_goes_on_where_the_one_before_was() -> None:
    """Starting over at full effort would make every change of preset a stutter on a machine that is short of time."""
    desk = Desk(2.0, LiveConfig(look=Look(beauty=Beauty(slim=0.5, lips=0.5))))
    desk.frames(3000)
    effort = desk.engine.effort
    assert (effort.refresh_every, effort.shape, effort.makeup) == (2, False, False)
    desk.session.change(look=Look(beauty=Beauty(smooth=0.5)))
    desk.frames(4)
    assert desk.engine.effort == replace(effort, shape=True, makeup=True), "there is none to give up"
    desk.session.change(look=Look())
    desk.frames(4)
    assert desk.engine.effort == replace(effort, shape=True, makeup=True, refresh_every=1)
    desk.session.change(look=Look(beauty=Beauty(slim=0.5, lips=0.5)))
    desk.frames(4)
    assert desk.engine.effort == replace(effort, shape=True, makeup=True), "no more than before"
    desk.work_s = 0.01
    desk.frames(6000)
    assert desk.engine.effort == Effort()


def test_without_strength_no_other_network_stands_in() -> None:
    desk = Desk(2.0, LiveConfig(look=Look(strength=0.0, beauty=Beauty(lips=0.5))))
    desk.frames(3000)
    assert desk.engine.effort.lighter == 0
    assert not desk.engine.effort.makeup


def test_another_mode_begins_at_full_effort() -> None:
    desk = Desk(0.055)
    desk.frames(300)
    desk.session.change(look=Look(mode=Mode.FULL))
    desk.frames(1)
    assert desk.engine.effort == Effort()
    steps = desk.governor.state.steps_down
    desk.frames(300)
    assert desk.engine.effort == Effort(lighter=1), "a whole frame has but its network to change"
    assert desk.governor.state.steps_down == steps + 1, "what was counted stays counted"
