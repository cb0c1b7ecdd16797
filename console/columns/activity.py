"""Columns of the work under way and of the audit."""

from __future__ import annotations

from console import text
from console.columns.column import Cell, Column, number_cell
from console.text import NOTHING, Tone
from engine.model.model import InstallAction, InstallState
from engine.model.records.fleet import ActiveInstall, AuditRow

_INSTALL_STATES = {
    InstallState.SUCCEEDED: Tone.OK,
    InstallState.FAILED: Tone.FAILED,
    InstallState.RESTART_PENDING: Tone.AT_RISK,
    InstallState.CANCELLED: Tone.UNKNOWN,
    InstallState.UNINSTALLED: Tone.NONE,
}


def install_state_cell(state: InstallState) -> Cell:
    """``● succeeded``, ``✗ failed``, ``◐ installing``."""
    return Cell(text.words(state), _INSTALL_STATES.get(state, Tone.DUE))


def _stage(row: ActiveInstall) -> Cell:
    """What the device is doing, with the sign of its state: ``◐ drain old calls``."""
    state = install_state_cell(row.state)
    return Cell(row.stage or state.text, state.severity)


def progress_bar(percent: int, width: int = 10) -> str:
    """``━━━━━━────``; anything from 0 to 100."""
    full = min(max(percent, 0), 100) * width // 100
    return "━" * full + "─" * (width - full)


ACTIVE: tuple[Column[ActiveInstall], ...] = (
    Column("device", "Device", 15, lambda row, _: Cell(row.device_name), sort="device", grow=1),
    Column("ring", "Ring", 5, lambda row, _: Cell(row.ring or NOTHING), sort="ring"),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb)), sort="kb"),
    Column(
        "action",
        "Action",
        9,
        lambda row, _: Cell(text.words(row.action), Tone.NONE if row.action is InstallAction.APPLY else Tone.AT_RISK),
        from_width=90,
        sort="action",
    ),
    Column("stage", "Stage", 20, lambda row, _: _stage(row), sort="stage", grow=2),
    Column(
        "progress",
        "Progress",
        15,
        lambda row, _: Cell(f"{progress_bar(row.progress)} {row.progress:>3}%"),
        sort="progress",
        order=lambda row: (row.progress,),
    ),
    Column(
        "since",
        "For",
        6,
        lambda row, now: Cell(text.age(row.requested_at, now)),
        "right",
        from_width=76,
        sort="since",
        order=lambda row: (row.requested_at,),
    ),
    Column("by", "Asked by", 12, lambda row, _: Cell(row.requested_by or NOTHING), from_width=104, sort="by"),
    Column("state", "State", 17, lambda row, _: install_state_cell(row.state), from_width=124, sort="state"),
    Column(
        "next", "Next step", 9, lambda row, now: Cell(text.until(row.next_at, now)), "right", from_width=146, sort=""
    ),
)


AUDIT: tuple[Column[AuditRow], ...] = (
    Column(
        "at",
        "When",
        12,
        lambda row, now: Cell(text.moment(row.at, now)),
        sort="at",
        order=lambda row: (row.seq,),
    ),
    Column("actor", "Who", 8, lambda row, _: Cell(row.actor), sort="actor", grow=1),
    Column("summary", "What", 30, lambda row, _: Cell(row.summary), grow=3),
    Column("reason", "Why", 12, lambda row, _: Cell(row.reason or NOTHING), from_width=66, grow=2),
    Column("devices", "Devices", 7, lambda row, _: number_cell(row.devices), "right", from_width=76),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb)), from_width=110),
    Column("action", "Action", 11, lambda row, _: Cell(text.words(row.action)), from_width=124, sort="action"),
    Column("origin", "From", 18, lambda row, _: Cell(row.origin or NOTHING), from_width=146),
    Column("seq", "No", 6, lambda row, _: Cell(str(row.seq)), "right", from_width=156),
)
