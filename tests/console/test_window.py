"""The window over a list: always a stretch of the list, the cursor in view, never more than a few screens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from console.widgets.marks import Marks
from console.widgets.window import RowWindow

LIST = list(range(1, 1001))


class WindowMachine(RuleBasedStateMachine):
    """Keys and pages in any order over a list of a thousand rows."""

    @initialize(height=st.integers(1, 40), size=st.integers(0, 1000))
    def begin(self, height: int, size: int) -> None:
        self.rows = LIST[:size]
        self.window: RowWindow[int] = RowWindow(lambda row: row)
        self.window.resize(height)
        self.top()

    def top(self) -> None:
        found = self.rows[: self.window.asked]
        self.window.replace(found, first=0, at_top=True, at_end=len(found) == len(self.rows))

    @rule()
    def to_the_top(self) -> None:
        self.window.cursor = self.window.offset = 0
        self.top()

    @rule()
    def to_the_end(self) -> None:
        asked = self.window.asked
        found = self.rows[-asked:]
        self.window.replace(found, first=None, at_top=len(found) < asked, at_end=True)
        self.window.count(len(self.rows))
        self.window.move_to(len(found) - 1)

    @rule(by=st.integers(-80, 80))
    def move(self, by: int) -> None:
        self.window.move_to(self.window.cursor + by)

    @rule(by=st.integers(-80, 80))
    def scroll(self, by: int) -> None:
        self.window.scroll(by)

    @rule(height=st.integers(1, 60))
    def resize(self, height: int) -> None:
        self.window.resize(height)

    @rule()
    def fill(self) -> None:
        window, asked = self.window, self.window.asked
        before = window.id
        if window.wants_after:
            last = window.rows[-1]
            found = self.rows[last : last + asked]
            window.append(found, at_end=len(found) < asked)
        elif window.wants_before:
            first = window.rows[0]
            found = self.rows[max(first - 1 - asked, 0) : first - 1]
            window.prepend(found, at_top=len(found) < asked)
        assert window.id == before

    @invariant()
    def holds_a_stretch_of_the_list(self) -> None:
        rows = self.window.rows
        if rows:
            assert rows == self.rows[rows[0] - 1 : rows[0] - 1 + len(rows)]
            if self.window.first is not None:
                assert self.window.first == rows[0] - 1
            if self.window.at_top:
                assert rows[0] == 1
            if self.window.at_end:
                assert rows[-1] == len(self.rows)

    @invariant()
    def keeps_the_cursor_in_view(self) -> None:
        window = self.window
        if window.rows:
            assert 0 <= window.cursor < len(window.rows)
            assert window.offset <= window.cursor < window.offset + window.height
            assert len(window.shown()) == min(window.height, len(window.rows))
        else:
            assert window.row is None

    @invariant()
    def stays_small(self) -> None:
        assert len(self.window.rows) <= 25 * max(self.window.height, 60)


TestWindow = WindowMachine.TestCase


@given(st.lists(st.integers(1, 50), unique=True, min_size=1), st.integers(1, 50))
def test_the_cursor_stays_on_its_row_when_rows_change(rows: list[int], keep: int) -> None:
    window: RowWindow[int] = RowWindow(lambda row: row)
    window.resize(10)
    window.replace(LIST[:50], first=0, at_top=True, at_end=True)
    window.move_to(keep - 1)
    window.replace(rows, first=0, at_top=True, at_end=True, keep=keep)
    assert window.id == keep if keep in rows else window.id in rows


def test_places_are_counted_from_one() -> None:
    window: RowWindow[int] = RowWindow(lambda row: row)
    window.resize(20)
    window.replace(LIST[:60], first=0, at_top=True, at_end=False)
    assert window.place() == (1, 20)
    window.scroll(5)
    assert window.place() == (6, 25)
    window.first = None
    assert window.place() is None


def test_a_range_gives_back_what_it_no_longer_covers() -> None:
    marks = Marks()
    marks.toggle(99)
    marks.begin_range()
    marks.cover([1, 2, 3])
    assert marks.ids == {1, 2, 3, 99}
    marks.cover([1])
    assert marks.ids == {1, 99}
    marks.end_range()
    assert marks.ids == {1, 99}


def test_everything_is_marked_without_naming_it() -> None:
    marks = Marks()
    marks.toggle(1)
    marks.mark_everything()
    assert 12345 in marks
    assert not marks.ids
    marks.clear()
    assert not marks
