"""Tests marked `kernels` interpret or compile Triton's kernels, which takes minutes, so they run only where SOURCES changed.

`--all` runs them in any case, and so does naming one (FILE::TEST).
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

import gpen_live  # noqa: F401  before PyTorch: its threads are to sleep while they wait, as in the app, not to spin
from tests.changes import changed, digest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "gpen_live/engine/paths",
    "gpen_live/kernels",
    "gpen_live/nets",
    "packaging/constraints.txt",  # Triton's and PyTorch's versions
    "tests/engine/cuda",
    "tests/kernels",
)
PASSED = "gpen-live/kernels"
"""In pytest's cache: the digest of SOURCES with which each of these tests passed last."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the tests of Triton's kernels though nothing of them has changed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kernels: interprets or compiles Triton's kernels; runs where they changed, or with --all")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kernels = [item for item in items if item.get_closest_marker("kernels")]
    if not kernels or config.getoption("--all") or any("::" in word for word in config.args):
        return
    unchanged = changed(ROOT, SOURCES) is False
    passed, now = _passed(config), digest(ROOT, SOURCES)
    for item in kernels:
        if unchanged or passed.get(item.nodeid) == now:
            item.add_marker(pytest.mark.skip(reason="the kernels have not changed: --all runs it"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.passed and item.get_closest_marker("kernels"):
        cache = getattr(item.config, "cache", None)
        if cache is not None:
            cache.set(PASSED, {**_passed(item.config), item.nodeid: digest(ROOT, SOURCES)})
    return report


def _passed(config: pytest.Config) -> dict[str, str]:
    cache = getattr(config, "cache", None)
    found = cache.get(PASSED, {}) if cache is not None else {}
    return found if isinstance(found, dict) else {}
