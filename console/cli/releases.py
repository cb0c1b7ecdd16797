"""Commands about releases: the list, one release with what it fixes and leaves open, the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console import columns, text
from console.cli import diagnostics, documents, output
from console.cli.changing import kb_number
from console.cli.diagnostics import ExitCode
from console.cli.lists import CALENDAR
from console.cli.session import Command, Session, session_of
from console.text import Tone
from engine.catalog import coverage_of
from engine.catalog.calendar import count_restarts
from engine.model.build import Platform
from engine.model.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.catalog import Coverage
    from engine.catalog.calendar import MonthPlan
    from engine.model.records.fleet import ReleaseRow

PLATFORM = click.Choice([each.value for each in Platform], case_sensitive=False)
_ONLY = f"Only this platform: {', '.join(Platform)}."
_RECENT = 24
_FIRST_YEAR, _LAST_YEAR = 2020, 2100


@click.command(cls=Command)
@click.option(
    "--platform",
    type=PLATFORM,
    metavar="NAME",
    help="Only this platform: win11-24h2, win11-25h2, server-2025, server-2022.",
)
@click.option("--all", "everything", is_flag=True, help="Companion fixes too, and all months in a table.")
@session_of
def releases(session: Session, platform: str | None, everything: bool) -> int:
    """Microsoft's releases, newest first, one line for each platform, with what the fleet has made of them."""
    with session.engine() as engine:
        rows = [
            row
            for row in engine.reads.releases.all(companions=everything)
            if platform is None or row.release.platform == platform
        ]
        if session.as_json:
            output.document(rows)
            return ExitCode.DONE
        shown = rows if everything else rows[:_RECENT]
        output.table(columns.RELEASES, shown, engine.now(), session.style)
        if len(shown) < len(rows):
            diagnostics.note(f"{len(shown)} of {len(rows)}, the newest. All of them: --all")
    return ExitCode.DONE


@click.command(cls=Command)
@click.argument("kb", type=kb_number, metavar="KB")
@session_of
def release(session: Session, kb: int) -> int:
    """One release: for each platform what it fixes, its twin, and what it leaves open against the twin."""
    with session.engine() as engine:
        rows = engine.reads.releases.of_kb(kb)
        catalog = engine.reads.releases.catalog()
        found = []
        for row in rows:
            per = {
                each.value: coverage_of(catalog, row.release, each)
                for each in row.release.architectures
                if len(row.release.architectures) > 1
            }
            found.append((row, coverage_of(catalog, row.release), per))
        if session.as_json:
            output.document(
                {
                    "kb": rows[0].release.name,
                    "approvals": engine.reads.rollout.approvals(kb),
                    "platforms": [_coverage(row, own, per) for row, own, per in found],
                },
                engine.now(),
            )
        else:
            for row, own, _ in found:
                _show(session, row, own)
    return ExitCode.DONE


def _coverage(row: ReleaseRow, found: Coverage, per: Mapping[str, Coverage]) -> documents.Document:
    """A release on one platform, and by processor where it serves several."""
    own = {name: documents.view("architecture", each) for name, each in per.items()}
    return documents.document(row) | documents.document(found) | {"by_architecture": own}


def _show(session: Session, row: ReleaseRow, found: Coverage) -> None:
    release, style = row.release, session.style
    kind = columns.kind_cell(release.kind).text
    output.heading(f"{release.name} for {release.platform.label}", style)
    twin = f"{found.twin.name}, build {text.build(found.twin.build)}" if found.twin else "none"
    output.pairs(
        [
            ("Kind", f"{kind} of {text.month(release.month)}{', not confirmed' if release.provisional else ''}"),
            ("Released", text.moment_long(release.released_at)),
            ("Build", text.build(release.build)),
            ("Restart", "yes" if release.restart_required else "none"),
            ("Architectures", ", ".join(documents.architectures_of(release))),
            (
                "Fixes",
                f"{text.plural(len(found.fixes), 'CVE')}, {row.exploited} exploited, worst {row.worst or 'none'}",
            ),
            ("Twin", twin),
            ("Approved for", ", ".join(row.approved_rings) or "no ring"),
            ("Installs", f"{row.installed:,} installed, {row.active:,} under way, {row.failed:,} failed"),
        ],
        style,
    )
    if found.twin is not None and not found.not_covered:
        output.line("Leaves nothing open that its twin closes.", Tone.OK, style)
    for title, gaps in (("Left open against the twin", found.not_covered), ("Open until later", found.still_open)):
        if gaps:
            output.line(f"{title}: {text.plural(len(gaps), 'CVE')}", Tone.AT_RISK, style)
        for gap in gaps:
            score = f" {gap.cve.cvss}" if gap.cve.cvss is not None else ""
            marks = ", exploited" if gap.cve.exploited else ""
            closed = ", ".join(each.name for each in gap.closed_by) or "nothing yet"
            output.line(f"    {gap.cve.id} {gap.cve.severity}{score}{marks}: {gap.cve.title}; closed by {closed}")
    output.line()


@click.command(cls=Command)
@click.option(
    "--platform",
    type=PLATFORM,
    metavar="NAME",
    help="Only this platform: win11-24h2, win11-25h2, server-2025, server-2022.",
)
@click.option("--year", type=click.IntRange(_FIRST_YEAR, _LAST_YEAR), metavar="YEAR", help="Instead of this year.")
@click.option("--ics", "as_ics", is_flag=True, help="Print it for calendar programs (RFC 5545).")
@session_of
def calendar(session: Session, platform: str | None, year: int | None, as_ics: bool) -> int:
    """The year by platform: what each month was planned as and what was published, and which months restart."""
    if as_ics and session.as_json:
        raise BadInput("--ics and --json exclude each other.", "", "Choose one.")
    wanted = [Platform(platform)] if platform else list(Platform)
    with session.engine() as engine:
        now = engine.now()
        shown_year = year or now.year
        plans = {each: engine.reads.releases.year_plan(each, shown_year) for each in wanted}
        if as_ics:
            from engine.catalog.ics import calendar_ics

            both = (plan for each in plans.values() for plan in each)
            output.raw(calendar_ics(both, now).decode("utf-8"))
            return ExitCode.DONE
        nexts = {each: engine.reads.releases.next_baseline(each) for each in wanted}
        if session.as_json:
            output.document([_year(each, shown_year, plans[each], nexts[each]) for each in wanted])
            return ExitCode.DONE
        for each in wanted:
            output.heading(f"{each.label} {shown_year}", session.style)
            output.table(CALENDAR, plans[each], now, session.style)
            output.line(_restart_words(plans[each]))
            output.line(f"Next baseline: {text.moment_long(nexts[each])}, {text.until(nexts[each], now)}.")
            output.line()
    return ExitCode.DONE


def _year(
    platform: Platform, year: int, plans: tuple[MonthPlan, ...], next_baseline: datetime | None
) -> dict[str, object]:
    return {
        "platform": platform,
        "year": year,
        "next_baseline": next_baseline,
        "restarts": count_restarts(plans),
        "months": plans,
    }


def _restart_words(plans: tuple[MonthPlan, ...]) -> str:
    count = count_restarts(plans)
    return (
        f"Restarts on the hotpatch track: {count.so_far} so far, {count.expected} expected in the year; "
        f"every month's LCU makes {count.ordinary_so_far} and {count.ordinary}."
    )
