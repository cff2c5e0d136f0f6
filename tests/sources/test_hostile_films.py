"""Films and pictures that are cut off, damaged, or anything but films: they play as far as they can, or end in a sentence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.errors import GpenLiveError, SourceError
from gpen_live.sources import check_spec, open_source
from tests.sources.films import film

NAMES = ("a.mp4", "a.mkv", "a.webm", "a.avi", "a.gif")
PICTURES = ("a.png", "a.jpg", "a.bmp", "a.webp")
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=12)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Good files by name."""
    folder = tmp_path_factory.mktemp("whole")
    made = {name: film(folder / name, frames=6).read_bytes() for name in NAMES}
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return made | {name: cv2.imencode(Path(name).suffix, picture)[1].tobytes() for name in PICTURES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def play(path: Path) -> int:
    """Reads some frames; how many there were. A sentence is a good end; any other exception fails the test."""
    try:
        source = open_source(str(path), size=None, fps=None, realtime=False)
    except SourceError:
        return 0
    frames = 0
    try:
        while frames < 20 and (image := source.read()) is not None:
            assert image.dtype == np.uint8
            assert image.ndim == 3
            frames += 1
    except SourceError:
        pass
    finally:
        source.close()
    return frames


@settings(max_examples=120, deadline=None, derandomize=True)
@given(name=st.sampled_from([*NAMES, *PICTURES]), kept=st.floats(0.01, 1.5), damage=DAMAGE)
def test_cut_off_and_damaged(
    whole: dict[str, bytes], folder: Path, name: str, kept: float, damage: list[tuple[float, int]]
) -> None:
    content = bytearray(whole[name])
    for place, bits in damage:
        content[min(int(place * len(content)), len(content) - 1)] ^= bits
    (folder / name).write_bytes(content[: int(kept * len(content))])
    frames = play(folder / name)
    if kept >= 1 and not damage:
        assert frames >= 6


@pytest.mark.parametrize("name", [*NAMES, *PICTURES])
def test_cut_off_anywhere(whole: dict[str, bytes], folder: Path, name: str) -> None:
    """An MP4 that is cut off inside its index tells of a film in a format without a name."""
    content = whole[name]
    for end in range(1, len(content), max(1, len(content) // 60)):
        (folder / name).write_bytes(content[:end])
        play(folder / name)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_a_title_in_no_known_letters(whole: dict[str, bytes], folder: Path, name: str) -> None:
    content = whole[name].replace(b"Lavf", b"\xff\xfe\xfd\xfc")
    assert content != whole[name]
    (folder / name).write_bytes(content)
    assert play(folder / name) >= 6


@settings(max_examples=60, deadline=None, derandomize=True)
@given(name=st.sampled_from([*NAMES, *PICTURES]), head=st.integers(0, 40), content=st.binary(min_size=1, max_size=300))
def test_anything_behind_the_first_bytes_of_a_film(
    whole: dict[str, bytes], folder: Path, name: str, head: int, content: bytes
) -> None:
    (folder / name).write_bytes(whole[name][:head] + content)
    play(folder / name)


@pytest.mark.parametrize("playlist", ["#EXTM3U\n#EXTINF:1,\n{other}\n", "ffconcat version 1.0\nfile '{other}'\n"])
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.ffconcat"])
def test_a_playlist_opens_no_other_file(whole: dict[str, bytes], folder: Path, tmp_path: Path, playlist: str, name: str) -> None:
    """A "film" that names other files, or addresses, must not make the app read them."""
    other = tmp_path / "other.mp4"
    other.write_bytes(whole["a.mp4"])
    (tmp_path / name).write_text(playlist.format(other=other), encoding="utf-8")
    with pytest.raises(SourceError):
        open_source(str(tmp_path / name), size=None, fps=None, realtime=False)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(spec=st.text(max_size=30))
def test_a_file_in_a_folder_that_is_not_there(spec: str) -> None:
    with pytest.raises(GpenLiveError):
        check_spec(f"no-such-folder/{spec}")


@pytest.mark.parametrize(
    "spec",
    ["x" * 5000, "x/" * 3000, "camera:\u0663", "/dev/video\u0663", "\0", "a\0b", "demo\0", "camera:-1", "camera:99999999"],
    ids=["long", "deep", "digit", "device", "nul", "nul inside", "nul behind", "negative", "many digits"],
)
def test_a_name_that_no_source_has(spec: str) -> None:
    with pytest.raises(GpenLiveError):
        check_spec(spec)
