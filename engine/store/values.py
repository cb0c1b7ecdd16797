"""How Python values become SQLite values and back; used by the modules of `store` alone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum

from engine.model.build import OsBuild


def damage(said: str) -> str:
    """The first thing that SQLite's check of a file has found, without the line that names the database."""
    lines = [line for line in said.splitlines() if not line.startswith("***")]
    return lines[0] if lines else said


def epoch(moment: datetime | None) -> int | None:
    """Whole seconds since 1970 UTC."""
    return None if moment is None else int(moment.timestamp())


def seconds(moment: datetime) -> int:
    """`epoch` for a time that is there."""
    return int(moment.timestamp())


def moment(value: int | None) -> datetime | None:
    """The aware UTC datetime of `epoch`."""
    return None if value is None else datetime.fromtimestamp(value, UTC)


def time_of(value: int) -> datetime:
    """The datetime of a column that is never NULL."""
    return datetime.fromtimestamp(value, UTC)


def build_number(build: OsBuild | None) -> int | None:
    return None if build is None else build.as_int()


def os_build(value: int | None) -> OsBuild | None:
    return None if value is None else OsBuild.from_int(value)


def flag(value: bool | None) -> int | None:
    return None if value is None else int(value)


def placeholders(count: int) -> str:
    """``?, ?, ?`` for an IN list."""
    return ", ".join("?" * count)


def among(words: Collection[StrEnum]) -> str:
    """A named set of our own words as the right side of ``IN``.

    In the order of their enum: SQLite takes a partial index only where its condition is written in the same way.
    """
    return (
        "(" + ", ".join(f"'{each}'" for kind in {type(each) for each in words} for each in kind if each in words) + ")"
    )
