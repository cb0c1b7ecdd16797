"""The program in a pseudo-terminal: press keys, wait for what the screen shows, keep every byte it wrote.

Waits are for conditions on the screen, with a generous deadline; nothing here sleeps.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pyte

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds until a wait is given up; a busy machine needs some, an idle one a fraction."""
_LOOK = 0.05
"""Seconds that one look waits for bytes before the condition is asked again."""
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "space": " ",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "ctrl+c": "\x03",
    "ctrl+p": "\x10",
    "ctrl+u": "\x15",
}
_FRAME_BEGINS, _FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
_ASKS_FOR_FRAMES = b"\x1b[?2026$p"
_ANSWER_FRAMES = b"\x1b[?2026;2$y"
_LEAVES_SCREEN = b"\x1b[?1049l"
_KEYBOARD = re.compile(rb"\x1b\[[<>=?][0-9;]*u")
"""The keyboard protocol's sequences, which pyte would print as letters."""
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;<=>?$]*)?\Z")
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;:<=>?$]*[A-Za-z@`~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")


def clean_environment(home: Path, changes: Mapping[str, str | None] = {}) -> dict[str, str]:
    """What the program sees of the world: folders of its own, a known terminal, a known person. None leaves one out."""
    environment: dict[str, str | None] = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LOGNAME": "casey",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": "UTC",
        "PYTHONPATH": str(ROOT),
        **{f"XDG_{name}_HOME": str(home / name.lower()) for name in ("STATE", "CONFIG", "CACHE", "DATA")},
        **changes,
    }
    return {name: value for name, value in environment.items() if value is not None}


class Terminal:
    """One run of the program as a person sees it in a terminal."""

    def __init__(
        self,
        *arguments: object,
        home: Path,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str | None] = {},
        through: tuple[str, ...] = (),
    ) -> None:
        """Start `python -m console ...`; `through` stands before it, as `nohup` would."""
        columns, rows = size
        words = [*through, sys.executable, "-m", "console", *map(str, arguments)]
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._left = b""
        self.raw = b""
        """Every byte that the program wrote."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork among threads: nothing but exec follows
            self._child: Any = pexpect.spawn(
                words[0],
                words[1:],
                dimensions=(rows, columns),
                cwd=str(home),
                env=clean_environment(home, environment),
                timeout=PATIENCE,
            )
        self._child.delaybeforesend = None

    # --- seeing -------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The process that was started."""
        return int(self._child.pid)

    def lines(self) -> list[str]:
        """The screen, line by line, without trailing blanks."""
        return [line.rstrip() for line in self._screen.display]

    def text(self) -> str:
        """The screen."""
        return "\n".join(self.lines())

    def title(self) -> str:
        """The first line."""
        return self.lines()[0]

    def cursor_row(self) -> str:
        """What stands first in the row that a list's cursor is on."""
        return next((line[1:].split()[0] for line in self.lines() if line.startswith(("›", ">"))), "")

    def row(self, *words: str) -> str:
        """The first line with these words, "" where there is none."""
        return next((line for line in self.lines() if all(word in line for word in words)), "")

    def label(self) -> str:
        """The line above the cursor, where a field's name stands."""
        return self.lines()[max(self._screen.cursor.y - 1, 0)]

    def shows(self, *words: str) -> bool:
        """Whether all these words stand on the screen."""
        text = self.text()
        return all(word in text for word in words)

    def output(self) -> str:
        """All that was written, decoded, without the escape sequences."""
        return _ESCAPES.sub("", self.raw.decode("utf-8", "replace"))

    def parting(self) -> str:
        """What was written after the screen was given back, without escape sequences."""
        *_, after = self.raw.rpartition(_LEAVES_SCREEN)
        return _ESCAPES.sub("", after.decode("utf-8", "replace")).replace("\r\n", "\n").strip()

    # --- waiting ------------------------------------------------------------------------------------

    def until(self, condition: Callable[[], object], wanted: str, *, within: float = PATIENCE) -> Terminal:
        """Read on until the condition holds on a finished picture."""
        deadline = time.monotonic() + within
        while True:
            goes_on = self._read()
            if self._is_finished_picture() and condition():
                return self
            assert goes_on, f"the program ended before {wanted}\n{self._told()}"
            assert time.monotonic() < deadline, f"after {within:g} s still waiting for {wanted}\n{self._told()}"

    def expect(self, *words: str, within: float = PATIENCE) -> Terminal:
        """Until all these words stand on the screen."""
        return self.until(lambda: self.shows(*words), " and ".join(map(repr, words)), within=within)

    def expect_row(self, *words: str, within: float = PATIENCE) -> Terminal:
        """Until one line has all these words."""
        return self.until(lambda: self.row(*words), f"a line with {words!r}", within=within)

    def expect_gone(self, *words: str, within: float = PATIENCE) -> Terminal:
        """Until none of these words stands on the screen."""

        def gone() -> bool:
            text = self.text()
            return not any(word in text for word in words)

        return self.until(gone, f"{words!r} to be gone", within=within)

    def ends(self, *, within: float = PATIENCE) -> int:
        """Wait for the program's end; its exit code, negative for a signal."""
        deadline = time.monotonic() + within
        while self._read() or self._child.isalive():
            assert time.monotonic() < deadline, f"after {within:g} s the program still runs\n{self._told()}"
        return self._exit_code()

    def _exit_code(self) -> int:
        self._child.wait() if self._child.isalive() else None
        return int(self._child.exitstatus) if self._child.exitstatus is not None else -int(self._child.signalstatus)

    def _told(self) -> str:
        frame = "-" * self._screen.columns
        return f"{frame}\n{self.text()}\n{frame}\n{self.parting() if _LEAVES_SCREEN in self.raw else ''}"

    def _is_finished_picture(self) -> bool:
        return self.raw.rfind(_FRAME_BEGINS) <= self.raw.rfind(_FRAME_ENDS)

    def _read(self) -> bool:
        """Take what the program has written, waiting a moment for it; False once it can write no more."""
        if self._child.closed:
            return False
        try:
            data = self._child.read_nonblocking(65_536, _LOOK)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        if _ASKS_FOR_FRAMES in data:
            self._child.send(_ANSWER_FRAMES)
        self._left += data
        unfinished = _UNFINISHED.search(self._left)
        whole = self._left[: unfinished.start()] if unfinished else self._left
        self._left = self._left[len(whole) :]
        self._stream.feed(_KEYBOARD.sub(b"", whole))
        return True

    # --- doing --------------------------------------------------------------------------------------

    def press(self, *keys: str) -> Terminal:
        """Press keys by name, one after the other."""
        for key in keys:
            self._child.send(KEYS.get(key, key))
        return self

    def send(self, data: bytes) -> Terminal:
        """Send bytes as they are."""
        self._child.send(data)
        return self

    def type(self, text: str) -> Terminal:
        """Type letters and wait until they are shown."""
        self._child.send(text)
        return self.expect(text)

    def at_field(self, label: str) -> Terminal:
        """Wait until one writes in the field below this label: what is typed sooner goes astray."""
        return self.until(lambda: label in self.label(), f"the cursor below {label!r}")

    def filter(self, text: str) -> Terminal:
        """Open the filter line, replace what stands there, and keep it."""
        self.press("/").until(lambda: self._written() is not None and "quit" not in self.lines()[-1], "a filter line")
        if self._written():
            self.press("ctrl+u").until(lambda: self._written() == "", "an empty filter line")
        return self.type(text).press("enter").until(lambda: text in self.title(), f"{text!r} in the title")

    def _written(self) -> str | None:
        """What stands in the filter line; None where there is none."""
        line = next((line.strip() for line in reversed(self.lines()[-4:-1]) if line.strip().startswith("/")), None)
        return None if line is None else line[1:].partition("▌")[0].strip()  # a notice may stand before its end

    def click(self, text: str) -> Terminal:
        """Click on the first letter of a text that is shown."""
        y, line = next((y, line) for y, line in enumerate(self.lines(), 1) if text in line)
        x = line.index(text) + 1
        self._child.send(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m")
        return self

    def resize(self, columns: int, rows: int) -> Terminal:
        """Give the window another size."""
        self._screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)
        return self

    def kill(self, number: int = signal.SIGKILL) -> Terminal:
        """Send the process a signal."""
        os.kill(self.pid, number)
        return self

    def hang_up(self) -> Terminal:
        """Take the terminal away, as a line that is cut does."""
        self._child.ptyproc.fileobj.close()
        self._child.closed = self._child.ptyproc.closed = True
        return self

    def close(self) -> None:
        """End the program, whatever it is doing."""
        if self._child.isalive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._child.wait()
        if not self._child.closed:
            self.hang_up()


@contextmanager
def terminal(*arguments: object, home: Path, **more: Any) -> Iterator[Terminal]:
    """The program in a terminal until the block ends. No bytes of it may look like a traceback."""
    running = Terminal(*arguments, home=home, **more)
    try:
        yield running
        assert_no_traceback(running.output())
    finally:
        running.close()


def assert_no_traceback(text: str) -> None:
    """A person never sees one, nor the words for what nobody foresaw."""
    for words in (
        "Traceback",
        'File "',
        "Something unexpected went wrong",
        "mistake in itself",
        "Something went wrong",
    ):
        assert words not in text, text[max(text.find(words) - 200, 0) :][:1_500]


def hotpatch(*words: object, home: Path, expect: int | None = 0) -> str:
    """One call of the command line beside the console, to its end with that code (None: any); what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "console", *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=clean_environment(home),
        cwd=home,
        timeout=PATIENCE,
        check=False,
    )
    assert_no_traceback(done.stdout + done.stderr)
    assert expect is None or done.returncode == expect, (words, done.returncode, done.stderr)
    return done.stdout


def facts(*words: object, home: Path, expect: int | None = 0) -> Any:
    """The JSON document that a command prints."""
    return json.loads(hotpatch(*words, "--json", home=home, expect=expect))
