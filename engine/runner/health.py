"""Asks providers how patched devices fare, beside devices that are not patched yet; the runner calls it.

A bounded sample every few hours while a release is young in the fleet; only sums are kept. The gate judges them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from engine.model.errors import ProviderError
from engine.model.model import DeviceFacts
from engine.providers.base import HealthSignals, Provider, ReportsHealth
from engine.rules.rollout.health import KindHealth
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.devices import facts_of
from engine.store.health import CONTROL, Reading

EVERY = timedelta(hours=6)
WATCHED_FOR = timedelta(hours=72)
"""After the last install of a release; what shows later is for people to report."""
SAMPLE = 200
"""Devices asked about for each ring, and for each platform of the comparison."""
_NAMES = 5
_FORGOTTEN_AFTER = timedelta(days=60)
_SETTING = "health-watch"


class Watching:
    """The health watch of a fleet."""

    def __init__(self, store: Store, providers: Mapping[str, Provider]) -> None:
        self._store = store
        self._providers = providers

    def next_at(self, now: datetime) -> datetime | None:
        """When the next readings are due; None while no release is young."""
        plan = self._plan(Situation(self._store, now))
        return min((due for due, _ in plan.values()), default=None)

    def collect(self, now: datetime) -> int:
        """Take the readings that are due; returns how many releases were read."""
        situation = Situation(self._store, now)
        due = [kb for kb, (at, _) in self._plan(situation).items() if at <= now]
        for kb in due:
            readings = self._read(kb, situation)
            last = self._store.health.last_success_at(kb)
            with self._store.transaction():
                if readings:
                    self._store.health.add(kb, now, readings)
                self._note(kb, now, last + WATCHED_FOR if last else now)
                self._store.state.count_change()
        return len(due)

    def _plan(self, situation: Situation) -> dict[int, tuple[datetime, datetime]]:
        """KB → when its next reading is due, and until when it is watched."""
        if not any(isinstance(each, ReportsHealth) for each in self._providers.values()):
            return {}
        opened: dict[int, datetime] = {}
        for (kb, _), at in self._store.rollout.openings().items():
            opened[kb] = max(at, opened.get(kb, at))
        notes = self._notes()
        found = {}
        for kb, latest in opened.items():
            read_at, until = notes.get(kb, (None, latest))
            until = max(until, latest + WATCHED_FOR)
            due = latest + EVERY if read_at is None else read_at + EVERY
            if until >= situation.now and due <= until:
                found[kb] = (due, until)
        return found

    def _notes(self) -> dict[int, tuple[datetime, datetime]]:
        kept = json.loads(self._store.state.setting(_SETTING) or "{}")
        return {
            int(kb): (datetime.fromisoformat(read), datetime.fromisoformat(until)) for kb, (read, until) in kept.items()
        }

    def _note(self, kb: int, now: datetime, until: datetime) -> None:
        notes = {each: pair for each, pair in self._notes().items() if pair[0] >= now - _FORGOTTEN_AFTER}
        notes[kb] = (now, until)
        text = json.dumps({str(each): [read.isoformat(), end.isoformat()] for each, (read, end) in notes.items()})
        self._store.state.set(_SETTING, text)

    def _read(self, kb: int, situation: Situation) -> list[Reading]:
        releases = [each for each in situation.releases if each.kb == kb]
        builds = {each.platform: each.build for each in releases}
        found: list[Reading] = []
        for ring in situation.rings:
            rows = self._store.health.patched(kb, ring.id, SAMPLE)
            asked = [
                (facts, self._ask(row["external_id"], row["provider"], facts, kb, patched_at, situation.now))
                for row, patched_at in rows
                if (facts := facts_of(row)).platform in builds and facts.build == builds[facts.platform]
            ]
            found += _sums(ring.id, ((f"{each.form}", each.name, told) for each, told in asked))
        if not found:
            return []
        others = []
        for release in releases:
            for row in self._store.health.not_patched(release, situation.now - timedelta(days=1), SAMPLE):
                facts = facts_of(row)
                told = self._ask(row["external_id"], row["provider"], facts, None, None, situation.now)
                others.append((f"{facts.form}", facts.name, told))
        return [*found, *_sums(CONTROL, others)]

    def _ask(
        self,
        external_id: str,
        provider_name: str,
        facts: DeviceFacts,
        kb: int | None,
        patched_at: datetime | None,
        now: datetime,
    ) -> HealthSignals | None:
        provider = self._providers.get(provider_name)
        if not isinstance(provider, ReportsHealth):
            return None
        try:
            return provider.health(external_id, facts, kb, patched_at, now)
        except ProviderError:
            # A reading that fails is one device fewer in the sample; the next reading asks again.
            return None


def _sums(ring_id: int, told: Iterable[tuple[str, str, HealthSignals | None]]) -> list[Reading]:
    kinds: dict[str, list[tuple[str, HealthSignals]]] = {}
    for kind, name, signals in told:
        if signals is not None:
            kinds.setdefault(kind, []).append((name, signals))
    return [_reading(ring_id, kind, each) for kind, each in sorted(kinds.items())]


def _reading(ring_id: int, kind: str, told: Sequence[tuple[str, HealthSignals]]) -> Reading:
    signals = [each for _, each in told]
    return Reading(
        ring_id,
        KindHealth(
            kind=kind,
            devices=len(signals),
            crashed=sum(each.crashes > 0 for each in signals),
            restarted=sum(each.unexpected_restarts > 0 for each in signals),
            failed=sum(each.service_failures > 0 for each in signals),
            cpu=round(sum(each.cpu_overhead for each in signals), 4),
            memory=round(sum(each.memory_overhead for each in signals), 4),
        ),
        tuple(name for name, each in told if each.crashes)[:_NAMES],
    )
