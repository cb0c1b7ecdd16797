"""Commands about the audit: verify the chain, here or in an exported file, and export it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from console import text
from console.cli import diagnostics, documents, output
from console.cli.changing import utc_moment
from console.cli.diagnostics import ExitCode
from console.cli.session import Command, Session, session_of
from console.text import Tone
from data import packaged
from engine.model.errors import BadInput

if TYPE_CHECKING:
    from engine.model.audit import AuditCheck, Head

_OUTSIDE = "Only a copy of this hash kept elsewhere proves that nothing was cut off or written anew. Check against it:"


@click.group()
def audit() -> None:
    """The chained record of every decision. Read it with: hotpatch activity"""


@audit.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True), metavar="[FILE]")
@click.option("--head", "head_text", default="", metavar="SEQ:HASH", help="A hash that was kept elsewhere.")
@session_of
def verify(session: Session, file: Path | None, head_text: str) -> int:
    """Check that no audit record was changed, removed, moved or put in between. Ends with 3 when one was.

    Looks at the state file, or at FILE as `audit export` has written it. Whoever can write a file can write a new
    chain into it: a number and hash that you kept elsewhere, given as --head, find that too.
    """
    outside = _head(head_text)
    if file is None:
        with session.engine() as engine:
            check = engine.reads.activity.audit_check(outside, _show_progress)
    else:
        from engine.safekeeping.audit_lines import read_lines, verify_lines

        with _reading(file) as opened:
            check = verify_lines(read_lines(opened), outside, _show_progress)
    diagnostics.progress_line("")
    if session.as_json:
        output.document(check)
    else:
        _tell(session, check, in_file=file is not None)
    return ExitCode.DONE if check.holds else ExitCode.ATTENTION


@audit.command(cls=Command)
@click.argument("file", default="-", type=click.Path(path_type=Path, allow_dash=True), metavar="[FILE]")
@click.option("--since", default="", metavar="TIME", help="Only records from this day or moment on, like 2026-05-01.")
@session_of
def export(session: Session, file: Path, since: str) -> int:
    """Write the audit as JSON lines that anybody can verify without this program. Ends with 3 where it is broken.

    The last line tells the last number and hash, which also appear as a message: keep them elsewhere. FILE appears
    only when it is complete, and never replaces another; without one, or with -, the lines go to the output.
    """
    with session.engine() as engine:
        lines = engine.reads.activity.audit_lines(utc_moment(since) if since else None, _show_progress)
        if str(file) == "-":
            for line in lines:
                output.raw(line)
        else:
            from console.files import write_whole

            holds = lambda: lines.check is not None and lines.check.holds  # noqa: E731
            write_whole(file, lines, state=session.path(), wanted=holds)
    diagnostics.progress_line("")
    check = lines.check
    assert check is not None
    if check.broken is not None:
        diagnostics.problem(
            "The audit is not exported." if str(file) != "-" else "The export ends before its end.",
            f"The chain does not hold: {check.broken.why}.",
            "Look into that first: hotpatch audit verify",
        )
        return ExitCode.ATTENTION
    if session.as_json and str(file) != "-":
        output.document({"file": str(file), **documents.document(check)})
    elif str(file) != "-":
        output.line(f"Wrote {text.plural(check.records, 'record')} to {file}.", Tone.OK, session.style)
    diagnostics.note(f"Last record and hash, to keep elsewhere: {check.head}")
    return ExitCode.DONE


@audit.command(cls=Command)
@session_of
def script(session: Session) -> int:  # noqa: ARG001 - click's shape
    """Print a script that verifies an exported file with Python alone, for those who do not have this program."""
    output.raw(packaged("verify_audit.py"))
    return ExitCode.DONE


def _head(words: str) -> Head | None:
    """``42:9f86d0…`` as a number and a hash."""
    if not words.strip():
        return None
    from engine.model.audit import Head

    number, _, digest = words.strip().partition(":")
    digest = digest.strip().casefold()
    if not number.isascii() or not number.isdigit() or len(number) > 15 or len(digest) != 64:
        raise BadInput("--head takes a number and a hash.", "", "As `audit export` prints them: --head 42:9f86d081…")
    if set(digest) - set("0123456789abcdef"):
        raise BadInput("--head takes a hash of 64 hexadecimal digits.", "", "Copy it as `audit export` prints it.")
    return Head(int(number), digest)


@contextmanager
def _reading(file: Path) -> Iterator[TextIO]:
    """An exported file, or the input for ``-``; bytes that are no text become characters that no line holds."""
    import sys

    try:
        if str(file) == "-":
            sys.stdin.reconfigure(encoding="ascii", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
            yield sys.stdin
            return
        with file.open(encoding="ascii", errors="surrogateescape", newline="\n") as opened:
            yield opened
    except OSError as error:
        raise BadInput(
            "The file cannot be read.", f"{error.strerror}.", "Name a file of `audit export`.", file=str(file)
        ) from error


def _show_progress(records: int) -> None:
    diagnostics.progress_line(text.plural(records, "record"))


def _tell(session: Session, check: AuditCheck, *, in_file: bool) -> None:
    if check.broken is not None:
        output.line(f"The audit does not hold: {check.broken.why}.", Tone.FAILED, session.style)
        return
    which = f", from {check.start.seq + 1} to {check.head.seq}" if check.start.seq else ""
    output.line(f"The audit holds: {text.plural(check.records, 'record')}{which}.", Tone.OK, session.style)
    if check.start.seq:
        output.line(f"It continues record {check.start}")
    output.line(f"Last record and hash: {check.head}")
    if check.outside is not None:
        output.line(f"Record {check.outside.seq} is the one whose hash was kept elsewhere.", Tone.OK, session.style)
    else:
        command = "hotpatch audit verify FILE --head" if in_file else "hotpatch audit verify --head"
        diagnostics.note(f"{_OUTSIDE} {command} {check.head.seq}:HASH")
