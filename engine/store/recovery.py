"""Keeps recoveries from bad hotpatches and their devices, and says where each device stands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from engine.model.intents import After, Target
from engine.model.model import NOT_STARTED, Release
from engine.store.providers import STEERED
from engine.store.values import among, build_number, moment, placeholders, seconds, time_of


class RecoveryRow(Struct, frozen=True):
    """One recovery."""

    id: int
    kb: int
    then: After
    target: Target
    reason: str
    begun_by: str
    begun_at: datetime
    ended_at: datetime | None


class MemberRow(Struct, frozen=True):
    """One device of a recovery and its standing: waiting, uninstalling, restart-pending, protecting, done, hands."""

    device_id: int
    name: str
    ring: str
    standing: str
    error_code: int | None
    last_seen_at: datetime | None


class RecoveryStore:
    """The recoveries of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, kb: int, then: After, target: Target, reason: str, by: str, at: datetime) -> int:
        cursor = self._db.execute(
            "INSERT INTO recovery (kb, then_lcu, target, reason, begun_by, begun_at) VALUES (?, ?, ?, ?, ?, ?)",
            (kb, int(then is After.LCU), json.dumps(asdict(target)), reason, by, seconds(at)),
        )
        return int(cursor.lastrowid or 0)

    def end(self, recovery_id: int, at: datetime) -> None:
        self._db.execute("UPDATE recovery SET ended_at = ? WHERE id = ?", (seconds(at), recovery_id))

    def all(self, kb: int | None = None, *, open_only: bool = False) -> tuple[RecoveryRow, ...]:
        """Recoveries, oldest first."""
        rows = self._db.execute(
            "SELECT * FROM recovery WHERE (? IS NULL OR kb = ?) AND (ended_at IS NULL OR NOT ?) ORDER BY id",
            (kb, kb, int(open_only)),
        )
        return tuple(_recovery(row) for row in rows)

    def running(self, release: Release) -> list[int]:
        """Devices that run exactly this release and can be ordered back, whatever goes on with them."""
        rows = self._db.execute(
            f"SELECT d.id FROM device d WHERE d.build = ? AND d.platform = ? AND NOT {STEERED} ORDER BY d.id",
            (build_number(release.build), release.platform),
        )
        return [row[0] for row in rows]

    def installing(self, kb: int) -> list[int]:
        """Devices on which the release is going in now; what has not started does not count."""
        rows = self._db.execute(
            "SELECT device_id FROM install WHERE kb = ? AND action = 'apply' AND next_at IS NOT NULL "
            f"AND state NOT IN {among(NOT_STARTED)} ORDER BY device_id",
            (kb,),
        )
        return [row[0] for row in rows]

    def to_uninstall(self, release: Release) -> list[int]:
        """Devices that run the release, with nothing under way and no failed uninstall that waits for hands."""
        rows = self._db.execute(
            f"SELECT d.id FROM device d WHERE d.build = ? AND d.platform = ? AND NOT {STEERED} "
            "AND NOT EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.next_at IS NOT NULL) "
            "AND NOT EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.kb = ? "
            "AND i.action = 'uninstall' AND i.open_failure = 1) ORDER BY d.id",
            (build_number(release.build), release.platform, release.kb),
        )
        return [row[0] for row in rows]

    def to_protect(self, recovery_id: int, release: Release, lcu: Release) -> list[int]:
        """Members that are off the release and wait for the LCU, with nothing under way and no failure of it."""
        rows = self._db.execute(
            "SELECT d.id FROM recovery_device m JOIN device d ON d.id = m.device_id "
            "WHERE m.recovery_id = ? AND d.platform = ? AND d.build < ? AND d.build <> ? "
            "AND NOT EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.next_at IS NOT NULL) "
            "AND NOT EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.kb = ? "
            "AND i.action = 'apply' AND i.open_failure = 1) ORDER BY d.id",
            (recovery_id, release.platform, build_number(lcu.build), build_number(release.build), lcu.kb),
        )
        return [row[0] for row in rows]

    def join(self, recovery_id: int, device_ids: Sequence[int], at: datetime) -> list[int]:
        """Make devices members; returns those that were not before."""
        known: set[int] = set()
        for start in range(0, len(device_ids), 500):
            part = device_ids[start : start + 500]
            known.update(
                row[0]
                for row in self._db.execute(
                    "SELECT device_id FROM recovery_device WHERE recovery_id = ? "
                    f"AND device_id IN ({placeholders(len(part))})",
                    (recovery_id, *part),
                )
            )
        new = [each for each in device_ids if each not in known]
        self._db.executemany(
            "INSERT INTO recovery_device VALUES (?, ?, ?)", ((recovery_id, each, seconds(at)) for each in new)
        )
        return new

    def standings(self, recovery: RecoveryRow) -> dict[str, int]:
        """How many members stand where."""
        rows = self._db.execute(
            f"SELECT standing, count(*) AS n FROM ({_MEMBERS}) GROUP BY standing", _member_params(recovery)
        )
        return {row["standing"]: row["n"] for row in rows}

    def members(self, recovery: RecoveryRow, standing: str, limit: int) -> tuple[MemberRow, ...]:
        """The members with one standing, by name."""
        rows = self._db.execute(
            f"SELECT * FROM ({_MEMBERS}) WHERE standing = :standing ORDER BY name LIMIT :limit",
            {**_member_params(recovery), "standing": standing, "limit": limit},
        )
        return tuple(
            MemberRow(
                row["id"], row["name"], row["ring"], row["standing"], row["error_code"], moment(row["last_seen_at"])
            )
            for row in rows
        )

    def restarts(self, recovery: RecoveryRow) -> int:
        """How many restarts the recovery's members have had since it began."""
        row = self._db.execute(
            "SELECT count(*) FROM recovery_device m JOIN install i ON i.device_id = m.device_id "
            "WHERE m.recovery_id = ? AND i.requested_at >= ? AND i.restarted = 1",
            (recovery.id, seconds(recovery.begun_at)),
        ).fetchone()
        return int(row[0])


_MEMBERS = f"""
    SELECT d.id, d.name, ifnull(r.name, '') AS ring, d.last_seen_at, f.error_code,
        CASE
            WHEN a.state IN {among(NOT_STARTED)} AND a.action = 'uninstall' THEN 'waiting'
            WHEN a.action = 'apply' THEN 'protecting'
            WHEN a.state = 'restart-pending' THEN 'restart-pending'
            WHEN a.action = 'uninstall' THEN 'uninstalling'
            WHEN f.id IS NOT NULL THEN 'hands'
            WHEN d.build = b.build THEN 'waiting'
            WHEN :then_lcu AND d.build < l.build THEN 'protecting'
            ELSE 'done'
        END AS standing
    FROM recovery_device m JOIN device d ON d.id = m.device_id
    LEFT JOIN ring r ON r.id = d.ring_id
    LEFT JOIN release b ON b.kb = :kb AND b.platform = d.platform
    LEFT JOIN release l ON l.platform = d.platform AND l.month = b.month AND l.kind = 'lcu'
    LEFT JOIN install a ON a.device_id = d.id AND a.next_at IS NOT NULL
    LEFT JOIN install f ON f.id = (SELECT max(x.id) FROM install x WHERE x.device_id = d.id AND x.open_failure = 1
        AND ((x.kb = :kb AND x.action = 'uninstall' AND d.build = b.build)
            OR (:then_lcu AND x.kb = l.kb AND x.action = 'apply' AND d.build < l.build)))
    WHERE m.recovery_id = :id
"""


def _member_params(recovery: RecoveryRow) -> dict[str, int | str]:
    return {"id": recovery.id, "kb": recovery.kb, "then_lcu": int(recovery.then is After.LCU)}


def _recovery(row: sqlite3.Row) -> RecoveryRow:
    target = json.loads(row["target"])
    return RecoveryRow(
        id=row["id"],
        kb=row["kb"],
        then=After.LCU if row["then_lcu"] else After.STAY,
        target=Target(tuple(target["names"]), tuple(target["ids"]), tuple(target["rings"]), target["filter"]),
        reason=row["reason"],
        begun_by=row["begun_by"],
        begun_at=time_of(row["begun_at"]),
        ended_at=moment(row["ended_at"]),
    )
