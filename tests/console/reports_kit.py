"""Reports for tests: fleets with hostile names, and how each format's figures are read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from console.reports.csv import BYTE_ORDER_MARK

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://evil.example","x")',
    "@SUM(A1)",
    "-2+3",
    "|pipe|`code`*bold*_x_[a](http://evil.example)",
    "\x1b[31mred\x07",
    "line\r\nbreak\ttab",
    "שלום\u202eevil",
    "x" * 400,
    "{{ 7 * 7 }}{% raw %}",
    "zero\u200bwidth",
)


class Page(HTMLParser):
    """What an HTML report says: its elements with their attributes, figures, and tables cell by cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.figures: list[tuple[str, str]] = []
        self._stack: list[str] = []
        self._words: list[str] = []
        self._title = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        if tag in ("th", "td", "dt", "strong", "dd"):
            self._words = []

    def handle_endtag(self, tag: str) -> None:
        said = _plain("".join(self._words))
        if tag in ("th", "td"):
            self.tables[-1][-1].append(said)
        elif tag == "dt":
            self._title = said
        elif tag == "strong":
            self.figures.append((self._title, said))

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def names(self) -> set[str]:
        return {tag for tag, _ in self.elements}


def _plain(text: str) -> str:
    """Without signs of severity and with common blanks."""
    words = text.replace("\N{NO-BREAK SPACE}", " ").split()
    return " ".join(word for word in words if word not in ("●", "◐", "▲", "✗", "?"))


def markdown_tables(text: str) -> Iterator[list[list[str]]]:
    """Every table of a Markdown report, heads first, escapes taken away."""
    table: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            table.append([_plain(_unescaped(cell)) for cell in _cells(line)])
        elif table:
            yield [row for number, row in enumerate(table) if number != 1]
            table = []


def _cells(line: str) -> list[str]:
    cells, cell, escaped = [], "", False
    for char in line.strip()[1:-1]:
        if char == "|" and not escaped:
            cells.append(cell.strip())
            cell = ""
        else:
            cell += char
        escaped = char == "\\" and not escaped
    return [*cells, cell.strip()]


def _unescaped(text: str) -> str:
    said, escaped = "", False
    for char in text:
        if char == "\\" and not escaped:
            escaped = True
            continue
        said, escaped = said + char, False
    return said


def csv_rows(text: str) -> list[dict[str, str]]:
    """The lines of a CSV report by their titles."""
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))


def at(document: Any, path: str) -> Any:
    """What stands at ``releases.0.total`` of a JSON document."""
    for step in path.split(".") if path else ():
        if document is None:
            return None
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def device_lines(names: list[str], place: Path) -> Path:
    """A device list to import, one device a name."""
    rows = [
        {
            "name": name,
            "user": name,
            "site": name,
            "platform": "win11-24h2",
            "architecture": "x64",
            "build": "26100.8246",
            "edition": "Enterprise",
            "id": f"dev-{number}",
        }
        for number, name in enumerate(names)
    ]
    place.write_text(json.dumps(rows), encoding="utf-8")
    return place
