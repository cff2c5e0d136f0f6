"""Each thread of the pipeline killed by an exception: it is told, it is started once more, then it is given up in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gpen_live.live import supervisor
from gpen_live.live.budget.governor import QualityGovernor
from gpen_live.live.capture import Capture
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.loader import Loader
from gpen_live.live.pacing.idle import REASON, IdleMonitor
from gpen_live.live.pipeline import LivePipeline
from gpen_live.live.sender import Sender
from gpen_live.live.session import Session
from gpen_live.live.status.snapshot import Health
from gpen_live.live.supervisor import Supervisor
from gpen_live.live.worker import GIVEN_UP, Worker
from tests.live.fakes import World, number_of, wait_for
from tests.messages.says import holds, mentions

THREADS: list[tuple[str, type, str]] = [
    ("capture", Capture, "_follow_wishes"),
    ("engine", Worker, "_adopt"),
    ("sender", Sender, "_follow_wishes"),
    ("loader", Loader, "_attempt"),
    ("idle", IdleMonitor, "look"),
    ("governor", QualityGovernor, "_count"),
]
"""Each with something that it does often."""


class Killer:
    """Makes `name` of a class raise so many times; `kills` counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, times: float = float("inf")) -> None:
        self.times, self.kills = times, 0
        real: Callable[..., Any] = getattr(owner, name)

        def killed(*args: Any, **named: Any) -> Any:
            if self.kills < self.times:
                self.kills += 1
                raise RuntimeError("a bug of ours")
            return real(*args, **named)

        monkeypatch.setattr(owner, name, killed)

    def spares(self) -> None:
        self.times = self.kills


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
def start() -> Iterator[Callable[[], LivePipeline]]:
    pipelines: list[LivePipeline] = []

    def begin() -> LivePipeline:
        pipeline = LivePipeline(LiveConfig(fps=100.0))
        pipelines.append(pipeline)
        pipeline.start()
        return pipeline

    yield begin
    for pipeline in pipelines:
        pipeline.stop()


def is_enhanced(world: World) -> bool:
    return bool(world.sink.sent) and world.sink.sent[-1][5, 5, 0] == 150


def frames_go_out(world: World) -> bool:
    """Fresh ones, not the last one again and again."""
    seen = number_of(world.sink.sent[-1])
    wait_for(lambda: number_of(world.sink.sent[-1]) > seen + 5)
    return True


def told(pipeline: LivePipeline, key: str, name: str) -> bool:
    """Whether the failure of the thread whose name begins so was noted."""
    notes = [note for note in pipeline.board.notes() if holds(note, key, reason="a bug of ours")]
    return any(str(note.params["name"]).startswith(name) for note in notes)


@pytest.mark.parametrize(("name", "owner", "method"), THREADS)
def test_a_thread_that_fails_once_is_told_and_started_again(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch, name: str, owner: type, method: str
) -> None:
    killer = Killer(monkeypatch, owner, method, times=1)
    pipeline = start()
    wait_for(lambda: killer.kills == 1)
    wait_for(lambda: told(pipeline, "live.restarted", name))
    wait_for(lambda: is_enhanced(world))
    assert frames_go_out(world)
    assert pipeline.error() is None


def test_capture_that_keeps_failing_is_given_up_and_the_last_frame_stays_on(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = start()
    wait_for(lambda: is_enhanced(world))
    killer = Killer(monkeypatch, Capture, "_follow_wishes")
    wait_for(lambda: pipeline.snapshot().source.health is Health.FAILED)
    assert mentions(pipeline.snapshot().source.message, "live.switched_off", name="capture thread")
    assert pipeline.error() is not None
    seen = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > seen + 10)
    assert killer.kills == 2
    killer.spares()
    pipeline.retry("source")
    wait_for(lambda: pipeline.snapshot().source.health is Health.OK)
    assert frames_go_out(world)


def test_an_engine_thread_that_keeps_failing_is_given_up_and_raw_frames_go_out(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = start()
    wait_for(lambda: is_enhanced(world))
    killer = Killer(monkeypatch, Worker, "_adopt")
    wait_for(lambda: pipeline.snapshot().model.health is Health.WARNING)
    assert pipeline.snapshot().model.again
    wait_for(lambda: not is_enhanced(world))
    assert frames_go_out(world)
    assert not is_enhanced(world)
    assert pipeline.snapshot().raw_reason == GIVEN_UP
    assert pipeline.error() is None, "a headless run goes on"
    killer.spares()
    pipeline.retry("model")
    wait_for(lambda: is_enhanced(world))
    wait_for(lambda: pipeline.snapshot().model.health is Health.OK)
    counts = pipeline.snapshot().counts
    assert counts.out_of_order == 0


def test_a_sender_that_keeps_failing_is_given_up_until_it_is_tried_again(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = start()
    wait_for(lambda: is_enhanced(world))
    killer = Killer(monkeypatch, Sender, "_follow_wishes")
    wait_for(lambda: pipeline.snapshot().sink.health is Health.FAILED)
    assert pipeline.error() is not None
    wait_for(world.sink.closed.is_set)
    killer.spares()
    pipeline.retry("sink")
    wait_for(lambda: pipeline.snapshot().sink.health is Health.OFF)
    assert frames_go_out(world)


def test_a_loader_that_keeps_failing_is_no_green_light(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = start()
    wait_for(lambda: is_enhanced(world))
    killer = Killer(monkeypatch, Loader, "_attempt")
    pipeline.change(model="gpen-256")
    wait_for(lambda: pipeline.snapshot().model.health is Health.WARNING)
    assert pipeline.snapshot().model.again
    assert pipeline.error() is None
    assert is_enhanced(world), "the model that was there goes on"
    assert frames_go_out(world)
    killer.spares()
    pipeline.retry("model")
    wait_for(lambda: pipeline.snapshot().model_name == "gpen-256")


def test_without_any_model_a_loader_that_is_given_up_is_an_error(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    Killer(monkeypatch, Loader, "_attempt")
    pipeline = start()
    wait_for(lambda: pipeline.error() is not None)
    assert pipeline.snapshot().model.health is Health.FAILED
    wait_for(lambda: world.sink.sent)
    assert frames_go_out(world)


@pytest.mark.parametrize(("name", "owner", "method"), THREADS[-2:])
def test_a_helper_that_keeps_failing_is_left_off(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch, name: str, owner: type, method: str
) -> None:
    Killer(monkeypatch, owner, method)
    pipeline = start()
    pipeline.set_seen(False)  # an idle monitor has something to do
    wait_for(lambda: told(pipeline, "live.switched_off", name))
    wait_for(lambda: is_enhanced(world))
    assert frames_go_out(world)
    assert pipeline.error() is None


def test_a_monitor_that_dies_while_the_network_rests_wakes_it(
    world: World, start: Callable[[], LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = start()
    wait_for(lambda: is_enhanced(world))
    pipeline.set_seen(False)
    wait_for(lambda: pipeline.snapshot().raw_reason == REASON)
    Killer(monkeypatch, IdleMonitor, "look")
    wait_for(lambda: is_enhanced(world))


def test_what_fails_once_an_hour_is_always_started_again() -> None:
    at = [0.0]
    session = Session(LiveConfig(), clock=lambda: at[0])
    runs: list[float] = []

    def run() -> None:
        runs.append(at[0])
        if len(runs) == 5:
            session.stop.set()
        else:
            at[0] += 3600
            raise RuntimeError("once an hour")

    threads = Supervisor(session)
    threads.start("some", "source", run)
    threads.join(20)
    assert len(runs) == 5
    assert session.board.error() is None


def test_what_is_done_instead_may_fail_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.01)
    session = Session(LiveConfig())
    runs: list[int] = []

    def run() -> None:
        runs.append(0)
        if len(runs) < 4:
            raise RuntimeError("a bug of ours")

    def instead(over: Callable[[], bool]) -> None:
        raise RuntimeError("another one")

    threads = Supervisor(session)
    threads.start("some", "source", run, instead=instead)
    wait_for(lambda: session.board.error() is not None)
    threads.revive("sink")
    assert len(runs) == 2
    threads.revive("source")
    threads.join(20)
    assert len(runs) == 4, "and has a second chance again"
