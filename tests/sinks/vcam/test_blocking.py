"""A driver that blocks or fails below `write(2)`: nothing but the virtual camera notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sinks.vcam.driver import FakeDriver


@pytest.fixture
def driver(tmp_path: Path) -> FakeDriver:
    return FakeDriver(tmp_path)


BLOCKED = """
import sys, threading, time
from pathlib import Path
from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.config import LiveConfig
from gpen_live.errors import GpenLiveError
from gpen_live.frame import Size

def no_network(_):
    raise GpenLiveError("no_network")

spec = sys.argv[1]
mode = Path(spec.removeprefix("vcam:") + ".mode")
pipeline = LivePipeline(LiveConfig(sinks=(spec,), size=Size(320, 180)), outside=Outside(load=no_network))
pipeline.start()
while pipeline.meters.counts().sent < 20:
    time.sleep(0.01)
mode.write_text("block 3")
gap, last, end = 0.0, time.monotonic(), time.monotonic() + 4
while last < end:
    time.sleep(0.01)
    gap, last = max(gap, time.monotonic() - last), time.monotonic()
print(gap)
print(pipeline.snapshot().sink.text)
import os
sys.stdout.flush()
os._exit(0)
"""


def test_a_write_that_takes_three_seconds_holds_up_nobody_else(driver: FakeDriver) -> None:
    gap, text = driver.run(BLOCKED).splitlines()
    assert float(gap) < 0.5
    assert "has not taken a frame" in text
