"""Columns of the list of failed installs."""

from __future__ import annotations

from msgspec.structs import replace

from console import text
from console.columns.column import Cell, Column
from console.text import NOTHING, Tone
from engine.model.records.fleet import FailureRow


def _stage_cell(row: FailureRow) -> Cell:
    """What the device was doing; a provider that does not tell says no more than that it failed."""
    return Cell(row.stage if row.stage not in ("", "failed") else NOTHING)


FAILURES: tuple[Column[FailureRow], ...] = (
    Column("device", "Device", 15, lambda row, _: Cell(row.device_name), sort="device", grow=2),
    Column("ring", "Ring", 5, lambda row, _: Cell(row.ring or NOTHING), sort="ring"),
    Column("code", "Code", 12, lambda row, _: Cell(text.error_code(row.error_code), Tone.FAILED), sort="code"),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb)), sort="kb"),
    Column("stage", "While", 16, lambda row, _: _stage_cell(row), sort="stage", grow=1),
    Column(
        "failed",
        "Ago",
        6,
        lambda row, now: Cell(text.age(row.failed_at, now)),
        "right",
        sort="failed",
        order=lambda row: (row.failed_at, row.install_id),
    ),
    Column(
        "attempt",
        "Try",
        3,
        lambda row, _: Cell(str(row.attempt)),
        "right",
        from_width=76,
        sort="attempt",
        order=lambda row: (row.attempt,),
    ),
    Column("user", "User", 14, lambda row, _: Cell(text.person(row.user) or NOTHING), from_width=100, sort="user"),
    Column("action", "Action", 9, lambda row, _: Cell(text.words(row.action)), from_width=116),
    Column("build", "Build", 11, lambda row, _: Cell(text.build(row.build)), from_width=128, sort="build"),
    Column("site", "Site", 10, lambda row, _: Cell(row.site or NOTHING), from_width=140, sort="site", grow=1),
    Column("model", "Model", 16, lambda row, _: Cell(row.model or NOTHING), from_width=150, sort="model", grow=1),
    Column("driver", "Driver", 22, lambda row, _: Cell(row.driver or NOTHING), from_width=180, sort="driver", grow=1),
)

_FROM_WIDTH = {"user": 0, "model": 94, "driver": 118, "site": 132, "build": 144, "stage": 162, "action": 172}
FAILED_DEVICES: tuple[Column[FailureRow], ...] = tuple(
    replace(column, from_width=_FROM_WIDTH.get(column.id, 0))
    for wanted in "device user ring code kb failed attempt model driver site build stage action".split()
    for column in FAILURES
    if column.id == wanted
)
"""The same for the devices of one cause: who has the device comes before what the release did on it."""
