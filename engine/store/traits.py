"""Counts traits of devices for triage: those that failed, and the population that attempted the same releases.

`engine.situation.failures` calls it. What an install changes (build, ring) is taken as it was at the attempt.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct

from engine.model.build import OsBuild, Platform
from engine.model.model import ENDED_APPLY, FormFactor, InstallAction
from engine.rules.failures import BaseRates, FailedInstall, Population, population_of, rates_for
from engine.store.filter_sql import SqlCondition
from engine.store.values import among, time_of

TRAITS = ("model", "driver", "site", "build", "ring", "platform", "architecture", "form")
EVERY_DEVICE = SqlCondition("1", ())

_COLUMNS = "d.model, d.driver, d.site, i.build_before, i.ring_id, i.platform, d.architecture, d.form"
_ENDED = f"kb = ? AND action = 'apply' AND state IN {among(ENDED_APPLY)}"
_CHUNK = 20_000
_MOST_COMBINATIONS = 400_000
"""Of one release; where there are more, its population is counted trait by trait."""
_KEPT_FROM = 20_000
"""From this many attempts on, a count is kept until the attempts have grown by `_GROWN`."""
_GROWN = 0.01
_KEPT_FOR = timedelta(days=7)
_MOST_KEPT = 40
_MOST_STORED = 50_000
_STORED = "attempted-by:"
_SHARED = "failures-share"
_SHARED_FOR = timedelta(minutes=20)
"""For so long what failures share is taken for granted while a few come and go."""

_Raw = tuple[Any, ...]
_Key = tuple[int, str, tuple[Any, ...]]


class _Kept(Struct, frozen=True):
    """A population with what it was counted from."""

    change: int
    attempts: int
    counted_at: datetime
    population: Population


class TraitStore:
    """Traits of failed installs, and of everybody who attempted the same."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._kept: dict[_Key, _Kept] = {}

    def failed(self, devices: SqlCondition = EVERY_DEVICE) -> tuple[FailedInstall, ...]:
        """Open failures of the devices of a condition over alias ``d``, with their traits."""
        rings = self._ring_names()
        rows = self._plain(
            "SELECT i.id, i.device_id, d.name, i.kb, ifnull(i.error_code, 0), i.finished_at, i.attempt, i.action, "
            f"{_COLUMNS} FROM install i JOIN device d ON d.id = i.device_id "
            f"WHERE i.open_failure = 1 AND ({devices.where})",
            devices.params,
        )
        return tuple(_failed_install(row, rings) for row in rows)

    def base_rates(
        self, failed: Mapping[int, int], now: datetime, devices: SqlCondition = EVERY_DEVICE
    ) -> BaseRates | None:
        """How common each trait is among the devices that have attempted these releases to their end.

        `failed` tells how many devices of the group failed at each KB: a `BaseFor` of triage.
        """
        return rates_for(failed, {kb: self._population(kb, devices, now) for kb in failed})

    def stale(self, now: datetime) -> int | None:
        """A release with open failures whose many attempts have not been counted and stored lately; None for none."""
        for (kb,) in self._db.execute("SELECT DISTINCT kb FROM install WHERE open_failure = 1 ORDER BY 1").fetchall():
            stored = self._stored(kb)
            if (stored is None or not self._holds(stored, kb, now)) and self.attempts(kb) >= _KEPT_FROM:
                return int(kb)
        return None

    def counted(self, kb: int, now: datetime) -> str | None:
        """Who attempted a release, counted anew, as `store` takes it; None where it is too much to be kept."""
        kept = self._counted(kb, EVERY_DEVICE, now)
        combinations = kept.population.combinations
        if combinations is None or len(combinations) > _MOST_STORED:
            return None
        rows = [[*values, devices] for values, devices in combinations.items()]
        head = [kept.change, kept.attempts, kept.counted_at.isoformat()]
        return json.dumps([*head, rows], ensure_ascii=True, separators=(",", ":"))

    def store(self, kb: int, counted: str) -> None:
        """Keep a count for other processes; call it inside a transaction."""
        self._db.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (f"{_STORED}{kb}", counted),
        )

    # --- what failures share, kept for an overview -------------------------------------------------

    def devices_by_code(self) -> dict[int, int]:
        """Error code, unsigned → devices with an open failure; reads kept rows alone."""
        rows = self._plain("SELECT code & 4294967295, count(DISTINCT device_id) FROM open_case GROUP BY 1", ())
        return dict(rows)

    def devices_with(self, codes: Iterable[int]) -> int:
        """How many devices have an open failure with one of these codes."""
        sql = (
            "SELECT count(DISTINCT device_id) FROM open_case "
            "WHERE code & 4294967295 IN (SELECT value FROM json_each(?))"
        )
        return int(self._plain(sql, (json.dumps(list(codes)),)).fetchone()[0])

    def shared(self, now: datetime) -> dict[int, str] | None:
        """What the devices of each code share, as it was kept last; None where that is no more of the present."""
        row = self._plain("SELECT value FROM setting WHERE name = ?", (_SHARED,)).fetchone()
        if row is None:
            return None
        kept = json.loads(row[0])
        age = now - datetime.fromisoformat(kept["at"])
        open_now = self.open_failures()
        same = kept["open"] == open_now and timedelta(0) <= age < _KEPT_FOR
        alike = abs(open_now[0] - kept["open"][0]) <= _GROWN * open_now[0] and timedelta(0) <= age < _SHARED_FOR
        return {int(code): words for code, words in kept["shared"].items()} if same or alike else None

    def is_shared_of_now(self) -> bool:
        """Whether what is kept was judged of the very failures that are open now."""
        row = self._plain("SELECT value FROM setting WHERE name = ?", (_SHARED,)).fetchone()
        return row is not None and json.loads(row[0])["open"] == self.open_failures()

    def keep_shared(self, shared: Mapping[int, str], opened: Sequence[int], now: datetime) -> None:
        """Keep what the failures share that were `opened`; call it inside a transaction."""
        text = json.dumps({"at": now.isoformat(), "open": list(opened), "shared": shared})
        self._db.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_SHARED, text),
        )

    def open_failures(self) -> list[int]:
        """Another list whenever a failure has opened or closed."""
        sql = "SELECT count(*), ifnull(max(install_id), 0), ifnull(sum(install_id), 0) FROM open_case"
        return list(self._plain(sql, ()).fetchone())

    def _population(self, kb: int, devices: SqlCondition, now: datetime) -> Population:
        key = (kb, devices.where, tuple(devices.params))
        kept = self._kept.get(key)
        if kept is not None and self._holds(kept, kb, now):
            return kept.population
        kept = self._stored(kb) if devices == EVERY_DEVICE else None
        if kept is None or not self._holds(kept, kb, now):
            kept = self._counted(kb, devices, now)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = kept
        return kept.population

    def _counted(self, kb: int, devices: SqlCondition, now: datetime) -> _Kept:
        change, attempts = self._change(), self.attempts(kb)
        return _Kept(change, attempts, now, self._count(kb, devices))

    def _stored(self, kb: int) -> _Kept | None:
        """What another process, or this one before, has counted; None where there is nothing that can be read."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (f"{_STORED}{kb}",)).fetchone()
        if row is None:
            return None
        try:
            change, attempts, counted_at, rows = json.loads(row[0])
            combinations = {tuple(map(str, values)): int(devices) for *values, devices in rows}
            if any(len(values) != len(TRAITS) for values in combinations):
                return None
            return _Kept(
                int(change), int(attempts), datetime.fromisoformat(counted_at), population_of(TRAITS, combinations)
            )
        except (ValueError, TypeError):
            return None

    def _holds(self, kept: _Kept, kb: int, now: datetime) -> bool:
        """Whether a count may stand for the present: of the same state, or of nearly as many attempts this week."""
        if kept.change == self._change():
            return True
        if kept.attempts < _KEPT_FROM or not timedelta(0) <= now - kept.counted_at < _KEPT_FOR:
            return False
        return abs(self.attempts(kb) - kept.attempts) <= _GROWN * kept.attempts

    def _change(self) -> int:
        return int(self._db.execute("SELECT number FROM change").fetchone()[0])

    def attempts(self, kb: int) -> int:
        """How many installs of a release have ended."""
        return int(self._db.execute(f"SELECT count(*) FROM install WHERE {_ENDED}", (kb,)).fetchone()[0])

    def _count(self, kb: int, devices: SqlCondition) -> Population:
        """One pass over the latest attempt of every device; combinations are counted, devices never held."""
        cursor = self._plain(
            f"SELECT {_COLUMNS} FROM (SELECT max(id) AS id FROM install WHERE {_ENDED} GROUP BY device_id) latest "
            f"JOIN install i ON i.id = latest.id JOIN device d ON d.id = i.device_id WHERE {devices.where}",
            (kb, *devices.params),
        )
        rings = self._ring_names()
        combinations: Counter[_Raw] = Counter()
        while rows := cursor.fetchmany(_CHUNK):
            combinations.update(rows)
            if len(combinations) > _MOST_COMBINATIONS:
                return _by_trait(combinations, cursor, rings)
        readable: Counter[tuple[str, ...]] = Counter()
        for raw, found in combinations.items():
            readable[_readable(raw, rings)] += found
        return population_of(TRAITS, readable)

    def _ring_names(self) -> Mapping[int, str]:
        return {row[0]: row[1] for row in self._db.execute("SELECT id, name FROM ring")}

    def _plain(self, sql: str, params: Iterable[Any]) -> sqlite3.Cursor:
        """A cursor of plain tuples, which can be counted as they are."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, tuple(params))


def _by_trait(counted: Mapping[_Raw, int], rest: sqlite3.Cursor, rings: Mapping[int, str]) -> Population:
    """A population without its combinations, in memory that grows with the values alone."""
    columns: tuple[Counter[Any], ...] = tuple(Counter() for _ in TRAITS)
    total = 0
    for raw, devices in counted.items():
        total += devices
        for column, value in zip(columns, raw, strict=True):
            column[value] += devices
    while rows := rest.fetchmany(_CHUNK):
        total += len(rows)
        for column, found in zip(columns, zip(*rows, strict=True), strict=True):
            column.update(found)
    values: dict[str, Counter[str]] = {trait: Counter() for trait in TRAITS}
    for place, (trait, column) in enumerate(zip(TRAITS, columns, strict=True)):
        for value, devices in column.items():
            raw = tuple(value if each == place else None for each in range(len(TRAITS)))
            if text := _readable(raw, rings)[place]:
                values[trait][text] += devices
    return Population(TRAITS, total, values, None)


def _failed_install(row: _Raw, rings: Mapping[int, str]) -> FailedInstall:
    install_id, device_id, name, kb, code, failed_at, attempt, action, *raw = row
    traits = dict(zip(TRAITS, _readable(raw, rings), strict=True))
    if action == InstallAction.UNINSTALL:
        # Whoever uninstalls runs the hotpatch already; nobody who applied it did before.
        traits["build"] = ""
    return FailedInstall(install_id, device_id, name, kb, code, time_of(failed_at), attempt, traits)


def _readable(raw: Sequence[Any], rings: Mapping[int, str]) -> tuple[str, ...]:
    """The values of `TRAITS` as people write them; "" for what is not known."""
    model, driver, site, build, ring_id, platform, architecture, form = raw
    return (
        model or "",
        driver or "",
        site or "",
        _build_text(build),
        rings.get(ring_id, ""),
        Platform(platform).label if platform else "",
        architecture or "",
        "" if form == FormFactor.UNKNOWN else form or "",
    )


@lru_cache(4096)
def _build_text(build: int | None) -> str:
    return "" if build is None else str(OsBuild.from_int(build))
