"""The models that GPEN Live knows, and where the files of their weights belong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gpen_live
from gpen_live.errors import UsageError, WeightsError
from gpen_live.models.architectures import DETECTOR, FACE_MESH, GPEN, LITE, RETOUCH, Architecture
from gpen_live.privacy import hide
from gpen_live.system.folders import data_dir


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model.

    Args:
        name: what the user types.
        title: what the user reads.
        architecture: what it is built like.
        size: side of the network's square input, in pixels; of the detector, 0: it takes any size.
        parameters: how many the network has, to the nearest ten thousand.
        licence: the licence's short name.
        licence_text: what the user has to know before a download, in plain paragraphs.
        filename: the file's plain name.
        shipped: the file comes with GPEN Live.
        url: where it is downloaded from; None if shipped.
        page: the page for people where it can be had.
        bytes: its exact length, where known.
        sha256: its digest in lower-case hex, where known.
        float_model: of an 8-bit version, the name of the model that it is a version of.
    """

    name: str
    title: str
    architecture: Architecture
    size: int
    parameters: int
    licence: str
    licence_text: str
    filename: str
    shipped: bool = False
    url: str | None = None
    page: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    float_model: str | None = None

    def __post_init__(self) -> None:
        if self.filename in ("", "..") or Path(self.filename).name != self.filename:
            raise ValueError(f"{self.filename!r} is not a plain file name")

    @property
    def weight(self) -> tuple[bool, int]:
        """Orders models by the time and memory that they take: heavy architectures last, then by the picture's side."""
        return self.architecture.heavy, self.size

    @property
    def about_bytes(self) -> int:
        """The file's length: exact where known, else four bytes for each parameter."""
        return self.bytes if self.bytes is not None else 4 * self.parameters

    @property
    def byte_limits(self) -> tuple[int, int]:
        """The shortest and the longest file that is believable: half precision up to a second copy of the weights."""
        if self.bytes is not None:
            return self.bytes, self.bytes
        return int(0.45 * self.about_bytes), int(2.2 * self.about_bytes)


_OWN_LICENCE: Final = "GPEN Live's own weights, under the Apache License 2.0: any use is allowed, monetised streams included."

_GPEN_LICENCE: Final = """\
The weights of {title} belong to the authors of GPEN (T. Yang, P. Ren, X. Xie, L. Zhang; CVPR 2021). They are no part \
of GPEN Live and come straight from where the authors published them.

There is no licence file with them. Until March 2026 the authors' README allowed academic and non-commercial use only; that \
section was then removed, and nothing took its place. So take them for research and private use: not for monetised streams, not \
for commercial work, and do not pass them on.

For a stream that earns money use lite-256, which comes with GPEN Live and may be used for anything."""

_MESH_LICENCE: Final = """\
Converted from the face mesh of Google's MediaPipe, which is under the Apache License 2.0: any use is allowed, monetised streams \
included. The licence's text lies beside the file."""

_UPSTREAM: Final = "https://github.com/yangxy/GPEN"
_OSS: Final = "https://public-vigen-video.oss-cn-shanghai.aliyuncs.com/robin/models"
_MODELSCOPE: Final = "https://www.modelscope.cn/models/iic/cv_gpen_image-portrait-enhancement-hires"


def _gpen(
    size: int, parameters: int, filename: str, url: str, page: str, *, length: int | None = None, sha256: str | None = None
) -> ModelSpec:
    title = f"GPEN-{size}"
    return ModelSpec(
        name=f"gpen-{size}",
        title=title,
        architecture=GPEN,
        size=size,
        parameters=parameters,
        licence="academic and non-commercial use only",
        licence_text=_GPEN_LICENCE.format(title=title),
        filename=filename,
        url=url,
        page=page,
        bytes=length,
        sha256=sha256,
    )


def _lite(name: str, title: str, size: int, length: int, sha256: str, *, float_model: str | None = None) -> ModelSpec:
    return ModelSpec(
        name=name,
        title=title,
        architecture=LITE,
        size=size,
        parameters=1_370_000,
        licence="Apache-2.0",
        licence_text=_OWN_LICENCE,
        filename=f"{name}.safetensors",
        shipped=True,
        bytes=length,
        sha256=sha256,
        float_model=float_model,
    )


_SPECS: Final = (
    _lite("lite-256", "Lite 256", 256, 5_472_016, "23a8a7e82cc0b2ced9904077ff48db29131d5b56352be492a38333ec5174fa5a"),
    _lite(
        "lite-256-int8",
        "Lite 256 in 8 bits",
        256,
        2_773_104,
        "389a8e634383e711e888222c593c85e0edeb4e4e2250111f4c1b8bdfe3306a5e",
        float_model="lite-256",
    ),
    _lite("lite-512", "Lite 512", 512, 5_472_016, "a5a70abbc9f42ed62593c69c4117045a2d95d35a391473aef705a102a57ac649"),
    _gpen(256, 18_880_000, "GPEN-BFR-256.pth", f"{_OSS}/GPEN-BFR-256.pth", _UPSTREAM),
    _gpen(
        512,
        71_010_000,
        "GPEN-BFR-512.pth",
        f"{_OSS}/GPEN-BFR-512.pth",
        _UPSTREAM,
        # Upstream publishes no digest; this one is in public lists of projects that use the file.
        length=284_085_738,
        sha256="f1002c41add95b0decad69604d80455576f7187dd99ca16bd611bcfd44c10b51",
    ),
    _gpen(1024, 71_210_000, "GPEN-BFR-1024.pt", f"{_MODELSCOPE}/resolve/master/pytorch_model.pt", _MODELSCOPE),
    _gpen(2048, 71_290_000, "GPEN-BFR-2048.pt", f"{_MODELSCOPE}/resolve/master/pytorch_model-2048.pt", _MODELSCOPE),
    ModelSpec(
        name="detector",
        title="Face detector",
        architecture=DETECTOR,
        size=0,
        parameters=430_000,
        licence="Apache-2.0",
        licence_text=_OWN_LICENCE,
        filename="detector.safetensors",
        shipped=True,
        bytes=1_760_288,
        sha256="d92b41759e99ff7bc2e270aafc7489c71ea2e50bb77540d37f8aa2d66c540417",
    ),
    ModelSpec(
        name="face-mesh",
        title="Face mesh",
        architecture=FACE_MESH,
        size=192,
        parameters=1_340_000,
        licence="Apache-2.0",
        licence_text=_MESH_LICENCE,
        filename="face-mesh.safetensors",
        shipped=True,
        bytes=2_700_346,
        sha256="7c3e8fe69a50d6a122042efdcb5f40f9caa8a910788ed25e597002614373a9a2",
    ),
    ModelSpec(
        name="retouch",
        title="Retouch",
        architecture=RETOUCH,
        size=256,
        parameters=220_000,
        licence="Apache-2.0",
        licence_text=_OWN_LICENCE,
        filename="retouch.safetensors",
        shipped=True,
        bytes=438_624,
        sha256="e5aa4caa160dd60ae7a726dc8001329072e02b8a2dc6964776cd8edfbcac8505",
    ),
)

MODELS: Final[dict[str, ModelSpec]] = {spec.name: spec for spec in _SPECS}
"""Every model by name, the default first."""

DEFAULT: Final = "lite-256"


def enhancers() -> list[ModelSpec]:
    """The models that a user chooses from: all but those that find, measure and retouch faces."""
    return [spec for spec in MODELS.values() if spec.architecture.purpose == "enhance"]


def get(name: str) -> ModelSpec:
    """The model of that name.

    Raises:
        UsageError: there is none; the message says which there are.
    """
    if name not in MODELS:
        raise UsageError("models.unknown", name=name, names=", ".join(spec.name for spec in enhancers()))
    return MODELS[name]


def eight_bit_version(spec: ModelSpec) -> ModelSpec | None:
    """The model in 8 bits: itself, or the one made of it; None if there is none."""
    if spec.float_model is not None:
        return spec
    return next((other for other in MODELS.values() if other.float_model == spec.name), None)


def lighter_than(spec: ModelSpec) -> list[ModelSpec]:
    """The models that may stand in for a face model where time is short, the strongest first; only those whose files are here.

    They are the smallest ones of each architecture.
    """
    smallest: dict[Architecture, ModelSpec] = {}
    for other in sorted(enhancers(), key=lambda one: one.weight):
        if other.float_model is None:
            smallest.setdefault(other.architecture, other)
    lighter = [other for other in smallest.values() if other.weight < spec.weight and expected_path(other).is_file()]
    return sorted(lighter, key=lambda one: one.weight, reverse=True)


def models_folder() -> Path:
    """Where downloaded weights lie."""
    return data_dir() / "models"


def shipped_folder() -> Path:
    """Where the weights lie that come with GPEN Live: inside the package in a wheel, in `weights/` in a clone."""
    package = Path(gpen_live.__file__).resolve().parent
    clone = package.parent
    inside = package / "shipped"
    return clone / "weights" if not inside.is_dir() and (clone / "pyproject.toml").is_file() else inside


def expected_path(spec: ModelSpec) -> Path:
    """Where the model's file belongs, whether it is there or not."""
    return (shipped_folder() if spec.shipped else models_folder()) / spec.filename


def locate(spec: ModelSpec, override: Path | None = None) -> Path:
    """The model's file: `override`, or the one in its own place.

    Raises:
        WeightsError: there is no file; the message names it and says how to get it.
    """
    if override is not None:
        hide(override)
        path = override.expanduser()
        if not path.is_file():
            raise WeightsError("weights.no_override", path=path)
        return path
    path = expected_path(spec)
    if not path.is_file():
        if spec.shipped:
            raise WeightsError("weights.not_shipped", path=path)
        raise WeightsError("weights.not_downloaded", title=spec.title, path=path, name=spec.name)
    return path
