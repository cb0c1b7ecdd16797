"""Columns of lists that only commands show. What a screen shows too stands in `console.columns`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console import text
from console.columns import Cell, Column, kind_cell, number_cell
from console.text import NOTHING, Tone
from engine.model.model import Approval

if TYPE_CHECKING:
    from engine.catalog.calendar import MonthPlan
    from engine.model.filters import View
    from engine.model.model import Install
    from engine.model.records.fleet import Compliance


def _approval_state(row: Approval) -> Cell:
    if row.withdrawn_at is not None:
        return Cell(f"withdrawn by {row.withdrawn_by}", Tone.UNKNOWN)
    if not row.is_signed:
        return Cell("needs a second signature", Tone.AT_RISK)
    return Cell(f"approved, with {row.seconded_by}" if row.seconded_by else "approved", Tone.OK)


APPROVALS: tuple[Column[Approval], ...] = (
    Column("id", "ID", 4, lambda row, _: Cell(str(row.id)), "right"),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb))),
    Column("rings", "Rings", 16, lambda row, _: Cell(", ".join(row.rings)), grow=1),
    Column("by", "By", 10, lambda row, _: Cell(row.approved_by), grow=1),
    Column("at", "Approved", 12, lambda row, now: Cell(text.moment(row.approved_at, now))),
    Column("state", "State", 14, lambda row, _: _approval_state(row)),
    Column("reason", "Why", 16, lambda row, _: Cell(row.reason or NOTHING), grow=2),
    Column("from", "Not before", 12, lambda row, now: Cell(text.moment(row.not_before, now)), from_width=110),
    Column("until", "Expires", 12, lambda row, now: Cell(text.moment(row.expires_at, now)), from_width=110),
)


def _month_restart(plan: MonthPlan) -> Cell:
    if plan.state == "before":
        return Cell(NOTHING)
    words = "restart" if plan.restart else "none"
    if plan.is_forecast:
        return Cell(f"({words})")
    return Cell(words, Tone.DUE if plan.restart else Tone.OK)


def _month_kind(plan: MonthPlan) -> Cell:
    if plan.state == "before":
        return Cell(NOTHING)
    return Cell(f"({kind_cell(plan.kind).text})") if plan.is_forecast else kind_cell(plan.kind)


def _month_state(plan: MonthPlan) -> Cell:
    if plan.state == "missing":
        return Cell("missing", Tone.AT_RISK)
    if plan.is_forecast:
        return Cell(NOTHING if plan.state == "before" else "forecast")
    return Cell("second-hand" if plan.provisional else "published")


def _patch_tuesday(plan: MonthPlan) -> Cell:
    return Cell(f"{plan.patch_tuesday:%a} {plan.patch_tuesday.day} {plan.patch_tuesday:%b}")


CALENDAR: tuple[Column[MonthPlan], ...] = (
    Column("tuesday", "Tuesday", 10, lambda row, _: _patch_tuesday(row)),
    Column("kind", "Kind", 20, lambda row, _: _month_kind(row)),
    Column("restart", "Restart", 9, lambda row, _: _month_restart(row)),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb))),
    Column("build", "Build", 11, lambda row, _: Cell(text.build(row.build))),
    Column("state", "Known", 11, lambda row, _: _month_state(row)),
    Column(
        "oob",
        "Out of band",
        11,
        lambda row, _: Cell(", ".join(release.name for release in row.out_of_band)),
        from_width=110,
        grow=1,
    ),
)

INSTALLS: tuple[Column[Install], ...] = (
    Column("at", "When", 13, lambda row, now: Cell(text.moment(row.finished_at or row.requested_at, now))),
    Column("kb", "KB", 9, lambda row, _: Cell(text.kb(row.kb))),
    Column("action", "Action", 9, lambda row, _: Cell(text.words(row.action))),
    Column("state", "State", 17, lambda row, _: _install_state(row)),
    Column("build", "Build", 11, lambda row, _: Cell(text.build(row.build_after))),
    Column("restart", "Restarted", 9, lambda row, _: Cell("yes" if row.restarted else "no")),
    Column("by", "Asked by", 12, lambda row, _: Cell(row.requested_by), from_width=100),
    Column("reason", "Why", 16, lambda row, _: Cell(row.reason or NOTHING), from_width=110, grow=1),
)


def _install_state(row: Install) -> Cell:
    from console.columns import install_state_cell

    cell = install_state_cell(row.state)
    return cell if row.error_code is None else Cell(f"{cell.text} {text.error_code(row.error_code)}", cell.severity)


COMPLIANCE: tuple[Column[Compliance], ...] = (
    Column("platform", "Platform", 16, lambda row, _: Cell(row.platform.label if row.platform else "All")),
    Column("month", "Month", 8, lambda row, _: Cell(text.month(row.month))),
    Column("devices", "Devices", 9, lambda row, _: number_cell(row.devices), "right"),
    Column("protected", "Protected", 9, lambda row, _: Cell(text.share(row.protected, row.devices)), "right"),
    Column("day", "In 24 h", 8, lambda row, _: Cell(text.share(row.within_24h, row.devices)), "right"),
    Column("five", "In 5 d", 8, lambda row, _: Cell(text.share(row.within_5d, row.devices)), "right"),
    Column("weeks", "In 3 wk", 8, lambda row, _: Cell(text.share(row.within_3w, row.devices)), "right"),
)

VIEWS: tuple[Column[View], ...] = (
    Column("name", "Name", 16, lambda row, _: Cell(row.name)),
    Column("title", "Meaning", 28, lambda row, _: Cell(row.title)),
    Column("filter", "Filter", 24, lambda row, _: Cell(row.filter), grow=1),
)
