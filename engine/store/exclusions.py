"""Keeps exclusions: which releases are kept from which devices, why and until when.

Plans read them, `failure_changes` writes them, upkeep ends those whose time has come. Baseline holds are written by
`rollout` and only read here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from engine.model.model import NOT_STARTED, InstallState
from engine.rules.failures import Exclusion
from engine.rules.plans.exclude import WaitingInstall
from engine.store.excluded import IN_FORCE
from engine.store.values import among, epoch, moment, placeholders, seconds

_AMONG = "device_id IN (SELECT value FROM json_each(?))"


class ExclusionStore:
    """The exclusions of the state file, and the waiting installs that they and take-backs cancel."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- writing ------------------------------------------------------------------------------------

    def add(
        self, device_ids: Iterable[int], kb: int | None, until: datetime | None, reason: str, by: str, at: datetime
    ) -> None:
        """Exclude devices; an exclusion from the same releases that is in force gives way to the new one."""
        ids = list(device_ids)
        self._db.execute(
            "UPDATE exclusion SET lifted_at = ?, lifted_by = ? WHERE lifted_at IS NULL AND until_baseline = 0 "
            f"AND kb IS ? AND {_AMONG}",
            (seconds(at), by, kb, json.dumps(ids)),
        )
        self._db.executemany(
            "INSERT INTO exclusion (device_id, kb, until_baseline, until_at, reason, excluded_by, excluded_at) "
            "VALUES (?, ?, 0, ?, ?, ?, ?)",
            ((device_id, kb, epoch(until), reason, by, seconds(at)) for device_id in ids),
        )

    def lift(self, device_ids: Iterable[int], kb: int | None, by: str, at: datetime) -> None:
        """End exclusions of devices; None is from whatever. A hold until the next baseline stays."""
        self._db.execute(
            "UPDATE exclusion SET lifted_at = ?, lifted_by = ? WHERE lifted_at IS NULL AND until_baseline = 0 "
            f"AND (? IS NULL OR kb = ?) AND {_AMONG}",
            (seconds(at), by, kb, kb, json.dumps(list(device_ids))),
        )

    def expire(self, now: datetime, by: str) -> list[int]:
        """End what was to end by now; returns the devices."""
        rows = self._db.execute(
            "UPDATE exclusion SET lifted_at = ?, lifted_by = ? WHERE lifted_at IS NULL AND until_at <= ? "
            "RETURNING device_id",
            (seconds(now), by, seconds(now)),
        ).fetchall()
        return [row[0] for row in rows]

    def lapse(self, kb: int, by: str, now: datetime) -> list[int]:
        """End the exclusions from a release that has been replaced; returns the devices."""
        rows = self._db.execute(
            "UPDATE exclusion SET lifted_at = ?, lifted_by = ? WHERE lifted_at IS NULL AND kb = ? RETURNING device_id",
            (seconds(now), by, kb),
        ).fetchall()
        return [row[0] for row in rows]

    def cancel(self, installs: Sequence[WaitingInstall], stage: str, now: datetime) -> int:
        """Cancel installs that wait; one that has started meanwhile is left alone. Returns how many."""
        cancelled = self._db.executemany(
            f"UPDATE install SET state = '{InstallState.CANCELLED}', stage = ?, next_at = NULL, finished_at = ? "
            f"WHERE id = ? AND state IN {among(NOT_STARTED)}",
            ((stage, seconds(now), each.install_id) for each in installs),
        )
        return cancelled.rowcount  # what triggers write is not in it

    # --- reading ------------------------------------------------------------------------------------

    def has_due(self, now: datetime) -> bool:
        """Whether the time of any exclusion has come."""
        return (
            self._db.execute(
                "SELECT 1 FROM exclusion WHERE lifted_at IS NULL AND until_at <= ? LIMIT 1", (seconds(now),)
            ).fetchone()
            is not None
        )

    def next_end(self) -> datetime | None:
        """When the next exclusion ends by time."""
        row = self._db.execute(
            "SELECT min(until_at) FROM exclusion WHERE lifted_at IS NULL AND until_at IS NOT NULL"
        ).fetchone()
        return moment(row[0])

    def kbs(self) -> tuple[int, ...]:
        """The releases that devices are excluded from one by one."""
        return tuple(
            row[0]
            for row in self._db.execute(
                "SELECT DISTINCT kb FROM exclusion WHERE lifted_at IS NULL AND kb IS NOT NULL ORDER BY kb"
            )
        )

    def of_device(self, device_id: int, now: datetime) -> tuple[Exclusion, ...]:
        """What is kept from a device now, oldest first."""
        return self.of_devices([device_id], now).get(device_id, ())

    def of_devices(self, device_ids: Iterable[int], now: datetime) -> Mapping[int, tuple[Exclusion, ...]]:
        """What is kept from each of these devices now; devices without an exclusion are not in it."""
        rows = self._db.execute(
            f"SELECT x.* FROM exclusion x WHERE {IN_FORCE} AND x.{_AMONG} ORDER BY x.id",
            (seconds(now), json.dumps(list(device_ids))),
        )
        return _by_device(rows)

    def waiting_on(self, device_ids: Sequence[int], kb: int | None = None) -> tuple[WaitingInstall, ...]:
        """Installs of these devices that have not started; None is any release."""
        found: list[WaitingInstall] = []
        for start in range(0, len(device_ids), 500):
            part = device_ids[start : start + 500]
            rows = self._db.execute(
                "SELECT i.id, i.device_id, d.name, i.kb, i.by_hand, i.requested_by FROM install i "
                f"JOIN device d ON d.id = i.device_id WHERE i.device_id IN ({placeholders(len(part))}) "
                f"AND i.next_at IS NOT NULL AND i.state IN {among(NOT_STARTED)} AND (? IS NULL OR i.kb = ?)",
                (*part, kb, kb),
            )
            found += [WaitingInstall(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]
        return tuple(found)


def _by_device(rows: Iterable[sqlite3.Row]) -> Mapping[int, tuple[Exclusion, ...]]:
    found: dict[int, tuple[Exclusion, ...]] = {}
    for row in rows:
        found[row["device_id"]] = (
            *found.get(row["device_id"], ()),
            Exclusion(
                kb=row["kb"],
                until_baseline=bool(row["until_baseline"]),
                until=moment(row["until_at"]),
                reason=row["reason"],
                excluded_by=row["excluded_by"],
            ),
        )
    return found
