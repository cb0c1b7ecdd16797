"""Time as an argument: every decision of the engine is given its present by one of these clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec import Struct


class Clock(Protocol):
    """Tells the present as an aware UTC datetime."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock(Struct):
    """A clock that moves only when told to; for demos, forecasts and tests."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def step(self, by: timedelta) -> None:
        """Move forward by `by`; backwards is refused because recorded history would lie in the future.

        Raises:
            ValueError: `by` is negative.
        """
        if by < timedelta(0):
            raise ValueError("a clock cannot step backwards")
        self.at += by


def to_text(moment: datetime) -> str:
    """UTC ISO 8601 with a fixed width (``2026-05-13T09:00:00.000Z``), so that text order is time order.

    Raises:
        ValueError: the datetime has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The datetime that `to_text` wrote.

    Raises:
        ValueError: not an ISO 8601 time with a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
