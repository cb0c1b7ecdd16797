"""Which rows are marked for a verb: some by id, or all that the filter matches. Pure; a table holds one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from msgspec import Struct, field


class Marks(Struct):
    """Marks survive scrolling and filtering; "all that match" is kept as such and never as a list of ids."""

    ids: set[Hashable] = field(default_factory=set)
    everything: bool = False
    """All that the list's filter matches, now and later."""
    _kept: set[Hashable] = field(default_factory=set)
    """Marks from before a range was begun."""
    _in_range: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.ids)

    def __contains__(self, row_id: Hashable) -> bool:
        return self.everything or row_id in self.ids

    def toggle(self, row_id: Hashable) -> None:
        """Mark a row, or take its mark away."""
        self.ids.symmetric_difference_update({row_id})

    def mark_everything(self) -> None:
        """All that match; single marks are let go."""
        self.end_range()
        self.ids.clear()
        self.everything = True

    def clear(self) -> None:
        """No marks."""
        self.end_range()
        self.ids.clear()
        self.everything = False

    @property
    def in_range(self) -> bool:
        """Whether a range is being marked."""
        return self._in_range

    def begin_range(self) -> None:
        """From now on `cover` says what the range covers."""
        self._in_range = True
        self._kept = set(self.ids)

    def cover(self, row_ids: Iterable[Hashable]) -> None:
        """The range covers these rows; what it covered before and not now loses its mark."""
        self.ids = self._kept | set(row_ids)

    def keep_covered(self, row_ids: Iterable[Hashable]) -> None:
        """Rows of the range that leave the window keep their mark."""
        self._kept |= set(row_ids)

    def end_range(self) -> None:
        """What is covered stays marked."""
        self._in_range = False
        self._kept = set()
