"""Writes a report as CSV for spreadsheets and PowerShell's Import-Csv: one table a file, safe to open.

A whole report is a list of values, one a line; a single table keeps its shape. RFC 4180; no cell begins a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from console.export import inert
from console.reports.model import DIMENSIONS, Raw, Report, ReportCell, ReportHead, ReportTable, Row, Section, Stream
from console.text import safe

BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Begins a file, so that spreadsheets and Windows PowerShell take it for UTF-8."""
_VALUES = ("report", "section", "table", *DIMENSIONS, "measure", "value")


def report_lines(report: Report) -> Iterator[str]:
    """The whole report, one value a line: where it stands, what it is about, its measure, the value."""
    return _lines(_VALUES, _values(report))


def table_lines(table: ReportTable | Stream) -> Iterator[str]:
    """One table as it is, titles first; a long one is written as it is read."""
    return _lines([head.id for head in table.heads], ([cell.raw for cell in row] for row in table.rows))


def _values(report: Report) -> Iterator[list[Raw]]:
    for section, figure in report.all_figures():
        yield [report.kind, section, "", *("" for _ in DIMENSIONS[:-1]), figure.title, figure.id, figure.cell.raw]
    for part, table in report.tables():
        for row in table.rows:
            yield from _row_values(report, part, table, row)


def _row_values(report: Report, section: Section, table: ReportTable, row: Row) -> Iterator[list[Raw]]:
    known: dict[str, Raw] = dict(table.about)
    named = list(zip(table.heads, row, strict=True))
    known |= {head.dimension: cell.raw for head, cell in named if head.dimension}
    about = [known.get(each) for each in DIMENSIONS]
    for head, cell in _measures(named):
        yield [report.kind, section.title, table.id, *about, head.id, cell.raw]


def _measures(named: Iterable[tuple[ReportHead, ReportCell]]) -> Iterator[tuple[ReportHead, ReportCell]]:
    return ((head, cell) for head, cell in named if not head.dimension)


def _lines(titles: Iterable[str], rows: Iterable[Iterable[Raw]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")

    def take() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    writer.writerow(list(titles))
    yield take()
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        yield take()


def _cell(value: Raw) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return inert(safe(value)) if isinstance(value, str) else repr(value)
