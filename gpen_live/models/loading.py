"""The networks of models, loaded from their weights files; a file of another network is told by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gpen_live.errors import WeightsError
from gpen_live.models.architectures import Descriptor, identify
from gpen_live.models.files import check_archive, read_arrays, sha256
from gpen_live.models.registry import MODELS, ModelSpec, eight_bit_version, locate
from gpen_live.nets.quantised import Quantised

if TYPE_CHECKING:
    from gpen_live.nets.layers import Array


def load(spec: ModelSpec, path: Path) -> Descriptor:
    """The model's network with the weights in a file: every parameter by its name and shape, none missing, none left over.

    Raises:
        WeightsError: as `gpen_live.models.files.read_arrays`, or the file is of another network.
    """
    arrays, metadata = read_arrays(path)
    try:
        return spec.architecture.load(spec.name, arrays, metadata)
    except ValueError as error:
        raise _misfit(path, spec, str(error), arrays, metadata) from error


def load_quantised(spec: ModelSpec, path: Path) -> Quantised | None:
    """What lets a network compute in 8 bits: from the file itself, or from the shipped 8-bit version that was made of it.

    Returns:
        None if the file is in float and no version in 8 bits was made of it.

    Raises:
        WeightsError: as `load`, of either file; or an 8-bit model's file is in float.
    """
    eight = eight_bit_version(spec)
    if eight is None:
        return None
    if spec is eight:
        found = load(eight, path)
    else:
        found = load(eight, locate(eight))
        if sha256(path) != found.made_of:
            return None
    if not found.ranges or found.network is None:
        raise WeightsError("weights.not_eight_bits", path=path, title=eight.title)
    return Quantised(found.network, found.ranges, found.made_of)


def check(spec: ModelSpec, path: Path) -> None:
    """Check all of a file: its archive's checksums, its parameters' names and shapes, and that their values are finite.

    Raises:
        WeightsError: as `load`.
    """
    check_archive(path)
    load(spec, path)


def _misfit(path: Path, spec: ModelSpec, reason: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> WeightsError:
    held = identify(arrays, metadata)
    others = {other.title: other.name for other in MODELS.values() if other is not spec}
    if held is None or (held not in others and spec.architecture.detect(arrays, metadata) == held):
        return WeightsError("weights.unfit", path=path, title=spec.title, reason=reason)
    if held in others:
        return WeightsError("weights.other_model", path=path, held=held, title=spec.title, model=others[held])
    return WeightsError("weights.other_network", path=path, held=held, title=spec.title)
