"""One line a measurement, the lines as a Markdown table, and the table's place in README.md. Knows no measurement."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PLACE = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a measurement is held against; told beside it, never asserted."""

    words: str
    met: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement."""

    what: str
    value: str
    against: str = ""
    """What it is compared with, measured in the same run."""
    ratio: float | None = None
    aims: tuple[Aim, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Measurements that belong together."""

    title: str
    lines: tuple[Line, ...]


def at_most(limit: float, value: float, unit: str = "") -> Aim:
    """An upper limit."""
    return Aim(f"≤ {limit:,g}{f' {unit}' if unit else ''}", value <= limit)


def duration(seconds: float) -> str:
    """A time with three figures or so: ``0.57 ms``, ``113 ms``, ``2.41 s``."""
    number, unit = (seconds, "s") if seconds >= 1 else (seconds * 1_000, "ms")
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:,.{digits}f} {unit}"


def markdown(title: str, sections: Iterable[Section]) -> str:
    """The whole table; `title` stands over its first column."""
    rows = [f"| {title} | measured | against | ratio | aim |", "|---|---|---|---|---|"]
    for section in sections:
        rows.append(f"| **{section.title}** | | | | |")
        rows += [_row(line) for line in section.lines]
    return "\n".join(rows)


def _row(line: Line) -> str:
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    aims = ", ".join(aim.words if aim.met else f"{aim.words} **missed**" for aim in line.aims)
    return f"| {line.what} | {line.value} | {line.against} | {ratio} | {aims} |"


def write_into(readme: Path, table: str) -> None:
    """Put the table between the marks in README.md.

    Raises:
        ValueError: the marks are not there.
    """
    text = readme.read_text(encoding="utf-8")
    if not _PLACE.search(text):
        raise ValueError(f"{readme.name} has no <!-- bench --> and <!-- /bench --> on lines of their own")
    readme.write_text(_PLACE.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text), encoding="utf-8")
