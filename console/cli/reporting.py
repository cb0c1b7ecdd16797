"""The command `report`: compliance, readiness, cost and activity for people outside the console, in five formats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.session import Command, Session, session_of
from console.reports.making import ENDINGS, KINDS, Made, ReportRequest, lines, make, open_table, own_rates
from engine.model.errors import BadInput, NotFound, nearest

if TYPE_CHECKING:
    from console.reports.model import ReportTable, Stream

_FORMATS = ("html", "md", "csv", "json", "table")
_STDOUT = Path("-")
_TELL_EVERY = 5_000


def _kind(context: click.Context, _: click.Parameter, value: str) -> str:  # noqa: ARG001 - click's shape
    if value.casefold() in KINDS:
        return value.casefold()
    known = ", ".join(KINDS)
    raise NotFound(f"There is no report {value!r}.", nearest(value, KINDS), f"The reports are: {known}.")


@click.command(cls=Command)
@click.argument("kind", callback=_kind, metavar="KIND")
@click.option("--from", "begins", default="", metavar="WHEN", help="First month or day: 2026-03, 2026-03-15.")
@click.option("--to", "ends", default="", metavar="WHEN", help="Last month or day; else now.")
@click.option("--filter", default="", metavar="F", help="Devices; for activity decisions, as on the activity screen.")
@click.option("--format", type=click.Choice(_FORMATS), help="Else the file's ending says; else a table.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write there; - is standard output.")
@click.option("--table", "table_name", default="", metavar="NAME", help="Only this table, as CSV; all its rows.")
@click.option("--force", is_flag=True, help="Replace FILE when it is there already.")
@session_of
def report(
    session: Session,
    kind: str,
    begins: str,
    ends: str,
    filter: str,
    format: str | None,
    out: Path | None,
    table_name: str,
    force: bool,
) -> int:
    """compliance, readiness, cost or activity, for people outside the console.

    As one HTML file that prints well, Markdown, CSV that spreadsheets and Import-Csv open, JSON, or a table here.
    The figures are the same in every format. CSV is a list of single values; --table NAME gives one table in its own
    shape, devices and decisions with all their rows. Ends with 3 when the audit's chain does not hold.
    """
    chosen = _format(session, format, out, table_name)
    request = ReportRequest(kind, begins, ends, filter, own_rates(session.settings))
    target = None if out in (None, _STDOUT) else out
    if target is not None:
        from console.files import check_target

        check_target(target.expanduser(), state=session.path(), force=force)
    with session.engine() as engine:
        if table_name:
            table = open_table(engine, request, table_name, _progress)
            _write(session, target, _told(_csv(table, to_file=target is not None)), force=force)
            return ExitCode.DONE
        made = make(engine, request, _progress)
        diagnostics.progress_line("")
        if chosen == "table":
            from console.cli.report_text import show

            show(made.report, session.style)
        else:
            _write(session, target, _pieces(made, chosen, to_file=target is not None), force=force)
    return _code(made)


def _format(session: Session, format: str | None, out: Path | None, table_name: str) -> str:
    """The format that options and the file's name agree on.

    Raises:
        BadInput: they do not agree, or the name's ending says nothing.
    """
    if session.as_json and format not in (None, "json"):
        raise BadInput(f"--json and --format {format} exclude each other.", "", "Choose one.")
    chosen = "json" if session.as_json else format
    if table_name:
        if chosen not in (None, "csv"):
            raise BadInput("--table is for CSV.", "", "Leave the other format away.")
        return "csv"
    if chosen is None and out is not None and out != _STDOUT:
        chosen = {**ENDINGS, ".json": "json"}.get(out.suffix.lower())
        if chosen is None:
            raise BadInput(
                "The file's name does not say what it is to be.",
                "",
                "Let it end in .html, .md, .csv or .json, or name the format with --format.",
                file=str(out),
            )
    if chosen == "table" and out not in (None, _STDOUT):
        raise BadInput("A table is for the terminal.", "", "For a file take html, md, csv or json.")
    return chosen or "table"


def _pieces(made: Made, format: str, *, to_file: bool) -> Iterator[str]:
    if format == "json":
        return iter([json.dumps(document(made), ensure_ascii=True, indent=2, allow_nan=False), "\n"])
    if format == "csv":
        from console.reports.csv import BYTE_ORDER_MARK

        return chain([BYTE_ORDER_MARK] if to_file else [], lines(made.report, format))
    return lines(made.report, format)


def document(made: Made) -> documents.Document:
    """One document: which report, where it comes from, then the report's own keys."""
    origin = documents.document(made.report.origin)
    return {"report": made.report.kind, "origin": origin, **documents.document(made.found)}


def _csv(table: ReportTable | Stream, *, to_file: bool) -> Iterator[str]:
    from console.reports.csv import BYTE_ORDER_MARK, table_lines

    return chain([BYTE_ORDER_MARK] if to_file else [], table_lines(table))


def _told(pieces: Iterable[str]) -> Iterator[str]:
    """The same pieces, with a word about them now and then."""
    for number, piece in enumerate(pieces):
        if number and number % _TELL_EVERY == 0:
            diagnostics.progress_line(f"{text.count(number)} rows")
        yield piece


def _write(session: Session, target: Path | None, pieces: Iterable[str], *, force: bool) -> None:
    if target is None:
        output.as_utf8()
        for piece in pieces:
            output.raw(piece)
        diagnostics.progress_line("")
        return
    from console.files import write_whole

    write_whole(target.expanduser(), pieces, state=session.path(), force=force)
    diagnostics.progress_line("")
    diagnostics.note(f"Wrote {target}.")


def _progress(what: str, done: int, whole: int) -> None:
    part = text.share(done, whole) if whole else text.count(done)
    diagnostics.progress_line(f"{what}: {part}")


def _code(made: Made) -> ExitCode:
    chain_state = getattr(made.found, "chain", None)
    return ExitCode.ATTENTION if chain_state is not None and chain_state.broken is not None else ExitCode.DONE
