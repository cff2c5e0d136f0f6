"""The code and the catalogue agree: each message that is made has its sentence, and each sentence its message."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from types import ModuleType

import pytest

from gpen_live.messages import english
from gpen_live.messages.english import CATALOGUE, merged
from gpen_live.messages.sentence import Sentence

PACKAGE = Path(__file__).resolve().parents[2] / "gpen_live"

Use = tuple[str, str, frozenset[str]]
"""Where a message is made, its id, and the names of its parameters."""


@cache
def trees() -> dict[str, ast.Module]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def called(node: ast.expr) -> str:
    """The last name of what is called or derived from."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def makers() -> set[str]:
    """What makes a message from an id: `message`, and all classes of errors that carry one."""
    classes = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = {"GpenLiveError"}
    while more := {each.name for each in classes if found & {called(base) for base in each.bases}} - found:
        found |= more
    return {"message"} | found


def texts(node: ast.expr) -> Iterator[ast.expr]:
    """What an argument may be: both sides of a condition."""
    if isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    else:
        yield node


def of_click(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and called(node.value) == "click"


def calls() -> Iterator[tuple[str, ast.Call]]:
    names = makers()
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node.func) in names and node.args and not of_click(node.func):
                yield f"{path}:{node.lineno}", node


def uses() -> list[Use]:
    return [
        (place, text.value, frozenset(word.arg or "**" for word in call.keywords))
        for place, call in calls()
        for text in texts(call.args[0])
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    ]


def fields(sentence: Sentence) -> frozenset[str]:
    parsed = [part for template in sentence for part in Formatter().parse(template)]
    return frozenset(re.split(r"[.\[]", name)[0] for _, name, _, _ in parsed if name is not None)


def test_each_message_has_a_sentence_with_exactly_its_parameters() -> None:
    made = uses()
    assert made
    unknown = [(place, key) for place, key, _ in made if key not in CATALOGUE]
    unlike = [
        (place, key, sorted(given), sorted(fields(CATALOGUE[key])))
        for place, key, given in made
        if key in CATALOGUE and given != fields(CATALOGUE[key])
    ]
    assert unknown == []
    assert unlike == []


def test_ids_are_written_out_where_a_message_is_made() -> None:
    """So that they can be found, and this module sees them; what passes a whole message on is no matter."""
    made_up = [place for place, call in calls() for text in texts(call.args[0]) if isinstance(text, (ast.JoinedStr, ast.BinOp))]
    assert made_up == []


def test_each_sentence_has_a_message() -> None:
    assert CATALOGUE.keys() - {key for _, key, _ in uses()} == set()


def test_no_sentence_is_there_twice() -> None:
    seen: dict[Sentence, str] = {}
    assert [(key, seen[sentence]) for key, sentence in CATALOGUE.items() if seen.setdefault(sentence, key) != key] == []
    assert [key for key, sentence in CATALOGUE.items() if sentence.what == sentence.remedy] == []


STRING_METHODS = set(dir(str)) - {"__doc__"}


def is_sentence(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("text", "what", "remedy")


def test_no_code_compares_searches_or_splits_sentences() -> None:
    """Decisions are made by ids."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Compare) and any(map(is_sentence, (node.left, *node.comparators))))
        or (isinstance(node, ast.Attribute) and node.attr in STRING_METHODS and is_sentence(node.value))
    ]
    assert found == []


@pytest.mark.parametrize("key", sorted(CATALOGUE))
def test_sentences_are_whole(key: str) -> None:
    for sentence in filter(None, CATALOGUE[key]):
        if not key.startswith("doctor."):  # findings are often names and figures
            assert re.match(r"[A-Z0-9{\"`-]", sentence), sentence
            assert re.search(r"[.!?})]$", sentence), sentence
        assert not re.search(r"  |(?<!here )\bis no (?!longer)|\banew\b|\bmend\b|\btells? of\b", sentence), sentence


def test_two_rooms_with_one_id() -> None:
    one, other = ModuleType("one"), ModuleType("other")
    one.SENTENCES = {"a": Sentence("A."), "b": Sentence("B.")}  # type: ignore[attr-defined]
    other.SENTENCES = {"b": Sentence("C.")}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="other repeats b"):
        merged((one, other))


def test_each_room_is_merged() -> None:
    folder = Path(str(english.__file__)).parent
    assert sorted(room.__name__.rpartition(".")[2] for room in english.ROOMS) == sorted(
        path.stem for path in folder.glob("*.py") if path.stem != "__init__"
    )
