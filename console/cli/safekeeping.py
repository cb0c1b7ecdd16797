"""Commands that keep the state safe and small: backup, the way back, deleting old history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.session import ChangeCommand, Command, Session, session_of
from console.text import Tone
from engine.model.errors import Refused

if TYPE_CHECKING:
    from engine.safekeeping.backup import Examined

_WORTH_COMPACTING = 50_000_000
"""Bytes."""


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
@session_of
def backup(session: Session, file: Path, force: bool) -> int:
    """Copy the state into FILE as it is at this moment, while consoles go on working on it.

    The copy is read again, every page and every audit record, before it gets its name. Only you may read it. Ends
    with 3 when the audit in it does not hold: the copy is made all the same, as evidence.
    """
    if session.dry_run:
        raise Refused("No backup was made.", "It cannot be tried with --dry-run.", "Leave it out.")
    with session.engine() as engine:
        found = engine.backup(file, force=force, on_progress=_show_progress)
    diagnostics.progress_line("")
    if session.as_json:
        output.document({"file": str(file), **documents.document(found)})
    else:
        output.line(f"Wrote {_words(found)} to {file}.", Tone.OK, session.style)
        if found.audit.broken is None:
            output.line(f"Last audit record and hash: {found.audit.head}")
    return _judge_audit(session, found)


@click.command(cls=ChangeCommand)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@click.option("--force", is_flag=True, help="Restore it although its audit does not hold.")
@session_of
def restore(session: Session, file: Path, reason: str, force: bool) -> int:
    """Make the backup FILE the state again. What is there now is kept beside it, as STATE.before-restore.

    Refused while a console or another command has the state open. The audit of the restored state tells of it.
    """
    from engine.safekeeping.backup import examine_backup
    from engine.safekeeping.backup import restore as bring_back

    state = session.path()
    found = examine_backup(file, _show_progress, force=force)
    diagnostics.progress_line("")
    if session.dry_run:
        _tell_plan(session, file, state, found)
        return ExitCode.DONE
    if not _agreed(session, file, state, found):
        diagnostics.note("Nothing was changed.")
        return ExitCode.FAILED
    done = bring_back(
        file,
        state,
        session.actor(),
        session.role,
        read_only=session.read_only,
        reason=reason,
        force=force,
        on_progress=_show_progress,
    )
    diagnostics.progress_line("")
    aside = str(done.aside) if done.aside is not None else None
    if session.as_json:
        told = {
            "done": True,
            "state": str(state),
            "kept_as": aside,
            "audit_record": done.seq,
            **documents.document(done.found),
        }
        output.document(told)
    else:
        output.line(f"Done: {state} is what {file} holds, {_words(done.found)}.", Tone.OK, session.style)
        if aside is not None:
            output.line(f"What was there is kept as {aside}.")
    return _judge_audit(session, done.found)


def _judge_audit(session: Session, found: Examined) -> ExitCode:
    if found.audit.broken is None:
        return ExitCode.DONE
    if not session.as_json:
        why = f"The audit in it does not hold: {found.audit.broken.why}. Look into that: hotpatch audit verify"
        output.line(why, Tone.FAILED, session.style)
    return ExitCode.ATTENTION


@click.command(cls=ChangeCommand)
@click.option("--compact", is_flag=True, help="Give the free space back to the disk; others cannot write meanwhile.")
@session_of
def prune(session: Session, compact: bool) -> int:
    """Delete finished history that is older than policy keeps it, now instead of bit by bit while work is driven.

    Open failures, current releases, the last installs of each device and the whole audit stay. Set the period with:
    hotpatch policy set --keep-history "13 months"
    """
    with session.engine() as engine:
        done = engine.prune(dry_run=session.dry_run, compact=compact, on_progress=_show_counts)
    diagnostics.progress_line("")
    if session.as_json:
        output.document(
            {
                "done": done.done,
                "kept_from": done.kept_from.date().isoformat(),
                "deleted": {name.replace(" ", "_"): count for name, count in done.counts.items()},
                "reusable_bytes": done.reusable_bytes,
            }
        )
        return ExitCode.DONE
    would = "Deleted" if done.done else "Would delete"
    told = ", ".join(f"{text.count(count)} {kind}" for kind, count in done.counts.items())
    output.line(f"{would} from before {done.kept_from:%Y-%m-%d}: {told}.", Tone.OK, session.style)
    if done.reusable_bytes > _WORTH_COMPACTING:
        free = f"{done.reusable_bytes / 1_000_000:,.0f} MB"
        diagnostics.note(
            f"{free} inside the file are free for what comes next. Give them back: hotpatch prune --compact"
        )
    return ExitCode.DONE


def _show_counts(deleted: int) -> None:
    diagnostics.progress_line(f"{text.count(deleted)} rows")


def _agreed(session: Session, file: Path, state: Path, found: Examined) -> bool:
    if session.yes:
        return True
    if not diagnostics.can_ask():
        raise Refused(
            "Nothing is restored.",
            "It replaces everything that was decided since, and there is nobody to ask.",
            "Look at it with --dry-run, then say --yes.",
        )
    diagnostics.notes(_plan_lines(file, state, found))
    return diagnostics.ask("Go on? [y/N]").casefold() in ("y", "yes")


def _tell_plan(session: Session, file: Path, state: Path, found: Examined) -> None:
    if session.as_json:
        output.document({"done": False, "state": str(state), **documents.document(found)})
    else:
        for line in _plan_lines(file, state, found):
            output.line(line)


def _plan_lines(file: Path, state: Path, found: Examined) -> list[str]:
    lines = [f"Restore {state} from {file}", f"  - The backup holds {_words(found)}."]
    if state.exists():
        lines.append(f"  - What is there now is kept as {state}.before-restore, with everything decided since.")
    return lines


def _show_progress(what: str, done: int, whole: int) -> None:
    how_far = text.share(done, whole) if whole else (text.count(done) if done else "")
    diagnostics.progress_line(f"{what} {how_far}".rstrip())


def _words(found: Examined) -> str:
    devices, records = text.plural(found.devices, "device"), text.plural(found.audit.records, "audit record")
    return f"{devices} and {records}, {found.bytes / 1_000_000:.1f} MB"
