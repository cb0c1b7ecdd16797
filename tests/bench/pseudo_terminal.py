"""A pseudo-terminal of 80x24 with a program on it: sends keys, counts the bytes that answer and how long they take.

The last byte of an answer is the one after which nothing comes for a while. Used by the benches of the console alone.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

COLUMNS, LINES = 80, 24
QUIET_SECONDS = 0.15
"""Longer than the console's own pauses between a key and the last byte of its answer."""
START_QUIET_SECONDS = 0.4
ANSWER_SECONDS = 10.0
"""The patience for the first byte of an answer."""
LONGEST_SECONDS = 60.0
_LOOK_SECONDS = 0.25
_REST_LOOKS = 4
_REST_SHARE = 0.15
"""At rest: for so many looks in a row no more than this share of one core, and not a byte."""
_SYNC_QUESTION, _SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
"""Whether the terminal can hold a frame back until it is whole; today's can."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What a program sent until it fell silent."""

    data: bytes
    seconds: float
    """From the key, or the start, to the last byte; 0 where nothing came."""

    @property
    def size(self) -> int:
        return len(self.data)


class PseudoTerminal:
    """One program on a terminal of its own, from start to end: ``with PseudoTerminal(command) as terminal:``."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._begun = time.perf_counter()
        self._process = subprocess.Popen(
            list(command), stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment), start_new_session=True
        )
        os.close(theirs)

    def started(self, is_full: Callable[[bytes], bool] = bool) -> Burst:
        """From the start of the process to its first full screen: the silence after it makes a frame count, if
        `is_full` says of all that was sent so far that it shows more than what will be there later."""
        burst = self._listen(self._begun, START_QUIET_SECONDS)
        while not is_full(burst.data):
            more = self._listen(self._begun, START_QUIET_SECONDS)
            if not more.data:
                break
            burst = Burst(burst.data + more.data, more.seconds)
        return burst

    def press(self, keys: bytes) -> Burst:
        """Send a key and listen until the program is silent again."""
        begin = time.perf_counter()
        os.write(self._ours, keys)
        return self._listen(begin, QUIET_SECONDS, first=ANSWER_SECONDS)

    def rest(self) -> float:
        """Wait until the program does nothing any more; seconds from its start to the last byte, 0 without any."""
        last, looks, used = 0.0, 0, self._processor_seconds()
        until = time.perf_counter() + LONGEST_SECONDS
        while looks < _REST_LOOKS and time.perf_counter() < until:
            heard = self._listen(time.perf_counter(), _LOOK_SECONDS, first=_LOOK_SECONDS)
            if heard.data:
                last = time.perf_counter() - _LOOK_SECONDS - self._begun
            before, used = used, self._processor_seconds()
            looks = 0 if heard.data or used - before > _LOOK_SECONDS * _REST_SHARE else looks + 1
        return last

    def _listen(self, begin: float, quiet: float, *, first: float = LONGEST_SECONDS) -> Burst:
        """All that comes until nothing comes for `quiet` seconds; `first` is the patience for the first byte."""
        parts: list[bytes] = []
        last = begin
        until = begin + LONGEST_SECONDS
        while (now := time.perf_counter()) < until:
            patience = quiet if parts else min(first, until - now)
            readable, _, _ = select.select([self._ours], [], [], patience)
            if not readable:
                break
            try:
                part = os.read(self._ours, 65_536)
            except OSError:  # the program has ended and nobody holds the other side any more
                break
            last = time.perf_counter()
            parts.append(part)
            if _SYNC_QUESTION in part:
                os.write(self._ours, _SYNC_ANSWER)
        return Burst(b"".join(parts), last - begin)

    def _processor_seconds(self) -> float:
        """Processor time so far; always 0 where the system has no /proc, where silence alone must do."""
        status = Path(f"/proc/{self._process.pid}/stat")
        if not status.exists():
            return 0.0
        user, system = status.read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        """Resident memory of the program now; 0 where the system has no /proc."""
        status = Path(f"/proc/{self._process.pid}/status")
        if not status.exists():
            return 0.0
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        # What the program still writes must be read, or it cannot end.
        while select.select([self._ours], [], [], 2.0)[0]:
            try:
                if not os.read(self._ours, 65_536):
                    break
            except OSError:
                break
        os.close(self._ours)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
