"""A filter as a value: terms that must all hold. `parse` makes it, the store compiles it, `str` writes it back."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from engine.model.build import OsBuild, kb_text

SHORTHANDS = {"ready": "ready", "not-ready": "not-ready"}
"""Bare words that mean a readiness, so that ``-ready`` can be typed."""


class Op(StrEnum):
    """How a field is compared."""

    IS = ":"
    """Contains, for texts; is, for everything else."""
    EXACT = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


class Absent(Struct, frozen=True):
    """The fact is not known: ``build:unknown``, ``seen:never``, ``ring:none``."""

    word: str

    def __str__(self) -> str:
        return self.word


class BuildNumber(Struct, frozen=True):
    """Every revision of one Windows version: ``build:26100``."""

    number: int

    def __str__(self) -> str:
        return str(self.number)


class Age(Struct, frozen=True):
    """So long before now: ``7d``. Units: m minutes, h hours, d days, w weeks."""

    amount: int
    unit: str

    @property
    def seconds(self) -> int:
        return self.amount * AGE_SECONDS[self.unit]

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


class DaysAgo(Struct, frozen=True):
    """A whole day counted from today, in UTC: ``today``, ``yesterday``."""

    days: int

    def __str__(self) -> str:
        return "today" if self.days == 0 else "yesterday"


class Kb(Struct, frozen=True):
    """An article number: ``KB5089466``."""

    number: int

    def __str__(self) -> str:
        return kb_text(self.number)


class ErrorCode(Struct, frozen=True):
    """An unsigned 32-bit HRESULT: ``0x800F0922``."""

    value: int

    def __str__(self) -> str:
        return f"0x{self.value:08X}"


AGE_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}

Value: TypeAlias = str | OsBuild | BuildNumber | Age | DaysAgo | date | Kb | ErrorCode | Absent


class BareWord(Struct, frozen=True):
    """A bare word: searched in the device's name and its user."""

    text: str
    negated: bool = False

    def __str__(self) -> str:
        plain = (
            self.text.casefold() not in SHORTHANDS
            and not self.text.startswith("-")
            and not any(sign in self.text for sign in ':<>=!"')
        )
        return ("-" if self.negated else "") + _quoted(self.text, plain=plain)


class Comparison(Struct, frozen=True):
    """A field compared with one value, or with any of several."""

    field: str
    op: Op
    values: tuple[Value, ...]
    negated: bool = False

    def __str__(self) -> str:
        values = ",".join(
            _quoted(value, plain="," not in value and not value.startswith('"') and value.casefold() != "none")
            if isinstance(value, str)
            else str(value)
            for value in self.values
        )
        return f"{'-' if self.negated else ''}{self.field}{self.op}{values}"


Term: TypeAlias = BareWord | Comparison


class Filter(Struct, frozen=True):
    """Terms that must all hold; without a term every device matches."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(str(term) for term in self.terms)


def _quoted(text: str, *, plain: bool) -> str:
    """The text as the parser reads it back; a quote inside quotes is doubled."""
    if plain and text and not any(sign.isspace() for sign in text):
        return text
    return '"' + text.replace('"', '""') + '"'
