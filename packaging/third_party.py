"""Makes THIRD_PARTY.md: what GPEN Live builds on, in which versions, under which licences, and what it is for.

    .venv/bin/python packaging/third_party.py                   write THIRD_PARTY.md
    .venv/bin/python packaging/third_party.py --texts FILE      collect the licence texts of all that is installed, for a bundle

The text is packaging/third_party.md with tables put into it. Versions come from packaging/constraints.txt, purposes from the
comments in pyproject.toml, licences and links from the metadata and the licence files of what is installed, so everything that is
pinned has to be installed, tests included. What metadata doesn't say is in the tables below.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
INPUTS = ("packaging/third_party.md", "pyproject.toml", "packaging/constraints.txt")
TARGET = ROOT / "THIRD_PARTY.md"


class NoticeError(Exception):
    """Something about a package is not known; the message says what to add, and where."""


class Fact(NamedTuple):
    """What is known of a package without its metadata."""

    licence: str
    link: str = ""


FACTS = {
    # installed on other systems or for older versions of Python only
    "colorama": Fact("BSD-3-Clause", "https://github.com/tartley/colorama"),
    "cv2-enumerate-cameras": Fact("MIT", "https://github.com/chinaheyu/cv2_enumerate_cameras"),
    "exceptiongroup": Fact("MIT", "https://github.com/agronholm/exceptiongroup"),
    "six": Fact("MIT", "https://github.com/benjaminp/six"),
    "tomli": Fact("MIT", "https://github.com/hukkin/tomli"),
    # metadata that says nothing, too little or too much
    "cuda-toolkit": Fact("LicenseRef-NVIDIA-Proprietary", "https://developer.nvidia.com/cuda-toolkit"),
    "matplotlib": Fact("LicenseRef-Matplotlib (PSF-based)", "https://matplotlib.org"),
    "nvidia-cusparselt-cu13": Fact("LicenseRef-NVIDIA-Proprietary", "https://developer.nvidia.com/cusparselt"),
    "openvino": Fact("Apache-2.0", "https://github.com/openvinotoolkit/openvino"),
    "python-dateutil": Fact("Apache-2.0 AND BSD-3-Clause", "https://github.com/dateutil/dateutil"),
    "scikit-image": Fact("BSD-3-Clause", "https://scikit-image.org"),
    "tensorboard-data-server": Fact("Apache-2.0", "https://github.com/tensorflow/tensorboard"),
}
"""Takes precedence over metadata."""

ELSEWHERE = {"python-dateutil": ("six",)}
"""What other versions of a package need, on other versions of Python than this."""

UNPINNED = ("tb-nightly",)
"""What constraints.txt leaves out on purpose, as its heading says."""

ALIASES = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "osi approved :: apache software license": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "gnu general public license v2 (gplv2)": "GPL-2.0",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "nvidia proprietary software": "LicenseRef-NVIDIA-Proprietary",
}
"""What metadata calls licences, in lower case. "BSD" is missing: there are several, and the licence file says which."""

_EXPRESSION = re.compile(r"[\w.+-]+-[\w.+-]+|MIT|ISC")
_SOURCES = ("source", "source code", "repository", "code", "github", "homepage", "home", "home-page", "documentation")
"""Names of links in the metadata, the most useful first."""


@dataclass(frozen=True)
class Package:
    """A package of constraints.txt. `versions` has several where versions of Python or systems get different ones."""

    name: str
    versions: tuple[str, ...]
    licence: str
    link: str


def key(name: str) -> str:
    """A package's name as all spellings of it are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(constraints: str) -> dict[str, tuple[str, ...]]:
    """The versions of each package in constraints.txt, in its order."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", constraints, re.MULTILINE):
        found.setdefault(key(name), []).append(version)
    return {name: tuple(dict.fromkeys(versions)) for name, versions in found.items()}


def purposes(pyproject: str) -> dict[str, str]:
    """The packages that GPEN Live itself needs to run, each with the comment beside it in pyproject.toml."""
    block = re.search(r"^dependencies = \[$(.*?)^\]$", pyproject, re.MULTILINE | re.DOTALL)
    lines = re.findall(r'^\s*"([\w.-]+)==[^"]*",(?: # (.*))?$', block[1] if block else "", re.MULTILINE)
    return {key(name): comment for name, comment in lines}


def named(pyproject: str) -> list[str]:
    """Every package that pyproject.toml names with a version: to run, to test and to build."""
    return [key(name) for name in re.findall(r'^\s*"([\w.-]+)==', pyproject, re.MULTILINE)]


@cache
def distribution(name: str) -> metadata.Distribution | None:
    """The installed package of this name, if there is one."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def said(found: metadata.Distribution, field: str) -> list[str]:
    """All that a package's metadata says under this heading."""
    return [str(line) for line in found.metadata.get_all(field) or []]


@cache
def needs(name: str, extras: frozenset[str] = frozenset()) -> dict[str, frozenset[str]]:
    """What a package with these extras needs on any system and any Python, each with the extras that are asked of it."""
    found = distribution(name)
    needed: dict[str, frozenset[str]] = {key(other): frozenset() for other in ELSEWHERE.get(name, ())}
    for line in (found.requires or []) if found else []:
        extra = re.search(r"""extra == ['"]([^'"]+)""", line)
        parsed = re.match(r"([\w.-]+)\s*(?:\[([^]]*)\])?", line)
        if parsed and (extra is None or extra[1] in extras):
            other = key(parsed[1])
            asked = {one.strip() for one in (parsed[2] or "").split(",")} - {""}
            needed[other] = needed.get(other, frozenset()) | asked
    return needed


def closure(names: Iterable[str]) -> dict[str, set[str]]:
    """These packages and all that they need in turn, each with those that need it."""
    needed_by: dict[str, set[str]] = {name: set() for name in names}
    todo: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in needed_by]
    seen = set(todo)
    while todo:
        name, extras = todo.pop()
        for other, asked in needs(name, extras).items():
            needed_by.setdefault(other, set()).add(name)
            if (other, asked) not in seen:
                seen.add((other, asked))
                todo.append((other, asked))
    return needed_by


def licence_files(found: metadata.Distribution) -> Iterator[tuple[str, str]]:
    """Path and text of each licence, notice or list of authors that a package brings along, sorted by path."""
    for path in sorted(map(str, found.files or [])):
        if ".dist-info/" in path and re.search(r"licen[cs]|copying|notice", path, re.IGNORECASE):
            text = Path(str(found.locate_file(path))).read_text(encoding="utf-8", errors="replace")
            yield path.partition(".dist-info/")[2], text


def recognise(text: str) -> str:
    """The licence of which this is the text; empty if it is none that is known."""
    text = " ".join(text.split())
    if "Redistribution and use in source and binary forms" in text:
        return "BSD-3-Clause" if re.search(r"to endorse or promote|Neither the name", text) else "BSD-2-Clause"
    if "Permission is hereby granted, free of charge" in text:
        return "MIT"
    return "Apache-2.0" if "Apache License Version 2.0" in text else ""


def licence_of(name: str) -> str:
    """A package's licence, as SPDX writes it where it has a name there.

    Raises:
        NoticeError: neither its metadata nor its licence file says.
    """
    if name in FACTS:
        return FACTS[name].licence
    found = distribution(name)
    if found is None:
        raise NoticeError(
            f"{name} is not installed here. Install everything, or add {name} to FACTS in packaging/third_party.py."
        )
    stated = [*said(found, "License-Expression"), *said(found, "License")]
    stated += [line.removeprefix("License :: OSI Approved :: ") for line in said(found, "Classifier")]
    for text in stated:
        if text.lower() in ALIASES:
            return ALIASES[text.lower()]
        words = re.split(r" (?:AND|OR|WITH) ", text)
        if all(_EXPRESSION.fullmatch(word) for word in words):
            return text
    for path, text in licence_files(found):
        if "licen" in path.rpartition("/")[2].lower() and recognise(text):
            return recognise(text)
    raise NoticeError(f"The licence of {name} is not clear. Look it up and add it to FACTS in packaging/third_party.py.")


def link_of(name: str) -> str:
    """Where a package's source or its project is; never a page of the package index."""
    if name in FACTS and FACTS[name].link:
        return FACTS[name].link
    found = distribution(name)
    lines = [f"home-page, {address}" for address in said(found, "Home-page")] + said(found, "Project-URL") if found else []
    links: dict[str, str] = {}
    for line in lines:
        label, _, address = line.partition(",")
        links.setdefault(label.strip().lower(), address.strip())
    usable = (links[label] for label in _SOURCES if links.get(label, "").startswith("http") and "pypi" not in links[label])
    return next(usable, "").replace("http://github.com", "https://github.com")


def packages(constraints: str) -> dict[str, Package]:
    """Every package of constraints.txt, and those that it leaves out on purpose."""
    versions = {**pinned(constraints), **dict.fromkeys(UNPINNED, ())}
    return {name: Package(name, versions[name], licence_of(name), link_of(name)) for name in sorted(versions)}


def document(template: str, pyproject: str, constraints: str) -> str:
    """THIRD_PARTY.md as a text, made of the texts of INPUTS.

    Raises:
        NoticeError: something about a package is not known, or was looked up for another version.
    """
    found, ours = packages(constraints), purposes(pyproject)
    unexplained = [name for name, what in ours.items() if not what]
    if unexplained:
        raise NoticeError(f"What is it for? Add a comment beside it in pyproject.toml: {', '.join(unexplained)}.")
    needed_by = closure(ours)
    direct = [found[name] for name in ours]
    inner = [one for one in found.values() if one.name in needed_by and one.name not in ours]
    others = [one for one in found.values() if one.name not in needed_by]
    astray = [one.name for one in others if one.name not in closure(named(pyproject))]
    if astray:
        raise NoticeError(f"Who needs it? Add it to ELSEWHERE in packaging/third_party.py: {', '.join(astray)}.")
    check_contents(template, found)
    tables = {
        "direct": _table(("package", "version", "licence", "what for"), ((*_cells(one), ours[one.name]) for one in direct)),
        "inner": _table(
            ("package", "version", "licence", "needed by"),
            ((*_cells(one), ", ".join(sorted(needed_by[one.name]))) for one in inner),
        ),
        "others": _table(("package", "version", "licence"), map(_cells, others)),
    }
    return re.sub(r"<!-- (\w+) -->", lambda place: tables[place[1]], template)


def _cells(one: Package) -> tuple[str, str, str]:
    name = f"[{one.name}]({one.link})" if one.link else one.name
    return name, " or ".join(one.versions) or "not pinned", one.licence


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ("---",) * len(columns), *rows))


def check_contents(template: str, found: Mapping[str, Package]) -> None:
    """The libraries inside packages are listed by hand, for one version.

    Raises:
        NoticeError: another version is pinned by now.
    """
    for name, version in re.findall(r"^\| ([\w-]+) (\d[\w.]*) \|", template, re.MULTILINE):
        actual = found[name].versions
        if actual != (version,):
            raise NoticeError(
                f"What {name} contains was looked up for {version}, not {' or '.join(actual)}. "
                "Look it up again and correct packaging/third_party.md."
            )


def texts() -> str:
    """The licence texts of all that is installed at run time, for a bundle: one after another, each under its package's name."""
    pages = []
    for name in sorted(closure(purposes((ROOT / "pyproject.toml").read_text(encoding="utf-8")))):
        found = distribution(name)
        for path, text in licence_files(found) if found else ():
            pages.append(f"{'=' * 100}\n{name} {found.version if found else ''}: {path}\n{'=' * 100}\n\n{text.strip()}\n")
    return "\n".join(pages)


def main() -> int:
    """Writes what the arguments ask for; returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes THIRD_PARTY.md, or collects licence texts.")
    parser.add_argument(
        "--texts", type=Path, metavar="FILE", help="write the licence texts of all that is installed to FILE instead"
    )
    wanted = parser.parse_args()
    if wanted.texts is not None:
        wanted.texts.write_text(texts(), encoding="utf-8", newline="\n")
        return 0
    try:
        made = document(*((ROOT / name).read_text(encoding="utf-8") for name in INPUTS))
    except NoticeError as error:
        print(error, file=sys.stderr)
        return 1
    TARGET.write_text(made, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
