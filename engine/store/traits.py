"""Counts traits of devices for triage: those that failed, and the population that attempted the same releases.

`engine.failures` calls it. What an install changes (build, ring) is taken as it was at the attempt.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.build import OsBuild, Platform
from engine.model import FormFactor, InstallAction
from engine.store.filter_sql import Condition
from engine.store.values import time_of
from engine.triage import BaseRates, FailedInstall, Population, population_of, rates_for

TRAITS = ("model", "driver", "site", "build", "ring", "platform", "architecture", "form")
EVERY_DEVICE = Condition("1", ())

_COLUMNS = "d.model, d.driver, d.site, i.build_before, i.ring_id, i.platform, d.architecture, d.form"
_ENDED = "kb = ? AND action = 'apply' AND state IN ('succeeded', 'failed')"
_CHUNK = 20_000
_MOST_COMBINATIONS = 400_000
"""Of one release; where there are more, its population is counted trait by trait."""
_KEPT_FROM = 20_000
"""From this many attempts on, a count is kept until the attempts have grown by `_GROWN`."""
_GROWN = 0.01
_MOST_KEPT = 40

_Raw = tuple[Any, ...]
_Key = tuple[int, str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A population with what it was counted from."""

    change: int
    attempts: int
    population: Population


class TraitStore:
    """Traits of failed installs, and of everybody who attempted the same."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._kept: dict[_Key, _Kept] = {}

    def failed(self, devices: Condition = EVERY_DEVICE) -> tuple[FailedInstall, ...]:
        """Open failures of the devices of a condition over alias ``d``, with their traits."""
        rings = self._ring_names()
        rows = self._plain(
            "SELECT i.id, i.device_id, d.name, i.kb, ifnull(i.error_code, 0), i.finished_at, i.attempt, i.action, "
            f"{_COLUMNS} FROM install i JOIN device d ON d.id = i.device_id "
            f"WHERE i.open_failure = 1 AND ({devices.where})",
            devices.params,
        )
        return tuple(_failed_install(row, rings) for row in rows)

    def base_rates(self, failed: Mapping[int, int], devices: Condition = EVERY_DEVICE) -> BaseRates | None:
        """How common each trait is among the devices that have attempted these releases to their end.

        `failed` tells how many devices of the group failed at each KB: a `BaseFor` of triage.
        """
        return rates_for(failed, {kb: self._population(kb, devices) for kb in failed})

    def _population(self, kb: int, devices: Condition) -> Population:
        key = (kb, devices.where, tuple(devices.params))
        change = int(self._db.execute("SELECT number FROM change").fetchone()[0])
        kept = self._kept.get(key)
        if kept is not None and (kept.change == change or self._is_close_to(kept, kb)):
            return kept.population
        attempts = self.attempts(kb)
        population = self._count(kb, devices)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = _Kept(change, attempts, population)
        return population

    def _is_close_to(self, kept: _Kept, kb: int) -> bool:
        if kept.attempts < _KEPT_FROM:
            return False
        return abs(self.attempts(kb) - kept.attempts) <= _GROWN * kept.attempts

    def attempts(self, kb: int) -> int:
        """How many installs of a release have ended."""
        return int(self._db.execute(f"SELECT count(*) FROM install WHERE {_ENDED}", (kb,)).fetchone()[0])

    def _count(self, kb: int, devices: Condition) -> Population:
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
