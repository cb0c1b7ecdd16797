"""Keeps rings, approvals, opened rings, stops and holds, and counts how far a release has come."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.intents import Scope, StopKind
from engine.model.model import UNDER_WAY, Approval, DeviceState, Gate, Release, Ring, Track, Verdict, Window
from engine.rules.plans.candidates import Candidate
from engine.rules.rollout.offers import TAKES_HOTPATCHES, offered_in
from engine.store.excluded import (
    HELD_OFF,
    excluded_counts,
    excluded_from,
    exclusion_reasons,
    held_off_counts,
    meant_for,
)
from engine.store.filter_sql import SqlCondition
from engine.store.providers import STEERED
from engine.store.safeguards import NOTHING
from engine.store.values import among, build_number, epoch, moment, os_build, placeholders, seconds, time_of

_READY = f"verdict IN {among(TAKES_HOTPATCHES)}"


class StopRow(Struct, frozen=True):
    """A pause or halt that has not been lifted."""

    id: int
    kind: StopKind
    scope: Scope
    reason: str
    stopped_by: str
    stopped_at: datetime


class ProgressCell(Struct, frozen=True):
    """Devices of one ring and platform that stand alike towards a release."""

    ring_id: int
    has_build: bool
    """At or past the release's build."""
    ready: bool
    state: DeviceState
    devices: int
    withheld: bool = False
    """Covered by a safeguard hold."""
    behind: bool = False
    """Older than the baseline that was named."""


class RolloutStore:
    """The rollout's part of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- rings --------------------------------------------------------------------------------------

    def rings(self) -> tuple[Ring, ...]:
        """All rings, first to last."""
        return tuple(
            Ring(
                id=row["id"],
                name=row["name"],
                position=row["position"],
                deferral_days=row["deferral_days"],
                deadline_days=row["deadline_days"],
                grace_days=row["grace_days"],
                max_in_flight=row["max_in_flight"],
                gate=Gate(**json.loads(row["gate"])),
                **rules_from_text(row["rules"]),
            )
            for row in self._db.execute("SELECT * FROM ring ORDER BY position")
        )

    def save_ring(self, ring: Ring) -> None:
        self._db.execute(
            "INSERT INTO ring (id, name, position, deferral_days, deadline_days, grace_days, max_in_flight, gate, "
            "rules) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
            "position = excluded.position, deferral_days = excluded.deferral_days, "
            "deadline_days = excluded.deadline_days, grace_days = excluded.grace_days, "
            "max_in_flight = excluded.max_in_flight, gate = excluded.gate, rules = excluded.rules",
            (
                ring.id,
                ring.name,
                ring.position,
                ring.deferral_days,
                ring.deadline_days,
                ring.grace_days,
                ring.max_in_flight,
                json.dumps(asdict(ring.gate)),
                rules_to_text(ring),
            ),
        )

    # --- approvals ----------------------------------------------------------------------------------

    def approvals(self, kb: int | None = None) -> tuple[Approval, ...]:
        """Approvals, withdrawn ones too, oldest first."""
        rows = self._db.execute("SELECT * FROM approval WHERE ? IS NULL OR kb = ? ORDER BY approved_at, id", (kb, kb))
        return tuple(_approval(row) for row in rows)

    def add_approval(
        self,
        kb: int,
        rings: Sequence[str],
        reason: str,
        by: str,
        at: datetime,
        not_before: datetime | None,
        expires_at: datetime | None,
        *,
        needs_second: bool = False,
    ) -> int:
        values = (kb, json.dumps(list(rings)), reason, by, seconds(at), epoch(not_before), epoch(expires_at))
        cursor = self._db.execute(
            "INSERT INTO approval (kb, rings, reason, approved_by, approved_at, not_before, expires_at, needs_second) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, int(needs_second)),
        )
        return int(cursor.lastrowid or 0)

    def sign(self, approval_id: int, by: str, at: datetime) -> None:
        """The second person's signature."""
        self._db.execute(
            "UPDATE approval SET seconded_by = ?, seconded_at = ? WHERE id = ? AND seconded_at IS NULL",
            (by, seconds(at), approval_id),
        )

    def withdraw(self, approval_id: int, by: str, at: datetime) -> None:
        self._db.execute(
            "UPDATE approval SET withdrawn_at = ?, withdrawn_by = ? WHERE id = ? AND withdrawn_at IS NULL",
            (seconds(at), by, approval_id),
        )

    # --- openings -----------------------------------------------------------------------------------

    def openings(self) -> dict[tuple[int, int], datetime]:
        """(KB, ring id) → when the ring opened for it."""
        found: dict[tuple[int, int], datetime] = {}
        for row in self._db.execute("SELECT kb, ring_id, opened_at FROM ring_opening"):
            found[row["kb"], row["ring_id"]] = time_of(row["opened_at"])
        return found

    def open_ring(self, kb: int, ring_id: int, at: datetime) -> None:
        self._db.execute("INSERT OR IGNORE INTO ring_opening VALUES (?, ?, ?)", (kb, ring_id, seconds(at)))

    # --- stops --------------------------------------------------------------------------------------

    def stops(self) -> tuple[StopRow, ...]:
        """Pauses and halts in force."""
        rows = self._db.execute(
            "SELECT s.*, r.name AS ring FROM stop s LEFT JOIN ring r ON r.id = s.ring_id "
            "WHERE s.lifted_at IS NULL ORDER BY s.id"
        )
        found = []
        for row in rows:
            scope = Scope(kb=row["kb"], ring=row["ring"])
            at = time_of(row["stopped_at"])
            found.append(StopRow(row["id"], StopKind(row["kind"]), scope, row["reason"], row["stopped_by"], at))
        return tuple(found)

    def add_stop(self, kind: StopKind, kb: int | None, ring_id: int | None, reason: str, by: str, at: datetime) -> None:
        self._db.execute(
            "INSERT INTO stop (kind, ring_id, kb, reason, stopped_by, stopped_at) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, ring_id, kb, reason, by, seconds(at)),
        )

    def lift_stops(self, stop_ids: Sequence[int], by: str, at: datetime) -> None:
        self._db.executemany(
            "UPDATE stop SET lifted_by = ?, lifted_at = ? WHERE id = ?",
            ((by, seconds(at), stop_id) for stop_id in stop_ids),
        )

    # --- holds --------------------------------------------------------------------------------------

    def hold_until_baseline(self, device_ids: Iterable[int], reason: str, by: str, at: datetime) -> None:
        """Keep devices off hotpatches until they have taken the next baseline."""
        self._db.executemany(
            "INSERT INTO exclusion (device_id, kb, until_baseline, reason, excluded_by, excluded_at) "
            "VALUES (?, NULL, 1, ?, ?, ?)",
            ((device_id, reason, by, seconds(at)) for device_id in device_ids),
        )

    def lift_baseline_hold(self, device_id: int, at: datetime) -> None:
        self._db.execute(
            "UPDATE exclusion SET lifted_at = ? WHERE device_id = ? AND until_baseline = 1 AND lifted_at IS NULL",
            (seconds(at), device_id),
        )

    def exclusion_reasons(self, kb: int, now: datetime) -> dict[int, str]:
        """Device → why it is excluded from a release; the hold after an uninstall is none of these."""
        return exclusion_reasons(self._db, kb, now)

    def excluded_counts(self, release: Release, now: datetime, withheld: SqlCondition) -> dict[int, int]:
        """Ring → devices that would wait for a baseline or LCU and are excluded from it."""
        return excluded_counts(self._db, release, now, withheld)

    def held_off_counts(self, release: Release, now: datetime, withheld: SqlCondition) -> dict[int, int]:
        """Ring → devices that are ready, and take an LCU because they are held off hotpatches."""
        return held_off_counts(self._db, release, now, withheld)

    # --- counting and choosing ----------------------------------------------------------------------

    def progress(
        self,
        release: Release,
        withheld: SqlCondition = NOTHING,
        *,
        baseline: OsBuild | None = None,
        as_good: OsBuild | None = None,
    ) -> tuple[ProgressCell, ...]:
        """How the devices of the release's platform stand towards it; one pass over one covering index.

        Devices that have the build `as_good` count as having it. Those below `baseline` are told apart; so are those
        that `withheld` covers, at the price of reading each.
        """
        rows = self._db.execute(
            f"SELECT ring_id, ifnull(build, 0) >= ? OR ifnull(build = ?, 0) AS has_build, {_READY} AS ready, "
            f"state, {withheld.where} AS withheld, ifnull(build < ?, 0) AS behind, count(*) AS devices FROM device d "
            "WHERE platform = ? AND ring_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6",
            (
                _wanted_build(release),
                build_number(as_good),
                *withheld.params,
                build_number(baseline),
                release.platform,
            ),
        )
        return tuple(_progress_cell(row) for row in rows)

    def kept_progress(self, platform: Platform) -> tuple[ProgressCell, ...]:
        """The same for the release that devices are protected by now, from the kept totals: no device is read."""
        rows = self._db.execute(
            f"SELECT ring_id, protected AS has_build, {_READY} AS ready, state, sum(devices) AS devices, "
            "0 AS withheld, 0 AS behind FROM device_count WHERE platform = ? AND ring_id >= 0 AND devices > 0 "
            "GROUP BY 1, 2, 3, 4",
            (platform,),
        )
        return tuple(_progress_cell(row) for row in rows)

    def finished(self, kb: int, ring_id: int) -> tuple[int, int]:
        """How many installs of a release succeeded and failed in a ring; a failure put right does not count."""
        row = self._db.execute(
            "SELECT count(CASE WHEN state = 'succeeded' THEN 1 END), "
            "count(CASE WHEN state = 'failed' AND open_failure = 1 THEN 1 END) FROM install "
            "WHERE kb = ? AND ring_id = ? AND action = 'apply'",
            (kb, ring_id),
        ).fetchone()
        return int(row[0]), int(row[1])

    def failed_devices(self, kb: int) -> dict[int, int]:
        """Ring id → devices whose install of this release has failed and is neither put right nor being retried."""
        rows = self._db.execute(
            "SELECT d.ring_id, count(DISTINCT d.id) AS devices FROM install i JOIN device d ON d.id = i.device_id "
            "WHERE i.open_failure = 1 AND i.kb = ? AND i.action = 'apply' AND d.state = 'failed' "
            "AND d.ring_id IS NOT NULL GROUP BY d.ring_id",
            (kb,),
        )
        return {row["ring_id"]: row["devices"] for row in rows}

    def nth_success_at(self, kb: int, ring_id: int, n: int) -> datetime | None:
        """When the n-th install of a release in a ring had succeeded, 1 for the first."""
        row = self._db.execute(
            "SELECT finished_at FROM install WHERE kb = ? AND ring_id = ? AND action = 'apply' "
            "AND state = 'succeeded' ORDER BY finished_at LIMIT 1 OFFSET ?",
            (kb, ring_id, max(n, 1) - 1),
        ).fetchone()
        return None if row is None else moment(row[0])

    def in_flight(self, ring_id: int) -> int:
        """Devices of a ring that something is under way on."""
        return int(
            self._db.execute(
                f"SELECT count(*) FROM device WHERE ring_id = ? AND state IN {among(UNDER_WAY)}",
                (ring_id,),
            ).fetchone()[0]
        )

    def offerable(
        self,
        release: Release,
        ring_id: int,
        now: datetime,
        limit: int,
        *,
        withheld: SqlCondition = NOTHING,
        spread: bool = False,
        baseline_first: bool = False,
        as_good: OsBuild | None = None,
    ) -> tuple[Candidate, ...]:
        """Devices of a ring that are due for a release: below its build, nothing under way, not held, still reporting.

        Whom it is meant for is decided in `engine.rules.rollout.offers`. A tenant's devices get no order. With
        `baseline_first` devices behind the baseline are left out, and always those that have the build `as_good`.
        With `spread` the first ones are a cross-section of the ring instead of its oldest entries.
        """
        who = f"{meant_for(release)} AND d.state IN {among(offered_in(release.kind))}"
        if baseline_first:
            who += f" AND d.track <> '{Track.BEHIND}'"
        excluded = excluded_from(release, now)
        rows = self._db.execute(
            f"SELECT {_CANDIDATE} FROM device d WHERE d.platform = ? AND d.ring_id = ? AND d.build < ? "
            f"AND {who} AND d.architecture IN ({placeholders(len(release.architectures))}) "
            "AND ifnull(d.stale_at, 0) > ? AND d.build IS NOT ? "
            "AND NOT EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.kb = ? AND i.action = 'apply' "
            "AND i.state = 'failed' AND i.ring_id = d.ring_id) "
            f"AND NOT {excluded.where} AND NOT {withheld.where} AND NOT {STEERED} "
            f"ORDER BY {_SPREAD if spread else 'd.id'} LIMIT ?",
            (
                release.platform,
                ring_id,
                _wanted_build(release),
                *release.architectures,
                seconds(now),
                build_number(as_good),
                release.kb,
                *excluded.params,
                *withheld.params,
                limit,
            ),
        )
        return tuple(_candidate(row) for row in rows)

    def candidates(self, device_ids: Sequence[int]) -> Iterable[Candidate]:
        """The devices of a target, in the order of their ids."""
        for start in range(0, len(device_ids), 500):
            part = device_ids[start : start + 500]
            rows = self._db.execute(
                f"SELECT {_CANDIDATE} FROM device d WHERE d.id IN ({placeholders(len(part))}) ORDER BY d.id",
                part,
            ).fetchall()
            yield from map(_candidate, rows)


_SPREAD = "d.id * 2654435769 % 4294967296, d.id"
"""Golden-ratio steps: any first part of this order is spread evenly over the ids."""

_CANDIDATE = f"""d.id, d.name, d.ring_id, d.platform, d.architecture, d.build, d.verdict, d.reasons, d.state,
    {HELD_OFF} AS held,
    EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.next_at IS NOT NULL) AS active,
    (SELECT i.kb FROM install i WHERE i.device_id = d.id AND i.open_failure = 1
        ORDER BY i.id DESC LIMIT 1) AS failed_kb,
    CASE WHEN {STEERED} THEN d.provider ELSE '' END AS tenant
"""


def _candidate(row: sqlite3.Row) -> Candidate:
    return Candidate(
        id=row["id"],
        name=row["name"],
        ring_id=row["ring_id"],
        platform=None if row["platform"] is None else Platform(row["platform"]),
        architecture=None if row["architecture"] is None else Architecture(row["architecture"]),
        build=os_build(row["build"]),
        verdict=Verdict(row["verdict"]),
        reasons=tuple(part for part in row["reasons"].split(",") if part),
        state=DeviceState(row["state"]),
        held=bool(row["held"]),
        active=bool(row["active"]),
        failed_kb=row["failed_kb"],
        tenant=row["tenant"],
    )


def _progress_cell(row: sqlite3.Row) -> ProgressCell:
    return ProgressCell(
        row["ring_id"],
        bool(row["has_build"]),
        bool(row["ready"]),
        DeviceState(row["state"]),
        row["devices"],
        bool(row["withheld"]),
        bool(row["behind"]),
    )


def _wanted_build(release: Release) -> int:
    """A release without a known build is on no device yet."""
    known = build_number(release.build)
    return 2**62 if known is None else known


def _approval(row: sqlite3.Row) -> Approval:
    return Approval(
        id=row["id"],
        kb=row["kb"],
        rings=tuple(json.loads(row["rings"])),
        reason=row["reason"],
        approved_by=row["approved_by"],
        approved_at=time_of(row["approved_at"]),
        not_before=moment(row["not_before"]),
        expires_at=moment(row["expires_at"]),
        withdrawn_at=moment(row["withdrawn_at"]),
        withdrawn_by=row["withdrawn_by"],
        needs_second=bool(row["needs_second"]),
        seconded_by=row["seconded_by"],
        seconded_at=moment(row["seconded_at"]),
    )


def rules_to_text(ring: Ring) -> str:
    """Only what differs from a plain ring, so that a plain ring's text stays short."""
    kept: dict[str, Any] = {}
    if ring.waves != (1.0,):
        kept["waves"] = list(ring.waves)
    if ring.wave_soak_hours:
        kept["wave_soak_hours"] = ring.wave_soak_hours
    if ring.max_share_in_flight:
        kept["max_share_in_flight"] = ring.max_share_in_flight
    if ring.members:
        kept["members"] = ring.members
    if ring.window is not None:
        kept["window"] = {
            "days": list(ring.window.days),
            "begins": ring.window.begins.isoformat("minutes"),
            "minutes": ring.window.minutes,
            "zone": ring.window.zone,
        }
    return json.dumps(kept)


def rules_from_text(text: str) -> dict[str, Any]:
    """Keyword arguments for `Ring`."""
    kept: dict[str, Any] = json.loads(text)
    if "waves" in kept:
        kept["waves"] = tuple(kept["waves"])
    if (window := kept.get("window")) is not None:
        kept["window"] = Window(
            tuple(window["days"]), time.fromisoformat(window["begins"]), window["minutes"], window["zone"]
        )
    return kept
