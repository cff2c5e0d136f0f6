"""The measurement as a whole: looks of the tests' own on drawn faces, the report, its tables, sheets; and the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from torch import Tensor, nn

from gpen_live.engine.result import Change, FaceCrop
from gpen_live.errors import GpenLiveError
from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.faces.detect import Detection, Detector
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.look import Beauty
from gpen_live.presets import BUILT_IN
from gpen_live.quality.beauty.goals import goals, served
from gpen_live.quality.beauty.looks import only
from gpen_live.quality.beauty.measure import MADE_UP_ROW, RIVAL_ROW, SKIN_ROW, SMOOTH_ROW, BeautyMeasurement
from gpen_live.quality.beauty.report import build_report, to_markdown
from gpen_live.quality.beauty.runner import FPS, EngineRunner
from gpen_live.quality.beauty.sheet import clip_sheet, faces_sheet, spread, write_sheet
from gpen_live.quality.skin import TONES
from tests.engine.networks import on_host
from tests.messages.says import says
from tests.quality.beauty.pictures import face

Bytes = npt.NDArray[np.uint8]


class Brush:
    """Draws what it is told to, on every frame alike. `blind`: it finds no face."""

    def __init__(self, draw: Callable[[Bytes, Beauty], Bytes], *, blind: bool = False) -> None:
        self._draw, self._blind = draw, blind

    def film(self, frames: Sequence[Bytes], beauty: Beauty, *, strength: float = 0.0, fps: float = FPS) -> list[Bytes]:
        return [self._draw(frame, beauty) if beauty.uses() else frame for frame in frames]

    def photo(self, picture: Bytes, beauty: Beauty) -> Bytes | None:
        return None if self._blind else self._draw(picture, beauty)


def careless(picture: Bytes, beauty: Beauty) -> Bytes:
    """The whole picture blurred and made lighter: all that a look should not do."""
    return np.asarray(cv2.GaussianBlur(cv2.add(picture, np.full_like(picture, 12)), (0, 0), 2), np.uint8)


def dotted(picture: Bytes, beauty: Beauty) -> Bytes:
    """A dot in one corner."""
    drawn = picture.copy()
    drawn[10:14, 10:14] = 255
    return drawn


def nothing(picture: Bytes, beauty: Beauty) -> Bytes:
    return picture


def measured(draw: Callable[[Bytes, Beauty], Bytes], *, filmed: int = 1, stop_after: int = 10**6) -> BeautyMeasurement:
    faces = [face(), face((110, 76, 58), marked=False, name="darker")]
    measurement = BeautyMeasurement(faces, {"natural": BUILT_IN["natural"], "glam": BUILT_IN["glam"]}, Brush(draw), filmed=filmed)
    assert measurement.estimate() > 0
    told: list[str] = []
    steps: list[int] = []

    def progress(done: int, what: str) -> None:
        steps.append(done)
        told.append(what)

    measurement.run(progress, lambda: len(told) > stop_after)
    if measurement.complete:
        assert sum(steps) == measurement.steps
    return measurement


@pytest.fixture(scope="module")
def bad() -> BeautyMeasurement:
    return measured(careless)


def unmet(measurement: BeautyMeasurement) -> str:
    return "\n".join(goal.measure for goal in goals(measurement) if not goal.met)


def test_a_careless_look_misses_its_goals(bad: BeautyMeasurement) -> None:
    missed = unmet(bad)
    for part in (
        "fine texture kept, natural",
        f"fine texture kept, {SMOOTH_ROW}",
        f"background, {SKIN_ROW}",
        f"hair, {SKIN_ROW}",
        f"on the cup, {SMOOTH_ROW}",
        f"on the hand, {MADE_UP_ROW}",
    ):
        assert part in missed
    assert "flicker" not in missed  # a blur is at least calm


def test_no_look_at_all_misses_what_it_should_do() -> None:
    missed = unmet(measured(nothing, filmed=0))
    assert "middle band gone, natural" in missed
    assert "blemishes gone" in missed
    for part in ("fine texture", "moles", "background", "lines"):
        assert part not in missed


def test_report_and_tables(bad: BeautyMeasurement, tmp_path: Path) -> None:
    report = build_report(bad, photos=["drawn"], split="val", device="cpu", seconds=90)
    assert report["complete"] is True
    assert [one["name"] for one in report["faces"]] == ["drawn", "darker"]
    assert report["faces"][0]["skin"] != report["faces"][1]["skin"]
    assert report["looks"]["natural"]["smooth"] == BUILT_IN["natural"].smooth
    assert set(report["values"]["fine"]) == {
        *(prefix + row for prefix in ("", RIVAL_ROW) for row in ("natural", "glam", SMOOTH_ROW)),
        SKIN_ROW,
    }
    assert report["values"]["hair mean"]["natural"][0] > 1
    assert report["values"]["hair mean"]["natural"][1] is None  # without points
    json.dumps(report, allow_nan=False)
    tables = to_markdown(bad, device="cpu", seconds=90)
    for heading in ("Goals", "Texture on skin", "Painted blemishes", "Outside the skin", "What passes before a face", "By skin"):
        assert f"### {heading}" in tables
    assert "nan" not in tables
    (lit,) = (line for line in tables.splitlines() if line.startswith("| none |") and "(" in line)
    assert lit.count("(+") == 2  # the careless look lightens
    assert "| **missed** |" in tables


def test_stopping_keeps_what_is_there() -> None:
    measurement = measured(nothing, stop_after=1)
    assert not measurement.complete
    assert measurement.results.rows("fine")
    assert to_markdown(measurement, device="cpu", seconds=1).startswith("**Incomplete")
    assert build_report(measurement, photos=[], split="val", device="cpu", seconds=1)["complete"] is False


def test_a_face_that_is_not_found_is_named() -> None:
    measurement = BeautyMeasurement([face()], {"natural": BUILT_IN["natural"]}, Brush(nothing, blind=True), filmed=1)
    measurement.run(lambda done, what: None, lambda: False)
    assert measurement.complete
    assert measurement.results.unseen == ["drawn"]
    assert "Not found by the detector: drawn" in to_markdown(measurement, device="cpu", seconds=1)


def test_one_group_of_a_look() -> None:
    skin = only(BUILT_IN["glam"], "skin")
    assert skin.uses("skin")
    assert not skin.uses("face", "shape", "makeup")
    assert skin.smooth == BUILT_IN["glam"].smooth


def test_sheets_show_faces_and_moments_with_each_look(tmp_path: Path) -> None:
    import av

    looks = {"natural": BUILT_IN["natural"], "glam": BUILT_IN["glam"]}
    faces = [face((40 * n, 30 * n, 25 * n), marked=False, name=str(n)) for n in range(1, 6)]
    chosen = spread(faces, 3)
    assert (chosen[0].name, len(chosen)) == ("5", 3)
    rows = list(faces_sheet(chosen, looks, Brush(careless)))
    assert len(rows) == 3
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as film:
        stream = film.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for level in range(6):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 96, 3), 40 * level, np.uint8))))
        film.mux(stream.encode())
    moments = list(clip_sheet(clip, looks, Brush(careless)))
    assert all(row.shape[1] > 2 * 96 for row in moments)
    (first, *_) = clip_sheet(clip, looks, Brush(dotted))
    assert first.shape[0] < 64
    rows += moments
    path = tmp_path / "sheet.jpg"
    write_sheet(path, rows)
    assert cv2.imread(str(path)).shape[1] == rows[0].shape[1]
    with pytest.raises(GpenLiveError, check=says("file.unwritable")):
        write_sheet(tmp_path / "none" / "sheet.jpg", rows)


class Centred(Detector):
    """A face in the middle of every frame, or none."""

    def __init__(self, side: float | None) -> None:
        self._side = side

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = 0.6) -> list[Detection]:
        if self._side is None:
            return []
        points = (GPEN_TEMPLATE - 0.5) * self._side + np.array(image.shape[1::-1]) / 2
        return [Detection((0, 0, 99, 99), 0.99, points)]


class Redder:
    """A stage that adds red wherever a look smooths."""

    name = "beauty"

    def active(self, told: FaceCrop) -> bool:
        return told.look.beauty.smooth > 0

    def __call__(self, seen: Any, change: Change, told: FaceCrop) -> Change:
        return Change(change.added + np.array([0, 0, 20], np.float32))


class Failing(Redder):
    def __call__(self, seen: Any, change: Change, told: FaceCrop) -> Change:
        raise RuntimeError("no brush")


class Same(nn.Module):
    stride = 16

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def test_the_engine_draws_looks_on_films_and_photos() -> None:
    picture = face().canvas

    def runner(side: float | None) -> EngineRunner:
        return EngineRunner(CPU, Centred(side), on_host(Same(), 64), [Redder()])

    drawn = runner(128).photo(picture, Beauty(smooth=1))
    assert drawn is not None
    centre = drawn[96, 96].astype(int) - picture[96, 96]
    assert centre == pytest.approx([20, 0, 0], abs=1)
    assert runner(None).photo(picture, Beauty(smooth=1)) is None
    frames = runner(128).film([picture] * 8, Beauty(smooth=1))
    reds = [int(frame[96, 96, 0]) for frame in frames]
    assert reds == sorted(reds)
    assert reds[0] < reds[-1]
    assert np.array_equal(runner(128).film([picture] * 2, Beauty())[-1], picture)


def test_a_look_that_fails_is_told() -> None:
    runner = EngineRunner(CPU, Centred(128), on_host(Same(), 64), [Failing()])
    runner.photo(face().canvas, Beauty(smooth=1))
    assert any("no brush" in note.text for note in runner.notes)


def test_groups_go_from_light_skin_to_dark() -> None:
    faces = [face(colour, marked=False, name=str(n)) for n, colour in enumerate([(110, 76, 58), (205, 160, 135), (70, 46, 36)])]
    measurement = BeautyMeasurement(faces, {"natural": BUILT_IN["natural"]}, Brush(nothing), filmed=0)
    measurement.run(lambda done, what: None, lambda: False)
    names = [one.group for one in served(measurement, "natural")["skin"]]
    assert len(names) > 1
    assert names == [name for name, _ in TONES if name in names]
