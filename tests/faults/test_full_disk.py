"""A disk that takes nothing more: one plain sentence, what was there stays whole, the stream goes on, and room mends it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gpen_live.errors import GpenLiveError, SinkError, WeightsError
from gpen_live.frame import Size
from gpen_live.inference import measurements
from gpen_live.live.config import LiveConfig
from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.status.report import write_report
from gpen_live.live.status.snapshot import Health
from gpen_live.look import Look
from gpen_live.media.picture_file import write_picture
from gpen_live.messages import message
from gpen_live.models.fetch import DIGESTS
from gpen_live.models.registry import ModelSpec
from gpen_live.settings import Settings, SettingsStore
from gpen_live.sinks import recorder
from gpen_live.sinks.recorder import RecorderSink
from gpen_live.sources.base import Source
from gpen_live.system.folders import HOME_VARIABLE
from tests.faults import disk as disks
from tests.faults.disk import Disk
from tests.live.fakes import FakeSource, wait_for
from tests.messages.says import mentions, says
from tests.models.test_fetch import CONTENT, Behaviour, get, server, spec
from tests.sinks.films import playable

__all__ = ["server", "spec"]

ROOT = Path(__file__).resolve().parents[2]
LARGE = Settings(weights={f"model-{n}": f"file-{n}.pth" * 20 for n in range(100)})  # more than a page, so that no slack takes it


@pytest.fixture(params=disks.KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with disks.opened(request.param, tmp_path / "disk") as opened:
        yield opened


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"ballast"}


def test_settings_hold_in_memory_and_are_written_once_there_is_room(disk: Disk) -> None:
    store = SettingsStore(disk.folder / "settings.json")
    assert store.save(Settings(look=Look(strength=0.25))) is None
    disk.leave(0)
    chosen = msgspec.structs.replace(LARGE, look=Look(strength=0.75))
    complaint = message("settings.unsaved", path=store.path, reason=disk.reason.lower())
    assert store.save(chosen) == complaint
    assert store.save(chosen) is None, "said once"
    assert store.unsaved
    assert store.load().settings == Settings(look=Look(strength=0.25)), "the old ones are whole"
    assert names(disk.folder) == {"settings.json"}
    disk.free()
    assert store.save(chosen) is None
    assert not store.unsaved
    assert store.load() == (chosen, None)
    disk.leave(0)
    assert store.save(LARGE) == complaint, "said again, as it is news again"


def test_a_report_is_the_old_one_and_a_sentence_says_why(disk: Disk) -> None:
    path = disk.folder / "r.json"
    write_report(path, {"run": 1})
    disk.leave(0)
    with pytest.raises(GpenLiveError, check=says("file.unwritable", path=path, reason=disk.reason)):
        write_report(path, {"run": "2" * 10_000})
    disk.free()
    assert json.loads(path.read_text()) == {"run": 1}
    assert names(disk.folder) == {"r.json"}


def test_a_photo_is_whole_or_not_there(disk: Disk) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    disk.leave(0)
    with pytest.raises(GpenLiveError, check=says("file.unwritable", path=disk.folder / "out.png", reason=disk.reason)):
        write_picture(disk.folder / "out.png", noise)
    assert names(disk.folder) == set()


def test_measurements_that_are_not_kept_cost_nothing_but_time(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(disk.folder))
    measurements.remember("card", [1, 2])
    disk.leave(0)
    measurements.remember("other", "x" * 10_000)
    assert measurements.recall("card") == [1, 2]
    assert measurements.recall("other") is None
    disk.free()
    measurements.remember("other", "x" * 10_000)
    assert measurements.recall("other") == "x" * 10_000
    assert names(disk.folder) == {"measured.json"}


def test_a_download_says_so_and_goes_on_once_there_is_room(disk: Disk, spec: ModelSpec, server: Behaviour) -> None:
    def fill(done: int, _total: int) -> None:
        if 0 < done < len(CONTENT) // 2:
            disk.leave(done if disk.reason == "File too large" else 0)

    with pytest.raises(WeightsError) as caught:
        get(spec, disk.folder, progress=fill)
    assert caught.value.message in (
        message("fetch.disk_full", folder=disk.folder),
        message("fetch.folder", folder=disk.folder, reason=disk.reason),
    )
    assert spec.filename not in names(disk.folder), "no half file passes for the model"
    arrived = (disk.folder / f"{spec.filename}.part").stat().st_size
    assert 0 < arrived < len(CONTENT)
    disk.free()
    assert get(spec, disk.folder).read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={arrived}-"
    assert {name for name in names(disk.folder) if not name.endswith(".lock")} == {spec.filename, DIGESTS}


def test_compiled_kernels_that_can_t_be_kept_leave_the_network_to_pytorch(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton", reason="Triton is for Linux")
    import torch

    from gpen_live.kernels.launch import guarded
    from tests.faults.kernel import double
    from tests.kernels.compiling import compiled

    monkeypatch.setenv("TRITON_CACHE_DIR", str(disk.folder / "triton"))
    numbers = torch.zeros(256)
    disk.leave(0)
    with pytest.raises(RuntimeError, match=f"Triton can't run the network here: .*{disk.reason}"), guarded(torch.device("cpu")):
        compiled(double, (numbers,), {"n": 256}, 86)
    disk.free()
    with guarded(torch.device("cpu")):
        assert compiled(double, (numbers,), {"n": 256}, 86).asm["cubin"], "what lies there half does no harm"


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_a_recording_ends_as_a_film_that_plays(name: str, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_ROOM", 0)  # as where another program takes the room within a second, or a quota ends
    noise = np.random.default_rng(0)
    sink = RecorderSink(disk.folder / name, size=Size(160, 120), fps=10)
    disk.leave(1_500_000)
    sent = 0

    def go_on() -> None:
        nonlocal sent
        for sent in range(500):
            sink.send(noise.integers(0, 255, (180, 160), dtype=np.uint8), sent / 10)

    with pytest.raises(SinkError, check=says("recording.unwritable", reason=disk.reason)):
        go_on()
    sink.close()
    disk.free()
    assert sent > 30
    assert playable(disk.folder / name) >= sent - 21, "all but the second that did not fit and the one before it"


class Noisy(FakeSource):
    """Pictures that no encoder makes small."""

    def read(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
        picture = super().read()
        assert picture is not None
        return np.random.default_rng(self.number).integers(0, 255, picture.shape, dtype=np.uint8)


@pytest.mark.parametrize("in_order", [True, False])
def test_the_stream_goes_on_while_its_recording_ends(in_order: bool, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_ROOM", 2 * 2**20 if in_order else 0)
    if in_order and disk.reason == "File too large":
        pytest.skip("a limit is not seen beforehand")
    film = disk.folder / "film.mp4"

    def camera(*_: object, **__: object) -> Source:
        return Noisy(fps=30.0, size=Size(160, 120))

    def no_model(_wanted: object) -> object:
        raise WeightsError("no_network")

    pipeline = LivePipeline(
        LiveConfig(sinks=(str(film),), size=Size(160, 120), fps=30.0),
        outside=Outside(open_source=camera, load=no_model),  # type: ignore[arg-type]
    )
    pipeline.start()
    try:
        wait_for(lambda: pipeline.snapshot().sink.health is Health.OK)
        disk.leave(3 * 2**20 if in_order else 1_500_000)
        wait_for(lambda: pipeline.snapshot().sink.health is Health.FAILED)
        told = pipeline.snapshot().sink.message
        if in_order:
            assert mentions(told, "recording.full", file="film.mp4")
        else:
            assert mentions(told, "recording.unwritable", reason=disk.reason)
        captured = pipeline.meters.counts().captured
        wait_for(lambda: pipeline.meters.counts().captured > captured + 30)
        assert pipeline.preview.take(2) is not None, "the window still gets the picture"
        notes = [note for note in pipeline.board.notes() if "film.mp4" in note.text]
        assert notes == [told], "one message"
    finally:
        pipeline.stop()
        disk.free()
    assert playable(film) > 0


def test_a_log_on_a_full_disk_raises_nothing(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    from gpen_live.privacy import PrivateFormatter

    with open("/dev/full", "w") as full:  # noqa: PTH123
        handler = logging.StreamHandler(full)
        handler.setFormatter(PrivateFormatter())
        logger = logging.getLogger("tests.full")
        logger.addHandler(handler)
        logger.propagate = False
        thread = threading.Thread(target=lambda: logger.error("x" * 100_000))
        thread.start()
        thread.join()
        logger.removeHandler(handler)
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # what is left in its buffer must go somewhere


def test_a_run_whose_words_go_to_a_full_disk_runs_to_its_end(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    words = ["run", "--headless", "--source", "demo", "--size", "320x180", "--seconds", "3", "--report", "r.json"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        subprocess.run(
            [sys.executable, "-m", "gpen_live", "--debug", *words],
            env={**os.environ, "GPEN_LIVE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=full,
            cwd=tmp_path,
            check=False,
            timeout=120,
        )
    assert json.loads((tmp_path / "r.json").read_text())["frames"]["sent"] > 30, "it did not end at its first line"
