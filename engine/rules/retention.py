"""How long finished history is kept: the period as people write it, and where it begins. Pure.

Never about the audit, which is kept for ever. Plans, the runner and `hotpatch prune` ask it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from engine.model.errors import BadInput

FOREVER = 0
LEAST_MONTHS = 3
"""A quarter: shorter, and the hotpatches that are current could not be proved any more."""
MOST_MONTHS = 600
PRUNED_BEFORE = "pruned-before"
"""The setting that tells from when on history is whole; compliance and cost know nothing of what was before."""
_PERIOD = re.compile(r"(?P<number>\d{1,4})\s*(?P<unit>months?|years?)?", re.IGNORECASE | re.ASCII)


def parse_period(text: str) -> int:
    """``13 months``, ``13``, ``2 years`` or ``forever`` as months; `FOREVER` for ever.

    Raises:
        BadInput: it is none of them, or out of range.
    """
    words = text.strip()
    if words.casefold() in ("forever", "off"):
        return FOREVER
    found = _PERIOD.fullmatch(words)
    if found is None:
        raise BadInput(f"{words!r} is no period.", "", "Write it like: 13 months, 2 years, or forever")
    months = int(found["number"]) * (12 if (found["unit"] or "").casefold().startswith("year") else 1)
    if not LEAST_MONTHS <= months <= MOST_MONTHS:
        raise BadInput(
            f"History cannot be kept for {months} month{'' if months == 1 else 's'}.",
            f"The least is {LEAST_MONTHS} months, the most {MOST_MONTHS}.",
            "For ever is: forever",
        )
    return months


def period_words(months: int) -> str:
    """``13 months``, ``1 month``, ``for ever``."""
    if months == FOREVER:
        return "for ever"
    return "1 month" if months == 1 else f"{months} months"


def kept_from(now: datetime, months: int) -> datetime:
    """From when on history is kept: the begin of a month, so that every month there is, is whole."""
    present = now.astimezone(UTC)
    index = max(present.year * 12 + present.month - 1 - months, 12)
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)
