"""Modules of large packages without all that the packages themselves would load."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def stub_packages(*packages: str) -> Iterator[None]:
    """While it lasts, these packages are empty stubs: modules in them are found and imported, their `__init__` is not run.

    Afterwards all modules of theirs that came in are forgotten again, so that whoever imports the package gets it whole. Where
    it is loaded already, it stays as it is.

    Args:
        packages: dotted names, outer packages first.
    """
    roots = {name.partition(".")[0] for name in packages} - sys.modules.keys()
    try:
        for name in packages:
            if name.partition(".")[0] not in roots:
                continue
            spec = importlib.util.find_spec(name)
            if spec is None or spec.submodule_search_locations is None:
                raise ImportError(f"there is no package {name}", name=name)
            shell = ModuleType(name)
            shell.__path__ = list(spec.submodule_search_locations)
            sys.modules[name] = shell
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in roots]:
            del sys.modules[name]
