"""A release over its rings, and one ring in full: approval, opening, gate condition by condition, rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from textual.content import Content

from console.columns import condition_cell, kind_cell, ring_standing_cell
from console.text import (
    NOTHING,
    Severity,
    cells,
    count,
    fit,
    month,
    moment,
    moment_long,
    platform_short,
    plural,
    share,
    until,
)
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, lines, pairs, plain, severity_text
from engine.model import Approval, Ring
from engine.records import GateCondition, ReleaseRow, RingProgress

_NAME = 12


def release_head(rows: Sequence[ReleaseRow], progress: Sequence[RingProgress], place: str, width: int) -> Content:
    """Two lines: the release and which one of how many it is; how far it has come over all rings."""
    first = rows[0].release
    platforms = ", ".join(platform_short(each.release.platform) for each in rows)
    left = line(
        (first.name, STRONG),
        "  ",
        cell(kind_cell(first.kind)),
        f" of {month(first.month)}  ",
        (platforms, MUTED),
    )
    room = width - cells(left.plain) - cells(place)
    whole, installed, active, failed = (
        sum(getattr(each, name) for each in progress) for name in ("devices", "installed", "active", "failed")
    )
    second: list[Part] = [
        (share(installed, whole) if whole else NOTHING, STRONG),
        f" installed, {count(installed)} of {plural(whole, 'device')}",
    ]
    if active:
        second += ["   ", severity_text(Severity.DUE, f"{count(active)} active")]
    if failed:
        second += ["   ", severity_text(Severity.FAILED, f"{count(failed)} failed")]
    if first.restart_required:
        second += ["   ", severity_text(Severity.AT_RISK, "every install restarts")]
    return lines([line(left, " " * room, (place, MUTED)) if room > 0 else left, line(*second)])


def ring_text(
    row: RingProgress, following: str, approvals: Iterable[Approval], stops: Sequence[str], now: datetime
) -> Content:
    """One ring towards one release. `following` is the ring that its gate opens, "" for the last."""
    ring = row.ring
    rows: list[Content] = [
        line((f"Ring {ring.name}", STRONG), "  ", cell(ring_standing_cell(row, now))),
        pairs([*_opening(row, now), *_approval(row, approvals, now)], _NAME),
        *(severity_text(Severity.AT_RISK, each) for each in stops),
        plain(""),
        plain(f"Gate: what ring {following} waits for" if following else "Gate", STRONG),
        *_conditions(row.gate),
        plain(""),
        plain("Rules", STRONG),
        _rules(ring),
    ]
    return lines(rows)


def _opening(row: RingProgress, now: datetime) -> Iterable[tuple[str, Part]]:
    if row.opened_at is not None:
        yield "opened", moment_long(row.opened_at)
    elif row.opens_at is not None:
        yield "opens", f"{moment_long(row.opens_at)}, {until(row.opens_at, now)}"
    else:
        yield "opens", "when it is approved, and not before its deferral has passed"
    if row.waits_for and row.opened_at is None:
        yield "waits for", row.waits_for


def _approval(row: RingProgress, approvals: Iterable[Approval], now: datetime) -> Iterable[tuple[str, Part]]:
    mine = [
        each
        for each in approvals
        if each.kb == row.kb
        and each.withdrawn_at is None
        and row.ring.name in each.rings
        and (each.expires_at is None or each.expires_at > now)
    ]
    if not mine:
        yield "approved", line(("by nobody yet; a approves it", MUTED))
        return
    for each in mine:
        yield "approved", line(f"by {each.approved_by}, {moment(each.approved_at, now)}: ", (each.reason, MUTED))
        if each.not_before is not None and each.not_before > now:
            yield "", f"not before {moment_long(each.not_before)}"
        if each.expires_at is not None:
            yield "", f"until {moment_long(each.expires_at)}"


def _conditions(gate: Sequence[GateCondition]) -> Iterable[Content]:
    """State, name, value and need in columns."""
    name_width = max((cells(each.name) for each in gate), default=0)
    value_width = min(max((cells(each.value) for each in gate), default=0), 20)
    for each in gate:
        yield line(
            cell(condition_cell(each), 9),
            "  ",
            fit(each.name, name_width),
            "  ",
            (fit(each.value, value_width), STRONG),
            (f"  needs {each.needed}", MUTED),
        )


def _rules(ring: Ring) -> Content:
    in_flight = plural(ring.max_in_flight, "device") if ring.max_in_flight else "no limit"
    return lines(
        [
            line(
                ("deferral ", MUTED),
                f"{ring.deferral_days} d   ",
                ("deadline ", MUTED),
                f"{ring.deadline_days} d   ",
                ("grace ", MUTED),
                f"{ring.grace_days} d   ",
                ("at once ", MUTED),
                in_flight,
            )
        ]
    )
