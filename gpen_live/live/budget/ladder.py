"""Holding a latency budget and a frame rate: what is given up under load, in which order, and when it is taken back.

Pure logic without threads or clocks: it is told what was measured, and answers with a place on a ladder, whose rungs give up
one thing more each. The way down is quick (two looks that agree). The way up needs room: what the rung above cost when it was
left is remembered, in proportion to the one below, and it must be expected to fit with something to spare; a try that fails
doubles the time until the next one, so that nothing oscillates.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import ge
from typing import Any, Final

import numpy as np

from gpen_live.engine.effort import Effort
from gpen_live.faces.state import MAX_FACES
from gpen_live.messages import Message, message

DEFAULT_MS: Final = 100.0
"""The budget from capture to sink that holds unless the user sets another one: the limit of what the article calls fluent."""

_DETECT_EVERY: Final = (2, 4)
_REFRESH_EVERY: Final = 2
_FACES: Final = (2, 1)
_ENHANCE_EVERY: Final = (2, 3, 4)

_FULL: Final = 0.92  # share of a frame's period that the engine may work: beyond, it can't keep up
_SPARE: Final = 0.78  # the same, expected after a step up
_SPARE_LATENCY: Final = 0.85  # share of the budget, expected after a step up
_LOST: Final = 0.07  # share of the frames that may be left out before the engine
_WINDOW_S: Final = 1.0
_FEW, _ENOUGH = 4, 10  # frames from which something is told after the whole window, or a third of it
_AGREEING: Final = 2  # looks in a row
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 60.0
_TRIAL_S: Final = 4.0  # a step up has failed when it must be taken back within so many seconds
_HOPELESS: Final = 1.25  # times what the engine may work: no second look is needed to see that a step up has failed
_FORGET_S: Final = 30.0  # after so long, what a rung cost counts half
_PACE_FADES: Final = 0.995  # a look: a camera that has become slower is believed after a while


@dataclass(frozen=True)
class Rung:
    """One place on the ladder: the effort there, and with how many faces in view it is of any use."""

    effort: Effort
    least_faces: int = 0


def ladder(
    *, faces: bool, in_between: bool, lighter: int, beauty: bool = False, shape: bool = False, makeup: bool = False
) -> tuple[Rung, ...]:
    """The rungs from full effort down, each with all that those above it give up.

    What viewers can't see comes first, what makes the picture poorer next, and what would change how somebody looks last: shape,
    which costs something in frames without the network too, and then make-up.

    Args:
        faces: ROI mode; a whole frame has but its network to change, and what is drawn on the faces in it.
        in_between: whether frames can do without detection or network (see `Engine.in_between`).
        lighter: how many networks stand by.
        beauty: whether anything is drawn on faces; shape, makeup: whether these groups are.
    """
    rungs = [Rung(Effort())]

    def lower(least_faces: int = 0, **changes: Any) -> None:
        rungs.append(Rung(replace(rungs[-1].effort, **changes), least_faces))

    for every in _DETECT_EVERY if faces and in_between else ():
        lower(detect_every=every)
    if beauty and in_between:
        lower(1, refresh_every=_REFRESH_EVERY)
    for rank in range(1, lighter + 1):
        lower(1 if faces else 0, lighter=rank)
    for count in _FACES if faces else ():
        lower(count + 1, faces=count)
    for every in _ENHANCE_EVERY if faces and in_between else ():
        lower(1, enhance_every=every)
    if shape:
        lower(1, shape=False)
    if makeup:
        lower(1, makeup=False)
    return tuple(rungs)


def nearest(rungs: Sequence[Rung], effort: Effort) -> int:
    """The first rung that gives up all that `effort` does, of what can be given up there at all: where another look goes on."""
    lowest = rungs[-1].effort

    def given_up(of: Effort) -> tuple[int, ...]:
        faces = MAX_FACES if of.faces is None else of.faces
        return (of.detect_every, of.refresh_every, of.lighter, MAX_FACES - faces, of.enhance_every, not of.shape, not of.makeup)

    wanted = [min(one, most) for one, most in zip(given_up(effort), given_up(lowest), strict=True)]
    return next(i for i, rung in enumerate(rungs) if all(map(ge, given_up(rung.effort), wanted)))


def describe(effort: Effort, wished: str, lighter: Sequence[str], faces: int) -> tuple[Message, ...]:
    """What is given up.

    `wished` and `lighter` name the networks: the user's, and its stand-ins. `faces` are in view.
    """
    parts = []
    if effort.detect_every > 1:
        parts.append(message("effort.detect_every", every=effort.detect_every))
    if effort.refresh_every > 1:
        parts.append(message("effort.refresh_every", every=effort.refresh_every))
    if effort.lighter and lighter:
        parts.append(message("effort.lighter", lighter=lighter[min(effort.lighter, len(lighter)) - 1], model=wished))
    if effort.faces is not None and effort.faces < faces:
        one = effort.faces == 1
        parts.append(message("effort.largest_face") if one else message("effort.largest_faces", count=effort.faces))
    if effort.enhance_every > 1:
        parts.append(message("effort.enhance_every", every=effort.enhance_every))
    if not effort.shape:
        parts.append(message("effort.no_shape"))
    if not effort.makeup:
        parts.append(message("effort.no_makeup"))
    return tuple(parts)


@dataclass(frozen=True)
class Worked:
    """One frame through the engine: its number, and in seconds when it was captured, taken up, and done with."""

    number: int
    captured_at: float
    begun_at: float
    done_at: float
    faces: int


@dataclass(frozen=True)
class Seen:
    """What was measured of the last frames.

    Args:
        work_ms: a frame's time on the engine's thread, on average.
        latency_ms: capture to sink, p95, without what the sink itself takes.
        lost: share of the frames, 0 to 1, that were captured but left out before the engine.
        capture_fps: frames captured a second.
        faces: in view.
    """

    work_ms: float
    latency_ms: float
    lost: float
    capture_fps: float
    faces: int


class Window:
    """The frames of the last second, from which it is seen how the engine keeps up. One frame that stalls is no load."""

    def __init__(self) -> None:
        self._frames: deque[Worked] = deque()

    def clear(self) -> None:
        """What was measured so far no longer holds."""
        self._frames.clear()

    def add(self, frame: Worked) -> None:
        """One more frame; numbers rise."""
        self._frames.append(frame)
        while len(self._frames) > _FEW and self._frames[1].done_at <= frame.done_at - _WINDOW_S:
            self._frames.popleft()

    def since(self, *, soon: bool = False) -> float | None:
        """The capture time of the oldest frame; None while there are too few to tell anything by. `soon`: a few will do."""
        if len(self._frames) < _FEW:
            return None
        took = self._frames[-1].done_at - self._frames[0].done_at
        needed = 0.0 if soon else _WINDOW_S / 3 if len(self._frames) >= _ENOUGH else _WINDOW_S
        return self._frames[0].captured_at if took >= needed else None

    def seen(self, latency_ms: float) -> Seen:
        """What the frames tell, with the latency that was measured at the sink meanwhile."""
        frames = list(self._frames)
        work = np.sort([(frame.done_at - frame.begun_at) * 1e3 for frame in frames])
        gaps = np.sort(np.diff([frame.number for frame in frames]))[:-1]
        first, last = frames[0], frames[-1]
        took = max(last.captured_at - first.captured_at, 1e-6)
        return Seen(
            work_ms=float(work[:-1].mean()),
            latency_ms=latency_ms,
            lost=float(1 - len(gaps) / gaps.sum()) if len(gaps) and gaps.sum() > 0 else 0.0,
            capture_fps=(last.number - first.number) / took,
            faces=max(frame.faces for frame in frames),
        )


class Budget:
    """Where on the ladder the engine works (`level`, 0 is full effort), and begins. `steps_down` and `steps_up` count."""

    def __init__(self, level: int = 0) -> None:
        self.level = level
        self.steps_down = self.steps_up = 0
        self._over = 0
        self._calm_since: float | None = None
        self._raised_at: float | None = None
        self._came_from: tuple[int, float] | None = None
        self._costs: dict[int, tuple[float, float]] = {}
        self._waits: dict[int, float] = {}
        self._pace = 0.0

    @property
    def on_trial(self) -> bool:
        """Whether the last step was one up, of which it is not known yet whether it holds."""
        return self._raised_at is not None

    def look(self, at: float, seen: Seen, rungs: Sequence[Rung], budget_ms: float, target_fps: float) -> int:
        """The level from now on, given what was `seen` at the present one.

        Args:
            at: seconds; never goes back.
            rungs: see `ladder`; may change between two looks.
            budget_ms: capture to sink. target_fps: the rate of the output.
        """
        self.level = min(self.level, len(rungs) - 1)
        self._remember(at, seen)
        self._pace = max(seen.capture_fps, self._pace * _PACE_FADES)
        period_ms = 1e3 / max(min(target_fps, self._pace), 1.0)
        if seen.work_ms > _FULL * period_ms or seen.latency_ms > budget_ms or seen.lost > _LOST:
            self._calm_since = None
            self._over += 1
            hopeless = self.on_trial and seen.work_ms > _HOPELESS * _FULL * period_ms
            if hopeless or self._over >= _AGREEING:
                self._step_down(at, seen, rungs, _FULL * period_ms)
            return self.level
        self._over = 0
        if self._calm_since is None:
            self._calm_since = at
        if self._raised_at is not None and at - self._raised_at >= _TRIAL_S:
            self._waits.pop(self.level, None)
            self._raised_at = None
        if not seen.faces and rungs[self.level].least_faces:
            return self.level  # nobody is in view: what a face would cost can't be told
        above = self._above(rungs, seen.faces)
        if above is not None and at - self._calm_since >= self._waits.get(above, _FIRST_WAIT_S):
            more_ms = seen.work_ms * (self._cost(above, at) - 1)
            fits = seen.work_ms + more_ms <= _SPARE * period_ms
            if fits and seen.latency_ms + 2 * more_ms <= _SPARE_LATENCY * budget_ms:
                self.steps_up += 1
                self._raised_at = at
                self._move(above, seen)
        return self.level

    def _step_down(self, at: float, seen: Seen, rungs: Sequence[Rung], room_ms: float) -> None:
        left, below = self.level, _below(rungs, seen.faces, self.level)
        if below is None:
            return
        if self._raised_at is not None:  # the last step up has failed
            self._waits[left] = min(2 * self._waits.get(left, _FIRST_WAIT_S), _LONGEST_WAIT_S)
            self._raised_at = None
        work_ms = seen.work_ms
        while left in self._costs and (further := _below(rungs, seen.faces, below)) is not None:
            work_ms /= self._cost(left, at)
            if work_ms <= room_ms:
                break
            left, below = below, further  # what is known not to be enough is passed by
        self.steps_down += 1
        self._move(below, seen)

    def _above(self, rungs: Sequence[Rung], faces: int) -> int | None:
        """The level at which one thing less is given up, of those that make a difference with so many faces in view."""
        if self.level == 0:
            return None
        place = self.level
        while place > 0 and rungs[place].least_faces > faces:
            place -= 1
        place = max(place - 1, 0)
        while place > 0 and rungs[place].least_faces > faces:
            place -= 1
        return place

    def _cost(self, level: int, at: float) -> float:
        """What the level costs in proportion to the next one below, as far as it is known: believed the less the older it is."""
        ratio, measured_at = self._costs.get(level, (1.0, at))
        return float(1 + (ratio - 1) * 0.5 ** ((at - measured_at) / _FORGET_S))

    def _move(self, level: int, seen: Seen) -> None:
        self._came_from = (self.level, seen.work_ms)
        self.level, self._over, self._calm_since = level, 0, None

    def _remember(self, at: float, seen: Seen) -> None:
        """At the first look after a step: what the higher one of the two levels costs, in proportion to the lower one."""
        if self._came_from is None:
            return
        (before, before_ms), self._came_from = self._came_from, None
        higher, lower = (before_ms, seen.work_ms) if before < self.level else (seen.work_ms, before_ms)
        self._costs[min(before, self.level)] = (max(higher / max(lower, 1e-3), 1.0), at)


def _below(rungs: Sequence[Rung], faces: int, level: int) -> int | None:
    """The next level below `level` that makes a difference with so many faces in view."""
    return next((place for place in range(level + 1, len(rungs)) if rungs[place].least_faces <= faces), None)
