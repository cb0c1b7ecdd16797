"""An engine without a store: devices made from a number, plans as the test wants them; for tests of the kit alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from msgspec.structs import replace

from engine import Engine
from engine.changes.changes import Outcome
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.errors import EngineError
from engine.model.intents import Intent, Plan, Refusal
from engine.model.model import DeviceState, Track, Verdict
from engine.model.records.fleet import Anchor, AnchorKind, DevicePage, DeviceQuery, DeviceRow, StateInfo

NOW = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
RINGS = ("Test", "First", "Fast", "Broad", "Last")


def device_row(number: int, **changes: Any) -> DeviceRow:
    """A device of the fake fleet; the same for the same number."""
    verdict = (Verdict.READY, Verdict.READY, Verdict.NOT_READY, Verdict.UNKNOWN)[number % 4]
    row = DeviceRow(
        id=number,
        name=f"PC-{number:06d}",
        user=f"user{number}@contoso.com",
        site="Berlin",
        form="laptop",
        model="Latitude 7440",
        platform=Platform.WIN11_24H2,
        architecture=Architecture.X64,
        build=OsBuild(26100, 8246),
        ring=RINGS[number % 5],
        verdict=verdict,
        reasons=() if verdict is Verdict.READY else ("VBS off",),
        track=Track.HOTPATCH,
        protected=number % 3 == 0,
        state=DeviceState.FAILED if number % 50 == 7 else DeviceState.IDLE,
        last_seen_at=NOW - timedelta(hours=number % 100),
    )
    return replace(row, **changes) if changes else row


@dataclass
class FakeFleet:
    """What all fake engines of one test share, as processes share a state file."""

    size: int = 500
    read_only: bool = False
    number: int = 1
    version: int = 1
    settings: dict[str, str] = field(default_factory=dict)
    plans: list[Intent] = field(default_factory=list)
    carried_out: list[Plan] = field(default_factory=list)
    make_plan: Callable[[Intent], Plan] = lambda intent: Plan(intent, "Do it", ("It is done.",), 1, 0)
    carry_out_error: EngineError | None = None
    page_error: EngineError | None = None
    refusal: Refusal | None = None
    renamed: dict[int, str] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    hold: threading.Event | None = None
    """While set and not released, device pages wait for it or for an interrupt."""
    interrupts: int = 0
    opened: int = 0
    threads: set[str] = field(default_factory=set)

    def touch(self) -> None:
        """Somebody has written something."""
        self.number += 1
        self.version += 1

    def open(self) -> Engine:
        self.opened += 1
        return cast(Engine, FakeEngine(self))

    def rows(self, query: DeviceQuery) -> list[DeviceRow]:
        """The list in its order."""
        rows = [
            device_row(number, **({"name": self.renamed[number]} if number in self.renamed else {}))
            for number in range(1, self.size + 1)
            if number not in self.gone
        ]
        for word in query.filter.split():
            if word.startswith("ring:"):
                rows = [row for row in rows if row.ring.casefold() == word[5:].casefold()]
        keys: dict[str, Callable[[DeviceRow], tuple[Any, ...]]] = {
            "user": lambda row: (row.user, row.id),
            "ring": lambda row: (row.ring, row.id),
        }
        return sorted(rows, key=keys.get(query.sort, lambda row: (row.name, row.id)), reverse=query.descending)


class FakeDevices:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._fleet = engine.fleet

    def page(self, query: DeviceQuery, at: Anchor, limit: int) -> DevicePage:
        self._engine.wait()
        if self._fleet.page_error is not None:
            raise self._fleet.page_error
        rows = self._fleet.rows(query)
        if at.kind is AnchorKind.TOP:
            return DevicePage(tuple(rows[:limit]), 0)
        if at.kind is AnchorKind.END:
            return DevicePage(tuple(rows[-limit:]), -1)
        if at.kind is AnchorKind.NAME:
            found = [row for row in rows if row.name.casefold() >= at.name.casefold()]
            return DevicePage(tuple(found[:limit]), -1)
        index = next((place for place, row in enumerate(rows) if row.id >= at.device_id), len(rows))
        if at.kind is AnchorKind.BEFORE:
            return DevicePage(tuple(rows[max(index - limit, 0) : index]), -1)
        start = index + 1 if at.kind is AnchorKind.AFTER else index
        return DevicePage(tuple(rows[start : start + limit]), -1)

    def total(self, query: DeviceQuery) -> int:
        return len(self._fleet.rows(query))

    def position(self, query: DeviceQuery, device_id: int) -> int | None:
        return next((place for place, row in enumerate(self._fleet.rows(query)) if row.id == device_id), None)

    def each(self, query: DeviceQuery) -> Iterator[DeviceRow]:
        yield from self._fleet.rows(query)

    def search(self, text: str, limit: int = 20) -> tuple[DeviceRow, ...]:
        rows = self._fleet.rows(DeviceQuery())
        return tuple(row for row in rows if text.casefold() in row.name.casefold())[:limit]


class FakeRollout:
    def rings(self) -> tuple[Any, ...]:
        return ()


class FakeReleases:
    def all(self) -> tuple[Any, ...]:
        return ()


class FakeReads:
    def __init__(self, engine: FakeEngine) -> None:
        self._fleet = engine.fleet
        self.devices = FakeDevices(engine)
        self.rollout = FakeRollout()
        self.releases = FakeReleases()

    def setting(self, name: str) -> str | None:
        return self._fleet.settings.get(name)


class FakeEngine:
    """The part of `Engine` that the kit uses."""

    demo = None

    def __init__(self, fleet: FakeFleet) -> None:
        self.fleet = fleet
        self.reads = FakeReads(self)
        self._interrupted = threading.Event()
        self.closed = False

    def wait(self) -> None:
        """Stand in a read until the test lets go or somebody interrupts."""
        hold = self.fleet.hold
        self._interrupted.clear()  # before anybody can know of the read: an interrupt that follows must not be lost
        self.fleet.threads.add(threading.current_thread().name)
        if hold is None:
            return
        while not hold.is_set():
            if self._interrupted.wait(0.001):
                raise EngineError("interrupted")

    def interrupt(self) -> None:
        self.fleet.interrupts += 1
        self._interrupted.set()

    def now(self) -> datetime:
        return NOW

    def data_version(self) -> int:
        return self.fleet.version

    def change_number(self) -> int:
        return self.fleet.number

    def info(self) -> StateInfo:
        return StateInfo(
            path="fake.db",
            now=NOW,
            change_number=self.fleet.number,
            devices=self.fleet.size,
            actor="tester",
            role="approver",
            read_only=self.fleet.read_only,
            demo=None,
            scenario="",
            driver="",
        )

    def may(self, kind: type[Intent]) -> Refusal | None:
        return self.fleet.refusal

    def plan(self, intent: Intent) -> Plan:
        self.fleet.plans.append(intent)
        return self.fleet.make_plan(intent)

    def carry_out(self, plan: Plan) -> Outcome:
        if self.fleet.carry_out_error is not None:
            error, self.fleet.carry_out_error = self.fleet.carry_out_error, None
            raise error
        self.fleet.carried_out.append(plan)
        self.fleet.touch()
        return Outcome(self.fleet.number, "It was done.", plan.devices)

    def remember(self, name: str, value: str) -> None:
        self.fleet.settings[name] = value
        self.fleet.version += 1

    def close(self) -> None:
        self.closed = True
