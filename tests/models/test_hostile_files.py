"""Weights files made to harm: whatever bytes lie in one, it loads as plain data or is refused in a sentence. Nothing runs."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from gpen_live.errors import WeightsError
from gpen_live.models import files, loading
from gpen_live.models.registry import get
from gpen_live.nets.layers import Array

STATE = {"weight": torch.arange(60.0).reshape(6, 10), "bias": torch.ones(6)}
SPEC = get("gpen-256")


def saved(*, zipped: bool) -> bytes:
    buffer = BytesIO()
    torch.save(STATE, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


WHOLE = {"zip": saved(zipped=True), "legacy": saved(zipped=False), "safetensors": save(STATE)}


class Calls:
    """Unpickling it calls `function` with `arguments`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.function, self.arguments


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def read_or_refuse(content: bytes, folder: Path) -> dict[str, Array] | None:
    """What a file with such content holds; None if it was refused as it should be. Any other exception fails the test."""
    path = folder / "weights.pth"
    path.write_bytes(content)
    refusal = None
    try:
        held, _ = files.read_arrays(path)
    except WeightsError as error:
        refusal = error
    if refusal is not None:
        assert str(path) in refusal.what
        assert refusal.remedy
        with pytest.raises(WeightsError):
            loading.check(SPEC, path)
        return None
    for values in held.values():
        assert bool(np.isfinite(values).all())
    return held


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x04\x95", struct.pack("<Q", 40) + b"{"]))
def test_any_bytes_are_refused(folder: Path, content: bytes, start: bytes) -> None:
    assert read_or_refuse(start + content, folder) is None


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1), st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=6))
def test_cut_and_flipped_files_are_read_or_refused(folder: Path, kind: str, kept: float, flips: list[tuple[float, int]]) -> None:
    content = bytearray(WHOLE[kind])
    for place, bits in flips:
        content[min(int(place * len(content)), len(content) - 1)] ^= bits
    end = len(content) if kept > 0.7 else int(kept * len(content))
    held = read_or_refuse(bytes(content[:end]), folder)
    if not flips:
        assert (held is not None) == (end == len(content))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 400)))
def test_a_header_that_lies_about_its_length_is_refused(folder: Path, length: int) -> None:
    content = WHOLE["safetensors"]
    held = read_or_refuse(struct.pack("<Q", length) + content[8:], folder)
    assert (held is not None) == (length == struct.unpack("<Q", content[:8])[0])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", ["bare", "zip"])
def test_code_in_any_protocol_and_any_place_is_never_run(folder: Path, protocol: int, wrap: str) -> None:
    trace = folder / f"ran-{protocol}-{wrap}"
    calls = Calls(os.mkdir, str(trace))
    for content in (calls, {"weight": calls}, {"params": {"weight": calls}}, [calls], {calls: 1}):
        pickled = pickle.dumps(content, protocol)
        if wrap == "zip":
            buffer = BytesIO()
            with zipfile.ZipFile(BytesIO(WHOLE["zip"])) as original, zipfile.ZipFile(buffer, "w") as archive:
                for entry in original.infolist():
                    archive.writestr(entry, pickled if entry.filename.endswith("data.pkl") else original.read(entry))
            pickled = buffer.getvalue()
        assert read_or_refuse(pickled, folder) is None
        assert not trace.exists()
    pickle.loads(pickle.dumps(calls, protocol))  # the pickle is a real one: a naive reader would have run it
    assert trace.is_dir()


def more_than_its_file_holds() -> torch.Tensor:
    """A terabyte by its shape, four bytes in the file."""
    return torch.zeros(1).expand(10**12)


@pytest.mark.parametrize(
    "value",
    [
        torch.empty(3, device="meta"),
        more_than_its_file_holds(),
        torch.eye(3).to_sparse(),
        torch.eye(3).to_sparse_csr(),
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        torch.zeros(0),
        torch.ones(3, dtype=torch.complex64),
        torch.ones(3, dtype=torch.bool),
        torch.ones(3, dtype=torch.float8_e4m3fn),
    ],
    ids=["meta", "expanded", "sparse", "csr", "quantised", "empty", "complex", "bool", "float8"],
)
def test_tensors_of_every_kind_are_read_or_refused(value: torch.Tensor, folder: Path) -> None:
    """What torch loads willingly may still be no values at all, or far more than the memory holds."""
    buffer = BytesIO()
    torch.save({"weight": value}, buffer)
    held = read_or_refuse(buffer.getvalue(), folder)
    if value.layout != torch.strided or value.is_meta or value.is_quantized or value.numel() > 10**6:
        assert held is None


@pytest.mark.parametrize("name", ["no\0name.pth", "x" * 5000, "x/" * 3000 + "y.pth"], ids=["nul", "long", "deep"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(WeightsError):
        files.read_arrays(Path(name))


def test_a_pickle_nested_without_end(folder: Path) -> None:
    for content in (b"\x80\x04" + b"]" * 100_000 + b".", b"\x80\x02" + b"(" * 100_000 + b"l" * 100_000 + b"."):
        assert read_or_refuse(content, folder) is None


def test_a_compressed_archive_is_not_unpacked_into_memory(folder: Path) -> None:
    """torch writes its archives uncompressed; one whose entries claim to be far larger than the file is no such archive."""
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(WHOLE["zip"])) as original, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in original.infolist():
            archive.writestr(entry.filename, bytes(2**24) if "/data/" in entry.filename else original.read(entry))
    assert read_or_refuse(buffer.getvalue(), folder) is None
