"""Graphs of layers as data: what may be put together, the order, the parameters, the stride."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpen_live.nets import layers, lite, retinaface
from gpen_live.nets.layers import Graph, Network

ROOT = Path(__file__).parents[2]


def small() -> Graph:
    x = layers.picture("x", 3)
    y = layers.relu(layers.convolution("first", x, 8, kernel=3, stride=2, padding=1))
    z = layers.prelu("slopes", layers.convolution("second", y, 8, groups=4, bias=False))
    return Graph("small", (x,), (layers.add(y, z), layers.dense("last", layers.mean(z), 5)))


def test_each_layer_comes_once_and_after_what_it_reads() -> None:
    for graph in (small(), lite.graph(lite.LITE_256), retinaface.graph()):
        assert len(set(graph.layers)) == len(graph.layers)
        places = {layer: place for place, layer in enumerate(graph.layers)}
        assert all(places[source] < places[layer] for layer in graph.layers for source in layer.sources)
        assert graph.layers[: len(graph.inputs)] == graph.inputs
        assert set(graph.outputs) <= set(graph.layers)


def test_parameters_are_named_and_shaped_as_in_a_state_dict() -> None:
    assert small().parameters == {
        "first.weight": (8, 3, 3, 3),
        "first.bias": (8,),
        "second.weight": (8, 2, 1, 1),
        "slopes.weight": (8,),
        "last.weight": (5, 8),
        "last.bias": (5,),
    }


def test_what_does_not_fit_together_is_refused() -> None:
    x = layers.picture("x", 6)
    vector, cut = layers.mean(x), layers.rows(x, 2)
    for wrong in (
        lambda: layers.add(x, vector),
        lambda: layers.add(x, layers.picture("y", 3)),
        lambda: layers.concatenate(cut, layers.rows(x, 3)),
        lambda: layers.convolution("c", vector, 3),
        lambda: layers.convolution("c", x, 4, groups=3),
        lambda: layers.dense("d", x, 3),
        lambda: layers.shuffle(x, 2),
        lambda: layers.rows(x, 4),
        lambda: layers.affine(x, scale=(1.0, 2.0)),
        lambda: layers.prelu("p", cut),
        lambda: Graph("twice", (x,), (layers.convolution("c", layers.convolution("c", x, 6), 6),)),
        lambda: Graph("unfed", (), (vector,)),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            wrong()


def test_parameters_that_do_not_fit_are_refused() -> None:
    graph = small()
    good = {name: np.zeros(shape, np.float32) for name, shape in graph.parameters.items()}
    assert Network(graph, good).graph is graph
    for change, words in (
        ({"more": np.zeros(1, np.float32)}, "more is left over"),
        ({"last.bias": np.zeros(6, np.float32)}, "other shapes"),
        ({"last.bias": np.zeros(5)}, "must be float32"),
    ):
        with pytest.raises(ValueError, match=words):
            Network(graph, good | change)
    with pytest.raises(ValueError, match=r"last\.bias is missing"):
        Network(graph, {name: values for name, values in good.items() if name != "last.bias"})


def test_strides() -> None:
    assert small().stride == 2
    assert lite.graph(lite.LITE_256).stride == 32
    assert lite.graph({**lite.LITE_256, "shuffle": 3}).stride == 24
    assert retinaface.graph().stride == retinaface.STRIDE
    x = layers.picture("x", 4)
    assert Graph("up", (x,), (layers.shuffle(layers.upsample(x), 2),)).stride == 1


def test_a_graph_is_one_value_however_often_it_is_copied() -> None:
    graph = small()
    assert copy.deepcopy(graph) is graph
    assert copy.deepcopy(dict.fromkeys(graph.layers, 1)).keys() == set(graph.layers)


@pytest.mark.parametrize(
    "work",
    [
        "from gpen_live.nets import layers, lite, retinaface, quantised",
        "from gpen_live.models.loading import load; from gpen_live.models.registry import get, locate\n"
        "for name in ('lite-256', 'lite-256-int8', 'lite-512', 'detector'): load(get(name), locate(get(name))).network",
        "from gpen_live.models.loading import load_quantised; from gpen_live.models.registry import get, locate\n"
        "from gpen_live.inference.openvino.network import OpenVinoNetwork\nimport numpy as np\n"
        "eight = load_quantised(get('lite-256'), locate(get('lite-256')))\n"
        "run = OpenVinoNetwork(eight.network, 'int8', size=64, threads=1, most_threads=1, ranges=eight.ranges)\n"
        "assert np.isfinite(run(np.zeros((1, 3, 64, 64), np.float32))).all()",
        "from gpen_live.models.loading import load; from gpen_live.models.registry import get, locate\n"
        "from gpen_live.inference.openvino.detector import OpenVinoDetector\nimport numpy as np\n"
        "run = OpenVinoDetector(load(get('detector'), locate(get('detector'))).network, threads=1)\n"
        "assert len(run(np.zeros((1, 3, 50, 70), np.float32))) == 3",
    ],
    ids=["definitions", "files", "lite in OpenVINO", "detector in OpenVINO"],
)
def test_processors_need_no_pytorch(work: str) -> None:
    code = f"import sys\nsys.modules['torch'] = sys.modules['facexlib'] = None\n{work}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
