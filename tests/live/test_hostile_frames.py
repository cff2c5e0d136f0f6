"""Frames of every shape and type: each becomes a picture or is left out with a plain error, and the pipeline carries on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.live.config import LiveConfig
from gpen_live.live.pipeline import LivePipeline
from gpen_live.live.status.snapshot import Health
from gpen_live.media.fit import as_bgr, fit
from gpen_live.media.pixel_formats import convert, restore
from tests.live.fakes import FakeSource, World, wait_for

KINDS = st.one_of(
    hnp.scalar_dtypes(), st.just(np.dtype(object)), st.just(np.dtype([("b", "u1"), ("g", "u1")])), st.just(np.dtype("V3"))
)
PICTURES = st.sampled_from([np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(">u2")])
SHAPES = st.lists(st.integers(0, 9), max_size=5).map(tuple)
LIKELY = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5)) | st.tuples(st.integers(1, 40), st.integers(1, 40))


def views(image: Array) -> list[Array]:
    """The same numbers, laid in memory otherwise."""
    return [image, image[..., ::-1], image.T, image.swapaxes(0, -1)] if image.ndim else [image]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.builds(np.zeros, LIKELY | SHAPES, PICTURES | KINDS),
    st.integers(1, 50),
    st.integers(1, 50),
    st.sampled_from(list(PixelFormat)),
)
def test_an_array_is_a_picture_or_a_plain_error(image: Array, width: int, height: int, pixel_format: PixelFormat) -> None:
    size = Size(width, height)
    for view in views(image):
        try:
            fitted = fit(view, size)
        except ValueError:
            with pytest.raises(ValueError, match=r"picture|pixels"):
                as_bgr(view)
            continue
        assert fitted.shape == (height, width, 3)
        assert fitted.dtype == np.uint8
        assert fitted.flags.c_contiguous
        pixels = convert(fitted, pixel_format)
        assert pixels.dtype == np.uint8
        assert restore(pixels, pixel_format, size).shape == fitted.shape


@pytest.mark.parametrize("shape", [(1, 40_000, 3), (40_000, 1, 3), (2, 70_000), (1, 1), (1, 1, 4)])
def test_ribbons_and_dots_fit(shape: tuple[int, ...]) -> None:
    for size in (Size(64, 48), Size(1, 1), Size(1, 4320), Size(7680, 1)):
        assert fit(np.full(shape, 9, np.uint8), size).shape == (size.height, size.width, 3)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.fixture
def pipelines() -> Iterator[list[LivePipeline]]:
    started: list[LivePipeline] = []
    yield started
    for pipeline in started:
        pipeline.stop()


def test_no_frame_ends_the_pipeline(world: World, pipelines: list[LivePipeline]) -> None:
    """Of a hundred pieces of garbage, those that are pictures go out, the others are left out; the source stays."""
    rng = np.random.default_rng(1)
    kinds = [np.dtype(kind) for kind in ("u1", "u2", "i1", "f4", "f8", "c8", "?", "O", "V3", "M8[s]", "S2", ">u2")]
    script: dict[int, object] = {
        n: np.zeros(tuple(rng.integers(0, 30, rng.integers(0, 5))), kinds[n % len(kinds)]) for n in range(3, 103)
    }
    script |= {
        103: np.zeros((1, 40_000, 3), np.uint8),
        104: np.full((5, 5, 3), np.nan),
        105: np.zeros((9, 9, 3), np.uint8)[::2, ::-1],
    }
    source = world.sources["demo"] = FakeSource(fps=1000.0, script=script)
    pipeline = LivePipeline(LiveConfig(fps=200.0))
    pipelines.append(pipeline)
    pipeline.start(wait_for_model=True)
    wait_for(lambda: source.number > 130)
    sent = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > sent + 3)
    assert {frame.shape for frame in world.sink.sent} == {(48, 64, 3)}
    assert {frame.dtype for frame in world.sink.sent} == {np.dtype(np.uint8)}
    assert pipeline.snapshot().source.health is Health.OK
    assert not pipeline.finished


def test_what_is_no_array_at_all_is_left_out(world: World, pipelines: list[LivePipeline]) -> None:
    class Strange(FakeSource):
        def read(self) -> Array | None:
            image = super().read()
            odd: list[object] = ["a picture", 7, [[1, 2, 3]], b"\\0" * 12, {"image": image}, object()]
            return odd[self.number % 7 - 1] if self.number % 7 else image  # type: ignore[return-value]

    world.sources["demo"] = Strange(fps=1000.0)
    pipeline = LivePipeline(LiveConfig(fps=200.0), max_frames=8)
    pipelines.append(pipeline)
    pipeline.start(wait_for_model=True)
    wait_for(lambda: pipeline.finished)
    assert pipeline.meters.counts().captured == 8
    assert pipeline.error() is None
