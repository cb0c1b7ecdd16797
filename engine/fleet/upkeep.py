"""What the passing of time changes by itself: the calendar moves, devices check in, facts grow stale.

The runner calls it at the head of each turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from engine.model.build import Platform
from engine.model.model import Track
from engine.rules.readiness import assess
from engine.situation.audit import record
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.devices import facts_of

BATCH = 500
CHECK_IN_EVERY = timedelta(hours=6)
_SEEN_RECENTLY = timedelta(days=4)


def follow_calendar(store: Store, now: datetime) -> int:
    """When a release is published, every device of its platform stands differently."""
    situation = Situation(store, now)
    levels = _levels_in_kbs(situation)
    seen = json.loads(store.state.setting("levels") or "{}")
    moved = [Platform(name) for name, kbs in levels.items() if seen.get(name) != kbs]
    if not moved:
        return 0
    with store.transaction():
        assess_platforms(store, situation, moved)
        for platform in moved:
            new = [kb for kb in levels[platform] if kb not in seen.get(platform, [])]
            if seen.get(platform) is not None and new:
                _note_releases(store, situation, platform, new)
        store.state.set("levels", json.dumps(levels))
        store.state.count_change()
    return len(moved)


def note_calendar(store: Store, situation: Situation) -> None:
    """Note where the calendar stands, for a fleet that has been judged by it already."""
    with store.transaction():
        store.state.set("levels", json.dumps(_levels_in_kbs(situation)))


def _levels_in_kbs(situation: Situation) -> dict[str, list[int]]:
    return {
        str(platform): [each.kb for each in (level.baseline, *level.hotpatches, *level.cumulative) if each]
        for platform, level in situation.all_levels().items()
    }


def _note_releases(store: Store, situation: Situation, platform: Platform, kbs: Sequence[int]) -> None:
    for release in situation.releases:
        if release.platform is platform and release.kb in kbs:
            record(
                store,
                situation.now,
                "release-published",
                f"{release.name} for {platform.label} was published: {release.kind}, build {release.build}",
                kb=release.kb,
            )


def let_check_in(store: Store, now: datetime) -> int:
    """Devices of a simulated fleet that still report go on reporting as time passes."""
    last = store.state.setting("checked-in")
    if last is None:
        with store.transaction():
            store.state.set("checked-in", now.isoformat())
        return 0
    before = datetime.fromisoformat(last)
    passed = now - before
    if passed < CHECK_IN_EVERY:
        return 0
    since = int((before - _SEEN_RECENTLY).timestamp())
    highest = store.devices.highest_id()
    with store.transaction():
        store.devices.shift_check_ins("simulated", since, int(passed.total_seconds()), now, 0, highest)
        store.state.set("checked-in", now.isoformat())
        store.state.count_change()
    return 0


def notice_stale(store: Store, now: datetime) -> int:
    ids = store.devices.stale_ids(now, BATCH)
    if not ids:
        return 0
    with store.transaction():
        assess_devices(store, Situation(store, now), ids)
        store.state.count_change()
    return len(ids)


def assess_devices(store: Store, situation: Situation, device_ids: Iterable[int]) -> int:
    """Assess devices one by one; call it inside a transaction. Returns how many."""
    done = 0
    for device_id in device_ids:
        row = store.devices.row(device_id)
        if row is None:
            continue
        facts = facts_of(row)
        levels = situation.levels(facts.platform) if facts.platform else None
        readiness = assess(facts, levels, situation.now)
        store.devices.set_readiness(
            device_id,
            readiness,
            levels.track_of(facts.build) if levels else Track.UNKNOWN,
            protected=bool(levels and levels.is_current(facts.build)),
        )
        done += 1
    return done


def assess_platforms(store: Store, situation: Situation, platforms: Iterable[Platform]) -> int:
    """Assess every device of these platforms in bulk, after their calendar has moved. Returns how many."""
    wanted = sorted(set(platforms))
    return sum(store.devices.assess_in_bulk(situation.all_levels(), situation.now, each) for each in wanted)
