"""Keeps devices: pages for the list without counting rows, single devices, bulk loads, kept totals."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec.structs import astuple

from engine.catalog import Levels
from engine.model.build import OsBuild, Platform
from engine.model.facts import FACTS
from engine.model.model import DeviceFacts, DeviceState, Track, Verdict
from engine.model.records.fleet import Anchor, Count, DevicePage, DeviceQuery, DeviceRow, ReasonCount
from engine.rules.readiness import Readiness
from engine.rules.rollout.offers import TAKES_HOTPATCHES
from engine.store.device_rows import ROW_COLUMNS, device_rows
from engine.store.excluded import WHO_IS_HELD_OFF
from engine.store.filter_sql import compile_text
from engine.store.search import Found, exact_devices, find_devices, names_near
from engine.store.values import among, build_number, epoch, flag, placeholders, seconds, time_of
from engine.store.walk import Walk

FACT_COLUMNS = (*(each.name for each in FACTS), "external_id", "name_key", "user_key", "search_key")
"""The columns that a check-in writes; everything else on a device is derived from them or decided here."""

_COUNT_ANEW_FROM = 20_000
_HISTORY_ANEW_FROM = 8
"""Working out anew costs about so many times less for a row of history than keeping it with the write does."""
_PLATFORMS = {each.value: each for each in Platform}
_VERDICTS = {each.value: each for each in Verdict}
_STATES = {each.value: each for each in DeviceState}
_TRACKS = {each.value: each for each in Track}

_KEPT_AS: Mapping[type, Callable[[Any], int]] = {OsBuild: OsBuild.as_int, bool: int, datetime: seconds}
_READ_AS: Mapping[type, Callable[[int], Any]] = {OsBuild: OsBuild.from_int, bool: bool, datetime: time_of}
"""By a fact's shape; text and numbers are kept as they are, words as their text."""

_KEPT = tuple((place, _KEPT_AS[each.shape]) for place, each in enumerate(FACTS) if each.shape in _KEPT_AS)
_READ = tuple((each.name, _READ_AS.get(each.shape, each.kind)) for each in FACTS if each.shape in (StrEnum, *_READ_AS))


def fact_values(external_id: str, facts: DeviceFacts) -> tuple[Any, ...]:
    """The values of `FACT_COLUMNS` for one device."""
    values = list(astuple(facts))
    for place, kept in _KEPT:
        if (value := values[place]) is not None:
            values[place] = kept(value)
    searched = f"{facts.name}\n{facts.user}\n{facts.user_name}"
    return (*values, external_id, facts.name.casefold(), facts.user.casefold(), searched.casefold())


def facts_of(row: sqlite3.Row) -> DeviceFacts:
    """The facts in a full device row."""
    told = {each.name: row[each.name] for each in FACTS}
    for name, read in _READ:
        if told[name] is not None:
            told[name] = read(told[name])
    return DeviceFacts(**told)


_READY_HELD_OFF = f"{WHO_IS_HELD_OFF} AND d.verdict IN {among(TAKES_HOTPATCHES)}"


class DeviceStore:
    """The devices of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- reading lists ------------------------------------------------------------------------------

    def page(self, query: DeviceQuery, at: Anchor, limit: int, now: datetime) -> DevicePage:
        """A stretch of the list. Position `first` is exact at both ends and unknown (-1) in the middle."""
        condition = compile_text(query.filter, now)
        rows, first = Walk(self._db, query, condition).page(at, limit)
        return DevicePage(tuple(device_rows(rows)), first)

    def total(self, query: DeviceQuery, now: datetime) -> int:
        """How many devices match; read from the kept totals when there is no filter."""
        if not query.filter.strip():
            return int(self._db.execute("SELECT ifnull(sum(devices), 0) FROM device_count").fetchone()[0])
        condition = compile_text(query.filter, now)
        return int(
            self._db.execute(
                f"SELECT count(*) FROM device d WHERE {condition.where}",
                condition.params,
            ).fetchone()[0]
        )

    def position(self, query: DeviceQuery, device_id: int, now: datetime) -> int | None:
        """How many devices of the list stand before this one; None when it is not in the list."""
        condition = compile_text(query.filter, now)
        return Walk(self._db, query, condition).position(device_id)

    def each(self, query: DeviceQuery, now: datetime) -> Iterator[DeviceRow]:
        """Every matching device in order, without holding them all."""
        condition = compile_text(query.filter, now)
        walk = Walk(self._db, query, condition)
        yield from device_rows(walk.each())

    def each_held_off(self, filter_text: str, platform: Platform, now: datetime) -> Iterator[DeviceRow]:
        """Ready devices of a platform that a filter matches and that are held off hotpatches, by name."""
        condition = compile_text(filter_text, now)
        yield from device_rows(
            self._db.execute(
                f"SELECT {ROW_COLUMNS} FROM device d LEFT JOIN ring r ON r.id = d.ring_id "
                f"WHERE {_READY_HELD_OFF} AND d.platform = ? AND ({condition.where}) ORDER BY d.name_key, d.id",
                (platform, *condition.params),
            )
        )

    def held_off_counts(self, filter_text: str, now: datetime) -> dict[str, int]:
        """Platform → how many of these there are."""
        condition = compile_text(filter_text, now)
        rows = self._db.execute(
            f"SELECT d.platform, count(*) FROM device d WHERE {_READY_HELD_OFF} AND d.platform IS NOT NULL "
            f"AND ({condition.where}) GROUP BY 1",
            condition.params,
        )
        return dict(map(tuple, rows))

    def ids(self, filter_text: str, now: datetime) -> list[int]:
        """The ids of all devices that a filter matches."""
        condition = compile_text(filter_text, now)
        return [
            row[0]
            for row in self._db.execute(
                f"SELECT d.id FROM device d WHERE {condition.where} ORDER BY d.id",
                condition.params,
            )
        ]

    def ids_in_rings(self, ring_ids: Sequence[int]) -> list[int]:
        return [
            row[0]
            for row in self._db.execute(
                f"SELECT id FROM device WHERE ring_id IN ({placeholders(len(ring_ids))}) ORDER BY id",
                ring_ids,
            )
        ]

    def counts(self, ring_names: Mapping[int, str]) -> tuple[Count, ...]:
        """The kept totals."""
        # Plain tuples, and words looked up instead of made: several hundred totals in less than a millisecond.
        cursor = self._db.cursor()
        cursor.row_factory = None
        return tuple(
            Count(
                ring_names.get(ring_id, ""),
                _PLATFORMS.get(platform),
                _VERDICTS[verdict],
                _STATES[state],
                None if eligible < 0 else eligible == 1,
                None if enrolled < 0 else enrolled == 1,
                _TRACKS[track],
                protected == 1,
                devices,
            )
            for ring_id, platform, verdict, state, eligible, enrolled, track, protected, devices in cursor.execute(
                "SELECT ring_id, platform, verdict, state, eligible, enrolled, track, protected, devices "
                "FROM device_count WHERE devices > 0"
            )
        )

    def failed(self) -> int:
        """Devices whose state is failed, from the kept totals."""
        sql = "SELECT ifnull(sum(devices), 0) FROM device_count WHERE state = ?"
        return int(self._db.execute(sql, (DeviceState.FAILED,)).fetchone()[0])

    def reasons(self) -> tuple[ReasonCount, ...]:
        """Devices that are not ready by what keeps them from it, the most devices first; from kept sums."""
        rows = self._db.execute(
            "SELECT reasons, sum(devices) AS n FROM reason_count WHERE verdict IN (?, ?) "
            "GROUP BY reasons HAVING n > 0 ORDER BY n DESC, reasons",
            (Verdict.NOT_READY, Verdict.UNKNOWN),
        )
        return tuple(ReasonCount(tuple(row["reasons"].split(",")) if row["reasons"] else (), row["n"]) for row in rows)

    # --- reading one --------------------------------------------------------------------------------

    def row(self, device_id: int) -> sqlite3.Row | None:
        """The full row with the ring's name as ``ring``."""
        found: sqlite3.Row | None = self._db.execute(
            "SELECT d.*, ifnull(r.name, '') AS ring FROM device d LEFT JOIN ring r ON r.id = d.ring_id WHERE d.id = ?",
            (device_id,),
        ).fetchone()
        return found

    def exact(self, text: str, limit: int) -> tuple[DeviceRow, ...]:
        """Devices whose name, user (with or without the domain), serial or asset tag is the text; names first.

        Reads indexes alone, so that the answer comes at once in any fleet.
        """
        return exact_devices(self._db, text, limit)

    def search(self, text: str, limit: int) -> tuple[DeviceRow, ...]:
        """Devices that `exact` finds, then those whose name or user holds the text, by name."""
        return find_devices(self._db, text, limit).rows

    def find(self, text: str, limit: int) -> Found:
        """The same for one device that is meant: how many match as well as the first, and whether one is obvious."""
        return find_devices(self._db, text, limit, surest_only=True)

    def names_near(self, text: str, limit: int = 3) -> tuple[str, ...]:
        """Names that are like the text, for "did you mean"."""
        return names_near(self._db, text, limit)

    # --- writing ------------------------------------------------------------------------------------

    def insert_many(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert devices from `fact_values` plus the ring's id."""
        columns = ", ".join([*FACT_COLUMNS, "ring_id"])
        self._db.executemany(
            f"INSERT INTO device ({columns}) VALUES ({placeholders(len(FACT_COLUMNS) + 1)})",
            rows,
        )

    def set_readiness(self, device_id: int, readiness: Readiness, track: Track, *, protected: bool) -> None:
        """Write what readiness and the calendar make of a device."""
        self._db.execute(
            "UPDATE device SET verdict = ?, eligible = ?, enrolled = ?, reasons = ?, track = ?, protected = ?, "
            "stale_at = ? WHERE id = ?",
            (
                readiness.verdict,
                flag(readiness.eligible),
                flag(readiness.enrolled),
                ",".join(readiness.reason_ids),
                track,
                int(protected),
                epoch(readiness.stale_at),
                device_id,
            ),
        )

    def assess_in_bulk(self, levels: Mapping[Platform, Levels], now: datetime, platform: Platform) -> int:
        """Judge every device of a platform anew, in statements; returns how many rows have changed."""
        from engine.store.readiness import judge

        return judge(self._db, levels, now, platform=platform)

    @contextmanager
    def counted_at_the_end(self, changes: int, *, comings: bool = False) -> Iterator[None]:
        """Inside a transaction: for many changes, count the fleet once at the end instead of with every row.

        With `comings` devices come, go or tell builds: where that is much against all that has happened to the fleet,
        what is kept of its history is worked out anew as well.
        """
        if changes < _COUNT_ANEW_FROM:
            yield
            return
        from sqlite_utils import Database

        from engine.store import schema

        database = Database(self._db, execute_plugins=False)
        anew = comings and changes * _HISTORY_ANEW_FROM > self._happenings()
        schema.drop_count_triggers(database)
        if anew:
            schema.drop_keeping_triggers(database)
        yield
        schema.recount(database)
        schema.create_count_triggers(database)
        if anew:
            schema.keep_anew(database)
            schema.create_keeping_triggers(database)

    def _happenings(self) -> int:
        """About how many rows tell what has happened to the fleet."""
        sql = "SELECT ifnull((SELECT max(id) FROM install), 0) + (SELECT count(*) FROM build_seen)"
        return int(self._db.execute(sql).fetchone()[0])

    def assess_range(self, levels: Mapping[Platform, Levels], now: datetime, low: int, high: int) -> int:
        """The same for the devices with these ids, whatever their platform."""
        from engine.store.readiness import judge

        return judge(self._db, levels, now, ids=(low, high))

    def set_after_step(
        self,
        device_id: int,
        *,
        build: OsBuild | None = None,
        boot_at: datetime | None = None,
        restart_pending: bool | None = None,
        seen_at: datetime | None = None,
    ) -> None:
        """Write what an install's step did to the device; None leaves a fact as it is."""
        self._db.execute(
            "UPDATE device SET build = ifnull(?, build), boot_at = ifnull(?, boot_at), "
            "restart_pending = ifnull(?, restart_pending), "
            "last_seen_at = max(ifnull(?, 0), ifnull(last_seen_at, 0)) WHERE id = ?",
            (build_number(build), epoch(boot_at), flag(restart_pending), epoch(seen_at), device_id),
        )

    def assign(self, device_ids: Sequence[int], ring_id: int) -> None:
        self._db.executemany("UPDATE device SET ring_id = ? WHERE id = ?", ((ring_id, each) for each in device_ids))

    def shift_check_ins(
        self, provider: str, seen_since: int, by_seconds: int, now: datetime, low: int, high: int
    ) -> int:
        """Let the devices of a simulated fleet that still report go on reporting, none later than now."""
        # One that an install has told of since is nearer to now than the others.
        by = "min(:by, max(:now - last_seen_at, 0))"
        return self._db.execute(
            f"UPDATE device SET last_seen_at = last_seen_at + {by}, stale_at = stale_at + {by} "
            "WHERE id BETWEEN :low AND :high AND provider = :provider AND last_seen_at >= :since",
            {"by": by_seconds, "now": epoch(now), "low": low, "high": high, "provider": provider, "since": seen_since},
        ).rowcount

    def highest_id(self) -> int:
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM device").fetchone()[0])

    def stale_ids(self, now: datetime, limit: int) -> list[int]:
        """Devices whose facts have become too old since readiness was last worked out."""
        rows = self._db.execute(
            "SELECT id FROM device WHERE stale_at <= ? ORDER BY stale_at LIMIT ?", (epoch(now), limit)
        )
        return [row[0] for row in rows]
