from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.frame import Array, Size
from gpen_live.media.fit import as_bgr, fit


@settings(deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([None, 1, 3, 4]),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_anything_that_is_a_picture_fits(h: int, w: int, channels: int | None, kind: type, out_w: int, out_h: int) -> None:
    image: Array = np.full((h, w) if channels is None else (h, w, channels), 200 if kind is np.uint8 else 200 << 8, kind)
    out = fit(image, Size(out_w, out_h))
    assert out.shape == (out_h, out_w, 3)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert (out == 200).any()
    assert set(np.unique(out)) <= {0, 200}


def test_the_aspect_is_kept() -> None:
    out = fit(np.full((100, 100, 3), 255, np.uint8), Size(200, 100))
    assert (out[:, 50:150] == 255).all()
    assert (out[:, :50] == 0).all()
    assert (out[:, 150:] == 0).all()


def test_a_picture_that_fits_is_not_copied() -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    assert fit(image, Size(20, 10)) is image


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros(9, np.uint8)]
)
def test_what_is_no_picture_is_refused(bad: Array) -> None:
    with pytest.raises(ValueError, match=r"picture|pixels"):
        as_bgr(bad)
