"""Pipelines that are stopped at the end, and the figures that the tests measure: printed after them, see README.md."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from gpen_live.live.config import LiveConfig
from gpen_live.live.pipeline import LivePipeline, Outside
from tests.faults import disk

_FIGURES: dict[str, float] = {}

Measured = Callable[[str, float], None]
Start = Callable[..., LivePipeline]


@pytest.fixture
def figure() -> Measured:
    """Notes how many seconds something took."""

    def note(what: str, seconds: float) -> None:
        _FIGURES[what] = seconds

    return note


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a pipeline: `start(outside, **wishes)`."""
    pipelines: list[LivePipeline] = []

    def begin(outside: Outside, **wishes: object) -> LivePipeline:
        # Without a latency budget: on a busy machine it would give up the network for some frames, which is no fault.
        wishes = {"fps": 60.0, "budget_ms": 0.0, **wishes}
        pipeline = LivePipeline(LiveConfig(**wishes), outside=outside)  # type: ignore[arg-type]
        pipelines.append(pipeline)
        pipeline.start(wait_for_model=True)
        return pipeline

    yield begin
    for pipeline in pipelines:
        pipeline.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """A limit for the size of files ends with the test: pytest's own words may go into a file that is larger."""
    try:
        return (yield)
    finally:
        disk.lift_limit()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _FIGURES:
        terminalreporter.section("faults: seconds")
    for what, seconds in sorted(_FIGURES.items()):
        terminalreporter.write_line(f"{seconds:6.2f}  {what}")
