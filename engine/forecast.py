"""What will happen if a release is approved now: the real engine, run ahead on a private copy of the state.

`Engine.forecast` calls it. The copy has simulated devices without random failures and a clock of its own; the
state file itself is only read, so a forecast cannot drift from the engine and cannot change anything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.changes.changes import CarryOut
from engine.changes.planning import Planner
from engine.driver import Runner
from engine.fleet.demo_clock import read_demo
from engine.model.build import kb_text
from engine.model.clock import FixedClock
from engine.model.errors import Refused
from engine.model.intents import Actor, Approve, Role
from engine.model.model import Ring
from engine.model.records.rollout import Forecast, Milestone, MissReason, RingForecast
from engine.rules.evidence.missing import why_missing
from engine.rules.rollout.deadlines import deadline_of
from engine.rules.rollout.gates import RingStanding
from engine.rules.rollout.offers import takes
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.copying import copy_for_forecast

PER_RING = 400
"""Devices simulated of each ring; larger rings are thinned and their counts scaled up."""
PER_RING_OF_LARGE = 150
"""The same in a fleet of more than five such rings, so that an answer takes seconds."""
HORIZON = timedelta(days=35)
"""How far ahead: beyond the next Patch Tuesday nothing is known."""
STEP = timedelta(minutes=1)
"""The least that the clock is moved, as while running until idle."""
MARKS = (("24 hours", timedelta(hours=24)), ("5 days", timedelta(days=5)), ("3 weeks", timedelta(days=21)))
TARGET = 0.95
"""Windows Autopatch's service level objective (Microsoft Learn, "Windows quality updates", 09/2024)."""
_NAMES = 20
_MISSING_LIMIT = 5_000
_DEFAULT_SEED = 1

T = TypeVar("T")


def forecast(source: Store, intent: Approve, now: datetime, actor: Actor) -> Forecast:
    """Run the engine ahead from `now` with this approval in force.

    Raises:
        NotFound: it names a release or ring that does not exist.
        Refused: the approval is not possible.
    """
    with tempfile.TemporaryDirectory(prefix="hotpatch-forecast-") as folder:
        store = Store(Path(folder) / "ahead.db")
        try:
            # Nobody needs the copy after a crash.
            store.hurry()
            fleet = sum(each.devices for each in source.devices.counts({}))
            per_ring = PER_RING if fleet <= 5 * PER_RING else PER_RING_OF_LARGE
            with store.transaction():
                weights = copy_for_forecast(source.connection, store.connection, now, per_ring)
            _thin_limits(store, weights)
            demo = read_demo(source)
            outlook = _Ahead(store, now, demo.seed if demo else _DEFAULT_SEED, weights)
            outlook.approve(intent, actor)
            outlook.run()
            found = outlook.told(intent, fleet)
            return replace(found, notes=(*_tenants_note(source), *found.notes))
        finally:
            store.close()


class _Ahead(Struct):
    """The copy, its clock, and what one of its devices stands for."""

    store: Store
    begun_at: datetime
    seed: int
    weights: Mapping[int, float]
    clock: FixedClock = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.clock = FixedClock(self.begun_at)

    def approve(self, intent: Approve, actor: Actor) -> None:
        """Approve, and sign where policy asks for a second person; rings approved already stay as they are."""
        wished = replace(intent, reason=intent.reason.strip() or "forecast")
        planner = Planner(self.store, actor, Role.APPROVER, read_only=False)
        plan = planner.plan(wished, self.begun_at)
        if plan.refusal is not None:
            if plan.left_out and len(plan.left_out) == len(intent.rings or Situation(self.store, self.begun_at).rings):
                return
            raise Refused(plan.refusal.what, plan.refusal.why, plan.refusal.instead)
        CarryOut(self.store, planner, actor).carry_out(plan, self.begun_at)
        with self.store.transaction():
            for each in self.store.rollout.approvals(intent.kb):
                if not each.is_signed:
                    self.store.rollout.sign(each.id, "forecast", self.begun_at)

    def run(self) -> None:
        """Turn the runner until nothing is due, as `Engine.run_until_idle` does."""
        from engine.providers.simulated import NO_FAILURES, SimulatedProvider

        runner = Runner(self.store, {"simulated": SimulatedProvider(self.seed, NO_FAILURES)}, self.clock)
        while True:
            turn = _finish(runner.turn())
            if turn.did:
                continue
            if turn.next_at is None or turn.next_at > self.begun_at + HORIZON:
                return
            self.clock.at = max(turn.next_at, self.clock.at + STEP)

    def told(self, intent: Approve, fleet: int) -> Forecast:
        """What became of the release."""
        situation = Situation(self.store, self.clock.at)
        named = {name.casefold() for name in intent.rings}
        standings = [
            each for each in situation.standings(intent.kb) if not named or each.facts.ring.name.casefold() in named
        ]
        misses = _Misses(self, situation, intent.kb)
        rings = tuple(self._ring(each, misses) for each in standings)
        milestones, target = self._milestones(intent.kb, situation)
        sampled = sum(each.devices for each in self.store.devices.counts({}))
        return Forecast(
            kb=intent.kb,
            made_at=self.begun_at,
            until=self.clock.at,
            rings=rings,
            milestones=milestones,
            target_reached_at=target,
            restarts=sum(each.restarts for each in rings),
            misses=misses.reasons(),
            sampled=sampled,
            fleet=fleet,
            notes=_notes(sampled, fleet, intent.kb),
        )

    def scaled(self, ring_id: int, devices: int) -> int:
        return round(devices * self.weights.get(ring_id, 1.0))

    def _ring(self, standing: RingStanding, misses: _Misses) -> RingForecast:
        facts = standing.facts
        ring = facts.ring
        restarts = self.store.outlook.restarts(facts.approval.kb, self.begun_at) if facts.approval else {}
        return RingForecast(
            ring=ring.name,
            opens_at=facts.opened_at,
            waits_for="" if facts.opened_at else standing.waits_for,
            installed_at=facts.share_reached_at if facts.opened_at else None,
            deadline_at=deadline_of(ring, facts.opened_at).deadline_at if facts.opened_at else None,
            devices=self.scaled(ring.id, facts.counts.devices),
            installed=self.scaled(ring.id, facts.counts.installed),
            restarts=self.scaled(ring.id, restarts.get(ring.id, 0)),
            misses=self.scaled(ring.id, misses.of_ring(standing)),
        )

    def _milestones(self, kb: int, situation: Situation) -> tuple[tuple[Milestone, ...], datetime | None]:
        releases = situation.known(kb)
        successes = self.store.outlook.successes(kb)
        devices, protected = 0.0, 0.0
        for release in releases:
            for ring_id, (count, at_build) in self.store.outlook.standing(release).items():
                weight = self.weights.get(ring_id, 1.0)
                devices, protected = devices + count * weight, protected + at_build * weight
        before = protected - sum(self.weights.get(ring_id, 1.0) for _, ring_id, _ in successes)
        released_at = min(release.released_at for release in releases)
        found = []
        for name, after in MARKS:
            had = before + sum(
                self.weights.get(ring_id, 1.0) for at, ring_id, _ in successes if at <= released_at + after
            )
            found.append(Milestone(name, released_at + after, round(had), round(devices)))
        reachable = sum(
            self.weights.get(each.facts.ring.id, 1.0) * each.facts.counts.offerable for each in situation.standings(kb)
        )
        had = before
        for at, ring_id, _ in successes:
            had += self.weights.get(ring_id, 1.0)
            if had >= TARGET * reachable:
                return tuple(found), at
        return tuple(found), None


class _Misses:
    """Devices without the release at their ring's deadline, by reason."""

    def __init__(self, ahead: _Ahead, situation: Situation, kb: int) -> None:
        self._ahead = ahead
        self._situation = situation
        self._kb = kb
        self._found: dict[str, list[tuple[str, int]]] = {}

    def of_ring(self, standing: RingStanding) -> int:
        """Note the ring's misses; returns how many of the simulated devices."""
        ring, opened_at = standing.facts.ring, standing.facts.opened_at
        missed = self._missing(ring, standing)
        if opened_at is not None:
            deadline_at = deadline_of(ring, opened_at).deadline_at
            missed += [
                ("has it only after the deadline", name)
                for at, ring_id, name in self._ahead.store.outlook.successes(self._kb)
                if ring_id == ring.id and at > deadline_at
            ]
        for why, name in missed:
            self._found.setdefault(why, []).append((name, ring.id))
        return len(missed)

    def _missing(self, ring: Ring, standing: RingStanding) -> list[tuple[str, str]]:
        closed = "" if standing.facts.opened_at else f"ring {ring.name} does not open: {standing.waits_for}"
        return [
            (closed or why_missing(row, is_hotpatch=release.kind.is_hotpatch), row.name)
            for release in self._situation.known(self._kb)
            for row in self._ahead.store.late.missing(release, ring.id, self._situation.now, _MISSING_LIMIT)
            if release.kind.is_hotpatch or takes(release.kind, row.verdict)
        ]

    def reasons(self) -> tuple[MissReason, ...]:
        found = [
            MissReason(
                why, sum(self._ahead.scaled(ring_id, 1) for _, ring_id in who), tuple(name for name, _ in who[:_NAMES])
            )
            for why, who in self._found.items()
        ]
        return tuple(sorted(found, key=lambda each: (-each.devices, each.why)))


def _thin_limits(store: Store, weights: Mapping[int, float]) -> None:
    """Limits in devices shrink with the ring that they are for."""
    with store.transaction():
        for ring in store.rollout.rings():
            weight = weights.get(ring.id, 1.0)
            if ring.max_in_flight and weight > 1.0:
                store.rollout.save_ring(replace(ring, max_in_flight=max(1, round(ring.max_in_flight / weight))))


def _tenants_note(source: Store) -> tuple[str, ...]:
    """Whose devices go by other rules than the engine's."""
    names = [each.name for each in source.providers.all() if each.kind == "graph"]
    if not names:
        return ()
    carried = ", ".join(names)
    return (
        f"Devices of {carried} are led by its policies: they are forecast as if they scanned as usual and their rings "
        "waited for gates, which a tenant's do not.",
    )


def _notes(sampled: int, fleet: int, kb: int) -> tuple[str, ...]:
    notes = [
        "No random failures; devices are on and off as they usually are.",
        f"Releases that are not published yet may replace {kb_text(kb)} before it is through.",
    ]
    if sampled < fleet:
        notes.insert(
            0, f"{sampled:,} of {fleet:,} devices were simulated, an even part of each ring; counts are scaled."
        )
    return tuple(notes)


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits: simulated devices answer at once."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a simulated provider waited")
