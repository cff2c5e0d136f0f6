"""One window at a time: a second start says that the first one is there, and can bring it to the front.

Two would fight for the camera, for the virtual camera and for the settings file. A lock file says who is first; it dies with its
process, however that ends. Asking the first one to show itself goes through a local socket of the system (no port is opened), and
carries one word.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal

try:
    from PySide6.QtNetwork import QLocalServer, QLocalSocket

    HAS_SOCKETS = True
except ImportError:  # on a bare Linux it lacks a library of the system's; the lock alone does most of the work
    HAS_SOCKETS = False

_log = logging.getLogger(__name__)
_SHOW = b"show\n"
_PATIENCE_MS = 1000


class Instance(QObject):
    """The claim of this process to be the only one with a window on these settings.

    Args:
        folder: of the settings; whoever has other settings is somebody else.
    """

    asked_to_show = Signal()
    """A second start wants this window in front."""

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = "gpen-live-" + hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
        self._lock = QLockFile(str(folder / "window.lock"))
        self._lock.setStaleLockTime(0)  # a long stream is no reason to take its lock away; a dead process is
        self._folder = folder
        self._server: QLocalServer | None = None

    def claim(self) -> bool:
        """Whether this is the first one, from now on. Where no lock can be made, everybody is."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _log.warning("no lock: %s", error.strerror)
            return True
        if not self._lock.tryLock(0):
            if self._lock.error() is QLockFile.LockError.LockFailedError:
                return False
            _log.warning("no lock: %s", self._lock.error().name)
            return True
        if not HAS_SOCKETS:
            return True
        QLocalServer.removeServer(self._name)  # one that a killed process left
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        server.newConnection.connect(self._answer)
        if server.listen(self._name):
            self._server = server
        else:  # nobody can bring this window to the front then, and that is all
            _log.warning("no local socket: %s", server.errorString())
        return True

    def show_first(self) -> bool:
        """Asks the first one to show its window; False where it does not answer (it is starting, or hangs)."""
        if not HAS_SOCKETS:
            return False
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_PATIENCE_MS):
            return False
        socket.write(_SHOW)
        socket.waitForBytesWritten(_PATIENCE_MS)
        answered = socket.waitForReadyRead(_PATIENCE_MS)
        socket.disconnectFromServer()
        return answered

    def release(self) -> None:
        """Lets the next one be first."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._lock.unlock()

    def _answer(self) -> None:
        assert self._server is not None
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(lambda socket=socket: self._heard(socket))
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._heard(socket)

    def _heard(self, socket: QLocalSocket) -> None:
        said = bytes(socket.read(len(_SHOW)).data())
        if said == _SHOW:
            socket.write(b"ok\n")
            socket.flush()
            self.asked_to_show.emit()
        else:
            socket.abort()  # whoever that is, it is none of ours
