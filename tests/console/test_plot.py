"""The plot in text: every point where it belongs, never wider than asked, and in ASCII too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import text
from console.text import cells
from console.widgets.plot import PlotLine, legend, plot

RISING = PlotLine("rising", [(0.0, 0.0), (1.0, 1.0)], "$ok", "r")
FLAT = PlotLine("flat", [(0.0, 0.5), (1.0, 0.5)], "$due", "f")


@pytest.fixture
def ascii_only() -> Iterator[None]:
    before = text.is_ascii()
    text.use_ascii(True)
    yield
    text.use_ascii(before)


def test_a_line_rises_from_corner_to_corner() -> None:
    rows = [row.plain for row in plot([RISING], [], 46, 5)]
    assert rows[0].startswith("100 % ")
    assert rows[2].startswith(" 50 % ")
    assert rows[4].startswith("  0 % ")
    assert rows[0].endswith(("⠉", "⠁", "⡠", "⠊", "⠔"))
    assert rows[4][6] not in " ┈"
    assert len(rows) == 6


def test_a_step_holds_until_the_next_point(ascii_only: None) -> None:
    steps = PlotLine("steps", [(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)], "$ok", "s", is_stepped=True)
    rows = [row.plain[6:] for row in plot([steps], [], 26, 4)]
    assert rows[0] == "." * 10 + "s" * 10 or rows[0] == "." * 9 + "s" * 11
    assert rows[3].count("s") in (10, 11)
    assert set(rows[1]) == {" ", "s"}


def test_marks_stay_on_top_of_lines(ascii_only: None) -> None:
    others = PlotLine("others", [(0.5, 0.5)], "$key", "o", is_marked=True)
    for order in ([others, FLAT], [FLAT, others]):
        rows = [row.plain for row in plot(order, [], 26, 5)]
        assert sum(row.count("o") for row in rows) == 1
        assert rows[2].count("f") == 19
    assert legend([others, FLAT]).plain == "o others  f flat"


def test_labels_never_touch_and_the_last_one_is_there() -> None:
    labels = [(0.0, "Oct"), (0.05, "Nov"), (0.5, "Jan"), (1.0, "Apr")]
    last = plot([FLAT], labels, 40, 3)[-1].plain
    assert last.endswith("Apr")
    assert last.split() in (["Oct", "Jan", "Apr"], ["Nov", "Jan", "Apr"])


@given(
    st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), max_size=8),
    st.integers(0, 120),
    st.integers(0, 14),
    st.booleans(),
)
def test_it_is_as_large_as_asked(points: list[tuple[float, float]], width: int, height: int, stepped: bool) -> None:
    series = PlotLine("any", sorted(points), "$ok", "x", is_stepped=stepped)
    rows = plot([series], [(0.5, "mid"), (1.0, "end")], width, height)
    assert len(rows) == max(height, 2) + 1
    assert {cells(row.plain) for row in rows} == {max(width - 6, 4) + 6}
