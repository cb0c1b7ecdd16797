"""Two tables of measurements read back, and one made of them: now, base, ratio. Knows no measurement."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.table import duration

Key = tuple[str, str]
"""What is measured, and in brackets what it is compared with in its own run: ``start``, ``empty application``."""

_QUANTITY = re.compile(r"([\d,]*\d(?:\.\d+)?) ([a-zA-Z]+(?:/s)?)")
_LAST_BRACKETS = re.compile(r" \(([^()]*(?:\([^()]*\)[^()]*)*)\)$")
_CELLS = 5


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit; times in seconds."""

    number: float
    unit: str

    def __str__(self) -> str:
        return duration(self.number) if self.unit == "s" else f"{self.number:,.0f} {self.unit}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one line of a table says."""

    quantities: tuple[Quantity, ...]
    """At least one. The last is what is compared: a time, or memory, of which less is better."""
    ratio: float | None
    """Against what it is compared with in its own run."""


Table = Mapping[Key, Measured]


@dataclass(frozen=True, slots=True)
class Part:
    """The tables of one part of the bench, one for each round."""

    title: str
    now: Sequence[Table]
    base: Sequence[Table]


def read_table(text: str) -> dict[Key, Measured]:
    """The lines of a table made by `tests.bench.table.markdown`, or one of an earlier commit; without those that
    say in words why nothing was measured. Brackets at the end of a name tell details that differ from run to run."""
    found: dict[Key, Measured] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if len(cells) != _CELLS or cells[0].startswith(("**", "---")) or cells[1] == "measured":
            continue
        what, value, against, ratio, _ = cells
        if quantities := tuple(_quantities(value)):
            compared_with = _LAST_BRACKETS.search(against)
            key = _LAST_BRACKETS.sub("", what), compared_with[1] if compared_with else ""
            found[key] = Measured(quantities, float(ratio) if ratio else None)
    return found


def _quantities(text: str) -> Iterable[Quantity]:
    for number, unit in _QUANTITY.findall(text):
        value = float(number.replace(",", ""))
        yield Quantity(value / 1_000, "s") if unit == "ms" else Quantity(value, unit)


def markdown(title: str, base: str, parts: Iterable[Part]) -> str:
    """Medians of all rounds side by side; a line that only one side has stands without a ratio."""
    rows = [f"| {title} | now | {base} | ratio | spread |", "|---|---|---|---|---|"]
    for part in parts:
        rows.append(f"| **{part.title}** | | | | |")
        keys = dict.fromkeys(key for table in (*part.now, *part.base) for key in table)
        rows += [
            _row(key, [t[key] for t in part.now if key in t], [t[key] for t in part.base if key in t]) for key in keys
        ]
    return "\n".join(rows)


def _row(key: Key, now: Sequence[Measured], base: Sequence[Measured]) -> str:
    what, against = key
    name = f"{what}, against {against}" if against else what
    ratio = ""
    if now and base and (before := _compared(base)):
        ratio = f"{_compared(now) / before:.2f}"
    return f"| {name} | {_medians(now)} | {_medians(base)} | {ratio} | {_spread(now)}; {_spread(base)} |"


def _compared(rounds: Sequence[Measured]) -> float:
    return statistics.median(each.quantities[-1].number for each in rounds)


def _medians(rounds: Sequence[Measured]) -> str:
    """``271 bytes, 3.23 ms, 0.96 times``: the last is the ratio within the run."""
    if not rounds:
        return "–"
    words = [
        str(Quantity(statistics.median(each.number for each in same), same[0].unit))
        for same in zip(*(each.quantities for each in rounds), strict=True)
    ]
    ratios = [each.ratio for each in rounds if each.ratio is not None]
    return ", ".join([*words, f"{statistics.median(ratios):.2f} times"] if ratios else words)


def _spread(rounds: Sequence[Measured]) -> str:
    """From the smallest to the largest, as a share of the median: ``4 %``."""
    if not rounds or not (middle := _compared(rounds)):
        return "–"
    numbers = [each.quantities[-1].number for each in rounds]
    return f"{(max(numbers) - min(numbers)) / middle:.0%}".replace("%", " %")
