"""The real thing in a process of its own: demo camera, shipped weights, recording, report, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

COMMAND = [sys.executable, "-m", "gpen_live"]


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    return {**kept, "GPEN_LIVE_HOME": str(home)}


def run(home: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=240)


def pictures(path: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    film = av.open(str(path))
    try:
        return [np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8) for frame in film.decode(video=0)]
    finally:
        film.close()


def test_every_frame_of_the_demo_camera_is_enhanced_and_recorded(tmp_path: Path) -> None:
    film, report = tmp_path / "out.mp4", tmp_path / "r.json"
    done = run(
        tmp_path,
        *("run", "--headless", "--source", "demo", "--sink", film, "--size", "640x360", "--fps", "30"),
        *("--frames", "40", "--as-fast-as-possible", "--report", report),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    frames = figures["frames"]
    assert frames["captured"] == frames["sent"] == 40
    assert frames["enhanced"] >= 38, "but for a face that fades in, every frame"
    assert frames["dropped"] == frames["repeated"] == frames["out_of_order"] == 0
    assert figures["faces_per_frame"] == pytest.approx(1, abs=0.05)
    assert figures["model"] == "lite-256"
    assert all(figures["latency_ms"][stage]["p50"] > 0 for stage in ("detect", "warp", "network", "blend", "convert", "send"))
    assert figures["notes"] == []
    assert len(pictures(film)) == 40
    raw = tmp_path / "raw.mp4"
    done = run(
        tmp_path,
        *("run", "--headless", "--source", "demo", "--sink", raw, "--size", "640x360", "--fps", "30"),
        *("--frames", "40", "--as-fast-as-possible", "--strength", "0", "--beauty", "off"),
    )
    assert done.returncode == 0, done.stderr
    change = np.abs(pictures(film)[30].astype(int) - pictures(raw)[30]).mean(axis=2)
    assert change.max() > 12, "the face changes"
    assert np.median(change) < 2, "the scene around it does not"


def test_interrupted_in_real_time_it_ends_cleanly_with_the_report(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    words = ["run", "--headless", "--size", "320x180", "--report", str(report)]
    process = subprocess.Popen(
        [*COMMAND, *words], env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()  # the first line of meters: frames are going out
    assert "fps out" in line
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    frames = json.loads(report.read_text())["frames"]
    assert frames["sent"] > 0
    assert frames["captured"] <= frames["enhanced"] + frames["raw"] + frames["dropped"] + 3
    assert frames["out_of_order"] == 0


def test_interrupted_while_it_loads_it_ends_cleanly_too(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    words = ["run", "--headless", "--size", "320x180", "--report", str(report)]
    process = subprocess.Popen(
        [*COMMAND, *words], env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "Loading" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "terminate called" not in err
    assert json.loads(report.read_text())["frames"]["sent"] == 0


def test_without_a_display_it_says_so_and_runs_headless(tmp_path: Path) -> None:
    done = run(tmp_path, "run", "--frames", "20", "--size", "320x180")
    if sys.platform == "linux":
        assert "No display" in done.stderr
        assert done.returncode == 0
        assert "20 frames captured" in done.stdout
