"""Rows of cells from the lines of a CSV file. A row that cannot be read costs that row, never those after it."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from engine.files.lines import LONGEST_LINE, Lines, is_cut, is_foreign

_DELIMITERS = ",;\t|"
MOST_LINES = 100
"""In one row. A quote that nobody closed would else take in the rest of the file."""

csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))


class RowSource:
    """Rows of cells from lines. Lines that were taken into a wrong row by an open quote are handed back."""

    def __init__(
        self, lines: Lines, delimiter: str, *, most_lines: int = MOST_LINES, takes_foreign: bool = False
    ) -> None:
        """Begin at the next line.

        Args:
            lines: Where they come from.
            delimiter: What stands between cells.
            most_lines: How many lines one row may have.
            takes_foreign: Whether bytes that are not of the file's encoding cost the row; else they stay in it.
        """
        self._lines = lines
        self._delimiter = delimiter
        self._most_lines = most_lines
        self._takes_foreign = takes_foreign
        self._taken: list[str] = []
        self._restart()

    def next(self) -> tuple[int, list[str] | str] | None:
        """The number of the row's first line and its cells, or what is wrong with it; None at the end."""
        first = self._lines.number + 1
        self._taken.clear()
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except (csv.Error, _Unreadable) as error:
            self.distrust()
            self._restart()
            return first, _words(str(error))
        return first, cells

    def distrust(self) -> None:
        """The row was wrong: read the lines after its first one again, as rows of their own."""
        if len(self._taken) > 1:
            self._lines.give_back(self._taken[1:])
            self._taken.clear()
            self._restart()

    def _restart(self) -> None:
        self._reader = csv.reader(self._feed(), delimiter=self._delimiter, strict=True)

    def _feed(self) -> Iterator[str]:
        while line := self._lines.next():
            self._taken.append(line)
            if is_cut(line):
                raise _Unreadable("the line is longer than a million characters")
            if not self._takes_foreign and is_foreign(line):
                raise _Unreadable("the line holds bytes that are not UTF-8; save the file as CSV UTF-8")
            if len(self._taken) > self._most_lines:
                raise _Unreadable("unexpected end of data")
            yield line


class _Unreadable(Exception):
    pass


def _words(said: str) -> str:
    """What the csv module says, in words that help."""
    if "unexpected end of data" in said or "field larger than" in said:
        return "a quote is opened and not closed"
    if "expected after" in said:
        return "something stands between a closing quote and the next delimiter"
    return said


def delimiter_of(line: str) -> str:
    """The sign that most likely stands between the cells of a line."""
    counts = {sign: line.count(sign) for sign in _DELIMITERS}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else ","
