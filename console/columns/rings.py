"""Columns of the rings, and of how far releases have come in them."""

from __future__ import annotations

from datetime import datetime

from console import text
from console.columns.column import Cell, Column, number_cell
from console.text import Tone
from engine.model.records.fleet import GateCondition, RingProgress, RingRow


def _days(number: int) -> Cell:
    return Cell(f"{number} d")


def _tenant_cell(row: RingRow) -> Cell:
    """Who carries the ring, where it is not us."""
    side = row.tenant
    if side is None:
        return Cell("")
    if side.gone_at is not None:
        return Cell(f"{side.provider}, gone", Tone.AT_RISK)
    return Cell(f"{side.provider}, paused", Tone.AT_RISK) if side.paused else Cell(side.provider)


RINGS: tuple[Column[RingRow], ...] = (
    Column(
        "position",
        "No",
        2,
        lambda row, _: Cell(str(row.ring.position)),
        "right",
        sort="position",
        order=lambda row: (row.ring.position,),
    ),
    Column("name", "Ring", 8, lambda row, _: Cell(row.ring.name), sort="name", grow=1),
    Column(
        "devices",
        "Devices",
        9,
        lambda row, _: number_cell(row.devices),
        "right",
        sort="devices",
        order=lambda row: (row.devices,),
    ),
    Column("ready", "Ready", 6, lambda row, _: Cell(text.share(row.ready, row.devices)), "right"),
    Column("protected", "Protected", 9, lambda row, _: Cell(text.share(row.protected, row.devices)), "right"),
    Column("active", "Active", 7, lambda row, _: number_cell(row.active), "right"),
    Column("failed", "Failed", 8, lambda row, _: number_cell(row.failed, Tone.FAILED), "right"),
    Column("deferral", "Deferral", 8, lambda row, _: _days(row.ring.deferral_days), "right"),
    Column("deadline", "Deadline", 8, lambda row, _: _days(row.ring.deadline_days), "right", from_width=84),
    Column("grace", "Grace", 6, lambda row, _: _days(row.ring.grace_days), "right", from_width=92),
    Column(
        "at_once",
        "At once",
        7,
        lambda row, _: Cell(text.count(row.ring.max_in_flight) if row.ring.max_in_flight else "no limit"),
        "right",
        from_width=104,
    ),
    Column("tenant", "Tenant", 8, lambda row, _: _tenant_cell(row), from_width=120, grow=1),
    Column("soak", "Soak", 6, lambda row, _: Cell(f"{row.ring.gate.soak_hours} h"), "right", from_width=112),
)


def ring_progress_cell(row: RingProgress) -> Cell:
    """Where a release stands in a ring, in one or two words."""
    if row.stopped:
        return Cell(row.stopped, Tone.AT_RISK)
    if not row.approved:
        return Cell("not approved", Tone.NONE)
    if row.opened_at is None:
        return Cell(row.waits_for or "waits", Tone.DUE)
    if gate_fails(row):
        return Cell("gate fails", Tone.FAILED)
    if row.installed and not (row.active or row.pending):
        return Cell("done", Tone.OK)
    return Cell("open", Tone.OK)


def failing(row: RingProgress) -> GateCondition | None:
    """The condition of the gate that needs a person; None where the others may yet hold by themselves."""
    return next((each for each in row.gate if each.needs_person), None)


def gate_fails(row: RingProgress) -> bool:
    """Whether the gate needs a person."""
    return failing(row) is not None


def condition_cell(condition: GateCondition) -> Cell:
    """Whether a condition of a gate holds, holds not yet, or fails."""
    if condition.holds:
        return Cell("holds", Tone.OK)
    return Cell("fails", Tone.FAILED) if condition.needs_person else Cell("not yet", Tone.DUE)


def ring_standing_cell(row: RingProgress, now: datetime) -> Cell:
    """Where a release stands in a ring, in a sentence's part: what goes on, since when, or what it waits for."""
    if not row.devices:
        return Cell("no device here takes it")
    if row.stopped:
        return Cell(row.stopped, Tone.AT_RISK)
    if row.opened_at is None:
        return _waiting_cell(row, now)
    if (condition := failing(row)) is not None:
        return Cell(f"gate fails: {condition.name} {condition.value}", Tone.FAILED)
    if not row.approved:
        return Cell("no approval in force any more", Tone.AT_RISK)
    if row.active or row.pending:
        what = "under way" if row.tenant is None else "requested; devices act at their scans,"
        return Cell(f"{what} since {text.moment(row.opened_at, now)}", Tone.DUE)
    if row.failed:
        return Cell(f"done but for {text.count(row.failed)} failed", Tone.AT_RISK)
    return Cell("done", Tone.OK)


def _waiting_cell(row: RingProgress, now: datetime) -> Cell:
    if not row.approved:
        return Cell("not approved")
    if row.opens_at is not None and row.opens_at > now:
        return Cell(f"opens {text.moment(row.opens_at, now)}, {text.until(row.opens_at, now)}", Tone.DUE)
    return Cell(f"waits for {row.waits_for}" if row.waits_for else "opens now", Tone.DUE)


RING_PROGRESS: tuple[Column[RingProgress], ...] = (
    Column("ring", "Ring", 6, lambda row, _: Cell(row.ring.name), sort="ring", order=lambda row: (row.ring.position,)),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb)), sort="kb"),
    Column("devices", "Devices", 8, lambda row, _: number_cell(row.devices), "right"),
    Column("installed", "Installed", 9, lambda row, _: number_cell(row.installed), "right"),
    Column("active", "Active", 6, lambda row, _: number_cell(row.active), "right"),
    Column("failed", "Failed", 7, lambda row, _: number_cell(row.failed, Tone.FAILED), "right"),
    Column("pending", "Waiting", 7, lambda row, _: number_cell(row.pending), "right"),
    Column("not_ready", "Not ready", 9, lambda row, _: number_cell(row.not_ready), "right", from_width=90),
    Column("state", "State", 16, lambda row, _: ring_progress_cell(row), grow=3),
    Column("opens", "Opens", 12, lambda row, now: Cell(text.moment(row.opens_at, now)), from_width=104),
    Column("opened", "Opened", 12, lambda row, now: Cell(text.moment(row.opened_at, now)), from_width=118),
)
