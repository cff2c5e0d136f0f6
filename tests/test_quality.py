"""The whole tree: style, types, the direction of imports, what starts without PyTorch, and what may lie in the repository."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gpen_live"
MODULES = sorted(PACKAGE.rglob("*.py"))

ORDER = (
    ("__init__", "messages"),
    ("errors", "frame"),
    ("look", "nets", "system"),
    ("faces", "media", "presets", "privacy"),
    ("kernels", "models", "sinks"),
    ("inference", "sources"),
    ("engine", "options"),
    ("beauty",),
    ("live",),
    ("charts", "export", "facedata", "settings"),
    ("bench", "doctor", "quality", "soak", "training", "ui"),
    ("cli",),
    ("__main__",),
)
"""The package's rooms (folders, and modules at its top), from the bottom up. A room imports from the rows below its own, and from
none beside it: so the arrows point one way, and the product does without what measures and trains."""

LIBRARIES = {
    "PIL": "pillow",
    "PySide6": "PySide6",
    "av": "av",
    "cv2": "opencv-python",
    "safetensors": "safetensors",
    "shiboken6": "PySide6",
    "skimage": "scikit-image",
}
"""Modules whose package has another name, or comes with another one."""


def run(*command: str) -> str:
    """What a tool complains about; an empty text when it is content."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_lint() -> None:
    assert run("ruff", "check", "--no-fix", "--output-format=concise") == ""


def test_format() -> None:
    assert run("ruff", "format", "--check") == ""


@pytest.mark.timeout(900)
def test_types() -> None:
    assert run("mypy") == ""


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, anywhere in it; of this package those too that it has as texts, to import them later.

    Imports for type checkers alone are left out.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(rf"^{PACKAGE.name}(?:\.\w+)+$", node.value)


def top_level(name: str) -> str:
    return name.partition(".")[0]


def room(path: Path, package: Path = PACKAGE) -> str:
    """What lies at the package's top and holds a module: its folder, or the module itself."""
    return path.relative_to(package).parts[0].removesuffix(".py")


def wrong_arrows(package: Path) -> list[str]:
    """Imports that point up or sideways by ORDER, with the file of each; and rooms that have no place in it."""
    height = {name: index for index, row in enumerate(ORDER) for name in row}
    modules = sorted(package.rglob("*.py"))
    rooms = {room(path, package) for path in modules}
    wrong = [f"{name} has no place in ORDER" for name in sorted(rooms - height.keys())]
    for path in modules:
        source = room(path, package)
        for name in imports(path):
            if top_level(name) != PACKAGE.name:
                continue
            inner = name.split(".")[1:2]
            target = inner[0] if rooms & set(inner) else "__init__"
            if target != source and height.get(target, 0) >= height.get(source, 0):
                wrong.append(f"{path.relative_to(package.parent)} imports {name}: {target} is not below {source}")
    return wrong


def test_imports_are_read_from_code(tmp_path: Path) -> None:
    """Guards the tests below, which would pass on anything if no import were found."""
    file = tmp_path / "x.py"
    code = "from typing import TYPE_CHECKING\nimport a.b\nif TYPE_CHECKING:\n    import c\ndef f():\n    from d.e import g\n"
    file.write_text(code + "COMMANDS = {'run': 'gpen_live.cli.run'}\n", encoding="utf-8")
    assert sorted(imports(file)) == ["a.b", "d.e.g", "gpen_live.cli.run", "typing.TYPE_CHECKING"]
    assert len(MODULES) > 20


def test_imports_point_down() -> None:
    assert wrong_arrows(PACKAGE) == []


def test_no_room_is_most_of_the_house() -> None:
    """A room of more than 15 % of all lines is divided: it holds more than one thing."""
    lines = Counter[str]()
    for path in MODULES:
        lines[room(path)] += len(read(path).splitlines())
    assert {name: count for name, count in lines.items() if count > 0.15 * lines.total()} == {}


def test_wrong_arrows_are_found(tmp_path: Path) -> None:
    files = {
        "__init__": "__version__ = '1'",
        "frame": "from gpen_live import __version__",
        "live/pipeline": "import gpen_live.frame\nfrom gpen_live.ui import window",
        "ui/window": "from gpen_live import live\nfrom gpen_live.bench.plan import Plan",
        "bench/plan": "def f():\n    from gpen_live.ui.window import g",
        "attic": "",
    }
    package = tmp_path / PACKAGE.name
    for name, code in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{name}.py").write_text(code, encoding="utf-8")
    assert [line.partition(":")[0] for line in wrong_arrows(package)] == [
        "attic has no place in ORDER",
        "gpen_live/bench/plan.py imports gpen_live.ui.window.g",
        "gpen_live/live/pipeline.py imports gpen_live.ui.window",
        "gpen_live/ui/window.py imports gpen_live.bench.plan.Plan",
    ]


def test_qt_is_imported_by_the_window_alone() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        if room(path) != "ui"
        for name in imports(path)
        if top_level(name) in ("PySide6", "shiboken6")
    ]
    assert wrong == []


def test_networks_import_numpy_and_torch_alone() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        if room(path) == "nets"
        for name in imports(path)
        if top_level(name) not in {"numpy", "torch", *sys.stdlib_module_names} and not name.startswith("gpen_live.nets")
    ]
    assert wrong == []


def test_networks_read_and_write_nothing() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        if room(path) == "nets"
        for name in imports(path)
        if top_level(name) in ("io", "os", "pathlib", "shutil", "socket", "subprocess", "tempfile", "urllib")
    ]
    assert wrong == []


def test_every_library_that_is_imported_is_a_requirement() -> None:
    requirements = {name.lower() for name in re.findall(r'^\s*"([\w.-]+)==', read(ROOT / "pyproject.toml"), re.MULTILINE)}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        for name in map(top_level, imports(path))
        if name not in {"gpen_live", *sys.stdlib_module_names, "msvcrt", "winreg"}
        and LIBRARIES.get(name, name).lower() not in requirements
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ["gpen_live.cli", "gpen_live.ui.app"])
def test_start_does_not_wait_for_heavy_libraries(module: str) -> None:
    heavy = "{'torch', 'torchvision', 'facexlib', 'basicsr', 'numba', 'skimage', 'scipy'}"
    code = f"import sys, {module}; print(sorted({heavy} & sys.modules.keys()), {module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[] True", done.stdout + done.stderr


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def repository_files() -> list[Path]:
    """Tracked files; in a copy without git, everything but environments, caches and hidden folders."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 0 and done.stdout and (ROOT / ".git").exists():
        found = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    else:
        skipped = {"__pycache__", "build", "dist"}
        found = [
            path
            for path in ROOT.rglob("*")
            if not any(part in skipped or part.startswith(".") for part in path.relative_to(ROOT).parts)
        ]
    return [path for path in found if path.is_file()]


def test_files_are_small() -> None:
    """So that a clone stays quick."""
    assert [str(path.relative_to(ROOT)) for path in repository_files() if path.stat().st_size > 12 * 2**20] == []


REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("pypi", "python", "org"),
        ("download", "pytorch", "org"),
        ("registry", "npmjs", "org"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(work|root|home|Users|tmp)/[\w.-]+|[A-Z]:\\Users\\\w+")
INVENTED = re.compile(r"/(home|Users)/(anna|annabel|user)\b|C:\\Users\\Bob|/home/\w+/\.\.\.")
"""Homes of people that tests made up."""


def texts() -> Iterator[tuple[Path, str]]:
    for path in repository_files():
        try:
            yield path, read(path)
        except UnicodeDecodeError:
            continue


def test_no_registry_and_no_path_of_a_machine_is_named() -> None:
    found = []
    for path, text in texts():
        if path == Path(__file__).resolve():
            continue
        found += [f"{path.relative_to(ROOT)}: {host}" for host in REGISTRIES if host in text]
        found += [
            f"{path.relative_to(ROOT)}: {match[0]}"
            for match in MACHINE_PATH.finditer(text)
            if not INVENTED.match(text, match.start())
        ]
    assert found == []


def test_machine_paths_are_recognised() -> None:
    for text in ("in /" + "work/x", "'/" + "root/.cache'", "C:\\Users\\carol", "(/home/carol/x)"):
        assert MACHINE_PATH.search(text), text
    for text in ("a/" + "work/x", "~/home/x", "https://host/home/x", "./tmp/x"):
        assert not MACHINE_PATH.search(text), text


def pages() -> list[Path]:
    """What users read: the README and docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def told() -> str:
    return "\n".join(map(read, pages()))


def links(text: str) -> list[str]:
    """Where a Markdown text links to, code left out."""
    prose = re.sub(r"```.*?```|^(?: {4}|\t)[^\n]*$|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors(text: str) -> set[str]:
    """The headings of a Markdown text, as links name them."""
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_broken(page: Path, link: str) -> bool:
    """Whether a relative link leads nowhere: no such file or folder, one outside the repository, or no such heading."""
    name, _, heading = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(heading) and heading not in anchors(read(target))


def test_links_are_found_and_judged() -> None:
    """Guards the test below."""
    assert links("[a](b.md) ![c](d.png#e) `[f](g)`\n\n    [h](i)\n\n* [j](https://k)") == ["b.md", "d.png#e", "https://k"]
    assert anchors("# A b\n\n## `bench`: your machine, in 8 bits") == {"a-b", "bench-your-machine-in-8-bits"}
    readme = ROOT / "README.md"
    assert not is_broken(readme, "docs/soak.md#what-we-measured")
    assert all(is_broken(readme, link) for link in ("docs/none.md", "docs/soak.md#none", "#none", "../elsewhere"))


def test_relative_links_lead_somewhere() -> None:
    documents = [path for path in repository_files() if path.suffix == ".md"]
    found = [(page, link) for page in documents for link in links(read(page)) if not re.match(r"[a-z]+:", link)]
    assert len(found) > 30
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in found if is_broken(page, link)] == []


def test_readme_is_short_and_leads_to_every_page() -> None:
    readme = read(ROOT / "README.md")
    assert len(readme.splitlines()) <= 120
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(readme)}
    assert [page.name for page in pages()[1:] if page not in linked] == []


def test_the_pictures_are_what_their_script_draws() -> None:
    from drawings import DOCS, DRAWINGS

    assert [name for name, draw in DRAWINGS.items() if read(DOCS / name) != draw()] == [], "run packaging/drawings.py"


def test_the_picture_of_the_packages_shows_their_order() -> None:
    """A room is drawn above all those that it may import."""
    from drawings import PACKAGES

    drawn = [{name for name, *_ in cells} for _, cells in reversed(PACKAGES)]
    assert drawn == [set(row) - {"__init__"} for row in ORDER if row != ("__main__",)]


def test_the_page_on_architecture_describes_every_package() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    described = re.findall(r"^\| `(\w+)` \|", read(ROOT / "docs" / "architecture.md"), re.MULTILINE)
    assert sorted(described) == sorted(packages)


def test_pages_name_every_option_of_the_command_line() -> None:
    text = told()
    named = set(re.findall(r"--[a-z][a-z-]+", text))
    missing = []
    for name in ("run", "enhance", "bench", "soak", "evaluate", "models", "doctor"):
        assert f"gpen-live {name}" in text
        command = importlib.import_module(f"gpen_live.cli.{name}").command
        commands = [command, *getattr(command, "commands", {}).values()]
        options = {option for one in commands for parameter in one.params for option in parameter.opts if option.startswith("--")}
        missing += [f"{name} {option}" for option in sorted(options - named)]
    assert missing == []


def test_pages_explain_every_key_of_the_report() -> None:
    from gpen_live.frame import STAGES
    from gpen_live.live.config import LiveConfig
    from gpen_live.live.status.meters import Meters
    from gpen_live.live.status.report import build_report
    from gpen_live.live.status.snapshot import Snapshot

    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", read(ROOT / "docs" / "report.md")))))
    report = build_report(LiveConfig(), Snapshot(), Meters(), [])
    inner = [value for key, value in report.items() if key != "latency_ms" and isinstance(value, dict)]
    keys = {*report, *STAGES, *(key for part in inner for key in part)}
    assert keys - named == set()


def test_readme_lists_the_window_s_shortcuts() -> None:
    from gpen_live.ui.help import SHORTCUTS

    readme = read(ROOT / "README.md")
    assert [keys for keys, what in SHORTCUTS if f"| {keys} | {what} |" not in readme] == []


def test_manual_steps_install_the_pinned_versions() -> None:
    pins = dict(re.findall(r'^\s*"([\w.-]+)==([\w.]+)', read(ROOT / "pyproject.toml"), re.MULTILINE))
    named = re.findall(r"\b([a-z]+)==([\d.]+\d)", told())
    assert {name for name, _ in named} >= {"torch", "torchvision", "numpy", "setuptools", "wheel", "cython"}
    assert [(name, version) for name, version in named if pins[name] != version] == []
