"""What names a sink, and what is said about everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpen_live.errors import UsageError
from gpen_live.frame import PixelFormat, Size
from gpen_live.sinks import check_spec, open_sink
from gpen_live.sinks.base import even


@pytest.mark.parametrize(
    "spec", ["", "nothing", "vcam:", "vcamera", "out.avi", "out", ".mp4", "https://example.org/a.mp4", "None"]
)
def test_nonsense_is_a_usage_error_that_says_what_is_allowed(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_spec(spec)
    assert caught.value.exit_code == 2
    for allowed in ('"none"', '"vcam"', '"vcam:DEVICE"', ".mp4", ".mkv", ".mov"):
        assert allowed in caught.value.remedy
    with pytest.raises(UsageError):
        open_sink(spec, size=Size(64, 48), fps=30)


@pytest.mark.parametrize("spec", ["none", "vcam", "vcam:/dev/video10", "vcam:OBS Virtual Camera", "a.mp4", "b/c.MKV", "d.mov"])
def test_good_names_pass(spec: str) -> None:
    check_spec(spec)


def test_checking_creates_nothing(tmp_path: Path) -> None:
    check_spec(str(tmp_path / "a.mp4"))
    assert not list(tmp_path.iterdir())


def test_none_takes_everything() -> None:
    sink = open_sink("none", size=Size(3, 2), fps=30)
    assert sink.wants is PixelFormat.BGR
    sink.send(np.zeros((2, 3, 3), np.uint8), 0.0)
    sink.close()
    sink.close()


def test_even_sizes() -> None:
    assert [even(Size(*sides)) for sides in ((1, 1), (2, 2), (3, 4), (1280, 721))] == [
        Size(*sides) for sides in ((2, 2), (2, 2), (4, 4), (1280, 722))
    ]
