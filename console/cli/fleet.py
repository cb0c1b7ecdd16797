"""Commands about the fleet: the list of devices, readiness over all of them, saved views."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from console import columns, data_ages, text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.filtering import FilterCommand, filter_text
from console.cli.lines import lines
from console.cli.lists import VIEWS
from console.cli.session import Command, Session, session_of
from console.cli.sums import totals
from console.columns import Cell, Column
from engine.model.errors import BadInput, NotFound, nearest
from engine.model.records.fleet import DeviceQuery

if TYPE_CHECKING:
    from engine import Engine
    from engine.model.filters import View

TABLE_LIMIT = 1_000
"""Rows of a table that nobody limited; JSON and CSV are whole."""


@click.command(cls=FilterCommand)
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@click.option("--view", metavar="NAME", help="A saved filter as well; see: hotpatch views")
@click.option("--sort", "sort_key", default="name", metavar="KEY", help="name, user, ring, state, seen ...; -KEY down.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    metavar="N",
    help=f"Rows; 0 is all. A table stops at {TABLE_LIMIT:,} unless told.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, safe to open in a spreadsheet.")
@session_of
def devices(
    session: Session, words: tuple[str, ...], view: str | None, sort_key: str, limit: int | None, as_csv: bool
) -> int:
    """Devices that a filter matches, for example: ring:broad state:failed -ready user:alice

    Words are ANDed; field:value, field!=value, field<value, -field:value; bare words search name and user. Quote
    values that hold signs of the shell: 'build<26100.8390'. A wrong field says which fields exist.
    """
    if as_csv and session.as_json:
        raise BadInput("--csv and --json exclude each other.", "", "Choose one.")
    query = _query(words, view, sort_key, session)
    with session.engine() as engine:
        rows = engine.reads.devices.each(query)
        if session.as_json:
            as_of = documents.as_of(engine.reads.tenants.ages())
            output.array(lines(islice(rows, limit or None), "as_of", lambda row: as_of.get(row.tenant)))
        elif as_csv:
            from console.export import csv_lines

            for line in csv_lines(columns.DEVICES, islice(rows, limit or None), engine.now()):
                output.raw(line)
        else:
            _table(session, engine, query, limit)
    return ExitCode.DONE


def _query(words: tuple[str, ...], view: str | None, sort_key: str, session: Session) -> DeviceQuery:
    from engine.store.walk import SORT_KEYS

    parts = [_view(view, session).filter] if view is not None else []
    parts.append(filter_text(words))
    descending = sort_key.startswith("-")
    key = sort_key.removeprefix("-")
    if key not in SORT_KEYS:
        near = nearest(key, SORT_KEYS)
        hint = f"Did you mean {', '.join(near)}? " if near else ""
        raise BadInput(f"Devices cannot be sorted by {key!r}.", "", f"{hint}Keys are: {', '.join(SORT_KEYS)}.")
    return DeviceQuery(" ".join(parts), key, descending)


def _table(session: Session, engine: Engine, query: DeviceQuery, limit: int | None) -> None:
    most = TABLE_LIMIT if limit is None else limit
    rows = list(islice(engine.reads.devices.each(query), most or None))
    output.table(columns.DEVICES, rows, engine.now(), session.style)
    diagnostics.notes(data_ages.notes(engine.reads.tenants.ages(), (each.tenant for each in rows), engine.now()))
    total = engine.reads.devices.total(query) if most and len(rows) == most else len(rows)
    if total > len(rows):
        diagnostics.note(f"{len(rows):,} of {total:,} devices. All of them: --limit 0")
    else:
        diagnostics.note(text.plural(total, "device"))


# --- the fleet --------------------------------------------------------------------------------------

_SHARES: tuple[Column[tuple[str, int, int]], ...] = (
    Column("what", "What", 28, lambda row, _: Cell(row[0])),
    Column("devices", "Devices", 9, lambda row, _: Cell(text.count(row[1])), "right"),
    Column("share", "Share", 7, lambda row, _: Cell(text.share(row[1], row[2])), "right"),
)


@click.command(cls=Command)
@session_of
def readiness(session: Session) -> int:
    """Where devices are lost on the way to hotpatches: eligible, enrolled, ready; and for which reasons."""
    with session.engine() as engine:
        found = totals(engine.reads.devices.counts())
        reasons = _reasons(engine)
        if session.as_json:
            output.document(
                {
                    "devices": found.devices,
                    "funnel": found.funnel,
                    "verdicts": found.verdicts,
                    "platforms": found.platforms,
                    "reasons": [{"reason": reason, "devices": count} for reason, count in reasons],
                }
            )
            return ExitCode.DONE
        total = found.devices
        rows = [(name, count, total) for name, count in found.funnel.items()]
        rows += [(text.words(name), count, total) for name, count in found.verdicts.items() if name != "ready"]
        output.table(_SHARES, rows, engine.now(), session.style)
        if reasons:
            output.line()
            output.heading("Reasons", session.style)
            output.table(_SHARES, [(name, count, total) for name, count in reasons], engine.now(), session.style)
    return ExitCode.DONE


def _reasons(engine: Engine) -> list[tuple[str, int]]:
    """Why devices are not ready, the commonest first; a device may have several reasons."""
    found: dict[str, int] = {}
    for row in engine.reads.devices.each(DeviceQuery("readiness:not-ready,unknown")):
        for reason in row.reasons:
            found[reason] = found.get(reason, 0) + 1
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


@click.command(cls=Command)
@session_of
def views(session: Session) -> int:
    """Saved filters: those that everybody has, and those in the configuration file."""
    found = _views(session)
    if session.as_json:
        output.document(found)
    else:
        from engine.model.clock import SystemClock

        output.table(VIEWS, found, SystemClock().now(), session.style)
    return ExitCode.DONE


def _views(session: Session) -> list[View]:
    from engine.model.filters import VIEWS as BUILT_IN
    from engine.model.filters import View

    own = session.settings.views if session.settings is not None else {}
    return [*BUILT_IN, *(View(name, "From the configuration file", words) for name, words in own.items())]


def _view(name: str, session: Session) -> View:
    known = {each.name.casefold(): each for each in _views(session)}
    if name.casefold() not in known:
        raise NotFound(f"There is no view {name!r}.", nearest(name, known), "List them with: hotpatch views")
    return known[name.casefold()]
