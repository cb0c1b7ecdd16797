"""The calendar as an iCalendar text (RFC 5545) that calendar programs take in and update by event id.

Called by `calendar --ics`; icalendar is loaded on the first call. It prints plans and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from engine.catalog.calendar import MonthPlan, MonthState
from engine.model.build import kb_text
from engine.model.model import Release, ReleaseKind

if TYPE_CHECKING:
    from icalendar import Event

_DOMAIN = "hotpatch-console"
_KINDS = {
    ReleaseKind.BASELINE: "Baseline, restart",
    ReleaseKind.UNPLANNED_BASELINE: "Unplanned baseline, restart",
    ReleaseKind.HOTPATCH: "Hotpatch, no restart",
    ReleaseKind.OOB_HOTPATCH: "Out-of-band hotpatch, no restart",
    ReleaseKind.LCU: "LCU, restart",
    ReleaseKind.OOB_LCU: "Out-of-band LCU, restart",
    ReleaseKind.COMPANION: "Companion fix",
}


def calendar_ics(plans: Iterable[MonthPlan], now: datetime) -> bytes:
    """One all-day event for each month of the plans and one for each out-of-band release.

    Event ids depend on platform and month (or KB) alone and the sequence number rises when a forecast becomes a
    fact, so importing the file again updates events instead of doubling them.
    """
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", "-//hotpatch-console//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "Windows hotpatch calendar")
    for plan in plans:
        if plan.state is not MonthState.BEFORE:
            calendar.add_component(_month_event(plan, now))
        for release in plan.out_of_band:
            calendar.add_component(_release_event(release, now))
    return bytes(calendar.to_ical())


def _month_event(plan: MonthPlan, now: datetime) -> Event:
    words = _KINDS[plan.kind]
    name = f" {kb_text(plan.kb)}" if plan.kb is not None else ""
    prefix = {MonthState.FORECAST: "Planned: ", MonthState.MISSING: "Not yet known, planned: "}.get(plan.state, "")
    lines = [f"Build {plan.build}." if plan.build is not None else ""]
    if plan.lcu is not None:
        lines.append(f"Devices off the hotpatch track take {plan.lcu.name} ({plan.lcu.build}) and restart.")
    if plan.is_surprise:
        lines.append(f"The quarterly pattern had planned: {_KINDS[plan.planned].lower()}.")
    if plan.provisional:
        lines.append("Second-hand: no Microsoft document confirms it yet.")
    lines.append(f"Source: {plan.source}.")
    event = _event(
        uid=f"{plan.platform}-{plan.month}@{_DOMAIN}",
        day=plan.patch_tuesday,
        summary=f"{prefix}{words}: {plan.platform.label}{name}",
        lines=lines,
        sequence=0 if plan.is_forecast else 1 if plan.provisional else 2,
        now=now,
    )
    event.add("status", "TENTATIVE" if plan.is_forecast else "CONFIRMED")
    event.add("categories", ["hotpatch", "restart" if plan.restart else "no restart"])
    return event


def _release_event(release: Release, now: datetime) -> Event:
    event = _event(
        uid=f"{release.platform}-{release.name}@{_DOMAIN}",
        day=release.released_at.date(),
        summary=f"{_KINDS[release.kind]}: {release.platform.label} {release.name}",
        lines=[f"Build {release.build}." if release.build is not None else "", f"Source: {release.source}."],
        sequence=1 if release.provisional else 2,
        now=now,
    )
    event.add("status", "CONFIRMED")
    event.add("categories", ["hotpatch", "restart" if release.restart_required else "no restart"])
    return event


def _event(uid: str, day: date, summary: str, lines: Iterable[str], sequence: int, now: datetime) -> Event:
    from icalendar import Event

    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", now)
    event.add("dtstart", day)
    event.add("dtend", day + timedelta(days=1))
    event.add("summary", _printable(summary))
    event.add("description", "\n".join(_printable(line) for line in lines if line))
    event.add("sequence", sequence)
    event.add("transp", "TRANSPARENT")
    return event


def _printable(text: str) -> str:
    """Sources can come from a file: no control character reaches a calendar program."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
