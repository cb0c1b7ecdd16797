"""What goes over the wire: the console in a pseudo-terminal, counted, and drawn again by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from console.app import HotpatchApp
from console.background import Background
from console.settings import Settings
from engine import open_engine
path = Path(sys.argv[1])
HotpatchApp(Background(lambda: open_engine(path)), Settings(theme=sys.argv[2]), start="devices").run(mouse=False)
"""
_PATIENCE = 120.0
_QUIET = 0.1


class Terminal:
    """A terminal of 80x24 with the console in it."""

    def __init__(self, path: Path, theme: str, environment: dict[str, str]) -> None:
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.process, self.file = pty.fork()
        if self.process == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", PYTHONPATH=str(ROOT), **environment)
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, str(path), theme])
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def line(self, number: int) -> str:
        return self.screen.display[number]

    def until(self, condition: Callable[[], bool]) -> int:
        """Read until something is on the screen and nothing follows; returns how many bytes came."""
        count, deadline = 0, time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.file], [], [], _QUIET if condition() else 1.0)
            if not ready and condition():
                return count
            if ready:
                data = os.read(self.file, 65_536)
                self.raw += data
                count += len(data)
                self.stream.feed(data)
        raise AssertionError("\n".join(self.screen.display))

    def press(self, key: bytes, condition: Callable[[], bool]) -> int:
        os.write(self.file, key)
        return self.until(condition)

    def cursor(self) -> int:
        """The line of the table's cursor."""
        return next((number for number in range(24) if self.line(number).startswith("›")), -1)

    def close(self) -> None:
        os.write(self.file, b"q")
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                if not os.read(self.file, 65_536):
                    break
            except OSError:
                break
        os.close(self.file)
        os.waitpid(self.process, 0)


@pytest.fixture
def terminal(demo_state: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    theme, environment = getattr(request, "param", ("dark", {}))
    found = Terminal(demo_state, theme, environment)
    found.until(lambda: found.cursor() == 2 and "of 500" in found.line(0))
    yield found
    found.close()


def test_a_cursor_step_and_a_page_are_short(terminal: Terminal) -> None:
    steps = [terminal.press(b"j", lambda at=at: terminal.cursor() == at) for at in range(3, 9)]  # type: ignore[misc]
    assert max(steps) <= 350
    pages = [
        terminal.press(b"\x1b[6~", lambda first=first: f"{first}-{first + 20}" in terminal.line(0))  # type: ignore[misc]
        for first in (22, 43, 64)
    ]
    assert max(pages) <= 3_000


@pytest.mark.parametrize("terminal", [("ansi", {}), ("dark", {"NO_COLOR": "1"})], indirect=True)
def test_without_colours_of_its_own_no_true_colour_is_sent(terminal: Terminal) -> None:
    terminal.press(b"j", lambda: terminal.cursor() == 3)
    assert b"38;2;" not in terminal.raw
    assert b"48;2;" not in terminal.raw
    assert b"38;5;" not in terminal.raw
