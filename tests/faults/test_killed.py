"""Killed (-9) at any moment: settings, downloads, recordings, measurements and reports are whole, and the next start is clean."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gpen_live.inference import measurements
from gpen_live.models.fetch import DIGESTS
from gpen_live.models.registry import ModelSpec
from gpen_live.settings import Settings, SettingsStore
from gpen_live.system.folders import HOME_VARIABLE
from tests.faults.killing import killed_after, killed_itself, start
from tests.models.test_fetch import CONTENT, Behaviour, get, server, spec, unknown
from tests.sinks.films import playable

__all__ = ["server", "spec"]

CHANCE = random.Random(7)

SAVES = """
from gpen_live.settings import Settings, SettingsStore

def settings(n):
    return Settings(width=n % 7000, source=f"film-{n}.mp4", weights={f"model-{i}": f"{n}.pth" for i in range(300)})

store = SettingsStore()
store.save(settings(0))
print("ready", flush=True)
{moment}
n = 0
while True:
    n += 1
    store.save(settings(n))
"""

WHENEVER = [f"# killed by us, for the {n}. time" for n in range(1, 7)]
"""A process that is killed at some moment that chance names."""

MOMENTS = [
    "die_in_the_middle_of_writing()",
    "die_instead(os, 'fsync')",
    "die_instead(os, 'replace')",
    "die_after(os, 'replace')",
]
"""Where a file that is written whole is on its way."""


def end(process: subprocess.Popen[str], moment: str, at_most: float = 0.05) -> str:
    return killed_after(process, CHANCE.uniform(0, at_most)) if moment in WHENEVER else killed_itself(process)


@pytest.mark.parametrize("moment", [*MOMENTS, *WHENEVER])
def test_settings_are_the_old_ones_or_the_new_ones(moment: str, tmp_path: Path) -> None:
    end(start(SAVES.replace("{moment}", moment), home=tmp_path), moment)
    settings, notice = SettingsStore(tmp_path / "settings.json").load()
    assert notice is None, "nothing was reset"
    number = int(settings.source.removeprefix("film-").removesuffix(".mp4"))
    weights = {f"model-{i}": f"{number}.pth" for i in range(300)}
    assert settings == Settings(width=number % 7000, source=settings.source, weights=weights)
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"], "no draft is left after the next start"


REMEMBERS = """
from pathlib import Path
from gpen_live.inference.measurements import remember
from gpen_live.live.status.report import write_report

def write(n):
    remember("card", [n] * 3000)
    write_report(Path(sys.argv[1]), {"run": [n] * 3000})

write(0)
print("ready", flush=True)
{moment}
n = 0
while True:
    n += 1
    write(n)
"""


@pytest.mark.parametrize("moment", [*MOMENTS, *(f"{moment[:-1]}, nth=2)" for moment in MOMENTS[1:]), *WHENEVER[:3]])
def test_measurements_and_reports_are_whole(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end(start(REMEMBERS.replace("{moment}", moment), tmp_path / "r.json", home=tmp_path), moment)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    for numbers in (measurements.recall("card"), json.loads((tmp_path / "r.json").read_text())["run"]):
        assert isinstance(numbers, list)
        assert len(numbers) == 3000
        assert len(set(numbers)) == 1
    measurements.remember("again", 1)
    assert {path.name for path in tmp_path.iterdir()} == {"measured.json", "r.json"}


FETCHES = """
import time
from dataclasses import replace
from pathlib import Path
from gpen_live.models import fetch, registry

port, folder, digest, length = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] or None, int(sys.argv[4])
spec = replace(
    registry.get("gpen-256"), url=f"http://127.0.0.1:{port}/weights.pth", filename="w.pth", sha256=digest,
    bytes=length if digest else None, parameters=length // 4,
)
print("ready", flush=True)
{moment}
fetch._fetch(
    spec, folder, schemes=frozenset({"http"}), check=lambda *_: None, progress=lambda *_: time.sleep({pause})
)
print("done", flush=True)
time.sleep(60)
"""

STEPS = [
    *WHENEVER[:4],
    "die_instead(fetch, '_write_note')",
    "die_after(fetch, '_write_note')",
    "die_in_the_middle_of_writing(nth=1)",
    "die_in_the_middle_of_writing(nth=2)",
    "die_in_the_middle_of_writing(nth=3)",
    "die_instead(fetch, '_judge')",
    "die_after(fetch, '_judge')",
    "die_instead(fetch, '_remember')",
    "die_after(fetch, '_remember')",
    "die_after(fetch, '_clear')",
]


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


@pytest.mark.parametrize("moment", STEPS)
@pytest.mark.parametrize("digest", ["digest known", "digest not known"])
def test_a_download_goes_on_and_no_half_file_passes_for_a_model(
    digest: str, moment: str, spec: ModelSpec, server: Behaviour, tmp_path: Path
) -> None:
    known = digest == "digest known"
    wanted = hashlib.sha256(CONTENT).hexdigest() if known else ""
    code = FETCHES.replace("{moment}", moment).replace("{pause}", "0.01" if moment in WHENEVER else "0")
    process = start(code, str(server.port), tmp_path, wanted, str(len(CONTENT)), home=tmp_path)
    end(process, moment, at_most=0.6)
    if (tmp_path / "w.pth").exists():
        assert (tmp_path / "w.pth").read_bytes() == CONTENT
    assert get(spec if known else unknown(spec), tmp_path).read_bytes() == CONTENT
    assert visible(tmp_path) - {DIGESTS} == {"w.pth"}
    if not known:
        assert json.loads((tmp_path / DIGESTS).read_text()) == {"w.pth": hashlib.sha256(CONTENT).hexdigest()}


@pytest.mark.parametrize("moment", ["die_instead(fetch, '_write_note')", "die_after(fetch, '_write_note')", *WHENEVER[:2]])
def test_two_versions_are_never_mixed(moment: str, spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    """An old part, a newer file on the server, and a kill while the newer one is taken up."""
    old, new = bytes(len(CONTENT)), CONTENT
    server.content, server.breaks_off_at, server.etag = old, 600_000, '"old"'
    first = start(
        FETCHES.replace("{moment}", "").replace("{pause}", "0"), str(server.port), tmp_path, "", str(len(old)), home=tmp_path
    )
    first.communicate(timeout=60)
    assert (tmp_path / "w.pth.part").stat().st_size > 100_000
    server.content, server.breaks_off_at, server.etag = new, None, '"new"'
    code = FETCHES.replace("{moment}", moment).replace("{pause}", "0.02" if moment in WHENEVER else "0")
    end(start(code, str(server.port), tmp_path, "", str(len(new)), home=tmp_path), moment, at_most=0.4)
    assert get(unknown(replace(spec, sha256=None)), tmp_path).read_bytes() == new


RECORDS = """
from pathlib import Path
import numpy as np
from gpen_live.frame import Size
from gpen_live.sinks.recorder import RecorderSink

noise = np.random.default_rng(0).integers(0, 255, (20, 96, 96), dtype=np.uint8)
sink = RecorderSink(Path(sys.argv[1]), size=Size(96, 64), fps=10)
print("ready", flush=True)
{moment}
for n in range(int(sys.argv[2])):
    sink.send(noise[n % 20], n / 10)
    print(n + 1, flush=True)
sink.close()
print("closed", flush=True)
import time
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize(
    "moment", [*WHENEVER[:2], "die_instead(sink._muxer._file, 'finish')", "die_after(sink._muxer._file, 'finish')"]
)
def test_a_recording_plays_up_to_the_last_second(moment: str, name: str, tmp_path: Path) -> None:
    frames = 100_000 if moment in WHENEVER else 45
    printed = end(start(RECORDS.replace("{moment}", moment), tmp_path / name, str(frames), home=tmp_path), moment, at_most=1.0)
    sent = [int(line) for line in printed.splitlines() if line.isdecimal()]
    assert playable(tmp_path / name) >= ((sent or [0])[-1] - 11 if moment in WHENEVER else frames)


def run(home: Path, *words: str | Path) -> subprocess.Popen[bytes]:
    """The window, drawn into memory; what it prints goes to a file."""
    with (home / "printed").open("wb") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "gpen_live", "--debug", "run", "--source", "demo", "--size", "320x180", *map(str, words)],
            env={**os.environ, "GPEN_LIVE_HOME": str(home / "gpen"), "QT_QPA_PLATFORM": "offscreen"},
            cwd=Path(__file__).resolve().parents[2],
            stdout=printed,
            stderr=printed,
        )


@pytest.mark.timeout(240)
def test_after_a_kill_the_next_start_of_the_whole_app_is_clean(tmp_path: Path) -> None:
    first = tmp_path / "first.mp4"
    process = run(tmp_path, "--sink", first)
    until = time.monotonic() + 90
    while not (first.exists() and first.stat().st_size > 20_000):
        assert process.poll() is None, (tmp_path / "printed").read_text()
        assert time.monotonic() < until, "it never recorded"
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert playable(first) > 20
    second, report = tmp_path / "second.mp4", tmp_path / "r.json"
    again = run(tmp_path, "--sink", second, "--frames", "60", "--report", report)
    assert again.wait(timeout=120) == 0, (tmp_path / "printed").read_text()
    printed = (tmp_path / "printed").read_text()
    assert "Traceback" not in printed
    assert "no lock" not in printed
    assert "no local socket" not in printed
    figures = json.loads(report.read_text())
    assert figures["frames"]["captured"] == 60
    assert figures["notes"] == []
    assert playable(second) > 20
    assert SettingsStore(tmp_path / "gpen" / "settings.json").load().notice is None
    assert not [path for path in (tmp_path / "gpen").rglob("*") if path.name.endswith((".draft", ".part"))]
