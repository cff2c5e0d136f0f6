"""A settings file that anything may have written to: it is used, put right, or kept aside whole; the app starts all the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.look import CONTROLS
from gpen_live.settings import VERSION, Settings, SettingsStore

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=8
)
NAMES = [
    *Settings.__struct_fields__,
    "enhance",
    "mode",
    "strength",
    "camera",
    "size",
    "strength_percent",
    "virtual_camera",
    "unknown",
]
VERSIONS = st.sampled_from([*range(1, VERSION + 1), VERSION + 1, 0, -1, 1.5, True, None, "2", 10**30, 10**300]) | SCALARS
OTHERS: dict[str, st.SearchStrategy[object]] = {name: JSON for name in NAMES if name != "version"}
BEAUTY = st.fixed_dictionaries({}, optional=dict.fromkeys(("amount", *(control.name for control in CONTROLS)), JSON))
OTHERS["look"] |= st.fixed_dictionaries({}, optional={"strength": SCALARS, "beauty": JSON | BEAUTY})
TREES = st.builds(lambda version, rest: {**rest, "version": version}, VERSIONS, st.fixed_dictionaries({}, optional=OTHERS))


def load_whatever(path: Path, content: bytes) -> Settings:
    """Loads a file of such content; whatever it was, nothing of it is lost and the next start is clean."""
    path.write_bytes(content)
    store = SettingsStore(path)
    loaded, notice = store.load()
    aside = [other for other in path.parent.iterdir() if other != path]
    if aside:
        assert loaded == Settings()
        assert notice is not None
        assert notice.params["name"] == aside[0].name
        assert aside[0].read_bytes() == content
        assert store.load() == (Settings(), None)
        aside[0].unlink()
    assert 0 <= loaded.look.strength <= 1
    assert loaded.look.beauty == dataclasses.replace(loaded.look.beauty), "its values are within their ranges"
    assert 0 <= loaded.width <= 7680
    assert 0 <= loaded.height <= 4320
    assert 0 <= loaded.fps <= 240
    if loaded.window is not None:
        assert all(abs(number) < 2**31 for number in (loaded.window.x, loaded.window.y))
        assert 1 <= loaded.window.width < 2**31
        assert 1 <= loaded.window.height < 2**31
    loaded.live_config()
    assert store.save(loaded) is None
    assert store.load() == (loaded, None), "what was put right stays right"
    return loaded


@settings(max_examples=100, deadline=None, derandomize=True)
@given(content=st.binary(max_size=80))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    load_whatever(tmp_path_factory.getbasetemp() / "settings-bytes" / "settings.json", content)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tree=JSON | TREES)
def test_any_json(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    load_whatever(tmp_path_factory.getbasetemp() / "settings-json" / "settings.json", json.dumps(tree).encode())


@pytest.fixture(autouse=True, scope="module")
def _folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("settings-bytes", "settings-json"):
        (tmp_path_factory.getbasetemp() / name).mkdir()


BEYOND = st.integers(2, 10**9) | st.integers(-(10**30), -2) | st.floats(-1e300, -1.1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    wrong=st.fixed_dictionaries(
        {},
        optional={
            "look": st.fixed_dictionaries(
                {}, optional={"strength": BEYOND, "beauty": st.fixed_dictionaries({"amount": BEYOND, "nose": BEYOND})}
            ),
            "width": st.integers(-(10**30), -1) | st.integers(7681, 10**30),
            "fps": st.floats(241, 1e300),
        },
    )
)
def test_good_values_stay_beside_numbers_that_are_out_of_range(
    tmp_path_factory: pytest.TempPathFactory, wrong: dict[str, object]
) -> None:
    tree = {"version": VERSION, "source": "camera:3", "model": "gpen-512", "mirror": True, "theme": "light", **wrong}
    path = tmp_path_factory.getbasetemp() / "settings-json" / "settings.json"
    loaded = load_whatever(path, json.dumps(tree).encode())
    kept = msgspec.structs.asdict(loaded)
    assert [kept[name] for name in ("source", "model", "mirror", "theme")] == ["camera:3", "gpen-512", True, "light"]


@pytest.mark.parametrize("digits", [30, 300, 4000])
def test_a_version_of_many_digits_makes_no_name_that_the_disk_refuses(tmp_path: Path, digits: int) -> None:
    load_whatever(tmp_path / "settings.json", b'{"version": 1' + b"0" * digits + b"}")


@pytest.mark.parametrize("number", [10**12, -(10**12), 10**30])
def test_a_window_beyond_any_desktop_is_forgotten(tmp_path: Path, number: int) -> None:
    """Qt takes 32 bits and raises for more."""
    for name in ("x", "y", "width", "height"):
        window = {"x": 0, "y": 0, "width": 900, "height": 600, name: number}
        loaded = load_whatever(tmp_path / "settings.json", json.dumps({"version": VERSION, "window": window}).encode())
        assert loaded.window is None
