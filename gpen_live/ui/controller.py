"""Between the widgets, the settings and the pipeline: every wish of the user passes here, and all news comes from here."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from gpen_live.errors import GpenLiveError, reason_of
from gpen_live.frame import Size
from gpen_live.live.config import LiveConfig
from gpen_live.live.status.snapshot import Health, PartStatus, Snapshot
from gpen_live.look import Mode
from gpen_live.messages import Message, message
from gpen_live.settings import SettingsStore
from gpen_live.sinks import is_file, is_virtual_camera
from gpen_live.ui.notify import Level, Notice
from gpen_live.ui.preview import Picture

_log = logging.getLogger(__name__)

SNAPSHOT_MS = 250
SAVE_AFTER_MS = 600
SAVE_AGAIN_MS = 10_000
STOP_WITHIN_S = 3.0

_PARTS = ("source", "model", "sink")

_WISHES: dict[str, tuple[str, ...]] = {
    "source": ("source",),
    "width": ("size",),
    "height": ("size",),
    "fps": ("fps",),
    "model": ("model", "weights"),
    "weights": ("weights",),
    "device": ("device",),
    "leave_room": ("leave_room",),
    "budget_ms": ("budget_ms",),
    "rest": ("rest",),
    "vcam": ("sinks",),
    "vcam_device": ("sinks",),
    "overlay_to_viewers": ("overlay",),
}
"""Settings that the pipeline follows, and the wishes that they turn into."""

_PART_OF_WISH = {"source": "source", "model": "model", "weights": "model", "device": "model", "sinks": "sink"}
"""The part that starts anew when a wish changes: older messages about it are void."""


class Pictures(Protocol):
    """Where the newest finished frame can be taken from."""

    def take(self, timeout: float) -> Picture | None: ...


class Pipeline(Protocol):
    """What the window needs of `gpen_live.live.pipeline.LivePipeline`."""

    @property
    def preview(self) -> Pictures: ...

    def start(self) -> None: ...

    def change(self, **fields: Any) -> None: ...

    def retry(self, part: str) -> None: ...

    def set_seen(self, seen: bool) -> None: ...

    def snapshot(self) -> Snapshot: ...

    def stop(self) -> None: ...


class Controller(QObject):
    """Holds the settings and the present wishes (`config`), starts the pipeline and tells of what happens in it.

    Args:
        store: where the settings lie.
        make_pipeline: makes the pipeline once the window is up.
        config: wishes for this run alone, from the command line, in place of the settings; none of them is saved, and a
            control that the user moves wins over its wish.
    """

    changed = Signal()
    snapshot_changed = Signal(Snapshot)
    noticed = Signal(Notice)
    settled = Signal(str)

    def __init__(
        self,
        store: SettingsStore,
        make_pipeline: Callable[[LiveConfig], Pipeline],
        config: LiveConfig | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._make_pipeline = make_pipeline
        loaded = store.load()
        self.settings = loaded.settings
        self.config = config or self.settings.live_config()
        self.pipeline: Pipeline | None = None
        self.snapshot = Snapshot()
        self._first_notice = loaded.notice
        self._seen = True
        self._told: dict[str, Message] = {}
        self._poll = QTimer(self)
        self._poll.setInterval(SNAPSHOT_MS)
        self._poll.timeout.connect(self.poll)
        self._save = QTimer(self)
        self._save.setSingleShot(True)
        self._save.timeout.connect(self.save)

    @property
    def settings_folder(self) -> Path:
        """Where the settings lie, and what belongs to them."""
        return self._store.path.parent

    # the user's wishes

    def update(self, **fields: Any) -> None:
        """Takes new values of Settings fields: remembers them, and hands what they mean to the pipeline."""
        self.settings = msgspec.structs.replace(self.settings, **fields)
        asked = self.settings.live_config()
        touched = {wish for name in fields for wish in _WISHES.get(name, ())}
        wishes = {wish: getattr(asked, wish) for wish in touched}
        if "sinks" in wishes:  # a recording goes on
            wishes["sinks"] += tuple(spec for spec in self.config.sinks if is_file(spec))
        self._wish(wishes)

    def change_look(self, **fields: Any) -> None:
        """Takes new values of Look fields; what the command line asked of the others holds on."""
        self.settings = msgspec.structs.replace(self.settings, look=dataclasses.replace(self.settings.look, **fields))
        self._wish({"look": dataclasses.replace(self.config.look, **fields)})

    def change_beauty(self, fields: Mapping[str, Any], *, preset: str | None = None) -> None:
        """Takes new values of Beauty fields, and the name of the preset that they come from; else as `change_look`."""
        if preset is not None:
            self.settings = msgspec.structs.replace(self.settings, preset=preset)
        kept = dataclasses.replace(self.settings.look.beauty, **fields)
        self.settings = msgspec.structs.replace(self.settings, look=dataclasses.replace(self.settings.look, beauty=kept))
        beauty = dataclasses.replace(self.config.look.beauty, **fields)
        self._wish({"look": dataclasses.replace(self.config.look, beauty=beauty)})

    def _wish(self, asked: dict[str, Any]) -> None:
        """Hands the pipeline what is new among these wishes, and saves the settings soon."""
        wishes = {wish: value for wish, value in asked.items() if value != getattr(self.config, wish)}
        if wishes:
            self.config = dataclasses.replace(self.config, **wishes)
            for part in {_PART_OF_WISH[wish] for wish in wishes if wish in _PART_OF_WISH}:
                self._told.pop(part, None)
                self.settled.emit(part)
            if self.pipeline is not None:
                self.pipeline.change(**wishes)
        self._save.start(SAVE_AFTER_MS)
        self.changed.emit()

    def set_size(self, size: Size | None) -> None:
        """The size asked of the camera; None takes what it delivers."""
        self.update(width=size.width if size else 0, height=size.height if size else 0)

    def set_strength(self, strength: float) -> None:
        """Sets the network's strength, 0 to 1; a value outside is brought inside."""
        self.change_look(strength=min(1.0, max(0.0, round(strength, 2))))

    def toggle_enhance(self) -> None:
        """Enhancement on, or off."""
        self.change_look(enhance=not self.config.look.enhance)

    def toggle_mode(self) -> None:
        """From the face alone to the full frame, or back."""
        self.change_look(mode=Mode.FULL if self.config.look.mode is Mode.ROI else Mode.ROI)

    def toggle_vcam(self) -> None:
        """Starts the virtual camera, stops it, or tries again where it has failed."""
        if self.wants_vcam and self.vcam.health is Health.FAILED:
            self.retry("sink")
        else:
            self.update(vcam=not self.wants_vcam)

    def use_weights(self, model: str, path: Path | None) -> None:
        """Uses the file for `model` from now on, or the model's own (None)."""
        weights = {name: file for name, file in self.settings.weights.items() if name != model}
        if path is not None:
            weights[model] = str(path)
        self.update(model=model, weights=weights)

    def use_new_file(self, model: str, path: Path | None = None) -> None:
        """Uses `model` with a file that has just arrived: loads it even where the same wish has failed before."""
        before = self.config
        if path is None:
            self.update(model=model)
        else:
            self.use_weights(model, path)
        if self.config == before:
            self.retry("model")

    def accept_licence(self, model: str) -> None:
        """Remembers that the user accepted the licence of `model`."""
        if model not in self.settings.accepted_licences:
            self.update(accepted_licences=(*self.settings.accepted_licences, model))

    @property
    def wants_vcam(self) -> bool:
        """Whether the virtual camera is one of the outputs."""
        return any(is_virtual_camera(spec) for spec in self.config.sinks)

    @property
    def vcam(self) -> PartStatus:
        """How the virtual camera is."""
        found = (output.status for output in self.snapshot.outputs if is_virtual_camera(output.spec))
        return next(found, self.snapshot.sink)

    # the pipeline's life

    def start(self) -> None:
        """Makes and starts the pipeline; what goes wrong becomes a notice. Called once the window is up."""
        if self._first_notice is not None:
            level = Level.INFO if self._first_notice.id == "settings.beauty_is_new" else Level.WARNING
            self.noticed.emit(Notice("settings", self._first_notice, level))
            self._first_notice = None
        try:
            self.pipeline = self._make_pipeline(self.config)
            self.pipeline.set_seen(self._seen)
            self.pipeline.start()
        except GpenLiveError as error:
            self.pipeline = None
            self.noticed.emit(Notice("start", error.message, Level.ERROR, retry=True))
        except Exception as error:  # noqa: BLE001  the window must stay usable, whatever it is
            _log.exception("the pipeline did not start")
            self.pipeline = None
            failed = message("window.start_failed", reason=reason_of(error))
            self.noticed.emit(Notice("start", failed, Level.ERROR, retry=True))
        else:
            self._poll.start()
            self.poll()

    def set_seen(self, seen: bool) -> None:
        """Whether the window can be seen: where nobody looks, the network may rest."""
        self._seen = seen
        if self.pipeline is not None:
            self.pipeline.set_seen(seen)

    def retry(self, key: str) -> None:
        """Tries again what the notice `key` was about."""
        self._told.pop(key, None)
        self.settled.emit(key)
        if key == "start":
            self.start()
        elif self.pipeline is not None and (part := key.partition(" ")[0]) in _PARTS:
            self.pipeline.retry(part)

    def poll(self) -> None:
        """Looks at the pipeline once; a timer does so four times a second."""
        if self.pipeline is None:
            return
        self.snapshot = self.pipeline.snapshot()
        for part in _PARTS:
            self._watch(part, getattr(self.snapshot, part))
        trouble = self.snapshot.beauty_trouble
        self._watch("beauty", PartStatus(Health.OK if trouble is None else Health.WARNING, message=trouble))
        others = {output.part: output.status for output in self.snapshot.outputs[1:]}
        for part in others.keys() | {told for told in self._told if told.startswith("sink ")}:
            self._watch(part, others.get(part, PartStatus()))
        self.snapshot_changed.emit(self.snapshot)

    def _watch(self, part: str, status: PartStatus) -> None:
        """Tells of a part's trouble once, and takes the message back when the trouble is over."""
        if status.health in (Health.FAILED, Health.WARNING) and status.message is not None:
            if self._told.get(part) != status.message:
                self._told[part] = status.message
                failed = status.health is Health.FAILED
                level = Level.ERROR if failed else Level.WARNING
                self.noticed.emit(Notice(part, status.message, level, retry=failed or status.again))
        elif status.health is not Health.STARTING and part in self._told:
            del self._told[part]
            self.settled.emit(part)

    def save(self) -> None:
        """Writes the settings now; where the disk refuses, says so once and tries again every SAVE_AGAIN_MS."""
        self._save.stop()
        before = self._store.unsaved
        complaint = self._store.save(self.settings)
        if complaint is not None:
            self.noticed.emit(Notice("settings", complaint, Level.WARNING))
        if self._store.unsaved:
            self._save.start(SAVE_AGAIN_MS)
        elif before:
            self.settled.emit("settings")

    def shutdown(self) -> None:
        """Saves and stops; takes STOP_WITHIN_S at most, even when a driver hangs."""
        self._poll.stop()
        self.save()
        self._save.stop()
        if self.pipeline is not None:
            stopping = threading.Thread(target=self.pipeline.stop, name="gpen-live-stop", daemon=True)
            stopping.start()
            stopping.join(STOP_WITHIN_S)
