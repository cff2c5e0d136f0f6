"""The models as the window sees them: what there is, what is here, and how to get the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Model:
    """One line of the list. `size` is the side of the network's input in pixels, `bytes` the length of its file (about).

    `installed`: its own file is here; `partial`: a download of it was interrupted.
    """

    name: str
    title: str
    size: int
    bytes: int
    licence: str
    licence_text: str
    page: str = ""
    shipped: bool = False
    installed: bool = False
    partial: bool = False


class Catalogue(Protocol):
    """Lists models, fetches and checks their files. `fetch` and `check` take their time: not for the window's thread."""

    def models(self) -> Sequence[Model]: ...

    def fetch(self, name: str, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Path: ...

    def check(self, name: str, path: Path) -> None: ...


class ModelCatalogue:
    """The catalogue of `gpen_live.models`."""

    def models(self) -> Sequence[Model]:
        """Every model that enhances, the default first."""
        from gpen_live.models.fetch import list_models

        return [
            Model(
                name=state.spec.name,
                title=state.spec.title,
                size=state.spec.size,
                bytes=state.bytes or state.spec.about_bytes,
                licence=state.spec.licence,
                licence_text=state.spec.licence_text,
                page=state.spec.page or "",
                shipped=state.spec.shipped,
                installed=state.place != "missing",
                partial=state.path.with_name(f"{state.path.name}.part").exists(),
            )
            for state in list_models()
            if state.spec.architecture.purpose == "enhance"
        ]

    def fetch(self, name: str, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Path:
        """Downloads and verifies; see `gpen_live.models.fetch.fetch`."""
        from gpen_live.models.fetch import fetch

        return fetch(name, progress=progress, cancelled=cancelled)

    def check(self, name: str, path: Path) -> None:
        """Raises WeightsError when the file at `path` does not hold the weights of the model."""
        from gpen_live.models.loading import check
        from gpen_live.models.registry import get

        check(get(name), path)
