"""The third-party notices: up to date, complete, and plain about what is not known."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

import third_party
from third_party import NoticeError

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE, PYPROJECT, CONSTRAINTS = ((ROOT / name).read_text(encoding="utf-8") for name in third_party.INPUTS)
PAGE = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")

MIT = "Permission is hereby granted,\n  free of charge, to any person"
BSD = "Redistribution and use in source and\nbinary forms, with or without modification, are permitted"

AGAIN = "run packaging/third_party.py"


def listed() -> dict[str, str]:
    """The versions of each package that the page lists."""
    rows = re.findall(r"^\| \[?([\w.-]+)(?:\]\([^)]*\))? \| ([\d.][\w. ]*|not pinned) \|", PAGE, re.MULTILINE)
    return dict(rows)


def test_the_page_lists_every_package_in_the_pinned_versions() -> None:
    expected = {name: " or ".join(versions) for name, versions in third_party.pinned(CONSTRAINTS).items()}
    assert listed() == {**expected, "tb-nightly": "not pinned"}, AGAIN


def test_the_page_is_what_the_script_makes() -> None:
    try:
        made = third_party.document(TEMPLATE, PYPROJECT, CONSTRAINTS)
    except NoticeError as error:
        if "is not installed here" in str(error):
            pytest.skip("not every package is installed on this system")
        raise
    assert made == PAGE, AGAIN


def test_a_new_version_of_a_package_with_others_inside_asks_to_look_again() -> None:
    newer = re.sub(r"^av==.*$", "av==99.0", CONSTRAINTS, flags=re.MULTILINE)
    with pytest.raises(NoticeError, match=r"What av contains"):
        third_party.document(TEMPLATE, PYPROJECT, newer)


def test_a_dependency_without_a_purpose_is_refused() -> None:
    with pytest.raises(NoticeError, match=r"What is it for.*click"):
        third_party.document(TEMPLATE, PYPROJECT.replace('"click==8.3.1", # command line', '"click==8.3.1",'), CONSTRAINTS)


def test_a_package_that_nobody_needs_is_refused() -> None:
    with pytest.raises(NoticeError, match=r"Who needs it.*colorama"):
        third_party.document("", "dependencies = [\n]\n", "colorama==0.4.6\n")


def test_several_versions_are_one_package() -> None:
    text = "Foo.Bar==1.0 ; python_full_version < '3.11'\nfoo_bar==2.0\nfoo-bar==2.0 ; x\nother==3\n# a==1 in words\n"
    assert third_party.pinned(text) == {"foo-bar": ("1.0", "2.0"), "other": ("3",)}


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT, "MIT"),
        (BSD, "BSD-2-Clause"),
        (f"{BSD} ... Neither the name of the author nor", "BSD-3-Clause"),
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("All rights reserved.", ""),
    ],
)
def test_licences_are_recognised_by_their_text(text: str, licence: str) -> None:
    assert third_party.recognise(text) == licence


def install(folder: Path, headers: str, licence: str = "") -> metadata.Distribution:
    """A package of one file, installed in `folder`."""
    info = folder / "made_up-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: made-up\nVersion: 1.0\n{headers}", encoding="utf-8")
    (info / "licenses" / "LICENSE").write_text(licence, encoding="utf-8")
    (info / "RECORD").write_text("made_up-1.0.dist-info/licenses/LICENSE,,\n", encoding="utf-8")
    return metadata.Distribution.at(info)


@pytest.mark.parametrize(
    ("headers", "text", "licence"),
    [
        ("License-Expression: MPL-2.0 AND MIT\n", "", "MPL-2.0 AND MIT"),
        ("License: Apache License 2.0\n", "", "Apache-2.0"),
        ("License: BSD\nClassifier: License :: OSI Approved :: BSD License\n", f"{BSD} to endorse or promote", "BSD-3-Clause"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n", "", "MIT"),
    ],
)
def test_licences_are_read_from_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: str, text: str, licence: str
) -> None:
    made = install(tmp_path, headers, text)
    monkeypatch.setattr(third_party, "distribution", {"made-up": made}.get)
    assert third_party.licence_of("made-up") == licence


def test_an_unclear_licence_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party, "distribution", {"made-up": install(tmp_path, "License: BSD\n", "As you like.")}.get)
    with pytest.raises(NoticeError, match="made-up is not clear"):
        third_party.licence_of("made-up")
    with pytest.raises(NoticeError, match="not installed here"):
        third_party.licence_of("missing")


def test_links_lead_to_projects_and_never_to_the_package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = "https://py" + "pi.org/project/made-up"
    headers = f"Home-page: http://made.up\nProject-URL: Source, {index}\nProject-URL: Repository, http://github.com/made/up\n"
    monkeypatch.setattr(third_party, "distribution", {"made-up": install(tmp_path, headers)}.get)
    assert third_party.link_of("made-up") == "https://github.com/made/up"


def test_what_extras_need_counts_as_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch needs CUDA's libraries through extras of another package."""
    a = "Requires-Dist: b[x, y]>=1; sys_platform == 'linux'\nRequires-Dist: z; extra == 'all'\n"
    b = "Requires-Dist: c<2; extra == 'x'\nRequires-Dist: d (==1); extra == \"y\"\nRequires-Dist: e; extra == 'w'\n"
    installed = {"a": install(tmp_path / "a", a), "b": install(tmp_path / "b", b)}
    monkeypatch.setattr(third_party, "distribution", installed.get)
    monkeypatch.setattr(third_party, "needs", third_party.needs.__wrapped__)
    assert third_party.closure(["a"]) == {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"b"}}


def test_licence_texts_can_be_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "texts.txt"
    monkeypatch.setattr("sys.argv", ["third_party.py", "--texts", str(target)])
    assert third_party.main() == 0
    text = target.read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert re.search(r"^numpy 1\.26\.4: LICENSE\.txt$", text, re.MULTILINE)
