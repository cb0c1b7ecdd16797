"""Lines of a file with their numbers, whatever its encoding, never more than one line in memory.

The CSV and JSON readers stand on it. A line without end is cut off and said to be too long.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from pathlib import Path
from typing import IO

from engine.errors import BadInput

LONGEST_LINE = 1_000_000
"""Characters. No device fills such a line; a file without line ends does."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Lines:
    """An open text file, read line by line; lines can be handed back."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            BadInput: it does not exist, is a folder, may not be read, or is empty.
        """
        self.file = path.name
        try:
            self._raw: IO[bytes] = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise BadInput(
                f"{path.name} cannot be read.", f"{error.strerror or error}.", "Name a file that you may read."
            ) from error
        head = self._raw.read(4096)
        if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
            self._raw.close()
            raise BadInput(f"{path.name} is empty.", "", "Export the devices again.", file=path.name)
        try:
            encoding, skip = _encoding_of(head, path.name)
        except BadInput:
            self._raw.close()
            raise
        self.first_sign = head[skip:].decode(encoding, "replace").lstrip()[:1]
        """The first sign that is no blank; it tells JSON from CSV."""
        self._raw.seek(skip)
        # surrogateescape keeps what is not UTF-8 visible, so that the row it stands in can be named.
        self._text = io.TextIOWrapper(self._raw, encoding, errors="surrogateescape", newline="")
        self._back: deque[str] = deque()
        self.number = 0
        """The number of the last line that was handed out, 1 the first."""

    def close(self) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        """Bytes read so far, for progress; a buffer ahead of the lines."""
        return self.size if self._raw.closed else min(self._raw.tell(), self.size)

    def next(self) -> str:
        """The next line with its end; "" at the end of the file. A line that is too long comes back cut.

        Raises:
            BadInput: the file is not of the encoding that its byte-order mark names.
        """
        self.number += 1
        if self._back:
            return self._back.popleft()
        try:
            line = self._text.readline(LONGEST_LINE + 1)
        except UnicodeDecodeError as error:
            raise self._broken() from error
        if len(line) > LONGEST_LINE and not line.endswith(("\n", "\r")):
            self._skip_rest_of_line()
        elif not line:
            self.number -= 1
        return line

    def give_back(self, lines: list[str]) -> None:
        """Hand back the last lines taken, in their order."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)

    def read(self, size: int) -> str:
        """The next characters, for a reader that does not go by lines; not to be mixed with `next`."""
        try:
            return self._text.read(size)
        except UnicodeDecodeError as error:
            raise self._broken() from error

    def _broken(self) -> BadInput:
        return BadInput(
            "the text breaks off.",
            "It is not of the encoding that its byte-order mark names.",
            "Save it as CSV UTF-8.",
            file=self.file,
            line=self.number,
        )

    def _skip_rest_of_line(self) -> None:
        while True:
            rest = self._text.readline(LONGEST_LINE)
            if not rest or rest.endswith(("\n", "\r")):
                return


def is_cut(line: str) -> bool:
    """Whether a line was too long to be read whole."""
    return len(line) > LONGEST_LINE and not line.endswith(("\n", "\r"))


def is_foreign(text: str) -> bool:
    """Whether the text holds bytes that are not of the file's encoding."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def _encoding_of(head: bytes, file: str) -> tuple[str, int]:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    if b"\x00" in head.split(b"\n", 1)[0]:
        raise BadInput(
            f"{file} is not a text in UTF-8.",
            "It holds NUL bytes, as UTF-16 without a byte-order mark and binary files do.",
            "Save it as CSV UTF-8.",
            file=file,
            line=1,
        )
    return "utf-8", 0
