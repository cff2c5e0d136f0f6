"""The one place that makes basicsr 1.4.2 importable beside today's torchvision."""

from __future__ import annotations

import importlib.util
import sys
import types


def prepare() -> None:
    """To be called before any `import basicsr...`; calling it again does nothing.

    basicsr imports `torchvision.transforms.functional_tensor`, which torchvision 0.17 removed; a stand-in with the one function
    that basicsr wants goes into `sys.modules`, unless the real module is there.
    """
    name = "torchvision.transforms.functional_tensor"
    if name in sys.modules:
        return
    import torchvision.transforms.functional as functional

    if importlib.util.find_spec(name) is not None:
        return
    stand_in = types.ModuleType(name)
    stand_in.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
