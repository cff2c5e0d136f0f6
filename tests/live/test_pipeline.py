"""The pipeline with everything around it faked: order, accounting, failures, live changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gpen_live.errors import GpenLiveError, SourceError, WeightsError
from gpen_live.frame import STAGES, PixelFormat, Size
from gpen_live.live.config import LiveConfig, Mode
from gpen_live.live.pipeline import LivePipeline
from gpen_live.live.status import Health
from tests.live.fakes import SIZE, FakeSink, FakeSource, World, number_of, stamped, wait_for


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


def test_as_fast_as_possible_leaves_no_frame_out(world: World, running: list[LivePipeline]) -> None:
    world.sources["demo"] = FakeSource(fps=2000, script={40: None})
    world.engine.slow = 0.002
    pipeline = start(running, LiveConfig(realtime=False), wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    assert [number_of(frame) for frame in world.sink.sent] == list(range(40))


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
    world.load_s = 0.4
    pipeline = start(running)
    wait_for(lambda: len(world.sink.sent) > 3)
    assert world.sink.sent[0][5, 5, 0] == 50
    assert "oading" in pipeline.snapshot().raw_reason
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 150)
    assert pipeline.snapshot().raw_reason == ""


def test_a_failing_network_lets_the_raw_frame_through_and_recovers(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 5)
    world.engine.fail = RuntimeError("device lost")
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 50)
    wait_for(lambda: pipeline.snapshot().model.health is Health.WARNING)
    assert "device lost" in pipeline.snapshot().raw_reason
    world.engine.fail = None
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 150)
    wait_for(lambda: pipeline.snapshot().model.health is Health.OK)
    report = pipeline.report()
    assert isinstance(report["notes"], list)
    assert len([note for note in report["notes"] if "device lost" in note]) == 1


def test_a_model_that_cannot_be_loaded_leaves_the_old_one_running(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 5)
    world.load_error = WeightsError("The file is broken.", "Fetch it again.")
    pipeline.change(model="gpen-512")
    wait_for(lambda: pipeline.snapshot().model.health is Health.FAILED)
    assert "The file is broken. Fetch it again." in pipeline.snapshot().model.text
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
    world.load_s = 0.1
    pipeline = start(running)
    for name in ("gpen-256", "gpen-512", "gpen-1024", "gpen-2048"):
        pipeline.change(model=name)
    wait_for(lambda: pipeline.snapshot().model_name == "gpen-2048")
    assert len(world.loads) <= 3


def test_mode_strength_and_enhancement_change_live(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    pipeline.change(mode=Mode.FULL)
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 222)
    pipeline.change(enhance=False)
    wait_for(lambda: world.sink.sent[-1][5, 5, 0] == 50)
    assert pipeline.snapshot().raw_reason == "Enhancement is off."
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
    assert world.engine.scenes == 2


def test_a_source_that_does_not_open_is_said_and_the_window_stays_usable(world: World, running: list[LivePipeline]) -> None:
    pipeline = start(running, LiveConfig(source="camera:7", fps=100.0))
    wait_for(lambda: pipeline.snapshot().source.health is Health.FAILED)
    assert str(pipeline.error()) == "There is no camera:7. Name another."
    pipeline.change(source="demo")
    wait_for(lambda: len(world.sink.sent) > 3)
    assert pipeline.error() is None


def test_a_camera_that_is_lost_comes_back_and_the_last_frame_stays_on(world: World, running: list[LivePipeline]) -> None:
    world.sources["camera:0"] = FakeSource(script={5: SourceError("The camera was unplugged.")})
    pipeline = start(running, LiveConfig(source="camera:0", fps=100.0), wait_for_model=True)
    world_sources = world.sources
    wait_for(lambda: pipeline.snapshot().source.health is Health.WARNING)
    world_sources["camera:0"] = SourceError("still gone")
    seen = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > seen + 20)
    assert number_of(world.sink.sent[-1]) <= 4
    assert pipeline.snapshot().source.health is Health.WARNING
    assert "unplugged" in pipeline.snapshot().source.text
    assert pipeline.error() is None
    world_sources["camera:0"] = FakeSource("back", script={n: stamped(1000 + n) for n in range(1000)})
    wait_for(lambda: number_of(world.sink.sent[-1]) >= 1000)
    assert pipeline.snapshot().source.health is Health.OK


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


@pytest.mark.parametrize("layout", [PixelFormat.I420, PixelFormat.NV12])
def test_frames_arrive_in_the_layout_that_the_sink_wants(world: World, running: list[LivePipeline], layout: PixelFormat) -> None:
    world.sinks["none"] = FakeSink(wants=layout)
    pipeline = start(running, max_frames=5, wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    assert {frame.shape for frame in world.sink.sent} == {(72, 64)}


def test_a_sink_that_fails_is_said_and_another_takes_over(world: World, running: list[LivePipeline]) -> None:
    world.sinks["vcam"] = FakeSink(wants=PixelFormat.NV12)
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: len(world.sink.sent) > 3)
    world.sink.broken = True
    wait_for(lambda: pipeline.snapshot().sink.health is Health.FAILED)
    assert "The fake sink broke. Mend it." in str(pipeline.error())
    assert world.sink.closed.is_set()
    pipeline.change(sink="vcam")
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
        "version device model precision mode size source sink frames faces_per_frame fps latency_ms first_frame_s memory_mb notes"
    )
    assert {*promised.split(), "memory_mb"} <= set(report)
    frames, fps, latency, memory = (report[key] for key in ("frames", "fps", "latency_ms", "memory_mb"))
    assert isinstance(frames, dict)
    assert isinstance(fps, dict)
    assert isinstance(latency, dict)
    assert isinstance(memory, dict)
    assert set(frames) == {"captured", "enhanced", "sent", "dropped", "repeated", "raw", "out_of_order"}
    assert set(fps) == {"capture", "enhance", "output"}
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
    world.load_s = 0.2
    pipeline = start(running, wait_for_model=True)
    pipeline.stop()
    assert world.sink.sent == []


def test_headless_ends_with_the_error_of_a_model(world: World, running: list[LivePipeline]) -> None:
    world.load_error = GpenLiveError("No weights.")
    pipeline = start(running, wait_for_model=True)
    wait_for(lambda: pipeline.error() is not None)
    assert str(pipeline.error()) == "No weights."
