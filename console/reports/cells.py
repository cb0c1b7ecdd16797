"""Makes cells: a value as people read it beside the same value as programs do. Pure; called by the builders alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from console import text
from console.reports.model import ReportCell
from console.text import NOTHING, Tone
from engine.model.build import OsBuild

if TYPE_CHECKING:
    from engine.model.records.reports import Money

_DECIMALS = 6
"""Places of a share in documents: enough for one device in a million."""


def words(value: str, raw: str | None = None, severity: Tone = Tone.NONE) -> ReportCell:
    """A name or a sentence; "" is shown as nothing and is null for programs."""
    return ReportCell(value or NOTHING, (value or None) if raw is None else raw, severity)


def count(number: int | None, severity: Tone = Tone.NONE) -> ReportCell:
    """``12,345``."""
    return ReportCell(NOTHING, None) if number is None else ReportCell(text.count(number), number, severity)


def share(part: int, whole: int, severity: Tone = Tone.NONE) -> ReportCell:
    """``96.4 %``, and 0.964 for programs; nothing where there is no whole."""
    return ReportCell(NOTHING, None) if whole <= 0 else ratio(part / whole, severity, exact=part in (0, whole))


def ratio(value: float | None, severity: Tone = Tone.NONE, *, exact: bool = False) -> ReportCell:
    """A share that was worked out already. It reads 0 or 100 only where it is that."""
    if value is None:
        return ReportCell(NOTHING, None)
    shown = f"{100 * value:.1f} %"
    if not exact and value > 0 and shown == "0.0 %":
        shown = "<0.1 %"
    elif not exact and value < 1 and shown == "100.0 %":
        shown = ">99.9 %"
    return ReportCell(shown, round(value, _DECIMALS), severity)


def moment(at: datetime | None) -> ReportCell:
    """``13 May 2026 09:00``, in UTC."""
    if at is None:
        return ReportCell(NOTHING, None)
    at = at.astimezone(UTC)
    return ReportCell(f"{at.day} {at:%b %Y %H:%M}", f"{at:%Y-%m-%dT%H:%M:%SZ}")


def day(value: date | None) -> ReportCell:
    """``13 May 2026``."""
    return ReportCell(NOTHING, None) if value is None else ReportCell(f"{value.day} {value:%b %Y}", value.isoformat())


def month(value: str) -> ReportCell:
    """``May 2026`` for ``2026-05``."""
    return ReportCell(text.month(value), value)


def hours(value: float | None) -> ReportCell:
    """A length of time: ``14 h``, ``3.5 d``; hours for programs."""
    if value is None:
        return ReportCell(NOTHING, None)
    return ReportCell(text.hours(value), round(value, 2))


def money(amount: float | None, currency: str = "USD") -> ReportCell:
    """``$12,345`` for dollars, else ``12,345 EUR``; an amount that nobody can tell says so."""
    return ReportCell("not set", None) if amount is None else ReportCell(_money(amount, currency), round(amount, 2))


def band(amount: Money | None) -> ReportCell:
    """``$300 to $500``; for programs the lower end."""
    if amount is None:
        return ReportCell("not set", None)
    low = _money(amount.low, amount.currency)
    if amount.is_exact:
        return ReportCell(low, round(amount.low, 2))
    return ReportCell(f"{low} to {_money(amount.high, amount.currency)}", round(amount.low, 2))


def _money(amount: float, currency: str) -> str:
    places = 2 if abs(amount) < 100 and amount != int(amount) else 0
    shown = f"{abs(amount):,.{places}f}"
    sign = "-" if amount < 0 and shown.strip("0.") else ""
    return f"{sign}${shown}" if currency == "USD" else f"{sign}{shown} {currency}"


def build(value: OsBuild | None) -> ReportCell:
    """``26100.8390``."""
    return ReportCell(text.build(value), None if value is None else str(value))


def kb(number: int | None) -> ReportCell:
    """``KB5089466``."""
    return ReportCell(text.kb(number), None if number is None else text.kb(number))
