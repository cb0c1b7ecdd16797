"""The stretch of a list that a table holds: rows around the cursor, where they stand, what is in view.

Pure; `fleet_table` moves it by keys and fills it with pages. It never holds more than a few screens of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct, field

Row = TypeVar("Row")

SCREENS_ASKED = 3
"""How many screens of rows one question asks for."""
_SCREENS_KEPT = 10
_LEAST_ASKED = 60


class RowWindow(Struct, Generic[Row]):
    """Rows of a list from `first` on, a cursor among them, and the part that is in view."""

    row_id: Callable[[Row], Hashable]
    height: int = 1
    """How many rows are in view."""
    rows: list[Row] = field(default_factory=list)
    first: int | None = 0
    """How many rows of the list stand before these; None when nobody has counted."""
    total: int | None = None
    """How many rows the list has; None when nobody has counted."""
    at_top: bool = True
    at_end: bool = True
    cursor: int = 0
    """Index in `rows` of the row one stands on."""
    offset: int = 0
    """Index in `rows` of the first row in view."""

    # --- looking ------------------------------------------------------------------------------------

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    @property
    def id(self) -> Hashable | None:
        """The id of the row under the cursor."""
        row = self.row
        return None if row is None else self.row_id(row)

    @property
    def asked(self) -> int:
        """How many rows to ask for at once."""
        return max(self.height * SCREENS_ASKED, _LEAST_ASKED)

    @property
    def wants_after(self) -> bool:
        """Whether the rows below the cursor run out within two screens."""
        return not self.at_end and self.cursor + 2 * self.height >= len(self.rows)

    @property
    def wants_before(self) -> bool:
        """Whether the rows above the cursor run out within two screens."""
        return not self.at_top and self.cursor - 2 * self.height < 0

    def shown(self) -> Sequence[Row]:
        """The rows in view."""
        return self.rows[self.offset : self.offset + self.height]

    def index_of(self, row_id: Hashable) -> int | None:
        """Where a row stands in `rows`."""
        return next((index for index, row in enumerate(self.rows) if self.row_id(row) == row_id), None)

    def place(self) -> tuple[int, int] | None:
        """Numbers of the first and the last row in view, counted from 1; None when nobody has counted."""
        if self.first is None or not self.rows:
            return None
        begin = self.first + self.offset
        return begin + 1, min(begin + self.height, self.first + len(self.rows))

    # --- moving -------------------------------------------------------------------------------------

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, as near as the rows reach, and bring it into view."""
        self.cursor = min(max(index, 0), max(len(self.rows) - 1, 0))
        self._bring_into_view()

    def scroll(self, by: int) -> None:
        """Move what is in view; the cursor comes along when it would be left behind."""
        self.offset = self._valid_offset(self.offset + by)
        self.cursor = min(max(self.cursor, self.offset), max(min(self.offset + self.height, len(self.rows)) - 1, 0))

    def resize(self, height: int) -> None:
        """Another number of rows is in view now."""
        self.height = max(height, 1)
        self._bring_into_view()

    def _bring_into_view(self) -> None:
        low, high = self.cursor - self.height + 1, self.cursor
        self.offset = self._valid_offset(min(max(self.offset, low), high))

    def _valid_offset(self, offset: int) -> int:
        return min(max(offset, 0), max(len(self.rows) - self.height, 0))

    # --- filling ------------------------------------------------------------------------------------

    def replace(
        self, rows: Sequence[Row], *, first: int | None, at_top: bool, at_end: bool, keep: Hashable | None = None
    ) -> None:
        """Other rows. The cursor stays on the row `keep` and that on its line, or else near where it was."""
        screen_line = self.cursor - self.offset
        old_cursor = self.cursor
        self.rows = list(rows)
        self.first = 0 if at_top else first
        self.at_top, self.at_end = at_top, at_end
        found = self.index_of(keep) if keep is not None else None
        self.cursor = min(found if found is not None else old_cursor, max(len(self.rows) - 1, 0))
        self.offset = self._valid_offset(self.cursor - screen_line)
        self._bring_into_view()
        self._count_end()

    def append(self, rows: Sequence[Row], *, at_end: bool) -> None:
        """Rows that follow; those far above are let go."""
        self.rows.extend(rows)
        self.at_end = at_end
        surplus = len(self.rows) - _SCREENS_KEPT * max(self.height, 20)
        surplus = min(surplus, max(self.offset - 2 * self.height, 0))
        if surplus > 0:
            del self.rows[:surplus]
            self.first = None if self.first is None else self.first + surplus
            self.cursor -= surplus
            self.offset -= surplus
            self.at_top = False
        self._count_end()

    def prepend(self, rows: Sequence[Row], *, at_top: bool) -> None:
        """Rows that come before; those far below are let go."""
        self.rows[:0] = rows
        self.at_top = at_top
        self.first = 0 if at_top else None if self.first is None else max(self.first - len(rows), 0)
        self.cursor += len(rows)
        self.offset += len(rows)
        keep = max(_SCREENS_KEPT * max(self.height, 20), self.offset + 3 * self.height)
        if len(self.rows) > keep:
            del self.rows[keep:]
            self.at_end = False

    def count(self, total: int | None) -> None:
        """Note how many rows the list has."""
        self.total = total
        if total is not None and self.first is None and self.at_end:
            self.first = max(total - len(self.rows), 0)

    def _count_end(self) -> None:
        if self.at_end and self.first is not None:
            self.total = self.first + len(self.rows)
        elif self.at_end and self.total is not None:
            self.first = max(self.total - len(self.rows), 0)
