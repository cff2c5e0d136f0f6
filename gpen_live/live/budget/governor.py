"""The engine's thread within its budget: measures each frame, asks `Budget`, sets the engine's effort, says what is given up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from gpen_live.engine.effort import Effort
from gpen_live.live.budget.ladder import Budget, Rung, Window, Worked, describe, ladder, nearest
from gpen_live.live.config import LiveConfig
from gpen_live.live.pacing.backlog import BacklogPolicy
from gpen_live.live.session import Session
from gpen_live.live.status.snapshot import QualityState
from gpen_live.live.supervisor import SecondChance
from gpen_live.look import Look, Mode
from gpen_live.messages import joined, message

if TYPE_CHECKING:
    from gpen_live.engine.engine import Engine
    from gpen_live.frame import Frame

_LOOK_EVERY_S: Final = 0.25
_SETTLING_S: Final = 1.0  # after a model has been taken up: its first frames cost more than the rest


class _Asked(NamedTuple):
    """What of a look decides which rungs there are, so that what was learnt holds no more once it changes."""

    mode: Mode
    network: bool
    beauty: bool
    shape: bool
    makeup: bool


def _asked(look: Look) -> _Asked:
    beauty = look.beauty
    return _Asked(look.mode, look.strength > 0, beauty.uses(), beauty.uses("shape"), beauty.uses("makeup"))


class QualityGovernor:
    """Keeps the engine within the budget. All belongs to the engine's thread, but `state` to any; `backlog` says who may wait.

    Args:
        target_fps: the rate of the output.
    """

    def __init__(self, session: Session, target_fps: Callable[[], float]) -> None:
        self._session, self._target_fps, self._clock = session, target_fps, session.clock
        self.backlog = BacklogPolicy(lambda: session.config.budget_ms, target_fps, self._clock)
        self.state = QualityState()
        self._engine: Engine | None = None
        self._chance = SecondChance(self._clock)
        self._budget, self._window = Budget(), Window()
        self._down = self._up = 0
        self._looked_at = self._passed_at = self._clock()
        self._full_s = self._all_s = 0.0
        self._asked = _asked(session.config.look)

    def take(self, engine: Engine) -> None:
        """From now on it is this engine, or another network: what was learnt of the one before holds no more."""
        self._engine = engine
        self._chance = SecondChance(self._clock)
        self._begin()

    def let_go(self) -> None:
        """There is no engine any more, until the next `take`."""
        self._engine = None
        self.state = dataclasses.replace(self.state, level=0, given_up=())

    def worked(self, frame: Frame, begun_at: float, faces: int) -> bool:
        """The engine is done with a frame, and free for the next one. Whether the effort for that is another one."""
        try:
            return not self._chance.given_up and self._worked(frame, begun_at, faces)
        except Exception as error:  # no frame suffers from it
            self._session.board.note(self._chance.after(error, "governor"))
            self._begin()
            return True

    def _worked(self, frame: Frame, begun_at: float, faces: int) -> bool:
        engine, config, at, level = self._engine, self._session.config, self._clock(), self._budget.level
        if engine is None:
            return False
        self.backlog.worked(at - begun_at)
        if (asked := _asked(config.look)) != self._asked:
            same_mode, self._asked = asked.mode is self._asked.mode, asked
            self._begin(goes_on=same_mode)
        self._count(at)
        if config.budget_ms <= 0:
            if level:
                self._begin()
            return level > 0
        self._window.add(Worked(frame.number, frame.captured_at, begun_at, at, faces))
        since = self._window.since(soon=self._budget.on_trial)  # a try that fails costs frames
        if since is None or at - self._looked_at < _LOOK_EVERY_S:
            return False
        self._looked_at = at
        seen = self._window.seen(self._latency_ms(since))
        rungs = self._rungs(engine)
        now_level = self._budget.look(at, seen, rungs, config.budget_ms, self._target_fps())
        self._tell(engine, rungs[now_level].effort, config, seen.faces)
        if now_level != level:
            self._window.clear()
        return now_level != level

    def _begin(self, *, goes_on: bool = False) -> None:
        """With nothing known: at full effort again, or, if it goes on, giving up what it gives up now."""
        engine = self._engine
        assert engine is not None
        self._down, self._up = self._down + self._budget.steps_down, self._up + self._budget.steps_up
        rungs = self._rungs(engine)
        self._budget = Budget(nearest(rungs, engine.effort) if goes_on else 0)
        self._window.clear()
        self._looked_at = self._clock() + _SETTLING_S
        self._tell(engine, rungs[self._budget.level].effort, self._session.config)

    def _rungs(self, engine: Engine) -> tuple[Rung, ...]:
        asked, lighter = self._asked, len(engine.lighter)
        return ladder(
            faces=asked.mode is Mode.ROI,
            in_between=engine.in_between,
            lighter=lighter if asked.network else 0,
            beauty=asked.beauty,
            shape=asked.shape,
            makeup=asked.makeup,
        )

    def _latency_ms(self, since: float) -> float:
        """Capture to sink, p95, of the frames captured `since`; what a slow sink takes is not the engine's to mend."""
        total = self._session.meters.recent("end_to_end", since)
        return max(0.0, total.p95 - self._session.meters.recent("send", since).p50)

    def _tell(self, engine: Engine, effort: Effort, config: LiveConfig, faces: int = 0) -> None:
        engine.effort = effort
        budget, before = self._budget, self.state
        given_up = describe(effort, config.model, [one.spec.name for one in engine.lighter], faces)
        steps = self._down + budget.steps_down, self._up + budget.steps_up
        self.state = QualityState(budget.level, given_up, *steps, before.full_share)
        if given_up and budget.level > before.level:
            self._session.board.note(message("live.budget", budget_ms=config.budget_ms, given_up=joined(given_up)))

    def _count(self, at: float) -> None:
        took, self._passed_at = at - self._passed_at, at
        self._all_s += took
        self._full_s += took if self._budget.level == 0 else 0.0
        self.state = dataclasses.replace(self.state, full_share=self._full_s / max(self._all_s, 1e-9))
