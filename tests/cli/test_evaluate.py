"""`gpen-live evaluate`: its contract with scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gpen_live.cli import main
from gpen_live.facedata.features import Features
from gpen_live.messages import message
from tests.quality.pictures import portrait

FEW = ("--degradation", "mixed", "--level", "0.5", "--against", "bicubic", "--slow-faces", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.png"), np.ascontiguousarray(portrait()[..., ::-1] // (number + 1)))
    return folder


def call(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["evaluate", *(str(word) for word in words)])
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return code, out, " ".join(err.split())


def test_a_run_writes_report_tables_and_sheet(capfd: pytest.CaptureFixture[str], photos: Path, tmp_path: Path) -> None:
    features = tmp_path / "features.pth"
    torch.save({name.removeprefix("layers."): value for name, value in Features().state_dict().items()}, features)
    report, markdown, sheet = (tmp_path / name for name in ("r.json", "t.md", "s.png"))
    words = (photos, *FEW, "--feature-net", features, "--report", report, "--markdown", markdown, "--sheet", sheet)
    code, out, err = call(capfd, *words)
    assert code == 0, err
    assert "This will take about" in err
    assert "Left out: identity (no --identity-net)." in err
    built: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    assert built["complete"] is True
    assert set(built["left_out"]) == {"identity"}
    (condition,) = built["sizes"][0]["conditions"]
    rows = {row["name"]: row for row in condition["rows"]}
    assert set(rows) >= {"input", "lite-256", "bicubic"}
    assert rows["lite-256"]["psnr"] > rows["input"]["psnr"] + 1
    assert rows["lite-256"]["flicker_still"] < 0.6 * rows["input"]["flicker_still"]
    assert rows["input"]["feature"] > 0
    assert markdown.read_text(encoding="utf-8") == out
    assert "| lite-256 |" in out
    assert cv2.imread(str(sheet)) is not None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "gfpgan"], "lite-256"),
        (["--degradation", "rain"], "low-light"),
        (["--against", "photoshop"], "nlmeans"),
        (["--level", "2"], "0"),
        (["--level", "nan"], "nan"),
        (["--split", "test"], "val"),
        (["--faces", "0"], "1"),
        (["--device", "gpu"], "auto, cpu, cuda"),
        (["--sheet", "sheet.jpg"], ".png"),
        (["--model", "lite-256", "--model", "gpen-256", "--weights", "w.pth"], "--weights"),
    ],
)
def test_wrong_usage(capfd: pytest.CaptureFixture[str], photos: Path, words: list[str], told: str) -> None:
    code, _, err = call(capfd, photos, *words)
    assert code == 2
    assert told in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--feature-net", "missing.pth"], "missing.pth"),
        (["--feature-net", "TEXT"], "state dict"),
        (["--identity-net", "missing.onnx"], "missing.onnx"),
        (["--identity-net", "TEXT"], "ONNX"),
        (["--weights", "missing.pth"], "missing.pth"),
        (["--model", "gpen-256"], "gpen-live models fetch gpen-256"),
        (["--report", "nowhere/r.json"], "nowhere"),
        (["--markdown", "nowhere/t.md"], "nowhere"),
        (["--sheet", "nowhere/s.png"], "nowhere"),
    ],
)
def test_what_is_missing_is_named(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    photos: Path,
    tmp_path: Path,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    text = tmp_path / "text.bin"
    text.write_text("neither network nor picture")
    code, _, err = call(capfd, photos, *FEW, *(text if word == "TEXT" else word for word in words))
    assert code == 1
    assert told in err


def test_photos_that_are_not_there(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = call(capfd, tmp_path / "nowhere")
    assert code == 1
    assert message("quality.no_folder", path=tmp_path / "nowhere").text in err
    code, _, err = call(capfd, tmp_path, *FEW)
    assert code == 1
    assert message("quality.no_faces", path=tmp_path, size=256, smallest=0.9 * 256).text in err


def test_ctrl_c_writes_what_there_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path
) -> None:
    import threading

    pressed = threading.Event()
    pressed.set()
    monkeypatch.setattr("gpen_live.cli.evaluate.on_interrupt", lambda: pressed)
    code, out, err = call(capfd, photos, *FEW, "--slow-faces", "0", "--report", tmp_path / "r.json")
    assert code == 0
    assert "Interrupted" in err
    assert "Incomplete" in out
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["complete"] is False


def test_wrong_usage_of_looks(capfd: pytest.CaptureFixture[str], photos: Path, tmp_path: Path) -> None:
    for words, told in (
        (["--beauty", "ball"], "natural"),
        (["--beauty", "off"], "draws nothing"),
        (["--beauty", "natural", "--beauty-amount", "0"], "draws nothing"),
        (["--beauty", "natural", "--beauty-set", "smooth=2"], "smooth"),
        (["--beauty", "natural", "--degradation", "mixed"], "--degradation"),
        (["--beauty", "natural", "--model", "lite-256", "--model", "lite-512"], "--model"),
        (["--beauty", "natural", "--sheet", tmp_path / "sheet.gif"], ".jpg"),
        (["--beauty", "natural", "--clip", "demo"], "--sheet"),
        (["--clip", "demo"], "--beauty"),
        ([photos], "one"),
    ):
        code, _, err = call(capfd, photos, *words)
        assert code == 2, words
        assert told in err


def test_a_run_with_looks_writes_report_tables_and_sheet(
    capfd: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    folder = tmp_path_factory.mktemp("one")
    cv2.imwrite(str(folder / "astronaut.png"), np.ascontiguousarray(portrait()[..., ::-1]))
    report, markdown, sheet = (tmp_path / name for name in ("r.json", "t.md", "s.jpg"))
    words = (folder, "--beauty", "natural", "--slow-faces", "0", "--device", "cpu")
    code, out, err = call(capfd, *words, "--report", report, "--markdown", markdown, "--sheet", sheet)
    assert code == 0, err
    assert "1 faces, 0 of them filmed: natural." in err
    built: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    assert built["complete"] is True
    assert built["unseen"] == []
    assert 0.5 < built["values"]["fine"]["natural"][0] < 1.01
    assert built["values"]["middle"]["smooth = 1"][0] < built["values"]["middle"]["natural"][0] < 1
    assert markdown.read_text(encoding="utf-8") == out
    assert "| fine texture kept, natural |" in out
    assert cv2.imread(str(sheet)) is not None
