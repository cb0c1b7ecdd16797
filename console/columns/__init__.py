"""Every column of every list, declared once: the screen's table, the command's table and CSV are drawn from here.

Pure functions from a row record to cells; nothing here knows a terminal, a widget or the engine.
"""

from __future__ import annotations

from console.columns.activity import ACTIVE, AUDIT, install_state_cell, progress_bar
from console.columns.column import GAP, Cell, Column, Placed, Row, number_cell, place
from console.columns.devices import DEVICES, device_state_cell, readiness_cell
from console.columns.failure_tree import FAILURE_TREE, FailureLine, due_cell, failure_lines, retry_cell
from console.columns.failures import FAILED_DEVICES, FAILURES
from console.columns.releases import RELEASES, kind_cell
from console.columns.rings import (
    RING_PROGRESS,
    RINGS,
    condition_cell,
    gate_fails,
    ring_progress_cell,
    ring_standing_cell,
)

__all__ = [
    "ACTIVE",
    "AUDIT",
    "DEVICES",
    "FAILED_DEVICES",
    "FAILURES",
    "FAILURE_TREE",
    "GAP",
    "RELEASES",
    "RINGS",
    "RING_PROGRESS",
    "Cell",
    "Column",
    "FailureLine",
    "Placed",
    "Row",
    "condition_cell",
    "device_state_cell",
    "due_cell",
    "failure_lines",
    "gate_fails",
    "install_state_cell",
    "kind_cell",
    "number_cell",
    "place",
    "progress_bar",
    "readiness_cell",
    "retry_cell",
    "ring_progress_cell",
    "ring_standing_cell",
]
