"""Works out readiness, track and protection of stored devices anew and writes them; runner and imports call it."""

from __future__ import annotations

from collections.abc import Iterable

from engine.model.build import Platform
from engine.model.model import Track
from engine.rules.readiness import assess
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.devices import facts_of


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
