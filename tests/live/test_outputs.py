"""Several outputs at once: each at its own pace and size, none in another's way, and the meters about the first one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from gpen_live.errors import GpenLiveError, SinkError, UsageError
from gpen_live.frame import PixelFormat, Size
from gpen_live.live.config import LiveConfig, output_parts
from gpen_live.live.pipeline import LivePipeline
from gpen_live.live.status.snapshot import Health, OutputState
from gpen_live.messages import message
from gpen_live.sinks import check_specs
from tests.live.fakes import FakeSink, FakeSource, World, number_of, wait_for
from tests.messages.says import says


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(monkeypatch)
    made.sinks |= {name: FakeSink() for name in ("vcam", "vcam:b", "a.mp4", "b.mp4")}
    return made


Start = Callable[..., LivePipeline]


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    pipelines: list[LivePipeline] = []

    def begin(*sinks: str, **wishes: object) -> LivePipeline:
        pipeline = LivePipeline(LiveConfig(sinks=sinks, **{"fps": 100.0, **wishes}))  # type: ignore[arg-type]
        pipelines.append(pipeline)
        pipeline.start(wait_for_model=True)
        return pipeline

    yield begin
    for pipeline in pipelines:
        pipeline.stop()


def sink(world: World, name: str) -> FakeSink:
    found = world.sinks[name]
    assert isinstance(found, FakeSink)
    return found


def goes_on(fake: FakeSink, frames: int = 10) -> None:
    seen = len(fake.sent)
    wait_for(lambda: len(fake.sent) > seen + frames)


def state(pipeline: LivePipeline, spec: str) -> OutputState:
    return next(output for output in pipeline.snapshot().outputs if output.spec == spec)


def accounts_hold(pipeline: LivePipeline) -> None:
    """Once the run has ended: each captured frame is in exactly one place."""
    pipeline.stop()
    counts = pipeline.meters.counts()
    under_way = counts.captured - (counts.enhanced + counts.raw + counts.dropped)
    assert 0 <= under_way <= 5, counts
    assert counts.sent == counts.enhanced + counts.raw + counts.repeated
    assert counts.out_of_order == 0


def test_each_output_gets_the_frames_in_order(world: World, start: Start) -> None:
    pipeline = start("vcam", "a.mp4", "b.mp4")
    for name in ("vcam", "a.mp4", "b.mp4"):
        goes_on(sink(world, name), 20)
    pipeline.stop()
    for name in ("vcam", "a.mp4", "b.mp4"):
        numbers = [number_of(frame) for frame in sink(world, name).sent]
        assert numbers == sorted(numbers)
        assert len(set(numbers)) > 10
        assert all(frame[5, 5, 0] == 150 for frame in sink(world, name).sent)
        assert sink(world, name).closed.is_set()
    accounts_hold(pipeline)


def test_a_slow_output_and_one_that_fails_hold_up_nobody_else(world: World, start: Start) -> None:
    slow, quick = sink(world, "a.mp4"), sink(world, "vcam")
    holds = threading.Event()
    send = slow.send

    def held(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], at: float) -> None:
        send(pixels, at)
        holds.wait(10)

    slow.send = held  # type: ignore[method-assign]
    pipeline = start("vcam", "a.mp4", "b.mp4")
    goes_on(quick, 100)
    sink(world, "b.mp4").broken = True
    wait_for(lambda: state(pipeline, "b.mp4").status.health is Health.FAILED)
    goes_on(quick, 50)
    gaps = np.diff(quick.at[-100:])
    assert len(slow.sent) <= 2
    assert np.median(gaps) < 0.02
    assert pipeline.error() is None, "the run goes on"
    assert isinstance(pipeline.error(every=True), SinkError)
    assert pipeline.snapshot().sink.health is Health.OK
    holds.set()
    accounts_hold(pipeline)


def test_what_stays_is_not_interrupted_when_others_come_and_go(world: World, start: Start) -> None:
    recording, camera = sink(world, "a.mp4"), sink(world, "vcam")
    opened: list[str] = []

    def open_recording() -> FakeSink:
        opened.append("a.mp4")
        return recording

    world.openers["a.mp4"] = open_recording
    pipeline = start("a.mp4")
    goes_on(recording)
    assert pipeline.snapshot().sink.label == "fake sink"
    for _ in range(3):
        pipeline.change(sinks=("vcam", "a.mp4"))
        camera.closed.clear()
        goes_on(camera)
        assert [output.part for output in pipeline.snapshot().outputs] == ["sink", "sink a.mp4"]
        pipeline.change(sinks=("a.mp4",))
        wait_for(camera.closed.is_set)
        goes_on(recording)
        assert [output.part for output in pipeline.snapshot().outputs] == ["sink"]
    assert opened == ["a.mp4"]
    assert not recording.closed.is_set()
    assert max(np.diff(recording.at)) < 0.5
    numbers = [number_of(frame) for frame in recording.sent]
    assert numbers == sorted(numbers)
    accounts_hold(pipeline)


def test_each_status_has_a_name_of_its_own_and_keeps_it_with_its_place(world: World, start: Start) -> None:
    world.sinks["vcam"] = SinkError("no_virtual_camera")
    pipeline = start("a.mp4", "vcam")
    wait_for(lambda: pipeline.board.read("sink vcam").health is Health.FAILED)
    wait_for(lambda: pipeline.board.read("sink").health is Health.OK)
    assert pipeline.error() is None
    pipeline.change(sinks=("vcam", "a.mp4"))
    assert pipeline.board.read("sink").health is Health.FAILED
    assert pipeline.board.read("sink a.mp4").health is Health.OK
    error = pipeline.error()
    assert error is not None
    assert error.message == message("no_virtual_camera")
    world.sinks["vcam"] = FakeSink()
    pipeline.retry("sink")
    goes_on(sink(world, "vcam"))
    assert pipeline.error() is None
    pipeline.change(sinks=("vcam",))
    assert pipeline.board.read("sink a.mp4").health is Health.OFF


def test_each_takes_its_own_pixel_format_and_the_cameras_costs_least(world: World, start: Start) -> None:
    sink(world, "vcam").wants, sink(world, "a.mp4").wants = PixelFormat.NV12, PixelFormat.I420
    pipeline = start("a.mp4", "vcam")
    goes_on(sink(world, "vcam"))
    wait_for(lambda: pipeline._worker.pixel_format is PixelFormat.NV12)
    goes_on(sink(world, "a.mp4"))
    camera, recording = sink(world, "vcam").sent[-1], sink(world, "a.mp4").sent[-1]
    assert camera.shape == recording.shape == (72, 64)
    blue = camera[48:, 0::2].ravel(), recording[48:60].ravel()
    assert np.array_equal(blue[0][1:], blue[1][1:]), "the same but for the number in the first pixel, in another place"


def test_a_recording_keeps_its_size_while_the_camera_changes(world: World, start: Start) -> None:
    pipeline = start("vcam", "a.mp4")
    goes_on(sink(world, "a.mp4"))
    pipeline.change(size=Size(128, 96))
    wait_for(lambda: sink(world, "vcam").sent[-1].shape == (96, 128, 3))
    goes_on(sink(world, "a.mp4"))
    assert {frame.shape for frame in sink(world, "a.mp4").sent} == {(48, 64, 3)}


def test_the_report_has_all_of_them(world: World, start: Start) -> None:
    pipeline = start("vcam", "a.mp4")
    goes_on(sink(world, "a.mp4"))
    world_source = world.sources["demo"]
    assert isinstance(world_source, FakeSource)
    world_source.pace = 5
    goes_on(sink(world, "a.mp4"), 50)
    pipeline.stop()
    report = pipeline.report()
    assert report["sink"] == "fake sink"
    counted = [(len(sink(world, name).sent), name) for name in ("vcam", "a.mp4")]
    rows = report["sinks"]
    assert isinstance(rows, list)
    assert [row["sent"] for row in rows] == [count for count, _ in counted]
    assert all(0 < row["repeated"] < row["sent"] for row in rows)
    assert report["frames"]["sent"] == counted[0][0]  # type: ignore[index]


def test_the_newest_frame_as_a_picture(world: World, start: Start, tmp_path: Path) -> None:
    world.load_s = 0.2
    pipeline = start("a.mp4")
    with pytest.raises(GpenLiveError, check=says("live.no_frame")):
        LivePipeline(LiveConfig()).snapshot_image()
    goes_on(sink(world, "a.mp4"))
    paths = [pipeline.save_snapshot(tmp_path, ending) for ending in (".png", ".png", ".jpg")]
    assert len(set(paths)) == 3
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape == (48, 64, 3)
        assert abs(int(picture[20, 20, 0]) - 150) < 3
    with pytest.raises(GpenLiveError, check=says("file.unwritable")):
        pipeline.save_snapshot(tmp_path / "nowhere")


def test_outputs_that_end_leave_no_threads(world: World, start: Start) -> None:
    world.sinks["vcam:a"] = FakeSink()
    pipeline = start("vcam:a")
    goes_on(sink(world, "vcam:a"))
    before = threading.active_count()
    for _ in range(5):
        pipeline.change(sinks=("vcam:a", "vcam:b", "a.mp4"))
        goes_on(sink(world, "vcam:b"))
        pipeline.change(sinks=("vcam:a",))
    wait_for(lambda: threading.active_count() <= before)
    assert len(pipeline._threads._threads) < 12
    goes_on(sink(world, "vcam:a"))


@pytest.mark.parametrize(
    "specs",
    [
        ("a.mp4", "a.mp4"),
        ("a.mp4", "./a.mp4"),
        ("vcam", "vcam"),
        ("vcam", "vcam:/dev/video10"),
        ("vcam:/dev/video10", "none", "vcam:/dev/video10"),
    ],
)
def test_two_outputs_onto_one_thing_are_refused(specs: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        check_specs(specs)
    with pytest.raises(UsageError):
        LivePipeline(LiveConfig(sinks=specs))
    pipeline = LivePipeline(LiveConfig())
    with pytest.raises(UsageError):
        pipeline.change(sinks=specs)
    assert pipeline.config.sinks == ()


def test_outputs_that_go_together() -> None:
    check_specs(("vcam", "a.mp4", "b.mkv", "none"))
    check_specs(("vcam:/dev/video10", "vcam:/dev/video11"))
    assert output_parts(()) == output_parts(("none",)) == {"none": "sink"}
    assert output_parts(("vcam", "none", "a.mp4")) == {"vcam": "sink", "a.mp4": "sink a.mp4"}
