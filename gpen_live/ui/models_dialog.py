"""The list of models: their licences, their downloads, and files of the user's own."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QScrollArea,
    QStackedWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.messages import message
from gpen_live.ui import background
from gpen_live.ui.controller import Controller
from gpen_live.ui.models import Catalogue, Model
from gpen_live.ui.theme import UNIT
from gpen_live.ui.widgets import WrappedLabel, button, label, restyle

_FILES = "Weights (*.safetensors *.pth *.pt);;All files (*)"


class ModelsDialog(QDialog):
    """Lists models; a download begins only after its licence was shown and accepted. Closing the dialog cancels nothing."""

    changed = Signal()

    def __init__(self, controller: Controller, catalogue: Catalogue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models")
        self.resize(640, 560)
        self._controller = controller
        self._catalogue = catalogue
        self.rows: dict[str, ModelRow] = {}
        self.licence = LicencePage()
        self.licence.accepted.connect(self._accept)
        self.licence.declined.connect(lambda: self._pages.setCurrentIndex(0))
        self._pages: QStackedWidget = QStackedWidget()
        self._pages.addWidget(self._list_page())
        self._pages.addWidget(self.licence)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        column.addWidget(self._pages)
        controller.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Shows anew what is here and what is in use."""
        in_use = self._controller.config.model
        for model in self._catalogue.models():
            self.rows[model.name].show_model(model, model.name == in_use, self._controller.settings.weights.get(model.name, ""))

    def ask_for(self, name: str) -> None:
        """Opens the licence of a model that is not here, on its way to the download; "" opens the list."""
        model = next((model for model in self._catalogue.models() if model.name == name), None)
        self._pages.setCurrentIndex(0)
        if model is not None and not model.installed:
            self._get(name)

    def showing_licence(self) -> bool:
        """Whether the licence shows, and not the list."""
        return self._pages.currentWidget() is self.licence

    def _list_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addWidget(label("Models", "title"))
        column.addWidget(
            WrappedLabel("The Lite models are included. The others are downloaded once you accept their terms.", "muted")
        )
        column.addSpacing(UNIT)
        inner = QWidget()
        lines = QVBoxLayout(inner)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(UNIT)
        for model in self._catalogue.models():
            row = ModelRow(model.name)
            row.used.connect(self._use)
            row.wanted.connect(self._get)
            row.file_wanted.connect(self._pick_file)
            row.own_file_wanted.connect(lambda name: self._controller.use_weights(name, None))
            self.rows[model.name] = row
            lines.addWidget(row)
        lines.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        column.addWidget(scroll, 1)
        close = button("Close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        column.addLayout(foot)
        return page

    def _use(self, name: str) -> None:
        self._controller.update(model=name)

    def _get(self, name: str) -> None:
        model = next(model for model in self._catalogue.models() if model.name == name)
        if name in self._controller.settings.accepted_licences:
            self._fetch(name)
        else:
            self.licence.show_model(model)
            self._pages.setCurrentWidget(self.licence)
            self.licence.agree.setFocus()

    def _accept(self, name: str) -> None:
        self._pages.setCurrentIndex(0)
        self._controller.accept_licence(name)
        self._fetch(name)

    def _fetch(self, name: str) -> None:
        row = self.rows[name]
        if row.job is not None:
            return

        def work(job: background.Job) -> Path:
            return self._catalogue.fetch(name, lambda done, total: job.report((done, total)), job.cancelled)

        def done(path: Path) -> None:
            row.end()
            self.refresh()
            self.changed.emit()
            self._controller.use_new_file(name)

        def failed(error: Exception) -> None:
            cancelled = row.job is not None and row.job.cancelled()
            row.end("" if cancelled else _sentence(error))
            self.refresh()

        row.begin(background.run(self, work, done=done, failed=failed, progress=row.show_progress))

    def _pick_file(self, name: str) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Choose a weights file", "", _FILES)
        if chosen:
            self.try_file(name, Path(chosen))

    def try_file(self, name: str, path: Path) -> None:
        """Checks the file in the background, and uses it for the model when it fits."""
        row = self.rows[name]
        if row.job is not None:
            return

        def done(_: object) -> None:
            row.end()
            self._controller.use_new_file(name, path)

        def failed(error: Exception) -> None:
            row.end(_sentence(error))

        job = background.run(self, lambda job: self._catalogue.check(name, path), done=done, failed=failed)
        row.begin(job, f"Checking {path.name}…")


class ModelRow(QFrame):
    """One model in the list."""

    used = Signal(str)
    wanted = Signal(str)
    file_wanted = Signal(str)
    own_file_wanted = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("row")
        self.job: background.Job | None = None
        self.title = label("", "heading")
        self.facts = WrappedLabel("", "small")
        self.state = WrappedLabel("", "small")
        self.main = button("Use", "compact")
        self.main.clicked.connect(lambda: self._press(name))
        self.file = button("Use a file…", "link", "Choose a weights file on this computer")
        self.file.clicked.connect(lambda: self.file_wanted.emit(name))
        self.own_file = button("Use the original file", "link")
        self.own_file.clicked.connect(lambda: self.own_file_wanted.emit(name))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.hide()
        links = QHBoxLayout()
        links.setSpacing(2 * UNIT)
        links.addWidget(self.file)
        links.addWidget(self.own_file)
        links.addStretch(1)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self.title)
        texts.addWidget(self.facts)
        texts.addWidget(self.state)
        texts.addWidget(self.bar)
        texts.addLayout(links)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * UNIT, 12, 2 * UNIT, UNIT)
        row.setSpacing(2 * UNIT)
        row.addLayout(texts, 1)
        row.addWidget(self.main, 0, Qt.AlignmentFlag.AlignVCenter)
        self._usable = False

    def show_model(self, model: Model, in_use: bool, own_file: str) -> None:
        """Shows the model's state."""
        restyle(self, current="true" if in_use else "false")
        self.setAccessibleName(model.title)
        self.title.setText(model.title)
        self.facts.say(f"{model.size} × {model.size} pixels · {describe_bytes(model.bytes)} · {model.licence}")
        self.own_file.setVisible(bool(own_file))
        self._usable = model.installed or bool(own_file)
        if self.job is not None:
            return
        if own_file:
            self.state.say(f"Using {own_file}")
        elif model.partial and not model.installed:
            self.state.say(self.state.text() or "The download was interrupted. It can be resumed.")
        if in_use:
            self.main.setText("In use")
        elif self._usable:
            self.main.setText("Use")
        else:
            self.main.setText("Resume" if model.partial else "Download…")
        self.main.setEnabled(not in_use or not self._usable)
        self.main.setAccessibleName(f"{self.main.text()}: {model.title}")

    def begin(self, job: background.Job, text: str = "Connecting…") -> None:
        """Shows that `job` is at work on this model."""
        self.job = job
        self.state.say(text)
        self.bar.setRange(0, 0)
        self.bar.show()
        self.file.hide()
        self.main.setText("Cancel")
        self.main.setEnabled(True)

    def show_progress(self, news: tuple[int, int]) -> None:
        """Takes bytes done and bytes in all."""
        done, total = news
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * done / max(1, total)))
        if done >= total:
            self.state.say("Verifying…")
        else:
            self.state.say(f"{describe_bytes(done)} of {describe_bytes(total)}")

    def end(self, complaint: str = "") -> None:
        """The job is over; `complaint` says why it failed."""
        self.job = None
        self.bar.hide()
        self.file.show()
        self.state.say(complaint)

    def _press(self, name: str) -> None:
        if self.job is not None:
            self.job.cancel()
            self.state.say("Cancelling…")
        elif self._usable:
            self.used.emit(name)
        else:
            self.wanted.emit(name)


class LicencePage(QWidget):
    """A model's terms, which the user accepts or not."""

    accepted = Signal(str)
    declined = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self._title = label("", "title")
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        self.text.setAccessibleName("Terms")
        self.agree = QCheckBox("I have read and accept these terms")
        self.download = button("Download", "primary")
        self.download.clicked.connect(lambda: self.accepted.emit(self._name))
        self.agree.toggled.connect(self.download.setEnabled)
        self.back = button("Back")
        self.back.clicked.connect(self.declined)
        self._page = WrappedLabel("", "small")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * UNIT)
        column.addWidget(self._title)
        column.addWidget(self.text, 1)
        column.addWidget(self._page)
        column.addWidget(self.agree)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.back)
        foot.addWidget(self.download)
        column.addLayout(foot)

    def show_model(self, model: Model) -> None:
        """Shows the terms of `model`, not accepted yet."""
        self._name = model.name
        self._title.setText(f"{model.title}: {model.licence}")
        self.text.setPlainText(model.licence_text)
        self._page.say(f"Source: {model.page}" if model.page else "")
        self.agree.setChecked(False)
        self.download.setEnabled(False)
        self.download.setText(f"Download {describe_bytes(model.bytes)}")


def describe_bytes(count: int) -> str:
    """A file's length as people write it."""
    return f"{count / 1e6:.0f} MB" if count >= 10e6 else f"{count / 1e6:.1f} MB"


def _sentence(error: Exception) -> str:
    if isinstance(error, GpenLiveError):
        return str(error)
    return message("window.job_failed", reason=reason_of(error)).text
