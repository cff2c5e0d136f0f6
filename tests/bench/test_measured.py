"""What is measured, on tiny fakes: that it is counted, attributed and ended as it should. Never how fast it is."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from gpen_live.bench import child, footprint, measure
from gpen_live.bench.clip import ClipSource, read_frames
from gpen_live.bench.flow import time_flow
from gpen_live.bench.measure import Measurement, Options
from gpen_live.bench.network import crops, time_network
from gpen_live.bench.path import time_path
from gpen_live.bench.plan import run
from gpen_live.bench.results import Footprint
from gpen_live.bench.timing import Budget
from gpen_live.bench.weights import weights_for
from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import COMING, Engine
from gpen_live.engine.result import FrameResult, HostPicture
from gpen_live.errors import GpenLiveError, SourceError, WeightsError
from gpen_live.frame import Image, PixelFormat, Size
from gpen_live.inference.device import CPU
from gpen_live.inference.enhancer import NetworkError
from gpen_live.inference.loading import load_enhancer
from gpen_live.inference.tensors import on_tensors
from gpen_live.live.status.report import peak_ram_mb
from gpen_live.look import Beauty, Look, Mode
from gpen_live.messages import message
from gpen_live.models import registry
from gpen_live.models.registry import get
from gpen_live.nets import gpen_variants
from tests.messages.says import says

TINY = Budget(seconds=0.2, least=3, most=12, warm_ups=2)
SIZE = Size(64, 48)


def always() -> bool:
    return True


class FakeEngine:
    """The engine's interface: a face appears after `coming` frames, each frame takes `slow` seconds."""

    def __init__(self, *, coming: int = 1, slow: float = 0.002) -> None:
        self.device = CPU
        self.detector = object()
        self.enhancer = SimpleNamespace(spec=get("lite-256"), precision="fp32", notes=[])
        self.coming, self.slow, self.count, self.calls = coming, slow, 0, 0
        self.begun, self.busy = 0, False
        self.fail: Exception | None = None
        self.notes: list[str] = []
        self.effort, self.in_between = Effort(), True
        self.lighter: tuple[object, ...] = ()

    def new_scene(self) -> None:
        self.count = 0

    def pin(self, image: Image) -> Image:
        return image

    def process(self, image: Image, at: float, look: Look, pixel_format: PixelFormat = PixelFormat.BGR) -> FrameResult:
        if look.mode is Mode.FULL:
            return FrameResult(HostPicture(image), times_ms={"network": 3.0})
        self.begun, self.busy = self.begun + 1, True
        time.sleep(self.slow)
        self.busy = False
        if self.fail is not None:
            raise self.fail
        self.calls += 1
        self.count += 1
        reason = None if self.count > self.coming else COMING
        return FrameResult(HostPicture(image), raw_reason=reason, times_ms={"detect": 1.0, "network": 2.0})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Also what a run as fast as possible makes of the model that it is given."""
    engine = FakeEngine()

    def made(*_: object) -> FakeEngine:
        engine.new_scene()
        return engine

    monkeypatch.setattr("gpen_live.export.video.VideoRun._engine_with", made)
    return engine


def frames(count: int = 4) -> list[Image]:
    return [np.full((SIZE.height, SIZE.width, 3), 10 * i, np.uint8) for i in range(count)]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """GPEN-256 as a network of 16 pixels, without weights on the machine."""
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(registry.MODELS, "gpen-256", dataclasses.replace(get("gpen-256"), size=16, parameters=100_000))
    monkeypatch.setitem(gpen_variants.VARIANTS, "gpen-256", {"size": 16, "channel_multiplier": 1, "narrow": 0.0625})
    threads = torch.get_num_threads()
    yield "gpen-256"
    torch.set_num_threads(threads)


def test_a_network_is_timed_with_different_crops(tiny: str, tmp_path: Path) -> None:
    path, own = weights_for(get(tiny), tmp_path)
    one = load_enhancer(tiny, path, CPU)
    found = time_network(one, TINY, always, own_weights=own)
    assert found is not None
    assert not found.own_weights
    assert 3 <= found.runs <= TINY.most
    assert 0 < found.network_ms.p50 <= found.network_ms.p95
    assert found.fps == pytest.approx(1e3 / found.network_ms.p50, rel=0.01)
    assert found.proof.wall_ms > 0
    assert sum(candidate["chosen"] for candidate in found.candidates) == 1
    pictures = crops(16, CPU)
    assert len({picture.numpy().tobytes() for picture in pictures}) == len(pictures)
    assert time_network(one, TINY, lambda: False, own_weights=own) is None


def test_untrained_weights_are_loaded_like_published_ones_and_always_the_same(tiny: str, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    (first, own), (second, _) = (weights_for(get(tiny), folder) for folder in (tmp_path, tmp_path / "again"))
    assert not own
    states = [torch.load(path, weights_only=True) for path in (first, second)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    picture = on_tensors(load_enhancer(tiny, first, CPU))(crops(16, CPU)[0])
    assert 0.05 < float(picture.std()) < 1


def test_a_shipped_file_that_is_missing_is_never_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gpen_live.models.registry.shipped_folder", lambda: tmp_path)
    with pytest.raises(WeightsError, match="missing"):
        weights_for(get("lite-256"), tmp_path)


def test_the_path_is_timed_by_stage_once_the_face_is_there(fake: FakeEngine) -> None:
    (found,) = time_path(cast(Engine, fake), Mode.ROI, frames(), TINY, always)
    assert found.frames == found.enhanced == TINY.most
    assert set(found.stages_ms) == {"detect", "network", "convert"}
    assert found.stages_ms["network"].p50 == 2.0
    assert found.frame_ms.p50 >= 2
    (full,) = time_path(cast(Engine, fake), Mode.FULL, frames(), TINY, always)
    assert (full.mode, full.stages_ms["network"].p50) == ("full", 3.0)


def test_beauty_and_none_take_turns(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[bool] = []
    plain = fake.process

    def process(image: Image, at: float, look: Look, pixel_format: PixelFormat) -> FrameResult:
        drawn = look.beauty.uses()
        if not order or order[-1] != drawn:
            order.append(drawn)
        done = plain(image, at, look, pixel_format)
        if drawn:
            time.sleep(0.004)
            done.times_ms["beauty"] = 4.0
        return done

    monkeypatch.setattr(fake, "process", process)
    beauties = {"off": Beauty(), "studio": Beauty(smooth=0.5)}
    none, studio = time_path(cast(Engine, fake), Mode.ROI, frames(), TINY, always, beauties)
    assert order == [False, True] * 4
    assert (none.beauty, studio.beauty) == ("off", "studio")
    assert "beauty" not in none.stages_ms
    assert studio.stages_ms["beauty"].p50 == 4.0
    assert studio.frame_ms.p50 - none.frame_ms.p50 > 3


def test_a_clip_without_a_face_is_timed_and_told(fake: FakeEngine) -> None:
    fake.coming = 10**6
    (found,) = time_path(cast(Engine, fake), Mode.ROI, frames(), TINY, always)
    assert (found.frames, found.enhanced) == (TINY.most, 0)
    assert time_path(cast(Engine, fake), Mode.ROI, frames(), TINY, lambda: False) == []


@pytest.mark.parametrize("feed", ["raw", "MJPG"])
def test_the_same_frames_go_one_after_the_other_and_through_the_threads(fake: FakeEngine, feed: Any) -> None:
    found = time_flow(cast(Engine, fake), Mode.ROI, frames(), feed, TINY, always)
    assert found is not None
    assert found.serial_fps > 0
    assert found.pipelined_fps > 0
    assert found.gain_percent == pytest.approx(100 * (found.pipelined_fps / found.serial_fps - 1), abs=0.5)
    assert found.feed == feed
    assert found.enhanced >= 3 * 3
    assert 3 <= found.frames - found.enhanced < found.frames / 2, "each round begins with a face that comes into view"


def test_threads_read_while_they_enhance_and_turns_do_not(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    here, read = threading.current_thread(), ClipSource.read
    meanwhile: dict[bool, list[bool]] = {True: [], False: []}

    def watched(source: ClipSource) -> Image | None:
        before = fake.begun
        time.sleep(0.01)
        meanwhile[threading.current_thread() is here].append(fake.begun > before or fake.busy)
        return read(source)

    monkeypatch.setattr(ClipSource, "read", watched)
    fake.slow = 0.01
    assert time_flow(cast(Engine, fake), Mode.ROI, frames(), "raw", TINY, always) is not None
    assert not any(meanwhile[True])
    assert any(meanwhile[False])


def test_a_failing_engine_ends_the_flow(fake: FakeEngine) -> None:
    fake.fail = NetworkError("failed", reason="no memory")
    with pytest.raises(NetworkError):
        time_flow(cast(Engine, fake), Mode.ROI, frames(), "raw", TINY, always)


def test_an_interrupted_flow_is_none(fake: FakeEngine) -> None:
    assert time_flow(cast(Engine, fake), Mode.ROI, frames(), "raw", TINY, lambda: False) is None


def test_frames_are_fitted_and_go_around() -> None:
    clip = read_frames("demo", Size(160, 90), 3, always)
    assert [frame.shape for frame in clip] == [(90, 160, 3)] * 3
    source = ClipSource(clip, "raw", 5)
    taken = [source.read() for _ in range(6)]
    assert taken[3] is taken[0]
    assert taken[5] is None
    decoded = ClipSource(clip, "MJPG", 1).read()
    assert decoded is not None
    assert np.abs(decoded.astype(int) - clip[0]).mean() < 8


def test_a_clip_without_frames_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = SimpleNamespace(read=lambda: None, close=lambda: None)
    monkeypatch.setattr("gpen_live.bench.clip.open_source", lambda *_, **__: empty)
    with pytest.raises(SourceError, check=says("bench.no_frames")):
        read_frames("x.mp4", SIZE, 3, always)


def test_a_footprint_has_all_its_figures(tiny: str, tmp_path: Path) -> None:
    path, _ = weights_for(get(tiny), tmp_path)
    found = footprint._work({"model": tiny, "weights": str(path), "device": "cpu", "width": 320, "height": 180})
    one = Footprint(model=tiny, **found)
    assert one.warm_up_s > 0
    assert one.load_s > 0
    assert one.ram_peak_mb >= one.ram_before_mb > 50
    assert one.first_frame_s >= one.import_s > 0


def test_a_small_process_has_not_the_memory_of_the_one_that_started_it() -> None:
    assert peak_ram_mb() > 150, "PyTorch is loaded here"
    code = "from gpen_live.live.status.report import peak_ram_mb; print(peak_ram_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=child._environment())
    assert 5 < float(done.stdout) < 120


def test_a_process_answers_fails_in_words_and_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helper_of_bench.py").write_text(
        "import sys, time\nfrom gpen_live.bench import child\nfrom gpen_live.errors import GpenLiveError\n"
        "from gpen_live.messages import message\n"
        "def work(request):\n"
        "    print('noise')\n"
        "    if request['do'] == 'fail': raise GpenLiveError('broken', part='it', cause=message('worn', at=3))\n"
        "    if request['do'] == 'crash': sys.exit('the last word')\n"
        "    if request['do'] == 'memory': raise MemoryError\n"
        "    if request['do'] == 'hang': time.sleep(60)\n"
        "    return {'sum': request['a'] + request['b']}\n"
        "child.answer(work)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def call(do: str, going: Callable[[], bool] = always, limit_s: float = 30.0) -> child.Json | None:
        return child.call("helper_of_bench", {"do": do, "a": 1, "b": 2}, going, limit_s)

    assert call("add") == {"sum": 3}
    with pytest.raises(GpenLiveError, check=says("broken", part="it", cause=message("worn", at=3))):
        call("fail")
    with pytest.raises(GpenLiveError, check=says("bench.child_ended", code=1, reason="the last word")):
        call("crash")
    with pytest.raises(GpenLiveError, check=says("bench.child_failed", reason="MemoryError: ")):
        call("memory")
    with pytest.raises(GpenLiveError, check=says("bench.child_late")):
        call("hang", limit_s=0.5)
    end = time.monotonic() + 0.5
    assert call("hang", going=lambda: time.monotonic() < end) is None


def test_a_whole_run_and_one_network_that_fails(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "QUICK", TINY)
    monkeypatch.setattr(measure, "FEEDS", ("raw",))
    options = Options(models=[tiny], parts=("networks", "stages", "flow"), device="cpu", size=Size(320, 180), quick=True)
    whole = Measurement(options, tmp_path)
    titles: list[str] = []

    def going(_: float, what: str) -> bool:
        titles.append(what)
        return True

    assert run(whole.steps, going)
    found = whole.bench
    assert found.failures == []
    assert [one.model for one in found.networks] == [tiny]
    assert [one.mode for one in found.paths] == ["roi", "full"]
    assert found.paths[0].enhanced > 0
    assert len(found.flows) == 1
    assert list(tmp_path.glob("*.pth")) == [], "untrained weights are deleted"
    assert dict.fromkeys(titles).keys() >= {"gpen-256: loading", "gpen-256: network", "gpen-256: full frame"}

    monkeypatch.setattr(measure, "load_enhancer", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("out of memory\nmore")))
    broken = Measurement(options, tmp_path)
    assert run(broken.steps, going)
    assert broken.bench.failures == ["gpen-256: RuntimeError: out of memory"]
    assert broken.bench.networks == []
