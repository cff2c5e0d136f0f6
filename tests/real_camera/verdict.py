"""Whether a guest's run proves anything: it came up, it ended by itself, and every test ran and passed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree  # what our own pytest wrote


def judge(log: str, results: Path, modules: Sequence[str]) -> tuple[list[str], str]:
    """What speaks against the run (nothing: it passed), and its outcome in pytest's words.

    Args:
        log: all that the guest printed. results: the JUnit file that its pytest wrote.
        modules: names of the test modules of which at least one test each must have run.
    """
    problems = []
    if "GUEST-UP" not in log:
        problems.append("The guest never came up.")
    codes = re.findall(r"GUEST-RC=(\d+)", log)
    if not codes:
        problems.append("The guest never said how its tests ended.")
    elif codes[-1] != "0":
        problems.append(f"The tests ended with code {codes[-1]} in the guest.")
    try:
        cases = list(ElementTree.parse(results).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return [*problems, "The guest left no results behind."], "no tests ran"
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    if failed:
        problems.append(f"{failed} tests failed.")
    if skipped or not cases:
        problems.append(f"{skipped} of {len(cases)} tests were skipped: here each must run.")
    ran = {case.get("classname", "").rpartition(".")[2] for case in cases}
    problems += [f"No test of {module}.py ran." for module in modules if module not in ran]
    outcomes = {"failed": failed, "passed": len(cases) - failed - skipped, "skipped": skipped}
    return problems, ", ".join(f"{count} {word}" for word, count in outcomes.items() if count) or "no tests ran"
