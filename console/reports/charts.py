"""Where the lines, bars and words of a chart stand: charts of the model as flat shapes. Pure; drawn by `html`.

Colours are classes, so that light, dark and printed pages choose their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from console.reports.model import BarChart, Chart, ColumnChart, LineChart
from console.text import Tone

WIDTH = 760
"""Of every drawing, in its own units; a page stretches it."""
_LABEL_ROOM, _TEXT_ROOM, _MOST_TEXT_ROOM = 170, 70, 190
_CHARACTER = 8.6
"""About how wide a bold character is."""
_BAR, _BAR_STEP = 18, 30
_LINE_HEIGHT, _COLUMN_HEIGHT = 250, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 44, 16, 30
_LABEL_CELLS = 24
_NOTHING = 1e-9
_SERIES = ("c0", "c1", "c2", "c3")


class Rect(Struct, frozen=True):
    x: float
    y: float
    width: float
    height: float
    style: str
    title: str = ""
    """What a pointer over it tells."""


class Path(Struct, frozen=True):
    points: str
    """As an SVG polyline takes them."""
    style: str


class Dot(Struct, frozen=True):
    x: float
    y: float
    style: str
    title: str


class Words(Struct, frozen=True):
    x: float
    y: float
    text: str
    anchor: str
    """``start``, ``middle`` or ``end``."""
    style: str = "label"


class Key(Struct, frozen=True):
    """One entry of the legend."""

    style: str
    text: str


class Drawing(Struct, frozen=True):
    """One chart, ready to be written down."""

    title: str
    alt: str
    width: int
    height: int
    rects: tuple[Rect, ...] = ()
    paths: tuple[Path, ...] = ()
    dots: tuple[Dot, ...] = ()
    words: tuple[Words, ...] = ()
    keys: tuple[Key, ...] = ()


def severity_style(severity: Tone) -> str:
    """The class that colours a severity: ``s-ok``; ``s-none`` for none."""
    return f"s-{severity.value.replace('_', '-') or 'none'}"


def draw(chart: Chart) -> Drawing:
    """The shapes of a chart."""
    if isinstance(chart, BarChart):
        return _bars(chart)
    return _columns(chart) if isinstance(chart, ColumnChart) else _lines(chart)


def nice_steps(most: float, steps: int = 4) -> tuple[float, ...]:
    """Round values from 0 to at least `most`, about so many."""
    if most < _NOTHING:
        return (0.0, 1.0)
    rough = most / steps
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= rough * 0.999_999)
    if most >= 1:
        step = max(step, 1.0)
    return tuple(step * index for index in range(math.ceil(most / step - 1e-9) + 1))


# --- horizontal bars --------------------------------------------------------------------------------


def _bars(chart: BarChart) -> Drawing:
    widest = max((len(bar.text) for bar in chart.bars), default=0)
    text_room = min(max(_TEXT_ROOM, 14 + _CHARACTER * widest), _MOST_TEXT_ROOM)
    room = WIDTH - _LABEL_ROOM - text_room
    longest = max((max(bar.whole, sum(part.value for part in bar.parts)) for bar in chart.bars), default=0.0) or 1.0
    rects: list[Rect] = []
    words: list[Words] = []
    for row, bar in enumerate(chart.bars):
        top = 4 + row * _BAR_STEP
        whole = bar.whole or longest
        words.append(Words(_LABEL_ROOM - 12, top + 13, _cut(bar.label), "end"))
        rects.append(Rect(_LABEL_ROOM, top, _round(room), _BAR, "track"))
        at = float(_LABEL_ROOM)
        for part in bar.parts:
            width = room * part.value / whole
            if width > 0:
                title = f"{part.name}: {part.text}" if part.name else part.text
                rects.append(Rect(_round(at), top, _round(max(width, 1.0)), _BAR, severity_style(part.severity), title))
            at += width
        words.append(Words(_round(WIDTH - text_room + 12), top + 13, bar.text, "start", "value"))
    keys: dict[str, Key] = {}
    for bar in chart.bars:
        for part in bar.parts:
            if part.name:
                keys.setdefault(part.name, Key(severity_style(part.severity), part.name))
    height = 8 + max(len(chart.bars), 1) * _BAR_STEP
    return Drawing(chart.title, chart.alt, WIDTH, height, tuple(rects), words=tuple(words), keys=tuple(keys.values()))


# --- columns ----------------------------------------------------------------------------------------


def _columns(chart: ColumnChart) -> Drawing:
    steps = nice_steps(max((value for each in chart.columns for value in each.values), default=0.0))
    plot = _Plot(_COLUMN_HEIGHT, steps[-1])
    rects: list[Rect] = []
    words = plot.y_words([(each, _number(each)) for each in steps])
    slot = plot.width / max(len(chart.columns), 1)
    width = min(slot * 0.76 / max(len(chart.names), 1), 26.0)
    every = max(1, math.ceil(len(chart.columns) * 46 / plot.width))
    for place, column in enumerate(chart.columns):
        middle = _LEFT + slot * (place + 0.5)
        at = middle - width * len(chart.names) / 2
        for name, severity, value in zip(chart.names, chart.severities, column.values, strict=True):
            top = plot.y(value)
            if value > 0:
                height = max(plot.floor - top, 1.0)
                title = f"{column.label}, {name}: {_number(value)}"
                box = (_round(at), _round(plot.floor - height), _round(width * 0.92), _round(height))
                rects.append(Rect(*box, severity_style(severity), title))
            at += width
        if place % every == 0:
            words.append(Words(_round(middle), plot.floor + 19, column.label, "middle"))
    keys = tuple(
        Key(severity_style(severity), name) for name, severity in zip(chart.names, chart.severities, strict=True)
    )
    return Drawing(
        *(chart.title, chart.alt, WIDTH, plot.height),
        tuple(rects),
        tuple(plot.rules(steps)),
        words=tuple(words),
        keys=keys,
    )


# --- lines ------------------------------------------------------------------------------------------


def _lines(chart: LineChart) -> Drawing:
    plot = _Plot(_LINE_HEIGHT, chart.y_most)
    paths = plot.rules([value for value, _ in chart.y_labels])
    words = plot.y_words(chart.y_labels)
    dots: list[Dot] = []
    if chart.goal is not None:
        at = plot.y(chart.goal)
        paths.append(Path(f"{_LEFT},{at} {WIDTH - _RIGHT},{at}", "goal"))
        words.append(Words(WIDTH - _RIGHT + 6, at + 4, chart.goal_text, "start", "goal-text"))
    for x, label in chart.x_labels:
        anchor = "start" if x <= 0 else "end" if x >= 1 else "middle"
        words.append(Words(plot.x(x), plot.floor + 19, label, anchor))
    for series in reversed(chart.series):
        style = _SERIES[series.rank % len(_SERIES)]
        points = [(plot.x(point.x), plot.y(point.y)) for point in series.points]
        if len(points) > 1:
            paths.append(Path(" ".join(f"{x},{y}" for x, y in points), f"line {style}"))
        if len(points) <= 24:
            dots += [Dot(x, y, f"dot {style}", series.name) for x, y in points]
    keys = tuple(Key(_SERIES[each.rank % len(_SERIES)], each.name) for each in chart.series)
    return Drawing(
        *(chart.title, chart.alt, WIDTH, plot.height),
        paths=tuple(paths),
        dots=tuple(dots),
        words=tuple(words),
        keys=keys,
    )


class _Plot(Struct, frozen=True):
    """The field of a chart with axes."""

    height: int
    most: float

    @property
    def width(self) -> float:
        return WIDTH - _LEFT - _RIGHT

    @property
    def floor(self) -> float:
        return self.height - _BOTTOM

    def x(self, part: float) -> float:
        return _round(_LEFT + min(max(part, 0.0), 1.0) * self.width)

    def y(self, value: float) -> float:
        part = min(max(value / self.most, 0.0), 1.0) if self.most > 0 else 0.0
        return _round(self.floor - part * (self.floor - _TOP))

    def rules(self, values: Sequence[float]) -> list[Path]:
        return [
            Path(f"{_LEFT},{self.y(value)} {WIDTH - _RIGHT},{self.y(value)}", "rule" if value else "axis")
            for value in values
        ]

    def y_words(self, labels: Sequence[tuple[float, str]]) -> list[Words]:
        return [Words(_LEFT - 8, self.y(value) + 4, label, "end") for value, label in labels]


def _round(value: float) -> float:
    return round(value, 1)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL_CELLS else f"{label[: _LABEL_CELLS - 1]}…"
