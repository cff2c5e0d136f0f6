"""Weights files read as data: whatever is wrong with one ends as a sentence, and nothing in it is ever executed."""

from __future__ import annotations

import hashlib
import json
import os
import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from gpen_live.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from gpen_live.nets.layers import Array

_WRAPPERS: Final = ("params_ema", "g_ema", "params", "state_dict")
"""Keys under which trainers nest a state dict, the averaged weights first."""

_DTYPES: Final = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip
"""Of safetensors; bfloat16, which NumPy has not, as the upper halves of float32."""

_CODE_OPCODES: Final = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"}
"""Opcodes with which a pickle imports or calls something."""


def read_arrays(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the parameters in a safetensors file, or in one written by `torch.save`, and the texts in a safetensors header.

    Nested state dicts ("params_ema", "g_ema", "params", "state_dict") and the prefix "module." are unpacked. Floating-point
    values come in float32, all others in their own type. Imports PyTorch only for its own format.

    Raises:
        WeightsError: the file is missing, empty, damaged, no state dict, carries code, or holds values that are not finite.
    """
    if _is_safetensors(_head(path)):
        arrays, metadata = _read_safetensors(path)
    else:
        arrays, metadata = _arrays(path, _unwrap(path, _read_torch(path))), {}
    for name, values in arrays.items():
        if values.dtype == np.float32 and not bool(np.isfinite(values).all()):
            raise WeightsError("weights.not_finite", path=path, name=name)
    return arrays, metadata


def check_archive(path: Path) -> None:
    """Checks the checksums of a file that is an archive, as PyTorch's are: PyTorch itself reads damaged ones without a word.

    Raises:
        WeightsError: the file is missing, empty or damaged.
    """
    _head(path)
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError):  # of names that are no text
        damaged = "archive"
    if damaged is not None:
        raise _damaged(path)


def sha256(path: Path) -> str:
    """The file's digest in lower-case hex.

    Raises:
        WeightsError: the file is missing or empty.
    """
    _head(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _damaged(path: Path) -> WeightsError:
    return WeightsError("weights.damaged", path=path)


def _strange(path: Path, name: str) -> WeightsError:
    return WeightsError("weights.not_plain", path=path, name=name)


def _head(path: Path) -> bytes:
    """The first bytes; files that can be told apart by them are refused here."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError as error:
        raise WeightsError("weights.missing", path=path) from error
    except IsADirectoryError as error:
        raise WeightsError("weights.folder", path=path) from error
    except ValueError as error:
        raise WeightsError("weights.impossible_name") from error
    except OSError as error:
        if os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises; and Windows reports a folder as a lack of permission
            raise WeightsError("weights.folder", path=path) from error
        raise WeightsError("weights.unreadable", path=path, reason=error.strerror) from error
    if not head:
        raise WeightsError("weights.empty", path=path)
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError("weights.git_lfs", path=path)
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError("weights.web_page", path=path)
    return head


def _is_safetensors(head: bytes) -> bool:
    """A safetensors file begins with its header's length (8 bytes, little-endian) and the header, a JSON object."""
    return head[8:9] == b"{" and head[6:8] == b"\0\0"


def _read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    arrays: dict[str, Array] = {}
    try:
        with safe_open(path, framework="np"):  # type: ignore[no-untyped-call]  # checks the header, against the file's length too
            pass
        with path.open("rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(start - 8))
            metadata: dict[str, str] = header.pop("__metadata__", None) or {}
            for name, entry in header.items():
                if entry["dtype"] not in _DTYPES:
                    raise _strange(path, name)
                first, end = entry["data_offsets"]
                data = bytearray(end - first)
                file.seek(start + first)
                file.readinto(data)
                values = np.frombuffer(data, _DTYPES[entry["dtype"]]).reshape(entry["shape"])
                arrays[name] = _widened(values, entry["dtype"])
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path) from error
    return arrays, metadata


def _widened(values: Array, dtype: str) -> Array:
    """Floating-point values in float32, all others as they are."""
    if dtype == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused for that
        return values.astype(np.float32, copy=False) if dtype in ("F64", "F32", "F16") else values


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
            raise WeightsError("weights.code", path=path) from error
        with path.open("rb") as file:
            known = file.read(4).startswith((b"PK\x03\x04", b"\x80"))
        if known:
            raise _damaged(path) from error
        raise WeightsError("weights.not_weights", path=path) from error
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


def _arrays(path: Path, state: Mapping[str, Tensor]) -> dict[str, Array]:
    """PyTorch's tensors as arrays; those in float32 share their memory."""
    if strange := next((name for name, value in state.items() if not _is_plain(value)), None):
        raise _strange(path, strange)
    return {name: (value.float() if value.is_floating_point() else value).detach().numpy() for name, value in state.items()}


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor's values all lie in the file, one after the other.

    torch reads others willingly: without values (meta), sparse or quantised ones, and those that repeat a few bytes to a shape
    that no memory holds.
    """
    import torch

    if value.is_meta or value.is_quantized or value.layout != torch.strided:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _unwrap(path: Path, loaded: object) -> dict[str, Tensor]:
    """The state dict in what a trainer saved."""
    import torch

    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise WeightsError("weights.no_state", path=path)
    return {str(name).removeprefix("module."): value for name, value in loaded.items()}
