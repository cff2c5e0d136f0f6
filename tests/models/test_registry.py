"""The registry: names, licences, addresses, and where files belong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import gpen_live
from gpen_live.errors import UsageError, WeightsError
from gpen_live.models import registry
from gpen_live.models.architectures import GPEN
from gpen_live.nets.gpen_variants import VARIANTS
from gpen_live.system.folders import HOME_VARIABLE
from tests.messages.says import says


def test_names() -> None:
    assert [spec.name for spec in registry.enhancers()] == [
        "lite-256",
        "lite-256-int8",
        "lite-512",
        "gpen-256",
        "gpen-512",
        "gpen-1024",
        "gpen-2048",
    ]
    assert set(registry.MODELS) == {spec.name for spec in registry.enhancers()} | {"detector", "face-mesh", "retouch"}
    assert registry.DEFAULT in registry.MODELS
    assert registry.get("gpen-512").title == "GPEN-512"


def test_unknown_name_says_what_is_allowed() -> None:
    with pytest.raises(
        UsageError,
        match=r"gpen-513.* lite-256, lite-256-int8, lite-512, gpen-256, gpen-512, gpen-1024, gpen-2048",
    ):
        registry.get("gpen-513")


def test_gpen_agrees_with_the_networks() -> None:
    gpens = {name: spec for name, spec in registry.MODELS.items() if spec.architecture is GPEN}
    assert {name: spec.size for name, spec in gpens.items()} == {name: settings["size"] for name, settings in VARIANTS.items()}


def test_what_is_downloaded_shows_its_licence_and_is_encrypted() -> None:
    for spec in registry.MODELS.values():
        assert spec.shipped == (spec.url is None)
        if spec.shipped:
            assert spec.licence == "Apache-2.0"
            continue
        assert urlsplit(spec.url or "").scheme == "https"
        assert spec.page is not None
        assert spec.title in spec.licence_text
        for word in ("academic and non-commercial", "not for monetised streams", "lite-256"):
            assert word in spec.licence_text


def test_files_have_names_of_their_own() -> None:
    names = [spec.filename for spec in registry.MODELS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["../evil.pth", "a/b.pth", "..", ""])
def test_a_filename_is_never_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="not a plain file name"):
        replace(registry.get("gpen-256"), filename=name)


def test_believable_lengths() -> None:
    known, unknown = registry.get("gpen-512"), registry.get("gpen-256")
    assert known.bytes is not None
    assert known.byte_limits == (known.bytes, known.bytes)
    low, high = unknown.byte_limits
    assert low < 2 * unknown.parameters < 4 * unknown.parameters == unknown.about_bytes < high


def test_downloads_lie_in_the_home_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert registry.models_folder() == tmp_path / "models"
    monkeypatch.delenv(HOME_VARIABLE)
    assert registry.models_folder().name == "models"
    assert "gpen-live" in str(registry.models_folder())


def test_shipped_weights_in_a_clone_and_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "gpen_live"
    package.mkdir()
    monkeypatch.setattr(gpen_live, "__file__", str(package / "__init__.py"))
    assert registry.shipped_folder() == package / "shipped"
    (tmp_path / "pyproject.toml").touch()
    assert registry.shipped_folder() == tmp_path / "weights"
    (package / "shipped").mkdir()
    assert registry.shipped_folder() == package / "shipped"


def test_locate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    spec = registry.get("gpen-512")
    with pytest.raises(WeightsError, check=says("weights.not_downloaded", title="GPEN-512", name="gpen-512")):
        registry.locate(spec)
    path = registry.expected_path(spec)
    path.parent.mkdir(parents=True)
    path.touch()
    assert registry.locate(spec) == path
    other = tmp_path / "other.pth"
    with pytest.raises(WeightsError, check=says("weights.no_override")):
        registry.locate(spec, other)
    other.touch()
    assert registry.locate(spec, other) == other


def test_locate_a_shipped_file_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpen_live, "__file__", str(tmp_path / "gpen_live" / "__init__.py"))
    with pytest.raises(WeightsError, check=says("weights.not_shipped")):
        registry.locate(registry.get("lite-256"))
