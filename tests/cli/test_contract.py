"""The command line's contract: exit codes, and every error as plain sentences on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gpen_live.cli import main, run
from gpen_live.inference import loading
from gpen_live.live.config import LiveConfig
from gpen_live.look import Beauty, Look
from gpen_live.messages import message
from gpen_live.presets import BUILT_IN, Preset, PresetStore, write_preset


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Call = Callable[..., Result]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "home"))

    def run(*words: str | Path) -> Result:
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    return run


HEADLESS = ("run", "--headless", "--sink", "none")


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["run", "--headless", "--model", "gfpgan"], "lite-256"),
        (["run", "--headless", "--strength", "1.5"], "from 0 (the raw picture)"),
        (["run", "--headless", "--leave-room", "95"], "0<=x<=90"),
        (["run", "--headless", "--strength", "-0.1"], "from 0 (the raw picture)"),
        (["run", "--headless", "--strength", "nan"], "from 0 (the raw picture)"),
        (["run", "--headless", "--strength", "much"], "from 0 (the raw picture)"),
        (["run", "--headless", "--size", "huge"], "WIDTHxHEIGHT"),
        (["run", "--headless", "--size", "0x0"], "WIDTHxHEIGHT"),
        (["run", "--headless", "--size", "99999x99999"], "WIDTHxHEIGHT"),
        (["run", "--headless", "--fps", "0"], "0"),
        (["run", "--headless", "--fps", "nan"], "nan"),
        (["run", "--headless", "--seconds", "nan"], "nan"),
        (["run", "--headless", "--mode", "half"], "roi"),
        (["run", "--headless", "--device", "gpu"], "auto, cpu, cuda"),
        (["run", "--headless", "--frames", "0"], "0"),
        (["run", "--headless", "--sink", "film.xyz"], ".mp4"),
        (["run", "--headless", "--sink", "a.mp4", "--sink", "./a.mp4"], "one file"),
        (["run", "--headless", "--source", "camera:x"], "camera:"),
        (["run", "--headless", "--beauty", "dazzling"], "off, natural, studio, glam"),
        (["run", "--headless", "--beauty-amount", "1.5"], "0<=x<=1"),
        (["run", "--headless", "--beauty-set", "smooth"], "NAME=VALUE"),
        (["run", "--headless", "--beauty-set", "whiten=1"], "smooth, even, blemish"),
        (["run", "--headless", "--beauty-set", "slim=-1.5"], "from -1 to 1"),
        (["run", "--headless", "--beauty-set", "smooth=nan"], "from 0 to 1"),
        (["run", "--headless", "--beauty-set", "keep_moles=1"], "on or off"),
        (["run", "--headless", "--beauty-set", "lips_color=red"], "#b03a4e"),
        (["enhance", "a.png", "b.png", "--beauty", "dazzling"], "off, natural, studio, glam"),
        (["run", "--nonsense"], "nonsense"),
        (["nonsense"], "nonsense"),
        (["enhance", "a.png"], "OUT"),
        (["bench", "--model", "x"], "lite-256"),
        (["models", "fetch", "x"], "lite-256"),
    ],
)
def test_wrong_usage_says_what_is_allowed_and_exits_with_2(call: Call, words: list[str], allowed: str) -> None:
    result = call(*words)
    assert result.code == 2
    assert allowed in result.err


def test_beauty_comes_from_presets_files_and_values(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[LiveConfig] = []

    def start(config: LiveConfig, **_: object) -> int:
        started.append(config)
        return 0

    monkeypatch.setattr(run, "run_headless", start)
    PresetStore(tmp_path / "home" / "presets").save("Mine", Beauty(eyes=0.5))
    write_preset(Preset("Given", Beauty(lips=0.5)), tmp_path / "given.json")
    values = ("--beauty-set", "smooth=0.75", "--beauty-set", "keep_moles=off", "--beauty-set", "lips_color=#AA0010")
    for words, beauty in (
        (("--beauty", "glam", "--beauty-amount", "0.5"), replace(BUILT_IN["glam"], amount=0.5)),
        (("--beauty", "mine"), Beauty(eyes=0.5)),
        (("--beauty", tmp_path / "given.json", *values), Beauty(smooth=0.75, keep_moles=False, lips=0.5, lips_color="#AA0010")),
        (("--beauty", "off", "--beauty-set", "slim=-1"), Beauty(slim=-1.0)),
    ):
        assert call(*HEADLESS, *words).code == 0
        assert started.pop().look == Look(beauty=beauty)
    (tmp_path / "given.json").write_text("{}")
    result = call(*HEADLESS, "--beauty", tmp_path / "given.json")
    assert result.code == 1
    assert "given.json is not a preset" in result.err


def test_missing_empty_and_foreign_source_files(call: Call, tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.touch()
    text.write_text("not a video " * 100)
    for path in (tmp_path / "missing.mp4", empty, text, tmp_path):
        result = call(*HEADLESS, "--source", path)
        assert result.code == 1, path
        assert path.name in result.err


def test_a_camera_that_is_not_there(call: Call) -> None:
    result = call(*HEADLESS, "--source", "camera:97")
    assert result.code == 1
    assert "97" in result.err


def test_weights_missing_truncated_foreign_and_with_code_inside(call: Call, tmp_path: Path) -> None:
    from gpen_live.models.registry import get, locate

    shipped = locate(get("lite-256"))
    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(shipped.read_bytes()[:5000])
    foreign = tmp_path / "foreign.pth"
    torch.save({"conv.weight": torch.zeros(3)}, foreign)
    witness = tmp_path / "witness"
    evil = tmp_path / "evil.pth"
    torch.save({"weight": _Evil(str(witness))}, evil)
    for path in (tmp_path / "missing.pth", truncated, foreign, evil):
        for command in ((*HEADLESS, "--frames", "2"), ("enhance", _photo(tmp_path), tmp_path / "out.png", "--aligned")):
            result = call(*command, "--weights", path)
            assert result.code == 1, path
            assert path.name in result.err
    assert not witness.exists()


class _Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def test_official_weights_that_were_not_downloaded(call: Call) -> None:
    result = call(*HEADLESS, "--model", "gpen-512")
    assert result.code == 1
    assert "gpen-live models fetch gpen-512" in result.err


def test_cuda_is_never_replaced_by_the_cpu(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    report = tmp_path / "r.json"
    result = call(*HEADLESS, "--device", "cuda", "--frames", "3", "--report", report)
    assert result.code == 1
    assert "NVIDIA" in result.err
    assert json.loads(report.read_text())["frames"]["enhanced"] == 0
    assert call("enhance", _photo(tmp_path), tmp_path / "out.png", "--device", "cuda").code == 1


def test_reports_and_recordings_that_cannot_be_written(call: Call, tmp_path: Path) -> None:
    assert call(*HEADLESS, "--frames", "2", "--report", tmp_path / "no" / "r.json").code == 1
    assert call(*HEADLESS, "--frames", "2", "--report", tmp_path).code == 1
    result = call("run", "--headless", "--frames", "2", "--sink", tmp_path / "no" / "film.mp4")
    assert result.code == 1
    assert "film.mp4" in result.err


def test_a_virtual_camera_without_a_driver_says_what_is_missing(call: Call) -> None:
    result = call("run", "--headless", "--frames", "2", "--sink", "vcam:/dev/video99")
    assert result.code == 1
    assert "v4l2loopback" in result.err or "OBS" in result.err


def test_nothing_is_written_over_its_own_source(call: Call, tmp_path: Path) -> None:
    photo = _photo(tmp_path)
    before = photo.read_bytes()
    assert call("enhance", photo, photo).code == 2
    assert call("run", "--headless", "--source", photo, "--sink", "none", "--frames", "1").code == 0
    film = tmp_path / "film.mp4"
    film.write_bytes(b"precious")
    result = call("run", "--headless", "--source", film, "--sink", film)
    assert result.code == 2
    assert "film.mp4" in result.err
    assert film.read_bytes() == b"precious"
    assert photo.read_bytes() == before


def test_photos_that_are_none(call: Call, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    empty = tmp_path / "empty.png"
    empty.touch()
    for path in (tmp_path / "missing.png", text, empty, tmp_path):
        result = call("enhance", path, tmp_path / "out.png")
        assert result.code == 1, path
        assert path.name in result.err
    assert call("enhance", _photo(tmp_path), tmp_path / "out.xyz").code == 2
    assert call("enhance", _photo(tmp_path), tmp_path / "no" / "out.png").code == 1


def test_a_photo_without_a_face(call: Call, tmp_path: Path) -> None:
    result = call("enhance", _photo(tmp_path), tmp_path / "out.png")
    assert result.code == 1
    assert message("photo.no_face").text in result.err
    assert not (tmp_path / "out.png").exists()


load_once = cache(loading.load_enhancer)


@pytest.fixture
def networks_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has loaded serves the next."""
    monkeypatch.setattr(loading, "load_enhancer", load_once)


@pytest.mark.usefixtures("networks_stay")
@pytest.mark.parametrize("shape", [(1, 1), (40, 30), (31, 17, 3), (300, 300, 4), (500, 400, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_aligned_takes_any_picture_and_writes_the_networks(
    call: Call, tmp_path: Path, shape: tuple[int, ...], kind: type[np.uint8 | np.uint16]
) -> None:
    path, out = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape, dtype=kind))
    assert call("enhance", path, out, "--aligned").code == 0
    written = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert written.shape == (256, 256, 3)
    assert written.dtype == np.uint8


def test_models_are_listed_and_verified(call: Call) -> None:
    listed = call("models")
    assert listed.code == 0
    for name in ("lite-256", "gpen-256", "gpen-512", "gpen-1024", "gpen-2048"):
        assert name in listed.out
    assert call("models", "list").out == listed.out
    verified = call("models", "verify")
    assert verified.code == 0
    assert "lite-256: sound" in verified.out


def test_fetching_what_ships_needs_no_network(call: Call) -> None:
    result = call("models", "fetch", "lite-256")
    assert result.code == 0
    assert "nothing to download" in result.out


def test_the_licence_comes_first_and_no_answer_is_no(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    result = call("models", "fetch", "gpen-256")
    assert result.code == 1
    assert "non-commercial" in result.out
    assert message("models.not_accepted").text in result.err


def test_unforeseen_errors_are_sentences_and_debug_shows_them(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(_: Path) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("gpen_live.export.photo.read_photo", broken)
    result = call("enhance", "a.png", tmp_path / "b.png")
    assert result.code == 1
    assert "ZeroDivisionError" in result.err
    assert "--debug" in result.err
    with pytest.raises(ZeroDivisionError):
        main(["enhance", "a.png", str(tmp_path / "b.png"), "--debug"])


def _photo(folder: Path) -> Path:
    """A picture without a face."""
    path = folder / "grey.png"
    cv2.imwrite(str(path), np.full((120, 160, 3), 128, np.uint8))
    return path
