"""Keeps the compliance of months that have closed, so that it stands when devices leave, move, or history is deleted.

The runner calls it a few times a day, and whoever deletes history calls it first. Writes what `evidence` counted.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.store import Store

EVERY = timedelta(hours=6)
_CHECKED = "months-closed-checked"


def close_due(store: Store, now: datetime) -> bool:
    """Keep one month that has closed, if it is time to look; True while another may wait."""
    last = store.state.setting(_CHECKED)
    if last is not None and timedelta(0) <= now - datetime.fromisoformat(last) < EVERY:
        return False
    if close_next(store, now):
        return True
    with store.transaction():
        store.state.set(_CHECKED, now.isoformat())
    return False


def close_next(store: Store, now: datetime) -> bool:
    """Keep the oldest month that has closed and is not kept; False when there is none."""
    # Loaded on use: most turns have nothing to close.
    from engine.evidence.evidence import Evidence

    evidence = Evidence(store, now)
    month = evidence.month_to_close()
    if month is None:
        return False
    evidence.close_month(month)
    return True
