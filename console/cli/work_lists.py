"""Columns of lists that only commands show, about rollouts in depth and what people do about failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import text
from console.columns import Cell, Column, number_cell
from console.text import NOTHING, Tone

if TYPE_CHECKING:
    from datetime import datetime

    from engine.model.records.rollout import HandsRow, LateDevice, Milestone, MissReason, RingConflict, RingForecast
    from engine.rules.failures import Escalation, FailureGroupView, KnownProblem
    from engine.rules.plans.holds import Hold

# --- forecast ---------------------------------------------------------------------------------------

RING_FORECASTS: tuple[Column[RingForecast], ...] = (
    Column("ring", "Ring", 8, lambda row, _: Cell(row.ring), grow=1),
    Column("opens", "Opens", 13, lambda row, now: _opens(row, now), grow=2),
    Column("share", "Gate's share in", 15, lambda row, now: Cell(text.moment(row.installed_at, now))),
    Column("deadline", "Deadline", 12, lambda row, now: Cell(text.moment(row.deadline_at, now))),
    Column("devices", "Devices", 8, lambda row, _: number_cell(row.devices), "right"),
    Column("installed", "Installed", 9, lambda row, _: number_cell(row.installed), "right"),
    Column("restarts", "Restarts", 8, lambda row, _: number_cell(row.restarts), "right"),
    Column("misses", "Late", 6, lambda row, _: number_cell(row.misses, Tone.AT_RISK), "right"),
)


def _opens(row: RingForecast, now: datetime) -> Cell:
    if row.opens_at is None:
        return Cell(f"not: {row.waits_for or 'not within the forecast'}", Tone.AT_RISK)
    return Cell(text.moment(row.opens_at, now))


MILESTONES: tuple[Column[Milestone], ...] = (
    Column("mark", "After", 9, lambda row, _: Cell(row.name)),
    Column("at", "At", 13, lambda row, now: Cell(text.moment(row.at, now))),
    Column("share", "Protected", 9, lambda row, _: Cell(text.share(row.protected, row.devices)), "right"),
    Column("devices", "Devices", 9, lambda row, _: number_cell(row.protected), "right"),
    Column("of", "Of", 9, lambda row, _: number_cell(row.devices), "right"),
)

MISSES: tuple[Column[MissReason], ...] = (
    Column("devices", "Devices", 8, lambda row, _: number_cell(row.devices), "right"),
    Column("why", "Why", 30, lambda row, _: Cell(row.why), grow=2),
    Column("names", "For example", 20, lambda row, _: Cell(", ".join(row.names[:3])), grow=1),
)

# --- rings and recoveries ---------------------------------------------------------------------------

_LATENESS = {"overdue": Tone.FAILED, "away": Tone.UNKNOWN, "grace": Tone.AT_RISK, "due": Tone.DUE}

LATE: tuple[Column[LateDevice], ...] = (
    Column("device", "Device", 15, lambda row, _: Cell(row.device_name), grow=1),
    Column("ring", "Ring", 6, lambda row, _: Cell(row.ring)),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb))),
    Column("lateness", "Standing", 10, lambda row, _: Cell(row.lateness, _LATENESS.get(row.lateness, Tone.NONE))),
    Column("deadline", "Deadline", 12, lambda row, now: Cell(text.moment(row.deadline_at, now))),
    Column("why", "Why", 24, lambda row, _: Cell(row.why), grow=2),
    Column("user", "User", 14, lambda row, _: Cell(text.person(row.user) or NOTHING), from_width=110),
)

RING_CONFLICTS: tuple[Column[RingConflict], ...] = (
    Column("device", "Device", 15, lambda row, _: Cell(row.device_name), grow=1),
    Column("ring", "Ring", 8, lambda row, _: Cell(row.ring or NOTHING)),
    Column("claimed", "Claimed by", 20, lambda row, _: Cell(", ".join(row.claimed_by)), grow=1),
    Column("hand", "Placed by", 9, lambda row, _: Cell("hand" if row.by_hand else "filter")),
)

HANDS: tuple[Column[HandsRow], ...] = (
    Column("device", "Device", 15, lambda row, _: Cell(row.device_name)),
    Column("ring", "Ring", 8, lambda row, _: Cell(row.ring or NOTHING)),
    Column("why", "Why", 30, lambda row, _: Cell(row.why), grow=1),
)

HOLDS: tuple[Column[Hold], ...] = (
    Column("id", "ID", 4, lambda row, _: Cell(str(row.id)), "right"),
    Column("kb", "Withheld", 13, lambda row, _: Cell(text.kb(row.kb) if row.kb else "every release")),
    Column("filter", "From", 16, lambda row, _: Cell(row.filter or "every device"), grow=1),
    Column("by", "By", 10, lambda row, _: Cell(row.held_by), grow=1),
    Column("at", "Since", 12, lambda row, now: Cell(text.moment(row.held_at, now))),
    Column("reason", "Why", 16, lambda row, _: Cell(row.reason), grow=2),
)

# --- failures ---------------------------------------------------------------------------------------

_SLA = {"overdue": Tone.FAILED, "due-soon": Tone.AT_RISK, "ok": Tone.OK}

FAILURE_GROUPS: tuple[Column[FailureGroupView], ...] = (
    Column("cause", "Cause", 22, lambda row, _: Cell(row.cause.label)),
    Column("code", "Code", 12, lambda row, _: Cell(row.code, Tone.FAILED)),
    Column("devices", "Devices", 7, lambda row, _: number_cell(row.devices), "right"),
    Column("symbol", "Symbol", 20, lambda row, _: Cell(row.symbol or NOTHING), from_width=90, grow=1),
    Column("retry", "Retry", 14, lambda row, _: Cell(text.words(row.group.retry)), from_width=70),
    Column("sla", "Service level", 16, lambda row, now: _sla(row, now)),
    Column("last", "Last", 10, lambda row, now: Cell(text.age(row.group.last_failed_at, now)), "right"),
)


def _sla(row: FailureGroupView, now: datetime) -> Cell:
    """The next stage and when it is due, or how late it is."""
    if not row.sla.open:
        return Cell("excluded")
    if row.sla.due_at < now:
        return Cell(f"{row.sla.stage} {text.duration(now - row.sla.due_at)} late", Tone.FAILED)
    return Cell(f"{row.sla.stage} {text.until(row.sla.due_at, now)}", _SLA[row.sla.state])


ESCALATIONS: tuple[Column[Escalation], ...] = (
    Column("id", "ID", 4, lambda row, _: Cell(str(row.id)), "right"),
    Column("owner", "Owner", 12, lambda row, _: Cell(row.owner), grow=1),
    Column("what", "What", 24, lambda row, _: Cell(row.group_key or text.plural(row.devices, "device")), grow=1),
    Column("open", "Still fail", 10, lambda row, _: Cell(f"{row.open_devices:,} of {row.devices:,}"), "right"),
    Column("due", "Due", 12, lambda row, now: Cell(text.moment(row.due_at, now))),
    Column("state", "State", 12, lambda row, now: _escalation_state(row, now)),
    Column("reason", "Why", 14, lambda row, _: Cell(row.reason or NOTHING), grow=1),
)


def _escalation_state(row: Escalation, now: datetime) -> Cell:
    if row.ended_at is not None:
        return Cell(text.words(row.outcome))
    return Cell("overdue", Tone.FAILED) if row.is_overdue(now) else Cell("open", Tone.DUE)


KNOWN_PROBLEMS: tuple[Column[KnownProblem], ...] = (
    Column("id", "ID", 4, lambda row, _: Cell(str(row.id)), "right"),
    Column("title", "Problem", 20, lambda row, _: Cell(row.title), grow=2),
    Column("what", "Failures", 24, lambda row, _: Cell(row.group_key or NOTHING), grow=1),
    Column("kb", "Release", 9, lambda row, _: Cell(text.kb(row.kb))),
    Column("hold", "Withheld", 10, lambda row, _: _held(row)),
    Column("by", "By", 10, lambda row, _: Cell(row.marked_by)),
    Column("note", "Note", 16, lambda row, _: Cell(row.note or NOTHING), from_width=100, grow=2),
)


def _held(row: KnownProblem) -> Cell:
    return Cell(f"hold {row.safeguard_id}", Tone.AT_RISK) if row.holds else Cell("no")
