"""The overlay over the preview."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QApplication

from gpen_live.live.status.snapshot import Quantiles
from gpen_live.ui.overlay import render
from tests.ui.fakes import RUNNING


def test_a_stage_of_a_new_name_has_a_line_of_its_own(qapp: QApplication) -> None:
    more = replace(RUNNING, stages={**RUNNING.stages, "make-up": Quantiles(3, 4, 5, 6)})
    line = render(more, 1.0).height() - render(RUNNING, 1.0).height()
    assert line > 10
    assert render(more, 1.0, compact=True).height() == render(RUNNING, 1.0, compact=True).height()
