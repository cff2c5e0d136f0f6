"""Messages: what the app has to say, as an id and parameters. Only here do they become sentences.

Code below the window raises, stores and compares messages; sentences are for people alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any, Union

from gpen_live.messages.english import CATALOGUE

Value = Union[str, int, float, "Message"]


@dataclass(frozen=True)
class Message:
    """One message; made by `message`. Hashable, and equal to another one of the same id and parameters; `str` gives its text.

    Args:
        id: its key in the catalogue, such as "camera.busy".
        values: its parameters, sorted by name.
    """

    id: str
    values: tuple[tuple[str, Value], ...] = ()

    @property
    def params(self) -> Mapping[str, Value]:
        return MappingProxyType(dict(self.values))

    @property
    def what(self) -> str:
        """What happened, in English."""
        sentence = CATALOGUE.get(self.id)
        return self._bare() if sentence is None else self._filled(sentence.what)

    @property
    def remedy(self) -> str:
        """What to do about it, in English; may be empty."""
        sentence = CATALOGUE.get(self.id)
        return "" if sentence is None else self._filled(sentence.remedy)

    @property
    def text(self) -> str:
        """All of it, in English."""
        return f"{self.what} {self.remedy}".strip()

    def __str__(self) -> str:
        return self.text

    def _filled(self, template: str) -> str:
        try:
            return template.format_map(self.params).strip()
        except Exception:  # noqa: BLE001  the frame path ends up here: a wrong parameter must not stop the picture
            return self._bare()

    def _bare(self) -> str:
        """For an id or a parameter that the catalogue lacks."""
        return f"{self.id}({', '.join(f'{name}={value}' for name, value in self.values)})" if self.values else self.id


def message(key: str, /, **params: object) -> Message:
    """The message `key`. Numbers and messages among its parameters are kept; all else, such as a path, becomes text."""
    values = ((name, value if isinstance(value, (int, float, Message)) else str(value)) for name, value in params.items())
    return Message(key, tuple(sorted(values)))


def pack(made: Message) -> dict[str, Any]:
    """A message for JSON."""
    return {"id": made.id, "params": {name: pack(each) if isinstance(each, Message) else each for name, each in made.values}}


def unpack(tree: dict[str, Any]) -> Message:
    """The message that was packed."""
    return message(
        tree["id"], **{name: unpack(each) if isinstance(each, dict) else each for name, each in tree["params"].items()}
    )


def joined(messages: Iterable[Message]) -> Message:
    """One message that says all of these, one after the other.

    Raises:
        TypeError: there are none.
    """
    return reduce(lambda first, then: message("joined", first=first, then=then), messages)
