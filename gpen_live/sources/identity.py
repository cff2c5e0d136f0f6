"""Where a camera is that has worked before: unplugged and back, it may have another number."""

from __future__ import annotations

from dataclasses import dataclass

from gpen_live.errors import SourceError
from gpen_live.sources.camera import CameraSource
from gpen_live.sources.devices import list_cameras


@dataclass(frozen=True)
class CameraIdentity:
    """A camera that was opened as `spec`, its number and its name then, and the numbers of all cameras of that name.

    Where `numbers` is empty the system did not list it (a loopback device, for one), and only its number is known.
    """

    spec: str
    index: int
    name: str
    numbers: frozenset[int]

    @classmethod
    def of(cls, spec: str, camera: CameraSource) -> CameraIdentity:
        """Of a camera that has just been opened."""
        return cls(spec, camera.index, camera.label, camera.namesakes)

    def now(self) -> str:
        """The source to open it by at this moment; as it was where it isn't seen. Takes as long as `list_cameras`.

        Raises:
            SourceError: its number is another camera's now, which nobody asked for and which may show anything.
        """
        if not self.numbers:
            return self.spec
        cameras = list_cameras()
        alike = [camera.index for camera in cameras if camera.name == self.name]
        if self.index in alike:
            return self.spec
        moved = next((index for index in alike if index not in self.numbers), None)
        if moved is not None:
            return f"camera:{moved}"
        other = next((camera for camera in cameras if camera.index == self.index), None)
        if other is not None:
            raise SourceError("camera.gone", name=self.name, spec=other.spec, other=other.name)
        return self.spec
