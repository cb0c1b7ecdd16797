"""Charts stand inside their frame, whatever the numbers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from console.reports.charts import WIDTH, Drawing, draw, nice_steps
from console.reports.model import Bar, BarChart, ColumnChart, LineChart, Point, ReportColumn, ReportPart, ReportSeries
from console.text import Tone

values = st.floats(0, 1e7, allow_nan=False, allow_subnormal=False)  # 5e-324 / 2 is 0: a share that is none


@given(values)
def test_steps_are_round_few_and_reach_the_highest_value(most: float) -> None:
    steps = nice_steps(most)
    assert steps[0] == 0
    assert steps[-1] >= min(most * 0.999_999, most - 1e-9)
    assert 2 <= len(steps) <= 7
    assert all(after > before for before, after in itertools.pairwise(steps))


def stands_inside(drawing: Drawing) -> bool:
    boxes = all(
        rect.x >= 0 and rect.x + rect.width <= WIDTH + 1 and rect.y >= 0 and rect.y + rect.height <= drawing.height
        for rect in drawing.rects
    )
    points = [point.split(",") for path in drawing.paths for point in path.points.split()]
    lines = all(0 <= float(x) <= WIDTH and 0 <= float(y) <= drawing.height for x, y in points)
    return boxes and lines and all(0 <= word.x <= WIDTH and 0 <= word.y <= drawing.height for word in drawing.words)


@given(st.lists(st.lists(values, min_size=1, max_size=4), max_size=12), st.text(max_size=60))
def test_bars_stand_inside(parts: list[list[float]], label: str) -> None:
    bars = tuple(
        Bar(label, tuple(ReportPart("p", value, Tone.OK, "1") for value in each), "1 %", sum(each)) for each in parts
    )
    drawing = draw(BarChart("t", "a", bars))
    assert stands_inside(drawing)
    for row, each in enumerate(parts):
        drawn = [rect for rect in drawing.rects if rect.style == "s-ok" and rect.y == 4 + row * 30]
        assert len(drawn) == sum(value > 0 and sum(each) > 0 for value in each if value / (sum(each) or 1) > 0)


@given(st.lists(st.tuples(values, values), max_size=60))
def test_columns_stand_inside(pairs: list[tuple[float, float]]) -> None:
    columns = tuple(ReportColumn(f"{place}", pair) for place, pair in enumerate(pairs))
    assert stands_inside(draw(ColumnChart("t", "a", ("x", "y"), (Tone.OK, Tone.DUE), columns)))


@given(st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), max_size=40))
def test_lines_stand_inside(points: list[tuple[float, float]]) -> None:
    series = ReportSeries("s", tuple(Point(x, y) for x, y in points))
    labels = ((0.0, "0 %"), (1.0, "100 %"))
    assert stands_inside(draw(LineChart("t", "a", (series,), ((0.0, "a"), (1.0, "b")), 1.0, labels, 0.95, "95 %")))
