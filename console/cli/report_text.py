"""Shows a report on a terminal: the answer, figures, bars and tables, as wide as there is room."""

from __future__ import annotations

import textwrap
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from console import columns, text
from console.cli import output
from console.cli.output import Style
from console.reports.model import (
    BarChart,
    Chart,
    ColumnChart,
    Figure,
    LineChart,
    Point,
    Report,
    ReportSeries,
    ReportTable,
    Row,
    Section,
)
from console.reports.phrases import heading_facts, more_words
from console.text import Tone

_BAR_CELLS, _LABEL_CELLS, _LINE_CELLS = 32, 26, 48
_LEAST, _MOST, _SENTENCE = 4, 30, 40
_FULL, _EMPTY = "█", "░"
_SHADES = {Tone.AT_RISK: "▓", Tone.FAILED: "▓", Tone.UNKNOWN: "▒", Tone.NONE: "▒"}
_SPARK = "▁▂▃▄▅▆▇█"
_PROSE = 100


def show(report: Report, style: Style) -> None:
    """The whole report."""
    output.heading(report.title, style)
    _prose(report.subtitle, report.severity, style)
    output.line()
    output.pairs(heading_facts(report), style)
    output.line()
    _figures(report.figures, style)
    for section in report.sections:
        _section(section, report.origin.made_at, style)
    for title, texts in (("Assumptions", report.assumptions), ("Sources", report.sources)):
        if texts:
            output.line()
            output.heading(title, style)
            for each in texts:
                _prose(f"- {each}", Tone.NONE, style)


def _section(section: Section, now: datetime, style: Style) -> None:
    output.line()
    output.heading(section.title, style)
    _prose(section.lead, Tone.NONE, style)
    for note in section.notes:
        _prose(note.text, note.severity, style)
    if section.figures:
        _figures(section.figures, style)
    for chart in section.charts:
        if not style.plain:
            output.line()
            _chart(chart)
    for each in section.shown_tables:
        output.line()
        show_table(each, now, style)


def show_table(table: ReportTable, now: datetime, style: Style) -> None:
    """One table with its title and what it leaves away."""
    output.line(table.title, Tone.NONE, style)
    if table.note:
        _prose(table.note, Tone.NONE, style)
    if not table.rows:
        output.line(table.empty, Tone.NONE, style)
        return
    output.table(_columns(table), table.rows, now, style)
    if table.more:
        output.line(more_words(table), Tone.NONE, style)


def _columns(table: ReportTable) -> Sequence[columns.Column[Row]]:
    return [_column(table, index) for index in range(len(table.heads))]


def _column(table: ReportTable, index: int) -> columns.Column[Row]:
    head = table.heads[index]
    widest = max((text.cells(text.clean(row[index].text)) for row in table.rows), default=0)
    signs = 2 if any(row[index].severity for row in table.rows) else 0
    most = _SENTENCE if head.is_wide else _MOST
    return columns.Column(
        head.id,
        head.title,
        min(max(widest + signs, text.cells(head.title), _LEAST), most),
        lambda row, _: columns.Cell(row[index].text, row[index].severity),
        "right" if head.is_number else "left",
        grow=3 if head.is_wide else 0,
    )


def _figures(figures: Iterable[Figure], style: Style) -> None:
    shown = list(figures)
    width = max((text.cells(each.title) for each in shown), default=0)
    values = [text.clean(each.cell.text) for each in shown]
    value_width = max((text.cells(value) for value in values), default=0)
    for each, value in zip(shown, values, strict=True):
        if style.plain:
            output.raw(f"{text.clean(each.title)}\t{value}\t{text.clean(each.note)}\n")
            continue
        sign = text.clean(text.sign(each.cell.severity)) or " "
        words = f"  {text.fit(each.title, width)}  {sign} {text.fit(value, value_width, 'right')}  {each.note}"
        output.line(words.rstrip())


def _chart(chart: Chart) -> None:
    output.line(chart.title)
    if isinstance(chart, BarChart):
        _bars(chart)
    elif isinstance(chart, LineChart):
        for name, values in _line_cells(chart.series):
            spark = "".join(_spark(value, chart.y_most) for value in values)
            output.line(f"  {text.fit(text.clean(name), _LABEL_CELLS)}  {spark}".rstrip())
        if chart.x_labels:
            output.line(f"  {' ' * _LABEL_CELLS}  {chart.x_labels[0][1]} to {chart.x_labels[-1][1]}")
    else:
        _columns_as_sparks(chart)


def _line_cells(series: Sequence[ReportSeries]) -> Iterator[tuple[str, list[float]]]:
    """The values of each line, one a cell: its points where all lines have them at the same places, else samples."""
    longest = max((tuple(point.x for point in each.points) for each in series), key=len, default=())
    at_the_same = all(tuple(point.x for point in each.points) == longest[: len(each.points)] for each in series)
    for each in series:
        if at_the_same and len(longest) <= _LINE_CELLS:
            yield each.name, [point.y for point in each.points]
        else:
            yield each.name, list(_samples(each.points))


def _samples(points: Sequence[Point]) -> Iterator[float]:
    """What stands at the end of each cell; 0 where the line has not begun, nothing behind its end."""
    places = [point.x for point in points]
    for cell in range(_LINE_CELLS):
        if not places or cell / _LINE_CELLS > places[-1]:
            return
        upto = bisect_right(places, (cell + 1) / _LINE_CELLS)
        yield points[upto - 1].y if upto else 0.0


def _bars(chart: BarChart) -> None:
    longest = max((max(bar.whole, sum(part.value for part in bar.parts)) for bar in chart.bars), default=0.0) or 1.0
    for bar in chart.bars:
        drawn = ""
        at = 0.0
        for part in bar.parts:
            at += part.value
            end = round(_BAR_CELLS * at / (bar.whole or longest))
            drawn += _SHADES.get(part.severity, _FULL) * max(end - len(drawn), 0)
        drawn = drawn[:_BAR_CELLS].ljust(_BAR_CELLS, _EMPTY)
        output.line(f"  {text.fit(text.clean(bar.label), _LABEL_CELLS)}  {drawn}  {bar.text}")


def _columns_as_sparks(chart: ColumnChart) -> None:
    most = max((value for each in chart.columns for value in each.values), default=0.0)
    for index, name in enumerate(chart.names):
        spark = "".join(_spark(each.values[index], most) for each in chart.columns)
        output.line(f"  {text.fit(name, _LABEL_CELLS)}  {spark}")
    if chart.columns:
        first, last = chart.columns[0].label, chart.columns[-1].label
        output.line(f"  {' ' * _LABEL_CELLS}  {first} to {last}")


def _spark(value: float, most: float) -> str:
    if most <= 0 or value <= 0:
        return " "
    return _SPARK[min(round(value / most * (len(_SPARK) - 1)), len(_SPARK) - 1)]


def _prose(words: str, severity: Tone, style: Style) -> None:
    """Sentences, broken where the terminal ends; a pipe gets them whole."""
    if style.plain or not output.is_terminal():
        output.line(words, severity, style)
        return
    indent = "  " if words.startswith("- ") else ""
    for each in textwrap.wrap(
        text.clean(words), min(output.terminal_width() - 2, _PROSE), subsequent_indent=indent, break_on_hyphens=False
    ):
        output.line(each, severity, style)
        severity = Tone.NONE
