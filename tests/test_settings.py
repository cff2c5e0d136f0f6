"""Settings survive being written and read, older versions are lifted, and a file that can't be used is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.frame import Size
from gpen_live.look import Beauty, Look, Mode
from gpen_live.messages import message
from gpen_live.presets import BUILT_IN, DEFAULT
from gpen_live.settings import VERSION, Settings, SettingsStore, WindowGeometry, migrate
from gpen_live.system.display import display_available
from gpen_live.system.folders import config_dir, data_dir
from tests.messages.says import holds

NEW = message("settings.beauty_is_new")


@pytest.fixture
def store(tmp_path: Path) -> SettingsStore:
    return SettingsStore(tmp_path / "deep" / "settings.json")


def write(store: SettingsStore, text: str) -> None:
    store.path.parent.mkdir(parents=True, exist_ok=True)
    store.path.write_text(text, encoding="utf-8")


def test_without_a_file_there_are_defaults_and_nothing_is_said(store: SettingsStore) -> None:
    assert store.load() == (Settings(), None)


def test_what_is_saved_is_loaded(store: SettingsStore) -> None:
    chosen = Settings(
        source="camera:2",
        width=1920,
        height=1080,
        fps=60.0,
        model="gpen-512",
        device="cuda:1",
        look=Look(enhance=False, mode=Mode.FULL, strength=0.35, beauty=Beauty(amount=0.7, slim=-0.5, lips_color="#aa0011")),
        preset="Evening",
        vcam=True,
        vcam_device="/dev/video10",
        overlay=False,
        overlay_to_viewers=True,
        mirror=True,
        theme="light",
        window=WindowGeometry(-5, 10, 1200, 700, maximized=True),
        weights={"gpen-512": "/models/own.pth"},
        accepted_licences=("gpen-512",),
    )
    assert store.save(chosen) is None
    assert store.load() == (chosen, None)
    assert [path.name for path in store.path.parent.iterdir()] == ["settings.json"]


@given(strength=st.floats(0, 1), fps=st.floats(0, 240), source=st.text(), x=st.integers(-10_000, 10_000))
def test_any_values_inside_the_limits_survive(tmp_path_factory: pytest.TempPathFactory, **values: Any) -> None:
    store = SettingsStore(tmp_path_factory.mktemp("any") / "settings.json")
    x = values.pop("x")
    chosen = Settings(look=Look(strength=values.pop("strength")), **values, window=WindowGeometry(x, 0, 800, 600))
    store.save(chosen)
    assert store.load() == (chosen, None)


def test_version_1_is_migrated(store: SettingsStore) -> None:
    write(
        store,
        '{"version": 1, "camera": 1, "size": "640x480", "fps": 25, "strength_percent": 80, "full_frame": true,'
        ' "virtual_camera": true, "show_latency": false, "model": "gpen-256", "device": "cpu"}',
    )
    settings, notice = store.load()
    assert notice == NEW
    assert settings == Settings(
        source="camera:1",
        width=640,
        height=480,
        fps=25.0,
        model="gpen-256",
        device="cpu",
        look=Look(mode=Mode.FULL, strength=0.8),
        preset="off",
        vcam=True,
        overlay=False,
    )


def test_version_2_is_migrated(store: SettingsStore) -> None:
    """There mode, strength and enhance were settings of their own; users keep them."""
    write(store, '{"version": 2, "mode": "full", "strength": 0.35, "enhance": false, "model": "lite-512", "mirror": true}')
    look = Look(enhance=False, mode=Mode.FULL, strength=0.35)
    assert store.load() == (Settings(look=look, preset="off", model="lite-512", mirror=True), NEW)
    write(store, '{"version": 2, "strength": 0.5}')
    assert store.load() == (Settings(look=Look(strength=0.5), preset="off"), NEW)


@pytest.mark.parametrize(("before", "look"), [('"look": {"strength": 0.35}, ', Look(strength=0.35)), ("", Look())])
def test_version_3_is_migrated(store: SettingsStore, before: str, look: Look) -> None:
    """There was no beauty: whoever comes from there keeps the picture, and is told once; a new user gets the default."""
    write(store, f'{{"version": 3, {before}"model": "lite-512"}}')
    chosen = Settings(look=look, preset="off", model="lite-512")
    assert store.load() == (chosen, NEW)
    store.save(chosen)
    assert store.load() == (chosen, None)
    assert (Settings().look.beauty, Settings().preset) == (BUILT_IN[DEFAULT], DEFAULT)


def test_a_file_without_a_version_counts_as_the_first(store: SettingsStore) -> None:
    write(store, '{"strength_percent": 50}')
    assert store.load() == (Settings(look=Look(strength=0.5), preset="off"), NEW)


def test_every_older_version_has_a_way_up() -> None:
    for version in range(1, VERSION):
        assert migrate({"version": version})["version"] == VERSION


def test_unknown_fields_are_no_trouble(store: SettingsStore) -> None:
    look = '{"strength": 0.5, "glow": 1, "beauty": {"smooth": 0.5, "glitter": 1}}'
    write(store, f'{{"version": 4, "look": {look}, "from_the_future": [1, 2]}}')
    assert store.load() == (Settings(look=Look(strength=0.5, beauty=Beauty(smooth=0.5))), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '{"version": "two"}',
        '{"version": 0}',
        '{"version": 2, "strength": "much"}',
        '{"version": 2, "mode": "half"}',
        '{"version": 3, "look": {"strength": "much"}}',
        '{"version": 3, "look": {"mode": "half"}}',
        '{"version": 3, "look": 1}',
        '{"version": 4, "look": {"beauty": 1}}',
        '{"version": 4, "look": {"beauty": {"smooth": "much"}}}',
        '{"version": 4, "look": {"beauty": {"slim": true}}}',
        '{"version": 4, "look": {"beauty": {"keep_moles": 1}}}',
        '{"version": 4, "look": {"beauty": {"lips_color": 3}}}',
        '{"version": 4, "look": {"beauty": {"amount": null}}}',
        '{"version": 1, "size": "large"}',
        '{"version": 2, "source": 1}',
        "\x00\xff",
        "[" * 100_000,
    ],
)
def test_a_broken_file_is_kept_aside_and_said_once(store: SettingsStore, text: str) -> None:
    write(store, text)
    before = store.path.read_bytes()
    settings, notice = store.load()
    assert settings == Settings()
    (aside,) = store.path.parent.glob("settings.broken-*.json")
    assert aside.read_bytes() == before
    assert notice == message("settings.set_aside", cause=message("settings.broken"), name=aside.name)
    assert store.load() == (Settings(), None)


def test_two_broken_files_are_both_kept(store: SettingsStore) -> None:
    for text in ("one", "two"):
        write(store, text)
        store.load()
    kept = {path.read_text(encoding="utf-8") for path in store.path.parent.glob("settings.broken-*.json")}
    assert kept == {"one", "two"}


def test_a_file_of_a_newer_version_is_kept_aside(store: SettingsStore) -> None:
    text = f'{{"version": {VERSION + 5}, "strength": {{"new": "shape"}}}}'
    write(store, text)
    settings, notice = store.load()
    assert settings == Settings()
    aside = store.path.with_name(f"settings.from-version-{VERSION + 5}.json")
    assert notice == message("settings.set_aside", cause=message("settings.newer"), name=aside.name)
    assert aside.read_text(encoding="utf-8") == text
    assert not store.path.exists()


def test_values_out_of_range_are_put_right_and_named(store: SettingsStore) -> None:
    write(
        store,
        '{"version": 2, "strength": 7.5, "leave_room": 1.0, "width": -3, "fps": 1e9,'
        ' "window": {"x": 0, "y": 0, "width": 0, "height": 9}}',
    )
    settings, notice = store.load()
    assert (settings.look.strength, settings.width, settings.fps, settings.window) == (1.0, 0, 240.0, None)
    assert settings.leave_room == 0.9
    assert isinstance(settings.width, int)
    assert notice == message("settings.out_of_range", names="fps, leave_room, strength, width, window")


def test_beauty_out_of_range_is_put_right_and_named(store: SettingsStore) -> None:
    beauty = '{"amount": 7, "smooth": -1, "slim": -1e300, "jaw": 1, "eyes": 0.5, "lips_color": "red", "keep_moles": false}'
    write(store, f'{{"version": 4, "fps": 999, "look": {{"beauty": {beauty}}}, "preset": "Mine"}}')
    settings, notice = store.load()
    assert settings.look.beauty == Beauty(slim=-1.0, jaw=1.0, eyes=0.5, keep_moles=False)
    assert settings.preset == "Mine"
    assert notice == message("settings.out_of_range", names="amount, fps, lips_color, slim, smooth")


def test_a_folder_that_refuses_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    store = SettingsStore(tmp_path / "file" / "settings.json")
    complaint = store.save(Settings())
    assert complaint is not None
    assert holds(complaint, "settings.unsaved", path=store.path)
    assert store.save(Settings()) is None


def test_a_failed_write_leaves_the_old_file_and_no_litter(store: SettingsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(Settings(look=Look(strength=0.25)))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    assert store.save(Settings(look=Look(strength=0.75))) == message(
        "settings.unsaved", path=store.path, reason="no space left on device"
    )
    monkeypatch.undo()
    assert store.load().settings.look.strength == 0.25
    assert [path.name for path in store.path.parent.iterdir()] == ["settings.json"]


def test_a_file_that_is_a_folder_is_no_crash(store: SettingsStore) -> None:
    store.path.mkdir(parents=True)
    settings, notice = store.load()
    assert settings == Settings()
    assert notice is not None
    assert holds(notice, "settings.set_aside", cause=message("settings.unreadable", reason="is a directory"))
    assert store.save(Settings(look=Look(strength=0.5))) is None
    assert store.load() == (Settings(look=Look(strength=0.5)), None)


@pytest.fixture
def unreadable(store: SettingsStore, monkeypatch: pytest.MonkeyPatch) -> SettingsStore:
    """A store with a file that is there and can't be read, as where another program holds it."""
    store.save(Settings(look=Look(strength=0.25)))

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    return store


def test_a_file_that_can_t_be_read_is_kept_aside(unreadable: SettingsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, notice = unreadable.load()
    assert settings == Settings()
    assert notice is not None
    assert holds(notice, "settings.set_aside", cause=message("settings.unreadable", reason="permission denied"))
    assert str(notice.params["name"]).startswith("settings.unreadable-")
    unreadable.save(Settings(look=Look(strength=0.75)))
    monkeypatch.undo()
    (aside,) = unreadable.path.parent.glob("settings.unreadable-*.json")
    assert msgspec.json.decode(aside.read_bytes())["look"]["strength"] == 0.25


def test_nothing_is_saved_over_a_file_that_can_be_neither_read_nor_moved(
    unreadable: SettingsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        told = unreadable.load().notice
        assert told is not None
        assert holds(told, "settings.in_the_way", path=unreadable.path, reason="permission denied")
        complaint = unreadable.save(Settings(look=Look(strength=0.75)))
        assert complaint is not None
        assert holds(complaint, "settings.unsaved", path=unreadable.path)
    assert unreadable.save(Settings(look=Look(strength=0.75))) is None, "once it can be moved, it is"
    monkeypatch.undo()
    assert unreadable.load().settings.look.strength == 0.75
    (aside,) = unreadable.path.parent.glob("settings.unreadable-*.json")
    assert msgspec.json.decode(aside.read_bytes())["look"]["strength"] == 0.25


def test_what_the_pipeline_is_asked() -> None:
    config = Settings(
        vcam=True, width=640, height=360, look=Look(mode=Mode.FULL, strength=0.5), overlay_to_viewers=True
    ).live_config()
    assert (config.sinks, config.size, config.look, config.overlay) == (
        ("vcam",),
        Size(640, 360),
        Look(mode=Mode.FULL, strength=0.5),
        True,
    )
    assert Settings(vcam=True, vcam_device="/dev/video9").live_config().sinks == ("vcam:/dev/video9",)
    assert Settings(vcam_device="/dev/video9").live_config().sinks == ()


def test_zero_means_as_the_camera_delivers() -> None:
    config = Settings(width=0, height=0, fps=0).live_config()
    assert config.size is None
    assert config.fps is None


def test_a_picked_file_counts_for_its_model_alone() -> None:
    settings = Settings(weights={"gpen-512": "own.pth"})
    assert settings.live_config().weights is None
    assert msgspec.structs.replace(settings, model="gpen-512").live_config().weights == Path("own.pth")


def test_one_variable_moves_both_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPEN_LIVE_HOME", str(tmp_path))
    assert config_dir() == tmp_path
    assert data_dir() == tmp_path
    assert SettingsStore().path == tmp_path / "settings.json"
    monkeypatch.delenv("GPEN_LIVE_HOME")
    assert "gpen-live" in config_dir().parts
    assert tmp_path not in data_dir().parents


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}, True),
        ("freebsd14", {}, False),
        ("win32", {}, True),
        ("darwin", {}, True),
    ],
)
def test_whether_there_is_a_display(platform: str, environment: dict[str, str], expected: bool) -> None:
    assert display_available(platform, environment) is expected


def test_the_display_is_asked_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "QT_QPA_PLATFORM", "offscreen")
    assert display_available()
