"""The pipeline with everything around it faked: order, accounting, failures, live changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from gpen_live.engine.effort import Effort
from gpen_live.errors import GpenLiveError, SinkError, SourceError, WeightsError
from gpen_live.frame import STAGES, Image, PixelFormat, Size
from gpen_live.live import sender, worker
from gpen_live.live.config import LiveConfig
from gpen_live.live.models import loader
from gpen_live.live.pacing.idle import REASON
from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.status.snapshot import Health
from gpen_live.look import Look, Mode
from gpen_live.messages import Message, message
from tests.live.fakes import SIZE, FakeSink, FakeSource, FarPicture, World, number_of, stamped, wait_for
from tests.messages.says import mentions


def error_of(pipeline: LivePipeline) -> Message | None:
    error = pipeline.error()
    return None if error is None else error.message


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
def running(world: World) -> Iterator[list[LivePipeline]]:
    """Pipelines started by `start` below; stopped at the end of the test."""
    pipelines: list[LivePipeline] = []
    yield pipelines
    for pipeline in pipelines:
        pipeline.stop()


def start(running: list[LivePipeline], config: LiveConfig | None = None, **options: object) -> LivePipeline:
    pipeline = LivePipeline(config or LiveConfig(fps=100.0), max_frames=options.pop("max_frames", None))  # type: ignore[arg-type]
    running.append(pipeline)
    pipeline.start(**options)  # type: ignore[arg-type]
    return pipeline


def test_frames_go_through_enhanced_in_order_and_counted(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, max_frames=60, wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    numbers = [number_of(frame) for frame in world.sink.sent]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 59
    assert all(frame[5, 5, 0] == 150 for frame in world.sink.sent)
    counts = pipeline.meters.counts()
    assert counts.captured == 60
    assert counts.captured == counts.enhanced + counts.raw + counts.dropped
    assert counts.sent == counts.enhanced + counts.raw + counts.repeated == len(world.sink.sent)
    assert counts.out_of_order == 0
    assert counts.raw == 0
    assert pipeline.error() is None


def test_what_a_model_held_goes_back_to_the_system_once_another_one_has_taken_over(
    world: World, running: list[LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads_when_given_back: list[int] = []
    monkeypatch.setattr(loader, "give_back", lambda: loads_when_given_back.append(len(world.loads)))
    monkeypatch.setattr(loader, "_TIDY_S", 0.05)
    pipeline = start(running)
    wait_for(lambda: loads_when_given_back == [1])
    pipeline.change(model="lite-512")
    wait_for(lambda: loads_when_given_back == [1, 2])
    time.sleep(0.3)
    assert loads_when_given_back == [1, 2], "once a model"


def test_what_lies_in_the_heap_unused_goes_back_to_the_system_now_and_then(
    world: World, running: list[LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[float] = []
    monkeypatch.setattr(loader, "give_back", lambda: times.append(time.monotonic()))
    monkeypatch.setattr(loader, "_TIDY_S", 0.05)
    monkeypatch.setattr(loader, "_TIDY_EVERY_S", 0.2)
    start(running)
    wait_for(lambda: len(times) >= 4)
    assert times[-1] - times[-2] >= 0.15


def test_what_was_loaded_is_used_as_it_is_handed_over(world: World, running: list[LivePipeline]) -> None:
    seen: list[str] = []

    def handed_over(loaded: loader.LoadedModel) -> loader.LoadedModel:
        seen.append(loaded.wanted.model)
        return loaded

    pipeline = LivePipeline(LiveConfig(fps=100.0), outside=Outside(handed_over=handed_over))
    running.append(pipeline)
    pipeline.start()
    wait_for(lambda: pipeline.meters.counts().enhanced > 0)
    assert seen == ["lite-256"]


def test_a_slow_engine_costs_freshness_but_not_the_rhythm(world: World, running: list[LivePipeline]) -> None:
    world.engine.slow = 0.08
    pipeline = start(running, LiveConfig(fps=50.0))
    wait_for(lambda: len(world.sink.sent) > 60)
    counts = pipeline.meters.counts()
    assert counts.dropped > 0
    assert counts.repeated > 0
    numbers = [number_of(frame) for frame in world.sink.sent]
    assert numbers == sorted(numbers)


def test_a_slow_sink_does_not_hold_up_the_engine(world: World, running: list[LivePipeline]) -> None:
    world.sink.slow = 0.1
    pipeline = start(running)
    wait_for(lambda: len(world.sink.sent) > 8)
    assert pipeline.meters.counts().captured > 2 * len(world.sink.sent)
    numbers = [number_of(frame) for frame in world.sink.sent]
    assert numbers == sorted(numbers)


def test_while_the_model_loads_the_raw_frame_goes_out(world: World, running: list[LivePipeline]) -> None:
    world.may_load.clear()
    pipeline = start(running)
    wait_for(lambda: len(world.sink.sent) > 3)
    assert world.sink.sent[0][5, 5, 0] == 50
    assert mentions(pipeline.snapshot().raw_reason, "model.loading", model="lite-256")
    world.may_load.set()
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 150)
    assert pipeline.snapshot().raw_reason is None


def test_a_failing_network_lets_the_raw_frame_through_and_recovers(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 5)
    world.engine.fail = RuntimeError("device lost")
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 50)
    wait_for(lambda: pipeline.snapshot().model.health is Health.WARNING)
    failed = message("live.engine_failed", reason="device lost")
    assert pipeline.snapshot().raw_reason == failed
    world.engine.fail = None
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 150)
    wait_for(lambda: pipeline.snapshot().model.health is Health.OK)
    assert len([note for note in pipeline.board.notes() if mentions(note, "live.engine_failed")]) == 1
    assert message("live.raw_goes_out", cause=failed).text in cast(list[str], pipeline.report()["notes"])


def test_a_model_that_cannot_be_loaded_leaves_the_old_one_running(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 5)
    world.load_error = WeightsError("broken_file")
    pipeline.change(model="gpen-512")
    wait_for(lambda: pipeline.snapshot().model.health is Health.FAILED)
    assert pipeline.snapshot().model.message == message("broken_file")
    seen = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > seen + 5)
    assert world.sink.sent[-1][5, 5, 0] == 150
    world.load_error = None
    pipeline.retry("model")
    wait_for(lambda: pipeline.snapshot().model.health is Health.OK)


def test_a_model_change_does_not_interrupt_the_output(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 5)
    world.load_s = 0.3
    pipeline.change(model="gpen-256")
    wait_for(lambda: pipeline.snapshot().model_name == "gpen-256")
    assert all(frame[5, 5, 0] == 150 for frame in world.sink.sent), "no raw frame in between"
    assert world.loads == ["lite-256", "gpen-256"]


def test_only_the_last_of_many_models_is_kept(world: World, running: list[LivePipeline]) -> None:
    world.may_load.clear()
    pipeline = start(running)
    for name in ("gpen-256", "gpen-512", "gpen-1024", "gpen-2048"):
        pipeline.change(model=name)
    world.may_load.set()
    wait_for(lambda: pipeline.snapshot().model_name == "gpen-2048")
    assert world.loads[-1] == "gpen-2048"
    assert len(world.loads) <= 2, "at most one was on its way when the others were asked for"


def test_mode_strength_and_enhancement_change_live(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    pipeline.change(look=Look(mode=Mode.FULL))
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 222)
    pipeline.change(look=Look(enhance=False))
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 50)
    assert pipeline.snapshot().raw_reason == message("live.enhancement_off")
    with pytest.raises(TypeError):
        pipeline.change(nonsense=1)


def test_another_source_takes_over_once_it_is_open(world: World, running: list[LivePipeline]) -> None:
    old = world.sources["demo"]
    other = FakeSource("other", script={n: np.full((48, 64, 3), 9, np.uint8) for n in range(1000)})
    world.sources["camera:1"] = other
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 5)
    pipeline.change(source="camera:1")
    wait_for(lambda: world.sink.sent[-1][0, 0, 0] == 9)
    assert isinstance(old, FakeSource)
    wait_for(old.closed.is_set)
    assert pipeline.snapshot().source.label == "other"
    assert pipeline.meters.counts().out_of_order == 0
    wait_for(lambda: world.engine.scenes == 2)  # a busy machine lets some frames past the engine first


def test_a_source_that_does_not_open_is_said_and_the_window_stays_usable(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, LiveConfig(source="camera:7", fps=100.0))
    wait_for(lambda: pipeline.snapshot().source.health is Health.FAILED)
    assert error_of(pipeline) == message("no_source", spec="camera:7")
    pipeline.change(source="demo")
    wait_for(lambda: len(world.sink.sent) > 3)
    assert pipeline.error() is None


def test_a_camera_that_is_lost_comes_back_and_the_last_frame_stays_on(world: World, running: list[LivePipeline]) -> None:
    world.sources["camera:0"] = FakeSource(script={5: SourceError("unplugged")})
    pipeline = start(running, LiveConfig(source="camera:0", fps=100.0), wait_for_model=True)
    world_sources = world.sources
    wait_for(lambda: pipeline.snapshot().source.health is Health.WARNING)
    world_sources["camera:0"] = SourceError("still_gone")
    seen = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > seen + 20)
    assert number_of(world.sink.sent[-1]) <= 4
    assert pipeline.snapshot().source.health is Health.WARNING
    assert pipeline.snapshot().source.message == message("live.camera_lost", cause=message("unplugged"))
    assert pipeline.error() is None
    world_sources["camera:0"] = FakeSource("back", script={n: stamped(1000 + n) for n in range(1000)})
    wait_for(lambda: number_of(world.sink.sent[-1]) >= 1000)
    assert pipeline.snapshot().source.health is Health.OK


def test_a_lost_camera_does_not_swallow_the_next_choice(world: World, running: list[LivePipeline]) -> None:
    world.sources["camera:0"] = FakeSource(script={5: SourceError("unplugged")})
    pipeline = start(running, LiveConfig(source="camera:0", fps=100.0), wait_for_model=True)
    wait_for(lambda: pipeline.snapshot().source.health is Health.WARNING)
    pipeline.change(source="camera:7")
    wait_for(lambda: pipeline.snapshot().source.health is Health.FAILED)
    assert pipeline.snapshot().source.message == message("no_source", spec="camera:7")
    notes = pipeline.board.notes()
    assert any(mentions(note, "unplugged") for note in notes), "what went wrong is told, also when it is over"


def test_two_quick_changes_never_open_one_device_twice(world: World, running: list[LivePipeline]) -> None:
    held: list[int] = [0]

    class Exclusive(FakeSource):
        def __init__(self) -> None:
            super().__init__()
            held[0] += 1
            if held[0] > 1:
                raise SourceError("in_use")
            time.sleep(0.1)

        def close(self) -> None:
            held[0] -= not self.closed.is_set()
            super().close()

    world.openers["camera:0"] = Exclusive
    pipeline = start(running, LiveConfig(source="camera:0", fps=100.0), wait_for_model=True)
    for width in (64, 80, 96):
        pipeline.change(size=Size(width, 48))
        time.sleep(0.03)
    wait_for(lambda: world.sink.sent and world.sink.sent[-1].shape[1] == 96)
    assert pipeline.error() is None


def test_the_end_of_a_film_is_not_the_end_while_another_source_is_wanted(world: World, running: list[LivePipeline]) -> None:
    ends = threading.Event()

    class Film(FakeSource):
        def read(self) -> Image | None:
            return None if ends.is_set() else super().read()

    world.sources["clip.mp4"] = film = Film("film")
    pipeline = start(running, LiveConfig(source="clip.mp4", fps=100.0), wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    world.open_s = 0.4
    pipeline.change(source="demo")
    ends.set()
    wait_for(lambda: pipeline.snapshot().source.label == "fake")
    captured = pipeline.meters.counts().captured
    wait_for(lambda: pipeline.meters.counts().captured > captured + 5)
    assert film.closed.is_set()
    assert not pipeline.finished


@pytest.mark.parametrize("claimed", [1000.0, 0.1, float("nan"), 0.0])
def test_an_implausible_rate_is_not_believed(world: World, running: list[LivePipeline], claimed: float) -> None:
    source = FakeSource()
    source.fps, world.sources["clip.mp4"] = claimed, source
    source.pace = 100.0
    pipeline = start(running, LiveConfig(source="clip.mp4"), wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 12)
    assert world.sink_rates == [30.0]
    assert pipeline.meters.rates().output < 60


def test_size_automatic_takes_the_sources_own_again(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, LiveConfig(size=Size(128, 96), fps=100.0), wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    pipeline.change(size=None)
    wait_for(lambda: world.sink.sent[-1].shape == (48, 64, 3))
    world.sources["camera:1"] = FakeSource("other", size=Size(32, 32))
    pipeline.change(source="camera:1")
    wait_for(lambda: pipeline.snapshot().source.label == "other")
    seen = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > seen + 10)
    assert world.sink.sent[-1].shape == (48, 64, 3), "another source keeps the size that programs are reading"


def test_a_recording_keeps_its_size_and_is_never_written_over(world: World, running: list[LivePipeline], tmp_path: Path) -> None:
    path = str(tmp_path / "rec.mp4")
    first, second = FakeSink(), FakeSink()
    world.sinks[path], world.sinks[str(tmp_path / "rec-2.mp4")] = first, second
    pipeline = start(running, LiveConfig(sinks=(path,), fps=100.0), wait_for_model=True)
    wait_for(lambda: len(first.sent) > 5)
    pipeline.change(size=Size(128, 96), fps=50.0)
    wait_for(lambda: pipeline.snapshot().size == Size(128, 96))
    seen = len(first.sent)
    wait_for(lambda: len(first.sent) > seen + 10)
    assert {frame.shape for frame in first.sent} == {(48, 64, 3)}
    assert not first.closed.is_set()
    pipeline.change(sinks=("none",))
    wait_for(first.closed.is_set)
    pipeline.change(sinks=(path,))
    wait_for(lambda: len(second.sent) > 3)


def test_a_recording_whose_folder_tells_nothing_any_more_leaves_the_next_output_alone(
    world: World, running: list[LivePipeline], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "rec.mp4")
    world.sinks[path] = recording = FakeSink()
    pipeline = start(running, LiveConfig(sinks=(path,), fps=100.0), wait_for_model=True)
    wait_for(lambda: recording.sent)
    pipeline.change(sinks=("none",))
    wait_for(lambda: world.sink.sent)

    def refused(path: Path, **_: object) -> Path:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(sender, "free_name", refused)
    pipeline.change(sinks=(path,))
    wait_for(lambda: pipeline.snapshot().sink.health is Health.FAILED)
    pipeline.change(sinks=("none",))
    seen = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > seen + 10)


def test_a_message_about_a_stuck_network_is_taken_back_though_it_recovered_while_it_was_written(
    world: World, running: list[LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: pipeline.snapshot().counts.enhanced > 0)
    write = pipeline.board.write

    def slowly(part: str, health: Health, label: str = "", told: Message | None = None, *, again: bool = False) -> None:
        if health is Health.WARNING:
            enhanced = pipeline.snapshot().counts.enhanced
            wait_for(lambda: pipeline.snapshot().counts.enhanced > enhanced + 3)
        write(part, health, label, told, again=again)

    monkeypatch.setattr(pipeline.board, "write", slowly)
    pipeline._worker.bypass._tell()  # by another thread than the engine's, as the sender's is
    wait_for(lambda: pipeline.snapshot().model.health is Health.OK)


def test_a_virtual_camera_off_and_on_again_waits_until_it_was_let_go(world: World, running: list[LivePipeline]) -> None:
    held: list[int] = [0]

    class Exclusive(FakeSink):
        def __init__(self) -> None:
            super().__init__()
            held[0] += 1
            if held[0] > 1:
                raise SinkError("in_use")

        def close(self) -> None:
            time.sleep(0.15)
            held[0] -= 1
            super().close()

    world.openers["vcam"] = Exclusive
    pipeline = start(running, LiveConfig(sinks=("vcam",), fps=100.0), wait_for_model=True)
    wait_for(lambda: pipeline.snapshot().sink.health is Health.OK)
    pipeline.change(sinks=("none",))
    wait_for(lambda: len(world.sink.sent) > 1)
    pipeline.change(sinks=("vcam",))
    wait_for(lambda: pipeline.snapshot().sink.health in (Health.OK, Health.FAILED))
    assert pipeline.error() is None


def test_a_sink_that_fails_at_closing_is_told(world: World, running: list[LivePipeline]) -> None:
    class Grudging(FakeSink):
        def close(self) -> None:
            raise SinkError("full_disk")

    world.sinks["none"] = Grudging()
    pipeline = start(running, max_frames=5, wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    assert error_of(pipeline) == message("full_disk")


def test_an_overlay_that_fails_leaves_the_picture(world: World, running: list[LivePipeline]) -> None:
    def broken(_: Image) -> Image:
        raise RuntimeError("no font")

    pipeline = LivePipeline(LiveConfig(fps=100.0, overlay=True))
    running.append(pipeline)
    pipeline._worker.overlay = broken
    pipeline.start(wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 5)
    assert world.sink.sent[-1][5, 5, 0] == 150
    assert message("live.overlay_failed", reason="no font") in pipeline.board.notes()


def test_a_thread_that_breaks_ends_a_headless_run_with_an_error(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, LiveConfig(fps=float("nan")), wait_for_model=True)
    wait_for(lambda: pipeline.error() is not None)


def test_garbage_and_changing_sizes_carry_on_in_the_promised_size(world: World, running: list[LivePipeline]) -> None:
    script: dict[int, object] = {
        3: np.zeros((0, 3, 3), np.uint8),
        4: np.zeros((7, 9), np.uint8),
        5: np.zeros((100, 200, 4), np.uint8),
        6: np.zeros(5, np.uint8),
        7: np.zeros((30, 30, 3), np.float64),
    }
    world.sources["demo"] = FakeSource(script=script)
    pipeline = start(running, max_frames=12, wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    assert {frame.shape for frame in world.sink.sent} == {(48, 64, 3)}
    assert pipeline.meters.counts().captured == 12


def test_the_output_has_the_size_that_was_asked_for(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, LiveConfig(size=Size(128, 96), fps=100.0), max_frames=3, wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    assert world.sink.sent[0].shape == (96, 128, 3)


@pytest.mark.parametrize("pixel_format", [PixelFormat.I420, PixelFormat.NV12])
def test_frames_arrive_in_the_layout_that_the_sink_wants(
    world: World, running: list[LivePipeline], pixel_format: PixelFormat
) -> None:
    world.sinks["none"] = FakeSink(wants=pixel_format)
    pipeline = start(running, max_frames=5, wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    assert {frame.shape for frame in world.sink.sent} == {(72, 64)}


def test_a_sink_that_fails_is_said_and_another_takes_over(world: World, running: list[LivePipeline]) -> None:
    world.sinks["vcam"] = FakeSink(wants=PixelFormat.NV12)
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    world.sink.broken = True
    wait_for(lambda: pipeline.snapshot().sink.health is Health.FAILED)
    assert error_of(pipeline) == message("broken_sink")
    assert world.sink.closed.is_set()
    pipeline.change(sinks=("vcam",))
    taken = world.sinks["vcam"]
    assert isinstance(taken, FakeSink)
    wait_for(lambda: len(taken.sent) > 3)
    assert pipeline.snapshot().sink.health is Health.OK


def test_the_preview_holds_the_finished_and_the_raw_frame(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    preview = pipeline.preview.take(5)
    assert preview is not None
    assert preview.image[5, 5, 0] == 150
    assert preview.raw[5, 5, 0] == 50
    assert number_of(preview.image) == number_of(preview.raw)


@pytest.mark.parametrize("opens_after", [0.0, 0.3])
def test_a_picture_on_the_device_is_fetched_only_for_who_looks(
    opens_after: float, world: World, running: list[LivePipeline]
) -> None:
    world.engine.far = True
    FarPicture.fetched = 0
    world.sinks["none"] = FakeSink(wants=PixelFormat.NV12)
    world.sink_open_s = opens_after
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 10)
    fetched = FarPicture.fetched  # of frames that were finished before the sink was open, in another layout; and for the window
    wait_for(lambda: len(world.sink.sent) > 30)
    assert {frame.shape for frame in world.sink.sent} == {(72, 64)}
    assert FarPicture.fetched == fetched, "the window may look; nobody did"
    assert pipeline.preview.take(0) is not None
    wait_for(lambda: FarPicture.fetched == fetched + 1)
    preview = pipeline.preview.take(5)
    assert preview is not None
    assert preview.image[5, 5, 0] == 150
    assert pipeline.snapshot().stages["convert"].p50 >= 5.0, "converting on the device counts"


def test_a_sink_of_another_layout_gets_what_was_finished_on_the_device(world: World, running: list[LivePipeline]) -> None:
    world.engine.far = True
    world.sources["demo"] = FakeSource(script={30: None})
    world.sinks["none"], world.sinks["vcam"] = FakeSink(wants=PixelFormat.NV12), FakeSink(wants=PixelFormat.BGR)
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    fetched = FarPicture.fetched
    pipeline.change(sinks=("vcam",))
    taken = world.sinks["vcam"]
    assert isinstance(taken, FakeSink)
    wait_for(lambda: len(taken.sent) > 3)
    assert {frame.shape for frame in taken.sent} == {(48, 64, 3)}
    assert all(abs(int(frame[5, 5, 0]) - 150) <= 3 for frame in taken.sent)
    assert FarPicture.fetched <= fetched + 1


def test_leaving_room_costs_frames_but_not_their_order(world: World, running: list[LivePipeline]) -> None:
    world.engine.busy_ms = 20.0  # of a device that works by itself
    pipeline = start(running, LiveConfig(fps=100.0, leave_room=0.5), wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 60)
    assert pipeline.snapshot().busy <= 0.51
    assert pipeline.meters.counts().dropped > 0
    numbers = [number_of(frame) for frame in world.sink.sent]
    assert numbers == sorted(numbers)
    assert pipeline.report()["leave_room"] == 0.5


def test_frames_are_staged_by_the_capture_thread_and_serve_as_they_are_where_that_fails(
    world: World, running: list[LivePipeline]
) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: world.engine.staged > 3)
    world.engine.stage_error = RuntimeError("no page-locked memory")
    seen = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > seen + 5)
    assert world.sink.sent[-1][5, 5, 0] == 150
    assert message("live.pin_failed", reason="no page-locked memory") in pipeline.board.notes()


def test_what_the_engine_says_is_noted(world: World, running: list[LivePipeline]) -> None:
    world.engine.notes.append(message("slower_way"))
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    assert message("slower_way") in pipeline.board.notes()


def test_viewers_see_the_overlay_only_when_asked(world: World, running: list[LivePipeline]) -> None:
    world.sources["demo"] = FakeSource(size=Size(640, 360))
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    assert (world.sink.sent[-1][2:] == 150).all()
    pipeline.change(overlay=True)
    wait_for(lambda: not (world.sink.sent[-1][2:] == 150).all())
    preview = pipeline.preview.take(5)
    assert preview is not None
    assert (preview.image[2:] == 150).all(), "the window draws its own"


def test_the_report_has_every_promised_key(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, max_frames=10, wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    report = pipeline.report()
    promised = (
        "version device model precision mode size source sink frames faces_per_frame fps latency_ms first_frame_s memory_mb "
        "notes leave_room device_busy"
    )
    assert {*promised.split(), "memory_mb"} <= set(report)
    frames, fps, latency, memory = (report[key] for key in ("frames", "fps", "latency_ms", "memory_mb"))
    assert isinstance(frames, dict)
    assert isinstance(fps, dict)
    assert isinstance(latency, dict)
    assert isinstance(memory, dict)
    assert set(frames) == {"captured", "enhanced", "sent", "dropped", "repeated", "raw", "out_of_order"}
    assert set(fps) == {"capture", "enhance", "output", "fresh"}
    assert set(latency) == set(STAGES)
    assert all(set(quantiles) == {"p50", "p95", "p99", "max"} for quantiles in latency.values())
    assert set(memory) == {"ram_peak", "gpu_peak"}
    assert latency["end_to_end"]["p50"] > 0
    assert report["size"] == str(SIZE)


def test_stopping_closes_everything_and_may_be_repeated(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running)
    wait_for(lambda: len(world.sink.sent) > 3)
    pipeline.stop()
    pipeline.stop()
    source = world.sources["demo"]
    assert isinstance(source, FakeSource)
    assert source.closed.is_set()
    assert world.sink.closed.is_set()


def test_stopping_before_anything_has_loaded(world: World, running: list[LivePipeline]) -> None:
    world.load_s = 0.5
    pipeline = start(running, wait_for_model=True)
    pipeline.stop()
    assert world.sink.sent == []


def test_headless_ends_with_the_error_of_a_model(world: World, running: list[LivePipeline]) -> None:
    world.load_error = GpenLiveError("no_weights")
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: pipeline.error() is not None)
    assert error_of(pipeline) == message("no_weights")


def test_an_engine_that_can_not_be_made_leaves_the_raw_picture(
    world: World, running: list[LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object, loaded: object) -> object:
        raise RuntimeError("no page-locked memory")

    monkeypatch.setattr(worker.Worker, "_engine_with", refuse)
    pipeline = start(running)
    wait_for(lambda: pipeline.snapshot().counts.raw > 5)
    wait_for(lambda: mentions(pipeline.snapshot().model.message, "live.engine_failed"))
    before = pipeline.snapshot().counts.raw
    wait_for(lambda: pipeline.snapshot().counts.raw > before)


def test_the_end_during_a_fitting_is_no_failure(
    world: World, running: list[LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting = threading.Event()

    def load(self: loader.Loader, wanted: loader.ModelRequest) -> loader.LoadedModel:
        while True:
            fitting.set()
            self._fitting(wanted, 0.4)
            time.sleep(0.01)

    monkeypatch.setattr(loader.Loader, "_load", load)
    pipeline = start(running)
    assert fitting.wait(5)
    wait_for(lambda: pipeline.snapshot().model.message == message("model.fitting", model="lite-256", share=0.4))
    pipeline.stop()
    assert pipeline.error() is None


def test_a_finished_picture_that_can_not_be_had_any_more_leaves_the_raw_one(
    world: World, running: list[LivePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device was lost after the network: the frame goes out, not a hole; said once, and over when it is over."""
    lost = [True]
    plain = FarPicture.pixels

    def pixels(self: FarPicture, pixel_format: PixelFormat) -> object:
        if lost[0]:
            raise RuntimeError("the device is lost")
        return plain(self, pixel_format)

    monkeypatch.setattr(FarPicture, "pixels", pixels)
    world.engine.far = True
    pipeline = start(running)
    wait_for(lambda: pipeline.snapshot().counts.raw > 5)
    snapshot = pipeline.snapshot()
    failed = message("live.engine_failed", reason="the device is lost")
    assert snapshot.raw_reason == failed
    assert snapshot.model.message == message("live.raw_goes_out", cause=failed)
    assert snapshot.counts.enhanced == 0
    lost[0] = False
    wait_for(lambda: pipeline.snapshot().counts.enhanced > 3)
    assert pipeline.snapshot().model.health is Health.OK


def test_under_load_less_is_done_which_is_said_and_taken_back_without_a_budget(world: World, running: list[LivePipeline]) -> None:
    world.engine.slow = 0.06
    pipeline = start(running, LiveConfig(fps=50.0), wait_for_model=True)
    wait_for(lambda: pipeline.snapshot().quality.level > 0)
    quality = pipeline.snapshot().quality
    assert quality.given_up[0].id == "effort.detect_every"
    assert world.engine.effort.detect_every > 1
    assert quality.steps_down > 0
    wait_for(lambda: pipeline.snapshot().quality.full_share < 1)
    report = pipeline.report()
    assert any(note.id == "live.budget" for note in pipeline.board.notes())
    assert cast(dict[str, str], report["budget"])["given_up"].startswith(quality.given_up[0].text[:20])
    pipeline.change(budget_ms=0.0)
    wait_for(lambda: world.engine.effort == Effort())
    wait_for(lambda: pipeline.snapshot().quality.given_up == ())


def test_while_nobody_looks_raw_frames_go_out_and_the_network_rests(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    pipeline.set_seen(True)
    wait_for(lambda: world.sink.sent and world.sink.sent[-1][5, 5, 0] == 150)
    pipeline.set_seen(False)
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 50)
    assert pipeline.snapshot().raw_reason == REASON
    pipeline.set_seen(True)
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 150)
    assert pipeline.snapshot().raw_reason is None
    numbers = [number_of(frame) for frame in world.sink.sent]
    assert numbers == sorted(numbers)
