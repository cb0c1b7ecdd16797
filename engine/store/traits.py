"""Counts traits of devices for triage: those that failed, and the population that attempted the same releases.

`engine.failures` calls it. A trait is taken as it was at the attempt where an install changes it (build, ring).
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
from engine.store.values import placeholders, time_of
from engine.triage import BaseRates, FailedInstall, counted_rates

TRAITS = ("model", "driver", "site", "build", "ring", "platform", "architecture", "form")

_COLUMNS = "d.model, d.driver, d.site, i.build_before, i.ring_id, i.platform, d.architecture, d.form"
_ENDED = "action = 'apply' AND state IN ('succeeded', 'failed')"
_CHUNK = 20_000
_MOST_COMBINATIONS = 400_000
"""Kept in memory at once; a fleet with more is counted trait by trait, and pairs are judged by their parts."""
_KEPT_FROM = 50_000
"""From this many attempts on, base rates are kept until the attempts have grown by `_GROWN`."""
_GROWN = 0.01

EVERY_DEVICE = Condition("1", ())
_Raw = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Base rates with what they were counted from."""

    change: int
    attempts: int
    rates: BaseRates


class TraitStore:
    """Traits of failed installs and of everybody who attempted the same."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._kept: dict[tuple[tuple[int, ...], str, tuple[Any, ...]], _Kept] = {}

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

    def base_rates(self, kbs: tuple[int, ...], devices: Condition = EVERY_DEVICE) -> BaseRates:
        """How common each trait is among the devices that have attempted one of these releases to its end."""
        key = (kbs, devices.where, tuple(devices.params))
        change = int(self._db.execute("SELECT number FROM change").fetchone()[0])
        kept = self._kept.get(key)
        if kept is not None and (kept.change == change or self._is_close_to(kept, kbs)):
            return kept.rates
        attempts = self._attempts(kbs)
        rates = self._count(kbs, devices)
        self._kept = {**self._kept, key: _Kept(change, attempts, rates)} if len(self._kept) < 16 else {}
        return rates

    def _is_close_to(self, kept: _Kept, kbs: tuple[int, ...]) -> bool:
        if kept.attempts < _KEPT_FROM:
            return False
        return abs(self._attempts(kbs) - kept.attempts) <= _GROWN * kept.attempts

    def _attempts(self, kbs: tuple[int, ...]) -> int:
        row = self._db.execute(
            f"SELECT count(*) FROM install WHERE kb IN ({placeholders(len(kbs))}) AND {_ENDED}", kbs
        ).fetchone()
        return int(row[0])

    def _count(self, kbs: tuple[int, ...], devices: Condition) -> BaseRates:
        """One pass over the latest attempt of every device; combinations are counted, devices never held."""
        cursor = self._plain(
            f"SELECT {_COLUMNS} FROM (SELECT max(id) AS id FROM install WHERE kb IN ({placeholders(len(kbs))}) "
            f"AND {_ENDED} GROUP BY device_id) latest JOIN install i ON i.id = latest.id "
            f"JOIN device d ON d.id = i.device_id WHERE {devices.where}",
            (*kbs, *devices.params),
        )
        combinations: Counter[_Raw] = Counter()
        while rows := cursor.fetchmany(_CHUNK):
            combinations.update(rows)
            if len(combinations) > _MOST_COMBINATIONS:
                return self._single_rates(combinations, cursor)
        rings = self._ring_names()
        readable: Counter[tuple[str, ...]] = Counter()
        for raw, found in combinations.items():
            readable[_readable(raw, rings)] += found
        return counted_rates(TRAITS, readable)

    def _single_rates(self, counted: Mapping[_Raw, int], rest: sqlite3.Cursor) -> BaseRates:
        """Base rates without pairs, in memory that grows with the values and not with their combinations."""
        found: tuple[Counter[Any], ...] = tuple(Counter() for _ in TRAITS)
        population = 0
        for raw, devices in counted.items():
            population += devices
            for values, value in zip(found, raw, strict=True):
                values[value] += devices
        while rows := rest.fetchmany(_CHUNK):
            population += len(rows)
            for values, column in zip(found, zip(*rows, strict=True), strict=True):
                values.update(column)
        rings = self._ring_names()
        readable: dict[str, Counter[str]] = {trait: Counter() for trait in TRAITS}
        for place, (trait, values) in enumerate(zip(TRAITS, found, strict=True)):
            for value, devices in values.items():
                if text := _readable(tuple(value if place == each else None for each in range(len(TRAITS))), rings)[place]:
                    readable[trait][text] += devices
        return BaseRates(population, readable)

    def _ring_names(self) -> Mapping[int, str]:
        return {row[0]: row[1] for row in self._db.execute("SELECT id, name FROM ring")}

    def _plain(self, sql: str, params: Iterable[Any]) -> sqlite3.Cursor:
        """A cursor of plain tuples, which can be counted as they are."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, tuple(params))


def _failed_install(row: _Raw, rings: Mapping[int, str]) -> FailedInstall:
    install_id, device_id, name, kb, code, failed_at, attempt, action, *raw = row
    traits = dict(zip(TRAITS, _readable(raw, rings), strict=True))
    if action == InstallAction.UNINSTALL:
        # Whoever uninstalls runs the hotpatch; among those who applied it, nobody did before.
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
