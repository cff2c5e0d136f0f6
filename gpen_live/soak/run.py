"""The soak itself: the live pipeline for hours, faults sprinkled in, and what is measured meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gpen_live import __version__
from gpen_live.errors import GpenLiveError
from gpen_live.frame import Size
from gpen_live.live.config import LiveConfig, Resting
from gpen_live.live.pacing.clock import now
from gpen_live.live.pipeline import LivePipeline
from gpen_live.look import Mode
from gpen_live.messages import message
from gpen_live.soak.faults import FAULTS, HANG_S, Fault, FaultKind, Faults, disguised, outside
from gpen_live.soak.machine import Machine
from gpen_live.soak.results import Event, Latency, Sample, Soak
from gpen_live.soak.schedule import Schedule
from gpen_live.soak.watch import Watch
from gpen_live.sources.demo import DEFAULT_SIZE

USUAL_FPS: Final = 30.0
_POLL_S = 0.02
_MOST_SAMPLES, _MOST_MINUTES = 1000, 500
_SAMPLE_S, _MINUTE_S = 5.0, 60.0
_FEWEST_SAMPLES, _FEWEST_MINUTES = 100, 20
_FEWEST_FRAMES = 20  # for a p99 that says anything
_SETTLE_S = 1.0
_HELP_S, _LOST_S = 10.0, 30.0  # beyond a fault's limit: when it is tried again by hand, and given up
_PATIENCE_S = 300.0  # for the first frame
_OTHER = {"lite-256": "lite-512"}

Going = Callable[[Soak, float, str], bool]
"""Told the figures so far, the seconds that have passed and what happens now; False ends the soak."""


@dataclass(frozen=True)
class Options:
    """What to run.

    Args:
        seconds: of real time. speed: source and output run so many times faster than usual.
        faults_per_hour: of real time, after each has happened once; 0: none at all.
        warm_ups: so often each fault comes before growth counts: until the third change of models heaps still fill up.
        haste: faults and the quiet before them are so many times shorter.
    """

    seconds: float
    source: str = "demo"
    sink: str = "none"
    size: Size = DEFAULT_SIZE
    model: str = "lite-256"
    weights: Path | None = None
    device: str = "auto"
    speed: float = 1.0
    faults_per_hour: float = 60.0
    seed: int = 0
    haste: float = 1.0
    warm_ups: int = 3


@dataclass
class _Running:
    """A fault under way: begun, perhaps over, perhaps helped."""

    fault: Fault
    begun_at: float
    over_at: float | None = None
    enhanced: int = 0
    helped: bool = False


class Soaking:
    """One soak; `soak` fills up while it runs."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._faults, self._watch = Faults(), Watch()
        source, sink = disguised(options.source, options.sink)
        self._config = LiveConfig(
            source=source,
            sinks=(sink,),
            size=options.size,
            fps=USUAL_FPS * options.speed,
            model=options.model,
            weights=options.weights,
            device=options.device,
            rest=Resting.NEVER,  # that nobody reads the output is no reason here
        )
        self._pipeline = LivePipeline(
            self._config, outside=outside(self._faults, self._watch, source=options.source, sink=options.sink)
        )
        self._machine = Machine()
        self._schedule = (
            Schedule(options.seed, options.faults_per_hour, options.haste, options.warm_ups) if options.faults_per_hour else None
        )
        self._running: _Running | None = None
        self._next: tuple[float, Fault] | None = None
        self._disturbed = False
        self._quiet_from = 0.0
        self._sample_s = _between(options.seconds, _SAMPLE_S, _FEWEST_SAMPLES, _MOST_SAMPLES)
        self._minute_s = _between(options.seconds, _MINUTE_S, _FEWEST_MINUTES, _MOST_MINUTES)
        self._start = self._sampled_at = self._minute_at = 0.0
        self._counts = self._pipeline.meters.counts()
        self.soak = Soak(
            version=__version__,
            device=options.device,
            model=options.model,
            source=options.source,
            sink=options.sink,
            size=str(options.size),
            fps=USUAL_FPS * options.speed,
            usual_fps=USUAL_FPS,
            seed=options.seed,
            faults_per_hour=options.faults_per_hour,
            wanted_s=options.seconds,
        )

    def run(self, going: Going) -> None:
        """Runs to the end, or until `going` says no.

        Raises:
            GpenLiveError: no frame ever went out: a part could not be started.
        """
        self._pipeline.start(wait_for_model=True)
        try:
            if self._wait_for_first_frame(going):
                self._soak(going)
        finally:
            self._pipeline.stop()
            self.soak.notes = [note.text for note in self._pipeline.board.notes()]

    def _wait_for_first_frame(self, going: Going) -> bool:
        deadline = now() + _PATIENCE_S
        while self._watch.first_sent_at is None or not self._pipeline.snapshot().model_name:
            error = self._pipeline.error()
            if error is not None:
                raise error
            if now() > deadline:
                raise GpenLiveError("soak.no_frame")
            if not going(self.soak, 0.0, f"Loading {self._options.model}"):
                return False
            time.sleep(_POLL_S)
        self.soak.device = self._pipeline.snapshot().device
        return True

    def _soak(self, going: Going) -> None:
        self._watch.look()
        self._watch.latencies()
        self._machine.look()
        self._counts = self._pipeline.meters.counts()
        self._start = self._sampled_at = self._minute_at = self._quiet_from = now()
        if self._schedule is None:
            self.soak.warm_s = 0.1 * self._options.seconds
        while True:
            at = now()
            self._step(at)
            if at - self._sampled_at >= self._sample_s:
                self._sample(at)
            if at - self._minute_at >= self._minute_s:
                self._minute(at)
            passed = self.soak.seconds = at - self._start
            what = self._running.fault.kind.value if self._running is not None else "all quiet"
            if passed >= self._options.seconds or not going(self.soak, passed, what):
                break
            if self._pipeline.finished:
                self.soak.trouble = str(self._pipeline.error() or message("soak.source_ended"))
                break
            time.sleep(_POLL_S)
        self._abandon(now())
        self._sample(now())
        self._minute(now())

    def _step(self, at: float) -> None:
        """Lets faults begin, end and be got over."""
        if self._schedule is None:
            return
        running = self._running
        if running is None:
            if self._next is None:
                self._next = self._schedule.next()
            gap_s, fault = self._next
            if self._disturbed and at >= self._quiet_from:
                self._disturbed = False
                self._watch.excuse(disturbed=False)
            if at >= self._quiet_from + gap_s:
                self._next = None
                self._begin(fault, at)
        elif running.over_at is None:
            met = running.fault.seconds > 0 or self._faults.hung_at > running.begun_at
            if met and at >= running.begun_at + running.fault.lasts(self._options.haste):
                self._end(running, at)
        elif self._well(running):
            self._over(running, at, at - running.over_at)
        else:
            self._help(running, at - running.over_at, at)

    def _begin(self, fault: Fault, at: float) -> None:
        self._watch.excuse(disturbed=True, pause=fault.pause, still=fault.still)
        self._disturbed = True
        self._running = _Running(fault, at)
        self._switch(fault, on=True)

    def _end(self, running: _Running, at: float) -> None:
        self._switch(running.fault, on=False)
        running.over_at = now() if running.fault.seconds else self._faults.hung_at
        running.enhanced = self._pipeline.meters.counts().enhanced

    def _over(self, running: _Running, at: float, back_s: float | None) -> None:
        over_at = running.over_at or at
        fault = running.fault
        self.soak.events.append(
            Event(
                kind=fault.kind.value,
                at_s=round(running.begun_at - self._start, 2),
                seconds=round(over_at - running.begun_at, 2),
                back_s=None if back_s is None else round(back_s, 2),
                limit_s=fault.limit_s,
                helped=running.helped,
            )
        )
        self._running = None
        self._quiet_from = at + _SETTLE_S / self._options.haste
        self._watch.excuse(disturbed=True)

    def _help(self, running: _Running, waited_s: float, at: float) -> None:
        """What the product was to do by itself, so that the rest of the soak is worth something: noted as such."""
        too_long_s = (waited_s - running.fault.limit_s) * self._options.haste
        if too_long_s > _LOST_S:
            self._over(running, at, None)
        elif too_long_s > _HELP_S and not running.helped:
            running.helped = True
            for part in ("source", "sink", "model"):
                self._pipeline.retry(part)

    def _abandon(self, at: float) -> None:
        """The end has come during a fault: it counts if it was to be over by now."""
        running = self._running
        if running is not None:
            self._switch(running.fault, on=False)
            if running.over_at is not None and at > running.over_at + running.fault.limit_s:
                self._over(running, at, None)

    def _well(self, running: _Running) -> bool:
        """Whether a frame went out that was captured after the fault, and is as it should be."""
        assert running.over_at is not None
        if self._watch.newest_captured_at <= running.over_at:
            return False
        kind = running.fault.kind
        if kind is FaultKind.OTHER_MODEL and self._pipeline.snapshot().model_name != self._config.model:
            return False
        if kind in (
            FaultKind.NETWORK_RAISES,
            FaultKind.NETWORK_NAN,
            FaultKind.NETWORK_SLOW,
            FaultKind.OTHER_MODEL,
            FaultKind.OTHER_MODE,
        ):
            return self._pipeline.meters.counts().enhanced > running.enhanced
        return True

    def _switch(self, fault: Fault, *, on: bool) -> None:
        """Brings a fault about, or ends it."""
        faults = self._faults
        match fault.kind:
            case FaultKind.CAMERA_GONE:
                faults.camera_gone = on
            case FaultKind.CAMERA_HANGS if on:
                faults.once(FaultKind.CAMERA_HANGS, HANG_S)
            case FaultKind.GARBAGE:
                faults.garbage = on
            case FaultKind.OTHER_SIZE:
                faults.other_size = on
            case FaultKind.NETWORK_RAISES:
                faults.network_raises = on
            case FaultKind.NETWORK_NAN:
                faults.network_nan = on
            case FaultKind.NETWORK_SLOW | FaultKind.SINK_SLOW if on:
                faults.once(fault.kind, fault.lasts(self._options.haste))
            case FaultKind.SINK_GONE:
                faults.sink_gone = on
            case FaultKind.OTHER_MODEL:
                usual = self._config.model
                other = _OTHER.get(usual, "lite-256")
                self._pipeline.change(model=other if on else usual, weights=None if on else self._config.weights)
            case FaultKind.OTHER_MODE:
                usual_look = self._config.look
                self._pipeline.change(look=replace(usual_look, mode=Mode.FULL) if on else usual_look)
            case FaultKind.OTHER_SETTINGS:
                changed = {"look": replace(self._config.look, strength=0.5), "overlay": True, "leave_room": 0.5}
                usually = {name: getattr(self._config, name) for name in changed}
                self._pipeline.change(**(changed if on else usually))

    def _sample(self, at: float) -> None:
        seconds = at - self._sampled_at
        if seconds <= 0:
            return
        holding, seen, counts = self._machine.look(), self._watch.look(), self._pipeline.meters.counts()
        quiet = self._running is None and self._quiet_from <= self._sampled_at
        self.soak.samples.append(
            Sample(
                at_s=round(at - self._start, 2),
                seconds=round(seconds, 3),
                quiet=quiet,
                memory_mb=round(holding.memory_mb, 2),
                gpu_mb=round(holding.gpu_mb, 2),
                handles=holding.handles,
                threads=holding.threads,
                children=holding.children,
                load=round(holding.load, 3),
                own=round(holding.own, 3),
                captured=seen.captured,
                sent=seen.sent,
                fresh=seen.fresh,
                enhanced=counts.enhanced - self._counts.enhanced,
                dropped=counts.dropped - self._counts.dropped,
                pause_s=round(seen.pause_s, 3),
                still_s=round(seen.still_s, 3),
                capture_slip_ms=round(seen.capture.slip_ms(self.soak.fps), 3),
                output_slip_ms=round(seen.output.slip_ms(self.soak.fps), 3),
            )
        )
        self._counts, self._sampled_at = counts, at
        self.soak.backwards = self._watch.backwards + counts.out_of_order
        self.soak.unreadable, self.soak.black = self._watch.unreadable, self._watch.black
        if self.soak.warm_s is None and quiet and len(self.soak.events) >= self._options.warm_ups * len(FAULTS):
            self.soak.warm_s = round(at - self._start, 2)

    def _minute(self, at: float) -> None:
        frames, found = self._watch.latencies()
        self._minute_at = at
        if frames >= _FEWEST_FRAMES:
            values = (round(value, 2) for value in (found.p50, found.p95, found.p99))
            self.soak.latencies.append(Latency(round(at - self._start, 2), frames, *values))


def _between(seconds: float, usual: float, fewest: int, most: int) -> float:
    """Seconds a step, so that a run has `fewest` to `most` of them; `usual` where that does."""
    return max(min(usual, seconds / fewest), seconds / most)
