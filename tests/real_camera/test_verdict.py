"""The judge of the guest's runs: whatever did not run is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_camera import qemu, uml
from tests.real_camera.verdict import judge

LOG = "GUEST-UP 2.3 s, 6.1.0\n...\nGUEST-RC=0\nGUEST-DOWN 90 s"
PASSED = '<testcase classname="tests.real_camera.guest.io.test_camera" name="a"/>'
OTHER = '<testcase classname="tests.real_camera.guest.io.test_formats" name="b">{}</testcase>'


def verdict(tmp_path: Path, log: str, *cases: str) -> tuple[list[str], str]:
    results = tmp_path / "results.xml"
    results.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return judge(log, results, ["test_camera", "test_formats"])


def test_a_run_in_which_everything_passed(tmp_path: Path) -> None:
    assert verdict(tmp_path, LOG, PASSED, OTHER.format("")) == ([], "2 passed")


@pytest.mark.parametrize(
    ("log", "outcome", "problem"),
    [
        (LOG, "<failure/>", "1 tests failed."),
        (LOG, "<error/>", "1 tests failed."),
        (LOG, "<skipped/>", "1 of 2 tests were skipped: here each must run."),
        (LOG.replace("RC=0", "RC=1"), "", "The tests ended with code 1 in the guest."),
        ("GUEST-UP 2 s\nand then nothing", "", "The guest never said how its tests ended."),
        ("kernel panic\nGUEST-RC=0", "", "The guest never came up."),
    ],
)
def test_what_spoils_a_run(log: str, outcome: str, problem: str, tmp_path: Path) -> None:
    assert verdict(tmp_path, log, PASSED, OTHER.format(outcome))[0] == [problem]


def test_a_module_of_which_nothing_ran(tmp_path: Path) -> None:
    assert verdict(tmp_path, LOG, PASSED)[0] == ["No test of test_formats.py ran."]


def test_a_guest_that_never_reported(tmp_path: Path) -> None:
    problems, summary = judge("", tmp_path / "none.xml", ["test_camera"])
    assert summary == "no tests ran"
    assert len(problems) == 3


def test_results_of_no_test_or_none_that_can_be_read(tmp_path: Path) -> None:
    assert verdict(tmp_path, LOG)[1] == "no tests ran"
    assert len(verdict(tmp_path, LOG)[0]) == 3
    (tmp_path / "broken.xml").write_text("<testsuites>")
    assert "left no results" in judge(LOG, tmp_path / "broken.xml", [])[0][0]


def test_every_guest_test_is_meant_for_a_guest() -> None:
    written = {path.parent.name for path in (Path(__file__).parent / "guest").rglob("test_*.py")}
    assert written == {*qemu.FOLDERS, *uml.FOLDERS}
