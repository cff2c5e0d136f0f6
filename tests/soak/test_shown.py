"""A soak in the terminal, as JSON, and drawn."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
from matplotlib.text import Text
from PIL import Image as Pillow
from rich.console import Console

from gpen_live.errors import GpenLiveError
from gpen_live.soak.chart import draw, make_figure
from gpen_live.soak.results import Soak, read
from gpen_live.soak.show import show, worst
from gpen_live.soak.verdicts import as_json
from tests.messages.says import says
from tests.soak.figures import soak


def printed(one: Soak) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(one, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def drawn(one: Soak) -> str:
    figure = make_figure(one)
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_the_terminal_tells_every_promise_and_every_kind_of_fault() -> None:
    text = printed(soak(backwards=3))
    assert "60 min: 108000 frames, as many as 30 a second give in 60 min; 48 faults." in text
    assert text.count("NOT HELD") == 1
    assert "3 did" in text
    assert "camera hangs" in text
    assert "held" in text


def test_one_sped_up_and_ended_early_says_so() -> None:
    text = printed(soak(fps=60.0, wanted_s=36000.0))
    assert "60 min, of 10.0 h that were asked for, 2 times as fast" in text


def test_it_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "soak.json"
    path.write_text(json.dumps(as_json(soak())))
    assert read(path) == soak()
    assert json.loads(path.read_text())["verdicts"][0]["held"] is True


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version": 3}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(GpenLiveError, check=says("report.other", path=path)):
        read(path)
    with pytest.raises(GpenLiveError, check=says("report.unreadable", path=tmp_path / "none.json")):
        read(tmp_path / "none.json")


def test_the_chart_shows_verdicts_curves_and_faults() -> None:
    spoilt = soak(lambda at: {"memory_mb": 800 + 30 * at})
    text = drawn(spoilt)
    assert "1 of 10 promises not held" in text
    assert "Memory grows by less than 20 MB" in text
    for title in ("Memory in MB", "Latency in ms", "Frames a second", "Held by the process", "Load of the machine", "Faults"):
        assert title in text
    for fault in {one.kind for one in spoilt.events}:
        assert fault in text
    assert "All promises held" in drawn(soak())


def test_the_chart_is_a_picture_with_the_curves_of_the_run() -> None:
    with Pillow.open(io.BytesIO(draw(soak()))) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1600
    curve = make_figure(soak(lambda at: {"memory_mb": 800 + 30 * at})).axes[0].lines[0]
    assert float(curve.get_ydata()[-1]) == pytest.approx(830)  # type: ignore[index, arg-type]


def test_memory_of_a_graphics_card_has_a_curve_of_its_own() -> None:
    text = drawn(soak(lambda _: {"gpu_mb": 400.0}))
    assert "on the graphics card" in text
    assert "on the graphics card" not in drawn(soak())


def test_without_faults_or_latencies_it_is_drawn_all_the_same() -> None:
    one = dataclasses.replace(soak(), events=[], latencies=[], warm_s=None)
    assert "Faults" not in drawn(one)
    with pytest.raises(GpenLiveError, check=says("soak.nothing_to_draw")):
        make_figure(dataclasses.replace(one, samples=[]))


def test_progress_tells_the_worst_so_far() -> None:
    assert worst(dataclasses.replace(soak(), samples=[])) == ""
    assert worst(soak(lambda at: {"still_s": at})) == "memory +0 MB, p99 30 ms, longest standstill 1.00 s, 48 faults"
