"""Keeps who attempted the releases that failed, and what those share, so that a console on a large fleet need not
count at its start.

The runner calls it now and then; a prepared demo once. Counting reads for seconds, so it holds no transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.store import Store

WORTH_FROM = 20_000
"""Smaller fleets are counted as quickly as a count is read."""
_EVERY = timedelta(minutes=10)
_CHECKED = "attempts-checked"


def mind_populations(store: Store, now: datetime) -> None:
    """Count one release anew, if one has moved on since it was counted; a few times an hour."""
    last = store.state.setting(_CHECKED)
    if last is not None and timedelta(0) <= now - datetime.fromisoformat(last) < _EVERY:
        return
    if store.standing.devices() >= WORTH_FROM:
        if _count_next(store, now):
            return
        _judge_shared(store, now)
    with store.transaction():
        store.state.set(_CHECKED, now.isoformat())


def count_populations(store: Store, now: datetime) -> None:
    """Count every release whose count is missing or old."""
    while _count_next(store, now):
        pass
    _judge_shared(store, now)


def _judge_shared(store: Store, now: datetime) -> None:
    """What the open failures share, unless it was judged of these very failures."""
    if store.traits.is_shared_of_now():
        return
    # Loaded on use: triage is no part of starting up.
    from engine.rules.failures import shared_by_code
    from engine.situation.failures import Failures

    with store.snapshot():
        opened = store.traits.open_failures()
        shared = shared_by_code(Failures(store, now).groups())
    with store.transaction():
        store.traits.keep_shared(shared, opened, now)


def _count_next(store: Store, now: datetime) -> bool:
    kb = store.traits.stale(now)
    if kb is None:
        return False
    counted = store.traits.counted(kb, now)
    if counted is None:
        return False
    with store.transaction():
        store.traits.store(kb, counted)
    return True
