"""The page of promises names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "tests" / "PROMISES.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)+)`")


def defined(path: Path) -> set[str]:
    """Names of a file's tests, those of its classes as Class::test."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 50
    missing = [f"{file}{name}" for file, name in named if not (ROOT / file).is_file() or name[2:] not in defined(ROOT / file)]
    assert missing == []


def test_every_row_names_a_test() -> None:
    """A promise without a proof is none."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    promises = [line for line in rows if not line.startswith(("| promise |", "| --- |"))]
    assert len(promises) > 30
    assert [line for line in promises if not NAMED.search(line)] == []
