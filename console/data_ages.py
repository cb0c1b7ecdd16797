"""How old what is shown of tenants is, in words; for the title line, tables and answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from console.text import Tone, clean, moment_long, until
from engine.model.records.fleet import DataAge


def age_words(age: DataAge, now: datetime) -> str:
    """``corp 3 h ago``; ``corp never pulled``."""
    return f"{clean(age.provider)} {until(age.pulled_at, now) if age.pulled_at else 'never pulled'}"


def age_severity(age: DataAge, now: datetime) -> Tone:
    """AT_RISK where it is too old to act on."""
    return Tone.AT_RISK if age.is_stale(now) else Tone.NONE


def as_of_words(age: DataAge, now: datetime) -> str:
    """``As of 20 May 2026 08:00 UTC, 3 h ago``, with what is known to be too old."""
    if age.pulled_at is None:
        return "never pulled"
    old = "; too old to act on" if age.is_stale(now) else ""
    return f"{moment_long(age.pulled_at)}, {until(age.pulled_at, now)}{old}"


def notes(ages: Iterable[DataAge], shown: Iterable[str], now: datetime) -> list[str]:
    """What stands below a table that shows something of these tenants."""
    names = set(shown)
    return [f"{clean(each.provider)}: as of {as_of_words(each, now)}." for each in ages if each.provider in names]
