"""What a report is made of, whatever its kind and format: figures, tables, charts and notes, in sections.

Builders make it, renderers read it. A value stands here twice, as people read it and as programs do, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct, field

from console.text import Tone

Raw = str | int | float | bool | None
"""A value as programs read it: the same as in the JSON document."""


class ReportCell(Struct, frozen=True):
    """One value. `text` may hold anything that a device or file told: whoever writes it out makes it safe."""

    text: str
    raw: Raw
    severity: Tone = Tone.NONE


class Figure(Struct, frozen=True):
    """One number that matters, with one line of what it means."""

    id: str
    """Its place in the JSON document: ``funnel.ready``."""
    title: str
    cell: ReportCell
    note: str = ""


class ReportHead(Struct, frozen=True):
    """The head of a column."""

    id: str
    """Its place in an item of the table's list in the JSON document: ``within_24h.share``."""
    title: str
    is_number: bool = False
    is_wide: bool = False
    """Holds sentences."""
    dimension: str = ""
    """What it names, for rows of several tables in one list: one of `DIMENSIONS`; "" for a value."""


Row = tuple[ReportCell, ...]
DIMENSIONS = ("month", "platform", "ring", "site", "item")


class ReportTable(Struct, frozen=True):
    """Rows under heads; the first column names the row."""

    id: str
    """Its name for ``--table``."""
    title: str
    heads: tuple[ReportHead, ...]
    rows: tuple[Row, ...]
    source: str = ""
    """The list of the JSON document that it shows: ``rings``; "" for none."""
    note: str = ""
    more: int = 0
    """Rows that are left away."""
    rest: str = ""
    """How to get them; "" for this table as CSV."""
    empty: str = "Nothing."
    """What is said where there are no rows."""
    is_data: bool = False
    """Too long for readers: it stands in CSV alone."""
    about: tuple[tuple[str, str], ...] = ()
    """Dimensions that are the same for all rows, such as the month."""


class Stream(Struct, frozen=True):
    """A table of any length, written row by row."""

    id: str
    title: str
    heads: tuple[ReportHead, ...]
    rows: Iterator[Row]


class ReportPart(Struct, frozen=True):
    """One piece of a bar."""

    name: str
    value: float
    severity: Tone
    text: str
    """The value as people read it."""


class Bar(Struct, frozen=True):
    """One bar: its parts add up to at most the chart's `whole`."""

    label: str
    parts: tuple[ReportPart, ...]
    text: str
    """What stands at its end."""
    whole: float = 0.0
    """What a full bar means for this one; 0 takes the chart's longest."""


class BarChart(Struct, frozen=True):
    """Horizontal bars."""

    title: str
    alt: str
    """What it shows, in a sentence, for who cannot see it."""
    bars: tuple[Bar, ...]


class ReportColumn(Struct, frozen=True):
    """The columns that stand together at one place."""

    label: str
    values: tuple[float, ...]
    """One for each of the chart's names."""


class ColumnChart(Struct, frozen=True):
    """Upright columns over days or months, side by side."""

    title: str
    alt: str
    names: tuple[str, ...]
    severities: tuple[Tone, ...]
    columns: tuple[ReportColumn, ...]


class Point(Struct, frozen=True):
    """A point of a line; `x` is a position between 0 and 1, `y` a value."""

    x: float
    y: float


class ReportSeries(Struct, frozen=True):
    """One line of a chart."""

    name: str
    points: tuple[Point, ...]
    rank: int = 0
    """Which of the chart's colours it has; 0 is the one that matters."""


class LineChart(Struct, frozen=True):
    """Lines over time, or over releases."""

    title: str
    alt: str
    series: tuple[ReportSeries, ...]
    x_labels: tuple[tuple[float, str], ...]
    """Position between 0 and 1 and what stands there."""
    y_most: float
    y_labels: tuple[tuple[float, str], ...]
    """Value and what stands there."""
    goal: float | None = None
    """A value that is to be reached; None where there is none."""
    goal_text: str = ""


Chart = BarChart | ColumnChart | LineChart


class Note(Struct, frozen=True):
    """A sentence that must not be overlooked, or that explains."""

    text: str
    severity: Tone = Tone.NONE


class Section(Struct, frozen=True):
    """One part of a report: what it says in a sentence, then pictures, then tables."""

    id: str
    title: str
    lead: str
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def shown_tables(self) -> tuple[ReportTable, ...]:
        """The tables for readers."""
        return tuple(table for table in self.tables if not table.is_data)


class ReportOrigin(Struct, frozen=True):
    """Where a report comes from: who made it, from which state, and how fresh that is."""

    made_at: datetime
    made_by: str
    state: str
    """The state file's name, without its folder."""
    change_number: int
    is_demo: bool
    """A sample fleet: nothing in the report is about real devices."""
    freshness: tuple[str, ...] = ()
    """One sentence for each system that told of devices."""
    program: str = ""


class Report(Struct, frozen=True):
    """One report, ready for any format."""

    kind: str
    title: str
    subtitle: str
    """The answer in one sentence."""
    period: str
    filter: str
    origin: ReportOrigin
    figures: tuple[Figure, ...]
    """The key figures, first in every format."""
    sections: tuple[Section, ...]
    assumptions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    severity: Tone = field(default=Tone.NONE)
    """How the answer is to be taken."""

    def tables(self) -> Iterable[tuple[Section, ReportTable]]:
        """Every table with its section, in order, those for CSV alone among them."""
        return ((section, table) for section in self.sections for table in section.tables)

    def all_figures(self) -> Iterable[tuple[str, Figure]]:
        """Every figure with the title of its section, the key figures first under "Key figures"."""
        yield from ((KEY_FIGURES, figure) for figure in self.figures)
        for section in self.sections:
            yield from ((section.title, figure) for figure in section.figures)


KEY_FIGURES = "Key figures"
