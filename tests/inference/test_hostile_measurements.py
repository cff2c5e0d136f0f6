"""What was measured earlier is read from a file that anything may have written to: it is used, or measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.inference import measurements as store
from gpen_live.kernels.gpen_plan import Layer, Plan, Tile
from gpen_live.system.folders import HOME_VARIABLE

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=12
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return tmp_path


def test_whatever_the_file_holds_it_is_read_and_written_anew(home: Path) -> None:
    file = home / "measured.json"

    @settings(max_examples=80, deadline=None, derandomize=True)
    @given(st.binary(max_size=60) | JSON.map(lambda tree: json.dumps(tree).encode()))
    def check(content: bytes) -> None:
        file.write_bytes(content)
        store.recall("a")
        store.remember("tiles", [1, "two"])
        assert store.recall("tiles") == [1, "two"]

    check()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": 1}' + b" " * 5_000_000,
        b'{"deep": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"\xff\xfe",
    ],
    ids=["lists", "objects", "digits", "surrogate", "large", "deep", "utf16"],
)
def test_files_made_to_break_readers(home: Path, content: bytes) -> None:
    (home / "measured.json").write_bytes(content)
    store.recall("a")
    store.remember("tiles", True)
    assert store.recall("tiles") is True


def test_a_folder_in_the_file_s_place(home: Path) -> None:
    (home / "measured.json").mkdir()
    store.remember("tiles", True)
    assert store.recall("tiles") is None
    assert [path.name for path in home.iterdir()] == ["measured.json"]


GOOD = ["same", 64, 64, 64, 1, 64, 64, 32, 1, 4, 3]
ROWS = st.lists(SCALARS | st.sampled_from(["same", "double"]) | JSON, min_size=11, max_size=11) | st.tuples(
    st.integers(0, 10), JSON
).map(lambda change: [*GOOD[: change[0]], change[1], *GOOD[change[0] + 1 :]])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(JSON | st.lists(ROWS | JSON, max_size=4))
def test_a_plan_takes_in_what_suits_and_leaves_out_the_rest(packed: object) -> None:
    plan = Plan(processors=100)
    plan.unpack([GOOD])
    plan.unpack(packed)
    assert plan.tile(Layer("same", 64, 64, 64), 1).m >= 16
    for (layer, samples), tile in plan.tiles.items():
        assert layer.suits(tile)
        assert samples > 0
        assert all(type(number) is int for number in (layer.side, layer.inputs, layer.outputs, samples, tile.split, tile.warps))
    again = Plan(processors=100)
    again.unpack(json.loads(json.dumps(plan.pack())))
    assert again.tiles == plan.tiles


def test_what_was_measured_is_taken_in() -> None:
    plan = Plan(processors=100)
    plan.unpack([GOOD])
    assert plan.tiles == {(Layer("same", 64, 64, 64), 1): Tile(64, 64, 32, 1, 4, 3)}
