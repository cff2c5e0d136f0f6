"""Presets: what comes with the app, the user's own as files, and files that can't be used, of which nothing is lost."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.look import CONTROLS, Beauty, Control
from gpen_live.presets import BUILT_IN, DEFAULT, VERSION, Preset, PresetStore, find, own_name, read_preset, write_preset
from tests.messages.says import holds, says

EVENING = Beauty(smooth=0.4, keep_moles=False, warmth=-0.25, lips=0.5, lips_color="#aa2030", blush=0.2)


@pytest.fixture
def store(tmp_path: Path) -> PresetStore:
    return PresetStore(tmp_path / "deep" / "presets")


def written(folder: Path, text: str | bytes, name: str = "Evening.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def a_file(**changes: Any) -> str:
    return json.dumps({"name": "Evening", "version": VERSION, "beauty": {"smooth": 0.4}} | changes)


def test_those_that_come_with_the_app() -> None:
    assert list(BUILT_IN) == ["off", "natural", "studio", "glam"]
    assert BUILT_IN["off"] == Beauty()
    assert BUILT_IN[DEFAULT].uses()
    assert not BUILT_IN["natural"].uses("shape", "makeup"), "the face that a viewer knows"
    assert BUILT_IN["glam"].uses("makeup")
    assert all(beauty.amount == 1 and beauty.keep_moles for beauty in BUILT_IN.values())


def test_the_page_on_beauty_shows_their_values_and_names_every_control() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "beauty.md").read_text(encoding="utf-8")
    tables = page.partition("## What the presets set")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", tables[2].partition("## Preset files")[0], re.MULTILINE))
    assert list(rows) == [control.name for control in CONTROLS]
    for control in CONTROLS:
        shown = [cell.strip() for cell in rows[control.name].split("|")]
        assert shown == [in_the_table(BUILT_IN[name], control) for name in ("natural", "studio", "glam")], control.name
        assert f"`{control.name}`" in tables[0]


def in_the_table(beauty: Beauty, control: Control) -> str:
    value = getattr(beauty, control.name)
    if control.number:
        return f"{value:g}" if value else "-"
    if control.colour:
        return f"`{value}`" if getattr(beauty, control.name.removesuffix("_color")) else "-"
    return "on" if value else "off"


def test_a_preset_is_a_small_readable_file(store: PresetStore) -> None:
    """Its colours are written out where they show, so that they stay if a default ever changes."""
    store.save("Evening", EVENING)
    assert (
        (store.folder / "Evening.json").read_text(encoding="utf-8")
        == """{
  "name": "Evening",
  "version": 1,
  "beauty": {
    "smooth": 0.4,
    "keep_moles": false,
    "warmth": -0.25,
    "lips": 0.5,
    "lips_color": "#aa2030",
    "blush": 0.2,
    "blush_color": "#d9707a"
  }
}
"""
    )


def test_what_is_saved_is_found_but_for_the_amount(store: PresetStore) -> None:
    assert store.found() == ([], [])
    store.save(" Evening ", Beauty(amount=0.5, smooth=0.4))
    store.save("büro 2", EVENING)
    assert store.found() == ([Preset("büro 2", EVENING), Preset("Evening", Beauty(smooth=0.4))], [])
    store.save("EVENING", EVENING)
    assert store.found().presets[1] == Preset("EVENING", EVENING)
    assert store.get("evening") == Preset("EVENING", EVENING)
    assert len(list(store.folder.iterdir())) == 2


VALUES = {
    control.name: st.from_regex(r"#[0-9a-fA-F]{6}", fullmatch=True)
    if control.colour
    else st.floats(control.least, control.most)
    if control.number
    else st.booleans()
    for control in CONTROLS
}


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.builds(Beauty, **VALUES))
def test_all_values_survive(tmp_path_factory: pytest.TempPathFactory, beauty: Beauty) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    write_preset(Preset("Any", beauty), path)
    assert read_preset(path) == Preset("Any", beauty)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(max_size=50))
def test_any_name_is_refused_or_found_again(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    store = PresetStore(tmp_path_factory.mktemp("names"))
    with suppress(UsageError):
        saved = store.save(name, EVENING)
        assert store.found() == ([saved], [])
        assert store.get(name) == saved
        (path,) = store.folder.rglob("*")
        assert path.parent == store.folder
        return
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["", " ", "../x", "a/b", "a\\b", "C:x", "x" * 41, ".hidden", "-x", "dot.", "a\nb", "a\0b", "\udcff", "a?"],
)
def test_names_that_no_file_can_have_everywhere(name: str) -> None:
    with pytest.raises(UsageError, check=says("preset.bad_name")):
        own_name(name)


@pytest.mark.parametrize("name", ["nul", "CON", "com1.a", " lpt9 "])
def test_names_that_windows_keeps(name: str) -> None:
    with pytest.raises(UsageError, check=says("preset.reserved_name")):
        own_name(name)


@pytest.mark.parametrize("name", [*BUILT_IN, "Natural", " off "])
def test_names_of_built_in_presets_are_taken(store: PresetStore, name: str) -> None:
    with pytest.raises(UsageError, check=says("preset.name_built_in")):
        store.save(name, EVENING)


def test_renaming_and_deleting(store: PresetStore) -> None:
    store.save("Evening", EVENING)
    store.save("Morning", Beauty(eyes=0.5))
    with pytest.raises(UsageError, check=says("preset.name_taken", name="morning")):
        store.rename("Evening", "morning")
    assert store.rename("Evening", "evening") == Preset("evening", EVENING)
    assert store.rename("evening", "Night") == Preset("Night", EVENING)
    assert read_preset(store.folder / "Night.json").name == "Night"
    store.delete("morning")
    assert store.found() == ([Preset("Night", EVENING)], [])
    for gone in (lambda: store.delete("Morning"), lambda: store.get("Morning"), lambda: store.rename("Morning", "X")):
        with pytest.raises(UsageError, check=says("preset.missing", name="Morning")):
            gone()


def test_a_file_that_was_passed_on(store: PresetStore, tmp_path: Path) -> None:
    """It takes no other preset's place; the same one again changes nothing."""
    path = tmp_path / "download (3).json"
    write_preset(Preset("Evening", EVENING), path)
    store.save("evening", Beauty(eyes=1.0))
    assert store.bring(path) == Preset("Evening 2", EVENING)
    assert store.bring(path) == Preset("Evening 2", EVENING)
    write_preset(Preset("glam", EVENING), path)
    assert store.bring(path) == Preset("glam 2", EVENING)
    write_preset(Preset("glam", BUILT_IN["glam"]), path)
    assert store.bring(path) == Preset("glam", BUILT_IN["glam"])
    written(store.folder, "{", "Broken.json")
    write_preset(Preset("Broken", EVENING), path)
    assert store.bring(path) == Preset("Broken 2", EVENING)
    write_preset(Preset("x" * 40, EVENING), path)
    store.save("x" * 40, Beauty())
    assert store.bring(path).name == "x" * 38 + " 2"


BAD = [
    (b"\xff\xfe\x00", "preset.not_json", {}),
    ("", "preset.not_json", {}),
    ("{", "preset.not_json", {}),
    ("[" * 60_000, "preset.not_one", {}),
    ("NaN", "preset.not_json", {}),
    (" " * 70_000, "preset.too_large", {"most": 64}),
    ("null", "preset.not_one", {}),
    ("[]", "preset.not_one", {}),
    ("{}", "preset.not_one", {}),
    (a_file(version="1"), "preset.not_one", {}),
    (a_file(version=0), "preset.not_one", {}),
    (a_file(version=True), "preset.not_one", {}),
    (a_file(name=3), "preset.not_one", {}),
    (a_file(beauty=[]), "preset.not_one", {}),
    (a_file(version=VERSION + 1, beauty="of another kind"), "preset.newer", {}),
    (a_file(name="a/b"), "preset.misnamed", {}),
    (a_file(author="Me"), "preset.no_part", {"name": '"author"'}),
    (a_file(beauty={"whiten": 1}), "preset.no_control", {"name": '"whiten"'}),
    (a_file(beauty={"amount": 1}), "preset.no_control", {"name": '"amount"'}),
    (a_file(beauty={"smooth": 1.5}), "preset.wrong_value", {"name": "smooth", "value": "1.5"}),
    (a_file(beauty={"smooth": 10**400}), "preset.wrong_value", {"name": "smooth"}),
    (a_file(beauty={"smooth": True}), "preset.wrong_value", {"name": "smooth", "value": "true"}),
    (a_file(beauty={"slim": "much"}), "preset.wrong_value", {"name": "slim", "value": '"much"'}),
    (a_file(beauty={"keep_moles": 1}), "preset.wrong_value", {"name": "keep_moles"}),
    (a_file(beauty={"lips_color": "red"}), "preset.wrong_value", {"name": "lips_color"}),
    (a_file(beauty={"lips_color": "#b03a4e\n"}), "preset.wrong_value", {"name": "lips_color"}),
]


@pytest.mark.parametrize(("content", "key", "params"), BAD, ids=range(len(BAD)))
def test_a_file_that_can_t_be_used_is_said_and_left(
    store: PresetStore, content: str | bytes, key: str, params: dict[str, object]
) -> None:
    path = written(store.folder, content)
    before = path.read_bytes()
    store.save("Morning", EVENING)
    presets, problems = store.found()
    assert presets == [Preset("Morning", EVENING)], "the others are there"
    assert len(problems) == 1
    assert holds(problems[0], key, path=path, **params)
    assert len(problems[0].text) < 700
    for attempt in (
        lambda: store.get("evening"),
        lambda: find("Evening", store),
        lambda: store.save("Evening", EVENING),
        lambda: store.rename("Evening", "Night"),
        lambda: store.delete("Evening"),
        lambda: store.bring(path),
    ):
        with pytest.raises(GpenLiveError):
            attempt()
    with pytest.raises(UsageError, check=says("preset.name_taken", name="Evening")):
        store.rename("Morning", "Evening")
    assert path.read_bytes() == before
    assert sorted(each.name for each in store.folder.iterdir()) == ["Evening.json", "Morning.json"]


def test_marks_and_whole_numbers_of_editors(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + a_file(beauty={"smooth": 1}).encode())
    assert read_preset(path) == Preset("Evening", Beauty(smooth=1.0))
    assert isinstance(read_preset(path).beauty.smooth, float)


def test_a_file_by_a_name_that_no_preset_has(store: PresetStore) -> None:
    path = written(store.folder, a_file(), "glam.json")
    written(store.folder, "no preset", "notes.txt")
    written(store.folder, "a draft", ".evening.json")
    presets, (problem,) = store.found()
    assert presets == []
    assert holds(problem, "preset.misnamed", path=path)
    assert find("glam", store).beauty == BUILT_IN["glam"]


def test_a_file_that_the_user_renamed_has_its_new_name(store: PresetStore) -> None:
    written(store.folder, a_file(), "Evening - copy.JSON")
    written(store.folder, a_file())
    assert [preset.name for preset in store.found().presets] == ["Evening", "Evening - copy"]


def test_what_a_user_may_mean(store: PresetStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_preset(Preset("Given", EVENING), Path("natural"))
    store.save("Mine", EVENING)
    assert find("Natural", store) == Preset("natural", BUILT_IN["natural"])
    assert find("./natural", store) == Preset("Given", EVENING)
    assert find("mine", store) == Preset("Mine", EVENING)
    for word in ("nature", "", ".", "no/such.json", "x" * 5000, "\udcff"):
        with pytest.raises(UsageError, check=says("preset.unknown", names="off, natural, studio, glam, Mine")):
            find(word, store)


def test_a_disk_that_refuses(store: PresetStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store.save("Evening", EVENING)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        full = says("preset.unsaved", path=store.folder / "Morning.json", reason="no space left on device")
        with pytest.raises(GpenLiveError, check=full):
            store.save("Morning", EVENING)
        with pytest.raises(GpenLiveError, check=says("file.unwritable")):
            write_preset(Preset("Evening", EVENING), tmp_path / "given.json")
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(GpenLiveError, check=says("preset.not_deleted")):
            store.delete("Evening")
    assert store.found().presets == [Preset("Evening", EVENING)]
    (tmp_path / "file").touch()
    _, (problem,) = PresetStore(tmp_path / "file").found()
    assert holds(problem, "preset.unreadable", path=tmp_path / "file")
    with pytest.raises(GpenLiveError, check=says("preset.unreadable")):
        read_preset(tmp_path)
