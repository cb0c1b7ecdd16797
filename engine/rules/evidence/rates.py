"""Dated rates of money: ours with their sources, and an organisation's own in their place. Pure but for the data file.

Called by `cost` and `evidence`; a configuration's rates are made by the console. Never guesses: a rate without an
amount stays "not set".
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from data import packaged
from engine.catalog.calendar import Month
from engine.model.errors import BadInput
from engine.model.records.reports import Money, RateUsed

SERVER_RESTART = "server-restart"
CLIENT_RESTART = "client-restart"
ARC_CORE_MONTH = "arc-core-month"
RATE_IDS = (SERVER_RESTART, CLIENT_RESTART, ARC_CORE_MONTH)


class Rate(Struct, frozen=True):
    """What something costs from one day to another, both in it."""

    id: str
    """One of `RATE_IDS`."""
    what: str
    low: float | None
    high: float | None
    currency: str
    unit: str
    since: date | None
    """None: from the beginning."""
    until: date | None
    """None: without an end."""
    source: str
    doubt: str = ""
    is_own: bool = False

    def __post_init__(self) -> None:
        """Raises: ValueError when amounts or days make no sense."""
        if self.id not in RATE_IDS:
            raise ValueError(f"{self.id!r} is no rate; there are {', '.join(RATE_IDS)}")
        if (self.low is None) != (self.high is None):
            raise ValueError("give both low and high, or neither")
        if self.low is not None and self.high is not None and not 0 <= self.low <= self.high:
            raise ValueError("low must be 0 or more, and high not below low")
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("until lies before since")

    def covers(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)

    def record(self) -> RateUsed:
        return RateUsed(
            id=self.id,
            what=self.what,
            amount=self.amount,
            unit=self.unit,
            valid_from=self.since.isoformat() if self.since else "",
            valid_to=self.until.isoformat() if self.until else "",
            source=self.source,
            doubt=self.doubt,
            is_own=self.is_own,
        )

    @property
    def amount(self) -> Money | None:
        """None: not set."""
        if self.low is None or self.high is None:
            return None
        return Money(self.low, self.high, self.currency)


class RateBook:
    """The rates in force: an own one goes before ours on the days that it covers."""

    def __init__(self, own: Iterable[Rate], ours: Iterable[Rate] | None = None) -> None:
        self._rates: tuple[Rate, ...] = (*own, *(load_rates() if ours is None else ours))
        self.currency = next((rate.currency for rate in self._rates if rate.amount is not None), "")
        """Of what is added up: an organisation's own rates decide it."""

    def on(self, rate_id: str, day: date) -> Rate | None:
        """The rate of a day; None where there is none."""
        return next((rate for rate in self._rates if rate.id == rate_id and rate.covers(day)), None)

    def in_month(self, rate_id: str, month: str, today: date) -> tuple[tuple[Rate, float], ...]:
        """The rates of a calendar month with the share of its days that each covers, in the order of time.

        Days to come count by today's rate: what will change is not known yet.
        """
        year, number = Month.parse(month)
        days = calendar.monthrange(year, number)[1]
        found: dict[Rate, int] = {}
        for day in range(1, days + 1):
            rate = self.on(rate_id, min(date(year, number, day), today))
            if rate is not None:
                found[rate] = found.get(rate, 0) + 1
        return tuple((rate, count / days) for rate, count in found.items())


def own_rate(
    rate_id: str, low: float, high: float | None, currency: str, since: date | None, until: date | None, source: str
) -> Rate:
    """A rate of the organisation's own; what it is for and its unit are those of ours.

    Raises:
        ValueError: no such rate, or amounts or days that make no sense.
    """
    ours = next((rate for rate in load_rates() if rate.id == rate_id), None)
    if ours is None:
        raise ValueError(f"{rate_id!r} is no rate; there are {', '.join(RATE_IDS)}")
    return Rate(
        id=rate_id,
        what=ours.what,
        low=low,
        high=low if high is None else high,
        currency=currency.upper(),
        unit=ours.unit,
        since=since,
        until=until,
        source=source,
        is_own=True,
    )


def load_rates() -> tuple[Rate, ...]:
    """The rates of data/rates.json.

    Raises:
        BadInput: the file is damaged; names the entry.
    """
    name = "rates.json"
    try:
        kept = json.loads(packaged(name))["rates"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "The rates cannot be read.", f"{error}.", "Install the program again.", file=f"data/{name}"
        ) from error
    found = []
    for number, each in enumerate(kept, 1):
        try:
            found.append(_rate(each))
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"Rate {number} cannot be read.", f"{error}.", "Install the program again.", file=f"data/{name}"
            ) from error
    return tuple(found)


def _rate(kept: dict[str, object]) -> Rate:
    def amount(name: str) -> float | None:
        value = kept[name]
        return None if value is None else float(str(value))

    def day(name: str) -> date | None:
        return date.fromisoformat(str(kept[name])) if kept[name] else None

    return Rate(
        id=str(kept["id"]),
        what=str(kept["what"]),
        low=amount("low"),
        high=amount("high"),
        currency=str(kept["currency"]),
        unit=str(kept["unit"]),
        since=day("from"),
        until=day("to"),
        source=str(kept["source"]),
        doubt=str(kept["doubt"]),
    )
