"""No file that is read may run code: the readers that can are called in the way that can't, or not at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted([*(ROOT / "gpen_live").rglob("*.py"), *(ROOT / "packaging").glob("*.py")])

NEVER = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "cPickle.load", "cPickle.loads", "dill.load", "dill.loads"),
    *("marshal.load", "marshal.loads", "shelve.open", "joblib.load", "pandas.read_pickle", "torch.jit.load", "torch.package"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "cv2.FileStorage", "eval", "exec", "compile", "os.system"),
}
ONLY_WITH = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "numpy.load": ("allow_pickle", False)}


def risks(source: str) -> Iterator[str]:
    """Calls that may run code in a file."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name in NEVER:
            yield f"{node.lineno}: {name}"
        if name in ONLY_WITH:
            keyword, value = ONLY_WITH[name]
            given = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if given.get(keyword) != str(value):
                yield f"{node.lineno}: {name} without {keyword}={value}"
            if keyword == "weights_only" and "pickle_module" in given:
                yield f"{node.lineno}: {name} with a pickle_module"
        if any(each.arg == "shell" and ast.unparse(each.value) != "False" for each in node.keywords):
            yield f"{node.lineno}: {name} through a shell"


@pytest.mark.parametrize(
    "code",
    [
        "pickle.load(f)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)",
        "eval(x)",
        "run(x, shell=True)",
    ],
)
def test_risks_are_recognised(code: str) -> None:
    assert list(risks(code))


def test_no_reader_runs_code() -> None:
    assert len(MODULES) > 100
    assert [f"{path.relative_to(ROOT)}:{risk}" for path in MODULES for risk in risks(path.read_text(encoding="utf-8"))] == []


def test_readers_are_called_by_their_own_names() -> None:
    """So that the test above sees them."""
    hidden = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in ("pickle", "marshal", "yaml", "torch", "numpy", "joblib"):
                hidden += [f"{path.relative_to(ROOT)}: {node.module}.{name.name}" for name in node.names if "load" in name.name]
            if isinstance(node, ast.Import):
                renamed = {"torch": (None,), "pickle": (None,), "numpy": (None, "np")}
                hidden += [
                    f"{path.relative_to(ROOT)}: {name.name} as {name.asname}"
                    for name in node.names
                    if name.name in renamed and name.asname not in renamed[name.name]
                ]
    assert hidden == []
