"""Weights files read as data: whatever is wrong with one ends as a sentence, and nothing in it is ever executed."""

from __future__ import annotations

import hashlib
import json
import os
import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from gpen_live.errors import WeightsError
from gpen_live.models.registry import MODELS, ModelSpec, eight_bit_version, locate

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gpen_live.nets.layers import Array, Graph, Network
    from gpen_live.nets.quantised import Quantised

_AGAIN: Final = "Download it again, or choose another file."

_WRAPPERS: Final = ("params_ema", "g_ema", "params", "state_dict")
"""Keys under which trainers nest a state dict, the averaged weights first."""

_SIGNS: Final = {
    "ClassHead.0.conv1x1.weight": "a RetinaFace face detector",
    "quantize.embedding.weight": "CodeFormer",
    "stylegan_decoder.constant_input.weight": "GFPGAN",
    "final_conv.0.weight": "a discriminator, which only training needs",
    "conv_first.weight": "a super-resolution network",
}
"""Parameters that give other networks away."""

_DTYPES: Final = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip
"""Of safetensors; bfloat16, which NumPy has not, as the upper halves of float32."""

_CODE_OPCODES: Final = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"}
"""Opcodes with which a pickle imports or calls something."""


@dataclass(frozen=True)
class Weights:
    """What a weights file holds.

    Args:
        state: parameter's name -> values on the CPU, floating-point ones in float32, all finite.
        metadata: the texts in a safetensors header; empty for other formats.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str]


def read(path: Path) -> Weights:
    """Read a state dict from a safetensors file or from one written by `torch.save`.

    Nested state dicts ("params_ema", "g_ema", "params", "state_dict") and the prefix "module." are unpacked.

    Raises:
        WeightsError: the file is missing, empty, damaged, no state dict, carries code, or holds values that are not finite.
    """
    head = _head(path)
    if _is_safetensors(head):
        state, metadata = _read_safetensors(path)
    else:
        state, metadata = _unwrap(path, _read_torch(path)), {}
    if strange := next((name for name, value in state.items() if not _is_plain(value)), None):
        raise WeightsError(f"The weights file {path} is damaged: {strange} holds no plain values.", _AGAIN)
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    for name, value in state.items():
        if not _is_finite(value):
            raise WeightsError(f"The weights file {path} is damaged: {name} holds values that are not finite numbers.", _AGAIN)
    return Weights(state, metadata)


def _is_finite(value: Tensor) -> bool:
    """Whether no value is infinite or not a number. A sum shows it in a third of the time, unless it overflows itself."""
    import torch

    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor's values all lie in the file, one after the other.

    torch reads others willingly: without values (meta), sparse or quantised ones, and those that repeat a few bytes to a shape
    that no memory holds.
    """
    import torch

    if value.is_meta or value.is_quantized or value.layout != torch.strided:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def identify(state: Mapping[str, Any]) -> str | None:
    """What a state dict was made for, in words for the user; None if it is not known."""
    from gpen_live.nets import gpen

    if (variant := gpen.describe(state)) is not None:
        return MODELS[variant].title
    return next((title for sign, title in _SIGNS.items() if sign in state), None)


def load_into(module: nn.Module, path: Path, spec: ModelSpec) -> Weights:
    """Load a file into a network: every parameter by its name and shape, none missing, none left over.

    A module on the meta device takes over the tensors that were read; any other module gets copies.

    Returns:
        What was read.

    Raises:
        WeightsError: as `read`, or the file is of another network. The module may then be filled in part: don't use it.
    """
    weights = read(path)
    _fill(module, weights, path, spec)
    return weights


def read_arrays(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """As `read`, as NumPy's arrays and the metadata; a safetensors file without PyTorch.

    Raises:
        WeightsError: as `read`.
    """
    if not _is_safetensors(_head(path)):
        weights = read(path)
        return {name: value.numpy() for name, value in weights.state.items()}, weights.metadata
    found, metadata = _safetensors_arrays(path)
    arrays: dict[str, Array] = {}
    for name, (dtype, shape, data) in found.items():
        if dtype not in _DTYPES:
            raise WeightsError(f"The weights file {path} is damaged: {name} holds no plain values.", _AGAIN)
        arrays[name] = _widened(dtype, np.frombuffer(data, _DTYPES[dtype])).reshape(shape)
        if arrays[name].dtype == np.float32 and not bool(np.isfinite(arrays[name]).all()):
            raise WeightsError(f"The weights file {path} is damaged: {name} holds values that are not finite numbers.", _AGAIN)
    return arrays, metadata


def _widened(dtype: str, values: Array) -> Array:
    """Floating-point values in float32, all others as they are."""
    if dtype == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32) if dtype in ("F64", "F32", "F16") else values


def load_network(spec: ModelSpec, path: Path) -> nn.Module:
    """Build the network of a model (not of the detector) in PyTorch, with the weights in a file, ready for inference.

    It is on the CPU and in float32. Weights in 8 bits become the rounded ones in float32.

    Raises:
        WeightsError: as `load_into`.
    """
    if spec.kind == "lite":
        return _torch_lite(spec, path)
    return _network(spec, read(path), path)


def load_graph(spec: ModelSpec, path: Path) -> Network:
    """The graph of a light network or of the detector, with the weights in a file, without PyTorch.

    Weights in 8 bits become the rounded ones in float32.

    Raises:
        WeightsError: as `load_into`.
    """
    arrays, metadata = read_arrays(path)
    return _fitted(spec, path, arrays, metadata)[0]


def load_quantised(spec: ModelSpec, path: Path) -> Quantised | None:
    """What lets a light network compute in 8 bits: from the file itself, or from the shipped 8-bit version that was made of it.

    Returns:
        None if the file is in float and no version in 8 bits was made of it.

    Raises:
        WeightsError: as `load_into`, of either file; or an 8-bit model's file is in float.
    """
    from gpen_live.nets.quantised import Quantised, lite_convolutions

    eight = eight_bit_version(spec)
    if eight is None:
        return None
    if spec is not eight:
        other = locate(eight)
        if _head(path) and sha256(path) != read_arrays(other)[1].get("made_of"):
            return None
        path = other
    arrays, metadata = read_arrays(path)
    network, ranges = _fitted(eight, path, arrays, metadata)
    if not ranges:
        raise _misfit(path, eight, None, "its weights are not in 8 bits")
    if unknown := ranges.keys() - set(lite_convolutions(network.graph)):
        raise _misfit(path, eight, None, f"{min(unknown)} is no convolution")
    return Quantised(network, ranges, metadata.get("made_of", ""))


def _fitted(
    spec: ModelSpec, path: Path, arrays: dict[str, Array], metadata: dict[str, str]
) -> tuple[Network, dict[str, tuple[float, float]]]:
    """The network in a file, and the ranges of what its convolutions get where it is in 8 bits."""
    from gpen_live.nets import retinaface
    from gpen_live.nets.layers import Network
    from gpen_live.nets.quantised import unpack_state

    try:
        if spec.kind == "detector":
            return retinaface.fold(arrays), {}
        state, ranges = unpack_state(arrays)
        return Network(_lite_graph(spec, path, arrays, metadata), state), ranges
    except ValueError as error:
        raise _misfit(path, spec, identify(arrays), str(error)) from error


def _lite_graph(spec: ModelSpec, path: Path, arrays: Mapping[str, Array], metadata: dict[str, str]) -> Graph:
    from gpen_live.nets import lite

    try:
        return lite.graph(json.loads(metadata["settings"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _misfit(path, spec, identify(arrays), "its settings are missing or wrong") from error


def sha256(path: Path) -> str:
    """The file's digest in lower-case hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _network(spec: ModelSpec, weights: Weights, path: Path) -> nn.Module:
    import torch

    with torch.device("meta"):
        module = _blank(spec, weights, path)
    _fill(module, weights, path, spec)
    return module.eval().requires_grad_(False)


def check(spec: ModelSpec, path: Path) -> None:
    """Check all of a file: its archive's checksums, its parameters' names and shapes, and that their values are finite.

    Raises:
        WeightsError: as `load_into`.
    """
    _head(path)
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError):
            damaged = "archive"
        if damaged is not None:
            raise _damaged(path)
    if spec.kind == "detector":
        weights = read(path)
        if (held := identify(weights.state)) != _SIGNS["ClassHead.0.conv1x1.weight"]:
            raise _misfit(path, spec, held, "")
    else:
        load_network(spec, path)


def _torch_lite(spec: ModelSpec, path: Path) -> nn.Module:
    import torch

    from gpen_live.nets.torch_graph import tensors
    from gpen_live.nets.torch_lite import Lite

    arrays, metadata = read_arrays(path)
    network, _ = _fitted(spec, path, arrays, metadata)
    with torch.device("meta"):
        module = Lite.from_settings(json.loads(metadata["settings"]))
    module.load_state_dict(tensors(network.weights), assign=True)
    return module.eval().requires_grad_(False)


def _blank(spec: ModelSpec, weights: Weights, path: Path) -> nn.Module:
    """The model's network, without weights."""
    if spec.kind == "gpen":
        from gpen_live.nets.gpen import VARIANTS, Gpen

        return Gpen(**VARIANTS[spec.name])
    raise ValueError(f"{spec.name} is not built here")


def _fill(module: nn.Module, weights: Weights, path: Path, spec: ModelSpec) -> None:
    unused = any(parameter.is_meta for parameter in module.parameters())
    try:
        missing, unexpected = module.load_state_dict(weights.state, strict=False, assign=unused)
    except RuntimeError as error:  # shapes
        raise _misfit(path, spec, identify(weights.state), "its parameters have other shapes") from error
    if missing:
        raise _misfit(path, spec, identify(weights.state), f"{missing[0]} is missing")
    if unexpected:
        raise _misfit(path, spec, identify(weights.state), f"{unexpected[0]} is left over")


def _misfit(path: Path, spec: ModelSpec, held: str | None, detail: str) -> WeightsError:
    if held is not None and held != spec.title:
        remedy = next(
            (f"Choose the model {other.name}, or another file." for other in MODELS.values() if other.title == held), None
        )
        return WeightsError(f"The weights file {path} holds {held}, not {spec.title}.", remedy or "Choose another file.")
    return WeightsError(
        f"The weights file {path} does not fit {spec.title}{': ' if detail else ''}{detail}.", "Choose another file."
    )


def _damaged(path: Path) -> WeightsError:
    return WeightsError(f"The weights file {path} is cut off or damaged.", _AGAIN)


def _head(path: Path) -> bytes:
    """The first bytes; files that can be told apart by them are refused here."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError as error:
        raise WeightsError(f"The weights file {path} does not exist.", "Check the path.") from error
    except IsADirectoryError as error:
        raise WeightsError(f"{path} is a folder, not a weights file.", "Choose the file in it.") from error
    except ValueError as error:
        raise WeightsError("The name of the weights file holds characters that no file's name can.", "Check the path.") from error
    except OSError as error:
        if os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises; and Windows reports a folder as a lack of permission
            raise WeightsError(f"{path} is a folder, not a weights file.", "Choose the file in it.") from error
        raise WeightsError(f"The weights file {path} can't be read ({error.strerror}).", "Check its permissions.") from error
    if not head:
        raise WeightsError(f"The weights file {path} is empty.", _AGAIN)
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"The file {path} only points to weights in Git LFS.", "Run git lfs pull, or choose another file.")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(f"The file {path} is a web page, not weights.", _AGAIN)
    return head


def _is_safetensors(head: bytes) -> bool:
    """A safetensors file begins with its header's length (8 bytes, little-endian) and the header, a JSON object."""
    return head[8:9] == b"{" and head[6:8] == b"\0\0"


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:  # type: ignore[no-untyped-call]
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path) from error


def _safetensors_arrays(path: Path) -> tuple[dict[str, tuple[str, list[int], bytes]], dict[str, str]]:
    """Tensor's name -> its type's name, its shape and its bytes; and the metadata."""
    from safetensors import SafetensorError, deserialize

    try:
        content = path.read_bytes()
        found = {name: (each["dtype"], each["shape"], each["data"]) for name, each in deserialize(content)}  # type: ignore[no-untyped-call]
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path) from error
    return found, header.get("__metadata__") or {}


def _read_torch(path: Path) -> object:
    """What `torch.load` finds under `weights_only`: tensors and plain containers, or a refusal."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats; the refusal below says it better
            loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # damaged files make torch raise nearly anything
        if _wants_code(path, str(error)):
            raise WeightsError(
                f"The weights file {path} carries program code, which GPEN Live never runs.",
                "Choose a file with plain weights (a state dict or safetensors).",
            ) from error
        with path.open("rb") as file:
            known = file.read(4).startswith((b"PK\x03\x04", b"\x80"))
        if known:
            raise _damaged(path) from error
        raise WeightsError(f"The file {path} is not a weights file.", "Choose a .safetensors or .pth file.") from error
    return loaded


def _wants_code(path: Path, refusal: str) -> bool:
    """Whether torch refused the file for what it would import or call."""
    if "GLOBAL" in refusal or "TorchScript" in refusal:
        return True
    with path.open("rb") as file:
        return _pickle_wants_code(file)


def _pickle_wants_code(file: BinaryIO) -> bool:
    """Whether a bare pickle, as torch does not write them, imports or calls something. Reads the opcodes, runs none."""
    if file.read(1) != b"\x80":
        return False
    file.seek(0)
    try:
        return any(opcode.name in _CODE_OPCODES for opcode, _, _ in pickletools.genops(file))
    except (ValueError, OverflowError):  # not a pickle after all
        return False


def _unwrap(path: Path, loaded: object) -> dict[str, Tensor]:
    """The state dict in what a trainer saved."""
    import torch

    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise WeightsError(f"The file {path} does not hold a network's weights (no state dict).", "Choose another file.")
    return {str(name).removeprefix("module."): value for name, value in loaded.items()}
