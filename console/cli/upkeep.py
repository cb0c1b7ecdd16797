"""Commands that look after things: doctor, catalog import and sync."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, output
from console.cli.checkup import DoctorCheck, Result, examine
from console.cli.diagnostics import ExitCode
from console.cli.session import Command, Session, session_of
from console.columns import Cell, Column
from console.text import Tone
from engine.model.errors import Refused

if TYPE_CHECKING:
    from engine.catalog import Changes
    from engine.catalog.sync import Progress

# --- doctor -----------------------------------------------------------------------------------------

_RESULTS = {Result.OK: Tone.OK, Result.ATTENTION: Tone.AT_RISK, Result.NOTE: Tone.NONE}
_FINDINGS: tuple[Column[DoctorCheck], ...] = (
    Column("check", "Check", 14, lambda row, _: Cell(row.check)),
    Column("result", "Result", 11, lambda row, _: Cell(row.result, _RESULTS[row.result])),
    Column("found", "Found", 30, lambda row, _: Cell(row.found), grow=2),
    Column("fix", "To do", 24, lambda row, _: Cell(row.fix), grow=1),
)


@click.command(cls=Command)
@session_of
def doctor(session: Session) -> int:
    """Check the program and its state file: Python, terminal, settings, lease, audit, catalog. 3: look at it."""
    from engine.model.clock import SystemClock

    findings = examine(session)
    if session.as_json:
        output.document(
            {
                "ok": all(each.result is not Result.ATTENTION for each in findings),
                "checks": findings,
            }
        )
    elif output.is_terminal() and not session.plain:
        for each in findings:
            output.line(f"{each.check}: {each.found}", _RESULTS[each.result], session.style)
            if each.fix:
                output.line(f"    To do: {each.fix}")
    else:
        output.table(_FINDINGS, findings, SystemClock().now(), session.style)
    ill = any(each.result is Result.ATTENTION for each in findings)
    return ExitCode.ATTENTION if ill else ExitCode.DONE


# --- catalog ----------------------------------------------------------------------------------------


@click.group()
def catalog() -> None:
    """Keep the catalog of Microsoft's releases current, from its service or from files."""


@catalog.command("import", cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@session_of
def import_files(session: Session, files: tuple[Path, ...]) -> int:
    """Take in CVRF documents (.xml, .xml.gz) or folders of them. Ends with 3 when one could not be used."""
    _check_may_write(session)
    with session.engine(create=True) as engine:
        return _tell_changes(session, engine.import_catalog(files))


@catalog.command(cls=Command)
@click.option("--base-url", metavar="URL", help="A mirror, instead of Microsoft's service.")
@click.option("--since", default="", metavar="MONTH", help="The first month to fetch, like 2025-01.")
@session_of
def sync(session: Session, base_url: str | None, since: str) -> int:
    """Fetch what Microsoft has published or revised. Ends with 3 when the service showed a fault.

    A proxy is taken from HTTPS_PROXY. Nothing that the service gets wrong removes what is known.
    """
    from engine.catalog.sync import DEFAULT_BASE_URL, SyncSettings

    _check_may_write(session)
    settings = SyncSettings(base_url=base_url or DEFAULT_BASE_URL, since=since)
    with session.engine(create=True) as engine:
        changes = engine.sync_catalog(settings, _show_progress)
        diagnostics.progress_line("")
        return _tell_changes(session, changes)


def _check_may_write(session: Session) -> None:
    if session.read_only:
        raise Refused("The catalog is not changed.", "--read-only refuses every change.", "Leave it out.")
    if session.dry_run:
        raise Refused("The catalog is not changed.", "It cannot be tried with --dry-run.", "Leave it out.")


def _show_progress(progress: Progress) -> None:
    size = f", {progress.received / 1_000_000:.1f} MB" if progress.received else ""
    diagnostics.progress_line(f"{progress.month or 'index'}, {progress.done} of {progress.total} documents{size}")


def _tell_changes(session: Session, changes: Changes) -> int:
    if session.as_json:
        output.document(changes)
    else:
        for release in changes.new:
            output.line(
                f"New: {release.name} for {release.platform.label}, {release.kind}, {text.build(release.build)}"
            )
        for each in changes.revised:
            output.line(f"Revised: {each.after.name} for {each.after.platform.label}")
        counts = (
            (len(changes.new_documents), "document", "new"),
            (len(changes.revised_documents), "document", "revised"),
            (len(changes.unchanged_documents), "document", "unchanged"),
            (changes.new_fixes, "fix", "new"),
            (len(changes.new_cves), "CVE", "new"),
            (len(changes.revised_cves), "CVE", "revised"),
        )
        said = [f"{text.plural(n, noun, 'fixes' if noun == 'fix' else '')} {word}" for n, noun, word in counts if n]
        output.line(f"{', '.join(said) or 'Nothing to take in'}.")
    for fault in changes.faults:
        diagnostics.note(f"{fault.subject}: {fault.message}")
    return ExitCode.ATTENTION if changes.faults else ExitCode.DONE
