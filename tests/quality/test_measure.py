"""The measurement: who is measured how, memory, groups, the report, its tables, the sheet."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from gpen_live.quality.clips import DEGRADATIONS
from gpen_live.quality.competitors import COMPETITORS
from gpen_live.quality.contenders import FIRST_FRAME, RUN, Contender, competitor, network, the_input
from gpen_live.quality.groups import SMALLEST, by_group, worst_group
from gpen_live.quality.measure import Condition, Measurement, mean
from gpen_live.quality.metrics import METRICS
from gpen_live.quality.photos import Face
from gpen_live.quality.report import Json, Setting, build_report, to_markdown
from gpen_live.quality.sheet import contact_sheet, write_sheet
from tests.quality.fakes import Plain, Remembering, enhancer
from tests.quality.pictures import canvas

SIZE = 96
MIXED, CLEAN = DEGRADATIONS["mixed"], DEGRADATIONS["clean"]


def faces(count: int = 3) -> list[Face]:
    """The same face, ever darker."""
    return [Face(f"set{n % 2}_{n}", f"set{n % 2}", (canvas(SIZE) * (1 - 0.15 * n)).astype(np.uint8)) for n in range(count)]


def measured(*contenders: Contender, stop_after: int = 10**6) -> Measurement:
    measurement = Measurement(faces(), [the_input(), *contenders], [(CLEAN, 0.0), (MIXED, 0.5)], slow_faces=1)
    steps = []

    def progress(done: int, what: str) -> None:
        steps.append(done)

    measurement.run(progress, lambda: sum(steps) >= stop_after)
    assert sum(steps) == min(measurement.steps, stop_after)
    return measurement


@pytest.fixture(scope="module")
def measurement() -> Measurement:
    return measured(*network(enhancer(Remembering("memory"))), competitor("guided", COMPETITORS["guided"]))


def setting(**changes: object) -> Setting:
    precisions = {"plain": "fp32", "memory": "fp32"}
    return Setting("photos", "val", "cpu", None, precisions, {"feature": "no --feature-net", "identity": "no --identity-net"})


@pytest.fixture(scope="module")
def report(measurement: Measurement) -> Json:
    return build_report(setting(), [measurement], 12.3)


def test_a_network_that_does_nothing_measures_as_its_input() -> None:
    measurement = measured(*network(enhancer(Plain())))
    for condition in measurement.conditions:
        for metric in METRICS:
            mine, before = (condition.values[name][metric.key] for name in ("plain", "input"))
            np.testing.assert_allclose(mine, before, atol=1e-3, err_msg=metric.key)
    assert mean(measurement.conditions[0].values["plain"]["psnr"]) == pytest.approx(60)
    assert mean(measurement.conditions[1].values["plain"]["changed_by"]) == pytest.approx(0, abs=1e-3)


def test_a_memory_is_measured_steady_and_on_its_first_frame(measurement: Measurement) -> None:
    values = measurement.conditions[1].values
    steady, first, before = (values[name] for name in ("memory", "memory" + FIRST_FRAME, "input"))
    np.testing.assert_allclose(first["flicker_still"], before["flicker_still"], atol=1e-3)
    assert (steady["flicker_still"] < 0.5 * before["flicker_still"]).all()
    assert (steady["psnr"] > before["psnr"] + 0.5).all()
    assert (steady["psnr_moving"] < steady["psnr"]).all()  # an average drags behind, and that is told


def test_a_memory_is_fed_with_its_own_last_picture() -> None:
    fake = Remembering()
    clip = [np.full((1, 16, 16, 3), n / RUN, np.float32) for n in range(RUN)]
    steady, first = network(enhancer(fake))
    outs = steady.run(clip)
    assert fake.previous[0] is None
    assert all(previous is not None for previous in fake.previous[1:])
    assert len(fake.previous) == RUN
    expected = 0.0
    for n in range(RUN):
        expected = 0.3 * n / RUN + 0.7 * expected
    assert outs[-1].mean() == pytest.approx(expected, abs=1e-4)
    assert first.run(clip)[-1].mean() == pytest.approx((RUN - 1) / RUN, abs=1e-4)


def test_slow_metrics_are_for_some_faces_and_what_lacks_a_network_is_empty(measurement: Measurement) -> None:
    values = measurement.conditions[1].values["input"]
    assert np.isnan(values["ssim"]).sum() == 2
    assert not np.isnan(values["psnr"]).any()
    assert np.isnan(values["identity"]).all()


def test_competitors_are_set_to_their_best(measurement: Measurement) -> None:
    clean, mixed = measurement.conditions
    assert clean.strengths["guided"] == min(COMPETITORS["guided"].strengths)
    assert mixed.strengths["guided"] > clean.strengths["guided"]
    assert mean(mixed.values["guided"]["psnr"]) > mean(mixed.values["input"]["psnr"])


def test_the_noise_of_a_face_does_not_depend_on_the_others() -> None:
    alone = Measurement(faces(3)[2:], [the_input()], [(MIXED, 0.5)], slow_faces=0)
    alone.run(lambda done, what: None, lambda: False)
    together = measured().conditions[1].values["input"]["psnr"]
    assert alone.conditions[0].values["input"]["psnr"][0] == pytest.approx(together[2])


def test_stopping_keeps_what_was_measured() -> None:
    stopped = measured(*network(enhancer(Plain())), stop_after=3)
    assert not stopped.complete
    built = build_report(setting(), [stopped], 1)
    assert built["complete"] is False
    assert [condition["faces"] for condition in built["sizes"][0]["conditions"]] == [3, 0]
    assert built["sizes"][0]["conditions"][1]["rows"][0]["psnr"] is None
    assert "Incomplete" in to_markdown(built)


def test_the_time_is_estimated() -> None:
    assert 0 < Measurement(faces(1), [the_input()], [(CLEAN, 0.0)], slow_faces=0).estimate() < 60


# Groups


def condition(gains: list[float]) -> Condition:
    count = len(gains)

    def values(psnr: list[float], flicker: float) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        made = {metric.key: np.full(count, np.nan) for metric in METRICS}
        made |= {"psnr": np.array(psnr), "flicker_still": np.full(count, flicker), "ciede2000": np.full(count, flicker / 2)}
        return made

    return Condition(MIXED, 0.5, {"input": values([20.0] * count, 8), "net": values([20 + gain for gain in gains], 2)})


def test_groups_are_means_over_their_faces() -> None:
    labels = ["dark", "light", "light", "dark"]
    dark, light = by_group([condition([1, 2, 4, 2]), condition([1, 2, 4, 4])], "net", labels)
    assert (dark.group, dark.faces, light.group, light.faces) == ("dark", 2, "light", 2)
    assert [dark.psnr_gain, light.psnr_gain] == pytest.approx([2, 3])
    assert light.psnr_gain_error == pytest.approx(1)
    assert light.flicker_ratio == pytest.approx(0.25)
    assert [light.ciede2000, light.ciede2000_in] == pytest.approx([1, 4])
    assert math.isnan(light.identity_gain)


def test_the_worst_group_is_named_with_how_sure_that_is() -> None:
    labels = ["a"] * SMALLEST + ["b"] * SMALLEST + ["few"]
    steady = condition([3, 3.1, 2.9, 3, 3, 1, 1.1, 0.9, 1, 1, -9])
    worst = worst_group([steady], "net", labels)
    assert worst is not None
    assert worst.group == "b"
    assert worst.gap == pytest.approx(2)
    assert worst.beyond_chance
    scattered = condition([1, 5, 2, 4, 3, 0.5, 5, 2, 4, 3, -9])
    worst = worst_group([scattered], "net", labels)
    assert worst is not None
    assert not worst.beyond_chance
    assert worst_group([condition([1, 2])], "net", ["a", "b"]) is None


# Report, tables, sheet


def test_report_is_json_with_every_figure(report: Json) -> None:
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert set(report) == {
        *("version", "complete", "seconds", "photos", "split", "device", "weights", "metrics", "left_out", "sizes"),
    }
    (part,) = report["sizes"]
    assert set(part) == {
        *("size", "faces", "slow_faces", "skin_faces", "truth_niqe", "precision", "conditions", "groups"),
    }
    assert (part["size"], part["faces"], part["slow_faces"]) == (SIZE, 3, 1)
    kept = {metric.key for metric in METRICS} - {"feature", "identity"}
    for each in part["conditions"]:
        assert [row["name"] for row in each["rows"]] == ["input", "memory", "memory" + FIRST_FRAME, "guided"]
        assert all(set(row) == {"name", "kind", *kept} for row in each["rows"])
    assert {(table["name"], table["by"]) for table in part["groups"]} == {
        (name, by) for name in ("memory", "memory" + FIRST_FRAME) for by in ("skin", "source")
    }
    for table in part["groups"]:
        assert sum(group["faces"] for group in table["groups"]) == 3


def test_tables_have_the_same_width_and_name_what_is_left_out(report: Json) -> None:
    text = to_markdown(report)
    assert "features (no --feature-net), identity (no --identity-net)" in text
    assert "PSNR moving" in text
    assert "| 0.5 | input |" in text
    assert f"memory{FIRST_FRAME}" in text
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 3  # clean, mixed, the groups of the steady network
    for block in blocks:
        assert len({line.count("|") for line in block}) == 1
    assert "identity" not in blocks[0][0]
    assert "nan" not in text.replace("None", "nan")


def test_sheet_shows_input_networks_and_truth(measurement: Measurement, tmp_path: Path) -> None:
    sheet = contact_sheet(measurement)
    cell = SIZE + 4
    assert sheet.shape[1] == cell * 4 * 3  # input, memory, its first frame, truth; three faces
    assert sheet.shape[0] == 2 * (cell + 22)
    write_sheet(tmp_path / "sheet.png", [sheet, sheet[:, :-10]])
    written = cv2.imread(str(tmp_path / "sheet.png"))
    assert written is not None
    assert written.shape == (2 * sheet.shape[0], sheet.shape[1], 3)
