"""Lines of a file with their numbers, whatever its encoding, packed or not, never more than one line in memory.

The CSV and JSON readers stand on it. A line without end is cut off and said to be too long.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections import deque
from pathlib import Path
from typing import IO

from engine.model.errors import BadInput

LONGEST_LINE = 1_000_000
"""Characters. No row fills such a line; a file without line ends does."""

_PACKED = b"\x1f\x8b"
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNPACKING = (EOFError, gzip.BadGzipFile, zlib.error)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Lines:
    """An open text file, gzipped or not, read line by line; lines can be handed back."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            BadInput: it does not exist, is a folder, may not be read, or is empty.
        """
        self.file = path.name or str(path)
        self.number = 0
        """The number of the last line that was handed out, 1 the first."""
        try:
            self._disk: IO[bytes] = path.open("rb")
            self.size = path.stat().st_size
            """Bytes on disk; of a packed file, packed."""
            self._raw = _unpacked(self._disk)
        except OSError as error:
            raise BadInput(
                f"{self.file} cannot be read.", f"{error.strerror or error}.", "Name a file that you may read."
            ) from error
        try:
            head = self._look()
            if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
                raise BadInput(f"{path.name} is empty.", "", "Export it again.", file=path.name)
            encoding, skip = _encoding_of(head, path.name)
        except BaseException:
            self._disk.close()
            raise
        self.head = head[skip:].decode(encoding, "replace").lstrip()
        """The first signs from the first that is no blank on; they tell JSON from CSV."""
        self._raw.seek(skip)
        # surrogateescape keeps what is not UTF-8 visible, so that the row it stands in can be named.
        self._text = io.TextIOWrapper(self._raw, encoding, errors="surrogateescape", newline="")
        self._back: deque[str] = deque()

    def close(self) -> None:
        self._text.close()
        self._disk.close()

    @property
    def first_sign(self) -> str:
        """The first sign that is no blank."""
        return self.head[:1]

    @property
    def position(self) -> int:
        """Bytes read so far, for progress; a buffer ahead of the lines."""
        return self.size if self._disk.closed else min(self._disk.tell(), self.size)

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
        except (UnicodeDecodeError, *_UNPACKING) as error:
            raise self._broken(error) from error
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
        except (UnicodeDecodeError, *_UNPACKING) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> BadInput:
        packed = not isinstance(error, UnicodeDecodeError)
        return BadInput(
            "the text breaks off.",
            "The packed file is cut off or damaged."
            if packed
            else "It is not of the encoding that its byte-order mark names.",
            "Fetch it again." if packed else "Save it as CSV UTF-8.",
            file=self.file,
            line=self.number,
        )

    def _look(self) -> bytes:
        try:
            return self._raw.read(4096)
        except _UNPACKING as error:
            self.number = 1
            raise self._broken(error) from error

    def _skip_rest_of_line(self) -> None:
        while True:
            try:
                rest = self._text.readline(LONGEST_LINE)
            except (UnicodeDecodeError, *_UNPACKING) as error:
                raise self._broken(error) from error
            if not rest or rest.endswith(("\n", "\r")):
                return


def is_cut(line: str) -> bool:
    """Whether a line was too long to be read whole."""
    return len(line) > LONGEST_LINE and not line.endswith(("\n", "\r"))


def is_foreign(text: str) -> bool:
    """Whether the text holds bytes that are not of the file's encoding."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def _unpacked(disk: IO[bytes]) -> IO[bytes]:
    """What stands in the file, unpacked as it is read where it is gzipped."""
    packed = disk.read(2) == _PACKED
    disk.seek(0)
    return gzip.GzipFile(fileobj=disk) if packed else disk  # type: ignore[return-value]


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
