"""The face mesh's weights: as MediaPipe's own file computes, and how that file is read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import convert_face_mesh as convert
from gpen_live.inference.face_mesh import shipped_networks
from gpen_live.inference.openvino.network import core
from gpen_live.models.files import read_arrays
from gpen_live.models.registry import get, locate
from gpen_live.nets import face_mesh

ROOT = Path(__file__).resolve().parents[2]
PARITY = ROOT / "tests" / "data" / "parity" / "face-mesh.npz"
SOURCES = ROOT.parent / "shared" / "weights" / "mediapipe"


def test_the_shipped_weights_find_the_source_s_points() -> None:
    """PARITY holds what `Reference` computes from MediaPipe's file."""
    wanted = np.load(PARITY)
    base, parts = shipped_networks()
    for seed, (points, logit) in enumerate(zip(wanted["points"], wanted["logits"], strict=True)):
        found, ours = convert.our_points({**base.weights, **parts.weights}, convert.soft_picture(seed))
        assert np.abs(found - points).max() < convert.GOAL
        assert abs(ours - logit) < convert.GOAL


@pytest.mark.skipif(not SOURCES.is_dir(), reason="needs MediaPipe's files")
def test_the_source_converts_to_the_shipped_file(tmp_path: Path) -> None:
    source = (SOURCES / "face_landmark_with_attention.tflite").read_bytes()
    model = convert.Model(source)
    convert.save(convert.convert(model), source, tmp_path / "made.safetensors")
    assert (tmp_path / "made.safetensors").read_bytes() == locate(get("face-mesh")).read_bytes()
    assert convert.check(model, convert.convert(model), [convert.soft_picture(0)]) < convert.GOAL
    wanted = np.load(PARITY)["points"][0]
    assert np.abs(convert.reference_points(convert.Reference(model)(convert.soft_picture(0))) - wanted).max() < 0.001


@pytest.mark.skipif(not SOURCES.is_dir(), reason="needs MediaPipe's files")
def test_the_reference_computes_what_openvino_does() -> None:
    """On the file of 468 points, which has no custom operations."""
    path = SOURCES / "face_landmark.tflite"
    picture = convert.soft_picture(2)
    compiled = core().compile_model(core().read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    wanted = [np.asarray(each).reshape(-1) for each in compiled([picture / np.float32(255)]).values()]
    found = [each.reshape(-1) for each in convert.Reference(convert.Model(path.read_bytes()))(picture).values()]
    assert sorted(map(len, found)) == sorted(map(len, wanted)) == [1, 3 * face_mesh.BASE_POINTS]
    for one, other in zip(sorted(found, key=len), sorted(wanted, key=len), strict=True):
        assert np.abs(one - other).max() < convert.GOAL


def test_the_file_says_where_it_comes_from() -> None:
    _, about = read_arrays(locate(get("face-mesh")))
    assert about["licence"] == "Apache-2.0"
    assert "mediapipe 0.10.14" in about["origin"]
    assert len(about["source_sha256"]) == 64
    assert "Apache License" in (ROOT / "weights" / "face-mesh.LICENSE").read_text(encoding="utf-8")


def test_tables_are_read() -> None:
    """A table with a byte, a vector of two numbers, and a field that is left out, laid out by hand."""
    vtable = struct.pack("<HHHHH", 10, 12, 4, 0, 8)
    table = struct.pack("<i", 10) + struct.pack("<bxxx", -3) + struct.pack("<I", 4)
    vector = struct.pack("<I", 2) + struct.pack("<2i", 5, -6)
    data = struct.pack("<I", 14) + vtable + table + vector
    read = convert.Table.root(data)
    assert read.number(0, "b") == -3
    assert read.number(1, "i") == 0
    assert read.array(2, "<i4").tolist() == [5, -6]
    assert read.array(7, "<i4").tolist() == []


def test_flexbuffers_are_read() -> None:
    """{"a": 7, "v": [1, 2]}, as the specification lays it out, with a byte for each offset."""
    data = b"a\0v\0" + bytes([2, 1, 2]) + bytes([2, 8, 7]) + bytes([2, 1, 2, 7, 9, 4, 11 << 2]) + bytes([4, 9 << 2, 1])
    assert convert.flexible(data) == {"a": 7, "v": [1, 2]}
