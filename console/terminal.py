"""All that is known of the terminal: whether a console can be shown on it, its signs and colours, how it ends.

Called before the screen is taken, and when the program breaks. Never overwrites TERM, never prints a value.
"""

from __future__ import annotations

import contextlib
import locale
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from console.text import use_ascii
from engine.model.errors import BadInput

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_PACKAGES = ("console", "engine")
GONE_CHECK_SECONDS = 5.0
"""How often to look whether the terminal is still there, for where SIGHUP is ignored (nohup, some supervisors)."""


def require_terminal(environment: Mapping[str, str] = os.environ, *, is_terminal: bool | None = None) -> None:
    """Make sure that a console can be shown here.

    Raises:
        BadInput: input or output is no terminal, or TERM says that it cannot place a cursor.
    """
    if is_terminal is None:
        is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    instead = "Use a command, for example: hotpatch status"
    if not is_terminal:
        raise BadInput("The console needs a terminal.", "Input or output is not one.", instead)
    if environment.get("TERM", "") in ("", "dumb"):
        raise BadInput("The console cannot be drawn here.", "TERM names a terminal without a cursor.", instead)


def theme_for(wanted: str, environment: Mapping[str, str] = os.environ) -> str:
    """The look to begin with: NO_COLOR and terminals of eight colours get the terminal's own."""
    if is_without_colour(environment) or environment.get("TERM", "") in ("vt100", "vt220", "vt102"):
        return "ansi"
    return wanted


def is_without_colour(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether colours are not wanted: NO_COLOR holds anything (no-color.org)."""
    return bool(environment.get("NO_COLOR"))


def set_signs(wanted: str, environment: Mapping[str, str] = os.environ) -> None:
    """Choose between our signs and plain ASCII: `auto` looks at the terminal's name and character set."""
    use_ascii(wanted == "ascii" or (wanted == "auto" and not shows_unicode(environment)))


def shows_unicode(environment: Mapping[str, str], encoding: str | None = None) -> bool:
    """Whether the terminal can show more than ASCII."""
    if environment.get("TERM", "") in ("linux", "vt100", "vt220", "vt102"):
        return False
    name = encoding if encoding is not None else sys.stdout.encoding or locale.getpreferredencoding(False)
    return name.lower().replace("-", "") in ("utf8", "cp65001")


def leave_on_signals(loop: AbstractEventLoop, leave: Callable[[], object]) -> None:
    """Have the running event loop call `leave` when the terminal hangs up or somebody asks the process to end."""
    for name in ("SIGHUP", "SIGTERM", "SIGINT"):
        with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(getattr(signal, name), leave)


def is_gone() -> bool:
    """Whether the terminal has gone away."""
    try:
        os.ttyname(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0)
        os.get_terminal_size(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0)
    except OSError:
        return True
    return False


def let_go() -> None:
    """Send to nowhere what could not be written to a terminal that has gone: the interpreter's end fails over it."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), cast(TextIO, stream).fileno())


def crash_report(error: BaseException | None = None) -> str:
    """Where the program broke, in our own files, without any value."""
    error = error or sys.exc_info()[1]
    if error is None:
        return "Hotpatch Console has stopped. Nothing of the fleet was lost."
    frames = traceback.extract_tb(error.__traceback__)
    # The innermost frame is named whosever it is: a key that only the toolkit handled leaves no frame of ours.
    shown = [frame for frame in frames[:-1] if _is_ours(frame.filename)] + frames[-1:]
    places = [f"  {_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in shown]
    return "\n".join(
        [
            "Hotpatch Console has stopped because of a mistake in itself. Nothing of the fleet was lost.",
            f"  {type(error).__name__}",
            *places[-12:],
            "Start it again; if it stays, report these lines.",
        ]
    )


def _is_ours(filename: str) -> bool:
    return any(part in _PACKAGES for part in Path(filename).parts[-4:-1])


def _short(filename: str) -> str:
    parts = Path(filename).parts
    begin = max((index for index, part in enumerate(parts) if part in _PACKAGES), default=max(len(parts) - 2, 0))
    return "/".join(parts[begin:])
