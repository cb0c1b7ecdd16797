"""The command `reconcile`: what scanners report, sorted by what the fleet proves; and the exception list of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.session import Command, Session, session_of
from console.columns.findings import FINDINGS, verdict_severity, why_words
from console.exception_list import EXCEPTED, check_exceptions, write_exceptions
from console.text import Tone
from engine.files.moments import DateOrder, read_moment
from engine.model.errors import BadInput
from engine.rules.findings import VERDICT_WORDS, FindingVerdict

if TYPE_CHECKING:
    from console.columns import Column
    from engine import Engine
    from engine.evidence.scanners import Reconciliation, ScanTally
    from engine.rules.findings import FindingVerdict, Reconciled

_SHOWN_OPEN = 20
_SHOWN_MOST = 1_000
_SHOWN_BAD = 20
_TELL_EVERY = 5_000
_VERDICTS = ("true", "false-positive", "fixed-since-scan", "unknown-device", "not-servicing")


@click.command(cls=Command)
@click.argument("scans", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SCAN...")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write an exception list: .csv or .json.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([*_VERDICTS, "all"]),
    help="Show or write these verdicts. Without it a list holds false-positive and fixed-since-scan.",
)
@click.option("--scanned-at", default="", metavar="TIME", help="When the scan ran, where its file does not tell.")
@click.option(
    "--dates",
    type=click.Choice(["day-first", "month-first"]),
    help="What comes first in 5/6/2026, where the file does not show it.",
)
@click.option("--force", is_flag=True, help="Replace FILE when it is there already.")
@session_of
def reconcile(
    session: Session,
    scans: tuple[Path, ...],
    out: Path | None,
    only: tuple[str, ...],
    scanned_at: str,
    dates: str | None,
    force: bool,
) -> int:
    """Tell a scanner's false findings from true ones: CSV exports of Nessus, Qualys, Microsoft Defender, or its JSON.

    A finding is a false positive where the device's hotpatches, its baseline or an installed standalone KB close the
    CVE, with KB, build, twin and date as proof. Ends with 3 when findings are true or lines could not be read.
    """
    orders = {"day-first": DateOrder.DAY_FIRST, "month-first": DateOrder.MONTH_FIRST}
    paths = [path.expanduser() for path in scans]
    target = out.expanduser() if out is not None else None
    with session.engine() as engine:
        if target is not None:
            check_exceptions(engine, target, force=force)
        order = orders.get(dates or "")
        with engine.reconcile(paths, scanned_at=_moment(scanned_at, order), dates=order) as run:
            code = _carry_out(session, engine, run, only, target, force=force)
    return code


def _carry_out(
    session: Session, engine: Engine, run: Reconciliation, only: tuple[str, ...], target: Path | None, *, force: bool
) -> int:
    wanted = _verdicts(only)
    if target is not None:
        _write_list(session, engine, run, wanted, target, force=force)
    elif session.as_json:
        _stream(run, _told(run), wanted)
        diagnostics.progress_line("")
    elif wanted and session.style.plain:
        output.table(
            _columns(), (row for row in _told(run) if row.judgement.verdict in wanted), engine.now(), session.style
        )
        diagnostics.progress_line("")
    else:
        _show(session, engine, run, wanted)
    _tell_bad(run.tally)
    return _code(run.tally)


def _write_list(
    session: Session,
    engine: Engine,
    run: Reconciliation,
    wanted: frozenset[FindingVerdict],
    target: Path,
    *,
    force: bool,
) -> None:
    written = write_exceptions(
        engine, target, _told(run), wanted or EXCEPTED, counts=run.tally.verdicts, scans=run.names, force=force
    )
    diagnostics.progress_line("")
    if session.as_json:
        output.document({**documents.document(run.tally), "out": str(target), "written": written})
        return
    _tell(session, run.tally)
    output.line(f"Wrote {text.plural(written, 'finding')} to {target.name}; the audit has a record of it.")


def _show(session: Session, engine: Engine, run: Reconciliation, wanted: frozenset[FindingVerdict]) -> None:
    """The counts, then the findings that were asked for; those that are still open where none were."""
    verdicts, most = (wanted, _SHOWN_MOST) if wanted else (frozenset({FindingVerdict.TRUE}), _SHOWN_OPEN)
    shown: list[Reconciled] = []
    for finding in _told(run):
        if len(shown) < most and finding.judgement.verdict in verdicts:
            shown.append(finding)
    diagnostics.progress_line("")
    _tell(session, run.tally)
    if shown:
        output.line()
        output.table(_columns(), shown, engine.now(), session.style)
    more = sum(run.tally.verdicts[verdict] for verdict in verdicts) - len(shown)
    if more:
        diagnostics.note(f"and {text.count(more)} more; --json prints all, --out FILE writes them")


def _columns() -> tuple[Column[Reconciled], ...]:
    return FINDINGS


def _verdicts(only: tuple[str, ...]) -> frozenset[FindingVerdict]:
    return frozenset(FindingVerdict) if "all" in only else frozenset(map(FindingVerdict, only))


def _moment(told: str, order: object) -> datetime | None:
    """The time of --scanned-at.

    Raises:
        BadInput: it is none.
    """
    if not told.strip():
        return None
    try:
        return read_moment(told, order if isinstance(order, DateOrder) else DateOrder.UNKNOWN)
    except ValueError as error:
        raise BadInput("--scanned-at must be a time.", f"{error}.", "For example: --scanned-at 2026-05-12") from error


def _told(run: Reconciliation) -> Iterator[Reconciled]:
    """The findings, with a line of progress on the terminal."""
    for number, finding in enumerate(run):
        if number % _TELL_EVERY == 0:
            share = text.share(run.position, run.size)
            diagnostics.progress_line(f"{text.count(number)} findings, {share} of the files")
        yield finding


def _stream(run: Reconciliation, findings: Iterable[Reconciled], wanted: frozenset[FindingVerdict]) -> None:
    """One JSON document, written as the findings come; what was counted stands at its end."""
    before = '{\n"findings": [\n'
    for each in findings:
        if not wanted or each.judgement.verdict in wanted:
            output.raw(before + json.dumps(documents.document(each), ensure_ascii=True))
            before = ",\n"
    output.raw('{\n"findings": [' if before.startswith("{") else "\n")
    summary = json.dumps(documents.document(run.tally), ensure_ascii=True, indent=2)
    output.raw(f"],\n{summary.removeprefix('{').lstrip()}\n")


def _tell(session: Session, tally: ScanTally) -> None:
    for each in tally.files:
        at = text.moment_long(each.scanned_at)
        output.line(
            f"{each.file}: {each.form}, {text.plural(each.rows, 'row')}; scanned {at} by {each.scanned_at_source}"
        )
    output.line(text.plural(tally.findings, "finding"))
    for verdict in FindingVerdict:
        number = tally.verdicts[verdict]
        severity = verdict_severity(verdict) if number else Tone.NONE
        output.line(f"{VERDICT_WORDS[verdict]}: {text.count(number)}", severity, session.style)
    if tally.reasons:
        words = (f"{why_words(why)} {text.count(number)}" for why, number in tally.reasons.most_common())
        output.line(f"why: {', '.join(words)}")


def _tell_bad(tally: ScanTally) -> None:
    for bad in tally.bad[:_SHOWN_BAD]:
        place = f"{bad.file}, line {bad.line}{f', {bad.field}' if bad.field else ''}"
        diagnostics.note(f"{place}: {text.clean(bad.reason)}")
    if tally.bad_count > _SHOWN_BAD:
        diagnostics.note(f"and {text.count(tally.bad_count - _SHOWN_BAD)} more lines; --json lists them")


def _code(tally: ScanTally) -> ExitCode:
    needs_somebody = tally.verdicts[FindingVerdict.TRUE] or tally.bad_count
    return ExitCode.ATTENTION if needs_somebody else ExitCode.DONE
