"""Writes a report as Markdown with GitHub's tables. No text of a device or file can become markup or a link."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from console.reports.model import Figure, Report, ReportTable, Section
from console.reports.phrases import heading_facts, more_words, signed
from console.text import Tone, safe

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_LINK = re.compile(r"(?i)(://|www\.)")
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])")


def escape(text: str) -> str:
    """A text as it is: no emphasis, table edge, HTML, mention of markup or address becomes live."""
    shown = _SPECIAL.sub(r"\\\1", safe(text))
    shown = _LINK.sub(lambda found: "\\".join(("", found[0])) if found[0] == "://" else f"{found[0][:-1]}\\.", shown)
    return _LINE_START.sub(lambda found: f"{found[1]}{found[2][:-1]}\\{found[2][-1]}", shown)


def lines(report: Report) -> Iterator[str]:
    """The report, line by line."""
    yield from (f"# {escape(report.title)}\n", "\n", f"**{escape(report.subtitle)}**\n", "\n")
    for name, value in heading_facts(report):
        yield f"- {name}: {escape(value)}\n"
    yield "\n## Key figures\n\n"
    yield from _figures(report.figures)
    for section in report.sections:
        yield from _section(section)
    yield from _list("Assumptions", report.assumptions, numbered=True)
    yield from _list("Sources", report.sources, numbered=False)


def _section(section: Section) -> Iterator[str]:
    yield f"\n## {escape(section.title)}\n\n{escape(section.lead)}\n"
    for note in section.notes:
        bold = "**" if note.severity in (Tone.FAILED, Tone.AT_RISK) else ""
        yield f"\n> {bold}{escape(signed(note.text, note.severity))}{bold}\n"
    if section.figures:
        yield "\n"
        yield from _figures(section.figures)
    for chart in section.charts:
        yield f"\n*{escape(chart.alt)}*\n"
    for table in section.shown_tables:
        yield from _table(table)


def _figures(figures: Iterable[Figure]) -> Iterator[str]:
    yield "| Figure | Value | |\n|---|---:|---|\n"
    for each in figures:
        yield f"| {escape(each.title)} | {escape(signed(each.cell.text, each.cell.severity))} | {escape(each.note)} |\n"


def _table(table: ReportTable) -> Iterator[str]:
    yield f"\n### {escape(table.title)}\n\n"
    if table.note:
        yield f"{escape(table.note)}\n\n"
    if not table.rows:
        yield f"{escape(table.empty)}\n"
        return
    yield f"| {' | '.join(escape(head.title) for head in table.heads)} |\n"
    yield f"|{'|'.join('---:' if head.is_number else '---' for head in table.heads)}|\n"
    for row in table.rows:
        yield f"| {' | '.join(escape(signed(cell.text, cell.severity)) for cell in row)} |\n"
    if table.more:
        yield f"\n{escape(more_words(table))}\n"


def _list(title: str, texts: Iterable[str], *, numbered: bool) -> Iterator[str]:
    found = list(texts)
    if not found:
        return
    yield f"\n## {title}\n\n"
    for number, each in enumerate(found, 1):
        yield f"{f'{number}.' if numbered else '-'} {escape(each)}\n"
