"""The only writer of stderr, and the one place where errors become exit codes.

Every command runs inside `guarded`. It prints what, why and what instead; never a traceback, never a value from memory.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.output import OutputClosed, abandon, flush
from console.text import clean
from engine.model.errors import BadInput, EngineError, NotFound, Refused, StateMissing

if TYPE_CHECKING:
    from engine.providers.graph.signin import DeviceCode


class ExitCode(IntEnum):
    """How a command ended, for scripts."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """Wrong options, or the name of something that does not exist."""
    ATTENTION = 3
    """Done, but a person must look: a gate fails, a check found something."""
    REFUSED = 4
    """Policy or state forbids it: not approved, read-only, wrong role."""
    INTERRUPTED = 130


def note(message: str) -> None:
    """A line for the person at the terminal; scripts read stdout and never see it."""
    _write([message])


def notes(messages: Iterable[str]) -> None:
    _write(messages)


@contextmanager
def requests_told() -> Iterator[None]:
    """Tell each request to a tenant as it ends, for --debug: method, path, status, ids; never a header or a body."""
    import logging

    class Complaint(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            note(f"debug: {record.getMessage()}")

    log, told = logging.getLogger("hotpatch"), Complaint()
    before = log.level
    log.addHandler(told)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(told)


def problem(what: str, *more: str) -> None:
    """An error, a line each: what was wanted, why it did not happen, what would help instead."""
    _write([f"hotpatch: {what}", *(f"  {part}" for part in more if part)])


def exit_code_of(error: EngineError) -> ExitCode:
    """The exit code that stands for this kind of error."""
    if isinstance(error, Refused):
        return ExitCode.REFUSED
    return ExitCode.USAGE if isinstance(error, BadInput | NotFound) else ExitCode.FAILED


def guarded(
    work: Callable[[], int | None],
    *,
    debug: Callable[[], bool] = lambda: False,
    named: Callable[[], Path | None] = lambda: None,
) -> int:
    """Run a command to its exit code; whatever it raises becomes words on stderr.

    `debug` is asked when something unexpected happened: whether to print the places it came through. `named` is asked
    when there is no state file: which one --db names.
    """
    try:
        code = work() or ExitCode.DONE
        flush()
    except OutputClosed:
        abandon()  # the reader has what it wanted, as `head` does
        return ExitCode.DONE
    except StateMissing as error:
        from console import ways

        problem(error.what, *ways.lines(named()))
        return exit_code_of(error)
    except EngineError as error:
        problem(error.what, error.why, error.instead)
        return exit_code_of(error)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        _usage(error)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the border: a person never sees a traceback
        _unexpected(error, debug=debug())
        return ExitCode.FAILED
    return code


def ask(question: str) -> str:
    """What the person at the terminal answers; "" when there is nobody."""
    if sys.stderr is None or sys.stdin is None:
        return ""
    sys.stderr.write(f"{clean(question)} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def can_ask() -> bool:
    """Whether a person sits at the terminal who could answer a question."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def show_code(code: DeviceCode) -> None:
    """What a person needs for signing in with a browser elsewhere."""
    _write(
        [
            "To sign in, open this address in a browser on any machine and type the code:",
            f"  {code.verification_uri}",
            f"  {code.user_code}",
            f"It holds until {code.expires_at:%H:%M} UTC; ctrl+c gives up. Never type a code that somebody sent you.",
        ]
    )


def progress_line(message: str) -> None:
    """Replace the line of progress on a terminal; says nothing where there is none. "" ends it."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    sys.stderr.write(f"\r\x1b[K{clean(message)}")
    sys.stderr.flush()


def _usage(error: click.ClickException) -> None:
    lines = [f"hotpatch: {error.format_message()}"]
    context = getattr(error, "ctx", None)
    if context is not None:
        lines.append(f"  See: {context.command_path} --help")
    _write(lines)


def _unexpected(error: Exception, *, debug: bool) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    if type(error).__module__ == "sqlite3":
        problem("The state file cannot be read or written.", f"SQLite says: {error}.", "Check it: hotpatch doctor")
    elif isinstance(error, OSError):
        name = f" ({error.filename})" if isinstance(error.filename, str) else ""
        problem(f"A file cannot be used{name}.", f"{error.strerror or type(error).__name__}.", "Name another one.")
    elif isinstance(error, MemoryError):
        problem("There is not enough memory for this.", "", "Ask for less: a filter, or --limit.")
    else:
        place = _place(_last_of_ours(frames)) if frames else "an unknown place"
        problem(
            "Something unexpected went wrong; nothing was half-written.",
            f"{type(error).__name__} at {place}.",
            "Report this line, with the output of: hotpatch doctor",
        )
    if debug:
        _write(f"  {_place(frame)} in {frame.name}" for frame in frames)


def _last_of_ours(frames: traceback.StackSummary) -> traceback.FrameSummary:
    """The innermost frame in our own code: where to look first."""
    ours = [frame for frame in frames if {"console", "engine"} & set(Path(frame.filename).parts[-4:-1])]
    return (ours or frames)[-1]


def _place(frame: traceback.FrameSummary) -> str:
    """``reads/devices.py:120``: the end of the path only."""
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"


def _write(lines: Iterable[str]) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write("".join(f"{clean(line)}\n" for line in lines))
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody listens; the exit code still tells
