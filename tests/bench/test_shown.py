"""One bench, shown in the terminal, written as Markdown and JSON, and drawn."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
from pathlib import Path

import pytest
from matplotlib.text import Text
from PIL import Image as Pillow
from rich.console import Console

from gpen_live.bench.chart import draw, make_figure
from gpen_live.bench.markdown import to_markdown
from gpen_live.bench.results import Bench, as_json, read
from gpen_live.bench.show import show
from gpen_live.bench.tables import tables
from gpen_live.errors import GpenLiveError
from gpen_live.live.status.snapshot import Quantiles
from tests.bench.figures import bench, network, path, quantiles
from tests.messages.says import says


def printed(one: Bench) -> str:
    console = Console(file=io.StringIO(), width=150)
    show(one, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(text: str, *cells: str) -> bool:
    """Whether a line holds these cells one after the other."""
    wanted = " ".join(cells).split()
    return any(" ".join(wanted) in " ".join(line.replace("|", " ").split()) for line in text.splitlines())


@pytest.mark.parametrize("text", [printed(bench()), to_markdown(bench()).replace("\\", "")], ids=["terminal", "markdown"])
def test_every_figure_is_shown_beside_the_articles(text: str) -> None:
    assert "cuda:0 (A Card)" in text
    assert "1920x1080" in text
    assert row(text, "lite-256", "fp16 in Triton", "5.00", "7.50", "10.0", "77", "200", "25.2", "yes, fluent")
    assert row(text, "gpen-256 *", "fp16 in Triton", "63.5", "95.2", "127.0", "77", "15.7", "83.8", "yes, fluent", "48.3")
    assert row(text, "gpen-512 *", "fp16 in Triton", "957.0", "1436", "1914", "77", "1.0", "977.2", "no, unusable", "136.5")
    assert "untrained weights" in text
    assert row(
        text, "gpen-512", "face", "12.5 / 18.8", "2.50 / 3.75", "957.0 / 1436", "4.50 / 6.75", "0.75 / 1.12", "977.2 / 1466"
    )
    assert row(text, "gpen-512", "article, A10G", "28.4", "15.2", "82.1", "10.8", "136.5")
    assert row(text, "lite-256", "25.2", "22.8", "0.9x")
    assert row(text, "gpen-512 (article, A10G)", "65.0", "136.5", "2.1x")
    assert row(text, "lite-256", "face", "JPEG", "60", "31.0", "46.5", "+50 %")
    assert row(text, "gpen-512", "face", "pixels in memory", "6", "1.0", "1.0", "-4 %")
    assert row(text, "gpen-512", "987", "480", "654", "3.2", "0.62", "0.83", "7.9")
    assert row(text, "gpen-512 (article, A10G)", "4200", "6800", "3.2")
    assert row(text, "gpen-512", "2001", "957.0", "fp32 in PyTorch", "2.1x", "33", "0.12", "3.4")
    assert row(text, "gpen-256", "yes", "The GPU's kernels took 1.10 of 1.25 ms per run.")
    assert text.count("A note.") == 1


def test_a_stage_of_a_new_name_has_a_column_and_a_colour() -> None:
    one = bench()
    one.paths[0].stages_ms["make-up"] = Quantiles(7.25, 8.25, 8.5, 9.0)
    text = printed(one)
    assert row(text, "make-up", "blend", "convert")
    assert row(text, "7.25 / 8.25", "4.50 / 6.75", "0.75 / 1.12")
    assert "make-up" in {label.get_text() for label in labels(one)}


def test_beauty_has_rows_of_its_own_beside_those_without() -> None:
    one = bench()
    plain = one.path("lite-256", "roi")
    assert plain is not None
    drawn = dataclasses.replace(
        plain,
        beauty="studio",
        frame_ms=quantiles(plain.frame_ms.p50 + 4.5),
        stages_ms={**plain.stages_ms, "beauty": quantiles(4.5)},
    )
    one.paths.insert(0, drawn)
    assert one.path("lite-256", "roi") is plain
    text = to_markdown(one)
    assert row(text, "lite-256", "face, studio", "12.5 / 18.8", "2.50 / 3.75", "5.00 / 7.50", "4.50 / 6.75", "4.50 / 6.75")
    assert "lite-256, face, studio: +4.50 ms on the whole frame's p50" in text
    assert row(text, "lite-256", "25.2", "22.8", "0.9x"), "what full-frame mode costs is told without beauty"
    assert "lite-256\nstudio" in {label.get_text() for label in labels(one)}


def test_candidates_of_any_device_with_whatever_is_known_of_them() -> None:
    (table,) = (one for one in tables(bench()) if "tried on this device" in one.title)
    assert table.columns == ("network", "runs in", "precision", "ms", "mean levels", "chosen")
    assert list(table.rows) == [
        ("gpen-512", "PyTorch", "fp32", "4.50", "0.00", ""),
        ("", "Triton", "fp16", "1.25", "0.21", "yes"),
    ]


def test_what_was_not_measured_is_left_out_and_said() -> None:
    one = Bench(
        "1", "cpu", "640x360", "demo", networks=[network("lite-256", 5.0, holds=False)], failures=["gpen-512: too large."]
    )
    text = printed(one)
    assert "Incomplete" in text
    assert "Failed: gpen-512: too large." in text
    assert "Memory" not in text
    assert row(text, "lite-256", "not proven")
    assert to_markdown(one).count("###") == 2


def test_frames_without_a_face_are_said() -> None:
    one = bench()
    one.paths[0] = path("lite-256", "roi", 5.0).__class__(**{**one.paths[0].__dict__, "enhanced": 0})
    assert "of 60 frames 0 had a face" in printed(one)


def test_the_report_is_read_again_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(as_json(bench())), encoding="utf-8")
    assert read(file) == bench()


@pytest.mark.parametrize("content", ["", "[]", '{"version": "1"}', '{"version": 1, "device": 2, "frame_size": 3, "source": 4}'])
def test_another_file_is_no_report(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(GpenLiveError, check=says("report.other", path=file)):
        read(file)
    with pytest.raises(GpenLiveError, check=says("report.unreadable", path=tmp_path / "missing.json")):
        read(tmp_path / "missing.json")


def test_the_chart_is_a_picture_of_a_readable_size() -> None:
    with Pillow.open(io.BytesIO(draw(bench()))) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1600
        assert 900 <= picture.height <= 1800
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def labels(one: Bench) -> list[Text]:
    """All texts that are drawn: not those of ticks beyond an axis' ends."""
    figure = make_figure(one)
    figure.draw_without_rendering()
    beyond = {
        label
        for axes in figure.axes
        for label in axes.get_xticklabels()
        if not axes.get_xlim()[0] <= label.get_position()[0] <= axes.get_xlim()[1]
    }
    found = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    return [text for text in found if text not in beyond]


def test_the_chart_names_device_units_networks_and_figures() -> None:
    words = {text.get_text() for text in labels(bench())}
    told = "\n".join(words)
    for wanted in ("GPEN Live on cuda:0 (A Card)", "1920x1080", "Latency in ms", "version 9.8.7", "article, A10G"):
        assert wanted in told
    for model in ("lite-256", "gpen-256", "gpen-512"):
        assert model in words
    for grade in ("fluent", "acceptable", "stuttering", "unusable", "detect", "warp", "network", "blend", "convert"):
        assert grade in words
    for figure in ("5.0", "957", "977 ms", "0.9x", "34.6", "51.8", "+50 %", "-4 %", "2.1x"):
        assert figure in words, figure


@pytest.mark.parametrize("busier", [1.0, 0.3, 1.1])
def test_no_two_texts_of_the_chart_lie_on_each_other_or_outside(busier: float) -> None:
    """Also where the network alone met a busier machine than the whole frame did."""
    one = bench()
    one.networks = [network(n.model, n.network_ms.p50 * busier) for n in one.networks]
    boxes = [(text.get_text(), text.get_window_extent()) for text in labels(one)]
    assert len(boxes) > 60
    overlaps = [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.overlaps(other)]
    assert overlaps == []
    assert [text for text, box in boxes if box.x0 < 0 or box.x1 > 1600 or box.y0 < 0] == []


@pytest.mark.parametrize("part", ["networks", "paths", "flows"])
def test_a_chart_of_one_part_alone(part: str) -> None:
    one = Bench("1", "cpu", "640x360", "demo", **{part: getattr(bench(), part)})
    assert draw(one).startswith(b"\x89PNG")
    assert "INCOMPLETE" in "".join(text.get_text() for text in labels(one))


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(GpenLiveError, check=says("bench.nothing_to_draw")):
        draw(Bench("1", "cpu", "640x360", "demo"))
