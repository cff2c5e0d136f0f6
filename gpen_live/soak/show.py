"""The soak's verdicts in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gpen_live.soak.results import Soak
from gpen_live.soak.verdicts import judge

_WIDE = 150  # columns where no terminal sets them: a pipe, a file
_WORDS = {True: "held", False: "NOT HELD", None: "?"}
_STYLES = {True: "green", False: "bold red", None: "yellow"}


def heading(soak: Soak) -> str:
    """What ran, for how long."""
    sped = f", {soak.fps / soak.usual_fps:g} times as fast" if soak.fps != soak.usual_fps else ""
    early = "" if soak.seconds >= soak.wanted_s else f", of {in_words(soak.wanted_s)} that were asked for"
    return (
        f"{in_words(soak.seconds)}{early}{sped}: {soak.frames} frames, as many as {soak.usual_fps:g} a second give in "
        f"{in_words(soak.hours_of_frames * 3600)}; {len(soak.events)} faults. {soak.model} on {soak.device}, {soak.source} to "
        f"{soak.sink}, {soak.size}."
    )


def in_words(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show(soak: Soak, console: Console) -> None:
    """Prints all verdicts, and how long recovery took after each kind of fault."""
    if not console.is_terminal:
        console.width = max(console.width, _WIDE)
    console.print()
    console.print(heading(soak), highlight=False, markup=False)
    verdicts = Table("", "promise", "measured", box=SIMPLE_HEAD)
    for one in judge(soak):
        verdicts.add_row(f"[{_STYLES[one.held]}]{_WORDS[one.held]}[/]", one.promise, one.figure)
    console.print(verdicts)
    faults = Table("fault", "how often", "well again after, at most", "allowed", box=SIMPLE_HEAD)
    for kind in dict.fromkeys(one.kind for one in soak.events):
        events = [one for one in soak.events if one.kind == kind]
        backs = [one.back_s for one in events]
        known = [back for back in backs if back is not None]
        most = "never" if len(known) < len(backs) else f"{max(known):.2f} s"
        most += ", by hand" if any(one.helped for one in events) else ""
        faults.add_row(kind, str(len(events)), most, f"{events[0].limit_s:g} s")
    if soak.events:
        console.print(faults)


def worst(soak: Soak) -> str:
    """The worst figures so far, in a few words; nothing before there are any."""
    if not soak.samples:
        return ""
    settled = soak.settled
    parts = [f"memory {settled[-1].memory_mb - settled[0].memory_mb:+.0f} MB"] if settled else ["warming up"]
    if soak.latencies:
        parts.append(f"p99 {max(one.p99_ms for one in soak.latencies):.0f} ms")
    parts.append(f"longest standstill {max(max(one.pause_s, one.still_s) for one in soak.samples):.2f} s")
    parts.append(f"{len(soak.events)} faults")
    return ", ".join(parts)
