"""About GPEN Live: version, licences, the paper, other people's work, and what a bug report needs."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtSvgWidgets import QSvgWidget
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QStackedWidget, QTextBrowser, QVBoxLayout, QWidget

import gpen_live
from gpen_live.live.status.snapshot import Snapshot
from gpen_live.privacy import scrub
from gpen_live.ui import icons
from gpen_live.ui.overlay import describe_engine
from gpen_live.ui.theme import UNIT
from gpen_live.ui.widgets import WrappedLabel, button, label

LICENCE: Final = "LICENSE"
THIRD_PARTY: Final = "THIRD_PARTY.md"
PAPER: Final = "https://arxiv.org/abs/2105.06070"

_PURPOSE = (
    "Your face at its best, live: from the camera through a neural network to a virtual camera. Nothing leaves this machine."
)
_COPYRIGHT = "Licensed under the Apache License 2.0, code and included weights."
_CREDIT = (
    "The network follows T. Yang, P. Ren, X. Xie and L. Zhang, "
    f'<a href="{PAPER}">GAN Prior Embedded Network for Blind Face Restoration in the Wild</a>, CVPR 2021. '
    "This is an independent implementation without the authors' code."
)
_PARTS = ("PySide6", "opencv-python", "numpy", "av", "openvino", "torch", "triton", "pyvirtualcam")


def document(name: str) -> str:
    """The text of LICENCE or THIRD_PARTY: beside the package in a clone, else in the metadata; if missing, a sentence."""
    clone = Path(gpen_live.__file__).parent.parent
    if (clone / "pyproject.toml").is_file() and (clone / name).is_file():
        return (clone / name).read_text(encoding="utf-8")
    try:
        text = metadata.distribution("gpen-live").read_text(f"licenses/{name}")
    except metadata.PackageNotFoundError:
        text = None
    return text or f"{name} is missing from this installation."


def details(snapshot: Snapshot) -> str:
    """What a bug report needs to know about this program and this machine; names no user, computer or folder."""
    lines = [
        f"GPEN Live {gpen_live.__version__}",
        f"Python {platform.python_version()} ({platform.architecture()[0]})",
        platform.platform(),
        f"Qt {qVersion()} ({QGuiApplication.platformName()})",
        ", ".join(_versions()),
        describe_engine(snapshot),
    ]
    return scrub("\n".join(line for line in lines if line))


def _versions() -> Iterator[str]:
    """Names and versions of the libraries that matter and are installed; none of them is imported for it."""
    for name in _PARTS:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue


class AboutDialog(QDialog):
    """Two pages: the facts, and a document that one of the buttons opens."""

    def __init__(self, snapshot: Snapshot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About GPEN Live")
        self.resize(640, 312)
        self._snapshot = snapshot
        self.pages: QStackedWidget = QStackedWidget()
        self._title = label("", "title")
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        self.pages.addWidget(self._facts_page())
        self.pages.addWidget(self._document_page())
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        column.addWidget(self.pages)

    def _facts_page(self) -> QWidget:
        mark = QSvgWidget(str(icons.APP_ICON))
        mark.setFixedSize(56, 56)
        names = QVBoxLayout()
        names.setSpacing(2)
        names.addWidget(label("GPEN Live", "title"))
        version = label(f"Version {gpen_live.__version__}", "muted")
        version.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        names.addWidget(version)
        head = QHBoxLayout()
        head.setSpacing(2 * UNIT)
        head.addWidget(mark)
        head.addLayout(names)
        head.addStretch(1)
        self.credit = QLabel(_CREDIT)
        self.credit.setWordWrap(True)
        self.credit.setOpenExternalLinks(True)
        self.credit.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.copy = button("Copy details", tip="Copy the versions of GPEN Live and its parts, for a bug report")
        self.copy.clicked.connect(self._copy)
        self.third_party = button("Third-party notices")
        self.third_party.clicked.connect(lambda: self.show_document("Third-party notices", THIRD_PARTY))
        self.licence = button("Licence")
        self.licence.clicked.connect(lambda: self.show_document("Licence", LICENCE))
        close = button("Close")
        close.clicked.connect(self.accept)
        close.setDefault(True)
        close.setFocus()
        foot = QHBoxLayout()
        foot.setSpacing(UNIT)
        for one in (self.copy, self.third_party, self.licence):
            foot.addWidget(one)
        foot.addStretch(1)
        foot.addWidget(close)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * UNIT)
        column.addLayout(head)
        column.addWidget(WrappedLabel(_PURPOSE))
        column.addWidget(WrappedLabel(_COPYRIGHT))
        column.addWidget(self.credit)
        column.addStretch(1)
        column.addLayout(foot)
        return page

    def _document_page(self) -> QWidget:
        self.back = button("Back")
        self.back.clicked.connect(lambda: self.pages.setCurrentIndex(0))
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.back)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * UNIT)
        column.addWidget(self._title)
        column.addWidget(self.text, 1)
        column.addLayout(foot)
        return page

    def show_document(self, title: str, name: str) -> None:
        """Opens one of the documents, at its beginning."""
        self._title.setText(title)
        self.text.setAccessibleName(title)
        text = document(name)
        if name.endswith(".md"):
            self.text.setMarkdown(text)
        else:
            self.text.setPlainText(text)
        self.pages.setCurrentIndex(1)
        self.resize(max(self.width(), 880), max(self.height(), 640))
        self.back.setFocus()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(details(self._snapshot))
        self.copy.setText("Copied")
