"""The command `import`: devices from a file or from a tenant into the fleet; a dry run tells what would change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, output
from console.cli.diagnostics import ExitCode
from console.cli.session import Command, Session, session_of
from console.text import Tone
from engine.model.errors import BadInput, NotOffered, ProviderError

if TYPE_CHECKING:
    from engine.fleet.takeover import ImportDifference, ImportReport
    from engine.tenants.pull import PullProgress

_SHOWN_BAD_ROWS = 20


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@click.option("--from", "provider", metavar="NAME", help="Pull from this provider instead of reading a file.")
@click.option("--strict", is_flag=True, help="Take nothing when one row is bad.")
@click.option("--remove-gone", is_flag=True, help="Remove devices of earlier imports that are not named any more.")
@click.option(
    "--dates",
    type=click.Choice(["day-first", "month-first"]),
    help="What comes first in 5/6/2026, where the file does not show it.",
)
@session_of
def import_devices(
    session: Session, file: Path | None, provider: str | None, strict: bool, remove_gone: bool, dates: str | None
) -> int:
    """Bring devices in from CSV, JSON or Intune's device export, or from a tenant with --from.

    The same twice changes nothing; --dry-run tells what would change. What a row does not tell stays as it is. A pull
    that was broken off goes on where it was. Ends with 3 when rows could not be read, or the tenant would not tell all.
    """
    if (file is None) == (provider is None):
        raise BadInput(
            "Name a file, or a provider with --from.", "One of them, not both.", "hotpatch import --from corp"
        )
    if provider is not None:
        if strict or dates:
            raise BadInput("--strict and --dates are about files.", "A tenant writes times in one way only.")
        report = _pull(session, provider, remove_gone=remove_gone)
    else:
        assert file is not None
        report = _read(session, file, strict=strict, remove_gone=remove_gone, dates=dates)
    if session.as_json:
        output.document(report)
    else:
        _tell(session, report)
    return ExitCode.ATTENTION if report.bad_count or report.faults else ExitCode.DONE


def _read(session: Session, file: Path, *, strict: bool, remove_gone: bool, dates: str | None) -> ImportReport:
    from engine.files.devices import DateOrder

    orders = {"day-first": DateOrder.DAY_FIRST, "month-first": DateOrder.MONTH_FIRST}
    with session.engine(create=not session.dry_run) as engine:
        report = engine.import_devices(
            file,
            dry_run=session.dry_run,
            strict=strict,
            remove_gone=remove_gone,
            dates=orders.get(dates or ""),
            progress=_show_progress,
        )
        diagnostics.progress_line("")
    return report


def _pull(session: Session, provider: str, *, remove_gone: bool) -> ImportReport:
    def show(progress: PullProgress) -> None:
        many = f" of {text.count(progress.total)}" if progress.total else ""
        diagnostics.progress_line(f"{provider}: {progress.stage} {text.count(progress.done)}{many}")

    with session.engine() as engine:
        try:
            return asyncio.run(
                engine.import_from(provider, dry_run=session.dry_run, remove_gone=remove_gone, progress=show)
            )
        except NotOffered:
            raise
        except (KeyboardInterrupt, ProviderError):
            diagnostics.progress_line("")
            diagnostics.note("What has been read is kept: the same command goes on where it stopped.")
            raise
        finally:
            diagnostics.progress_line("")


def _show_progress(rows: int, position: int, size: int) -> None:
    diagnostics.progress_line(f"{text.count(rows)} rows, {text.share(position, size)} of the file")


def _tell(session: Session, report: ImportReport) -> None:
    would = "" if report.done else "would be "
    output.line(f"{text.plural(report.rows, 'device')} in {report.form}", Tone.NONE, session.style)
    for verb, each in (("added", report.added), ("changed", report.changed)):
        output.line(f"{would}{verb}: {_with_names(each)}", Tone.NONE, session.style)
    for fact, devices in report.changed_facts:
        output.line(f"    {text.words(fact)}: {text.plural(devices, 'device')}")
    if report.gone.devices:
        fate = f"{would}removed" if report.removed else "kept; --remove-gone removes them"
        output.line(f"not named any more: {_with_names(report.gone)} ({fate})", Tone.DUE, session.style)
    if report.skipped:
        output.line(f"left out: {text.plural(report.skipped, 'row')} about something that is no Windows device")
    for fault in report.faults:
        output.line(f"not told: {text.clean(fault)}", Tone.AT_RISK, session.style)
    if report.unknown_columns:
        output.line(f"not read: {', '.join(map(text.clean, report.unknown_columns))}")
    if report.bad_count:
        output.line(f"bad: {text.plural(report.bad_count, 'row')}", Tone.FAILED, session.style)
    for bad in report.bad[:_SHOWN_BAD_ROWS]:
        diagnostics.note(f"line {bad.line}{f', field {bad.field}' if bad.field else ''}: {text.clean(bad.reason)}")
    if report.bad_count > _SHOWN_BAD_ROWS:
        diagnostics.note(f"and {text.count(report.bad_count - _SHOWN_BAD_ROWS)} more; --json lists them")


def _with_names(each: ImportDifference) -> str:
    names = ", ".join(map(text.clean, each.sample))
    more = " …" if each.devices > len(each.sample) else ""
    return text.plural(each.devices, "device") + (f" ({names}{more})" if names else "")
