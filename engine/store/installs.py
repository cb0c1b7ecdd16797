"""Keeps installs: what is due, what is under way, what failed, and the history of each device."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.model.build import OsBuild, Platform
from engine.model.model import FINAL, NOT_STARTED, DeviceState, Install, InstallAction, InstallState
from engine.model.records.fleet import ActiveInstall, FailureRow
from engine.rules.rollout.installs import WHILE
from engine.store.values import among, build_number, epoch, moment, os_build, placeholders, seconds, time_of

INSTALL_COLUMNS = (
    "device_id ring_id kb platform action state stage progress attempt by_hand requested_at requested_by "
    "started_at finished_at next_at error_code open_failure build_before build_after restarted follow_up_kb reason"
).split()

_NOT_STARTED = f"state IN {among(NOT_STARTED)}"
_ACTIVE = f"state NOT IN {among(FINAL)}"


class NewInstall(Struct, frozen=True):
    """An attempt to be queued."""

    device_id: int
    ring_id: int | None
    kb: int
    platform: Platform
    action: InstallAction
    attempt: int
    by_hand: bool
    requested_at: datetime
    requested_by: str
    build_before: OsBuild | None
    follow_up_kb: int | None
    reason: str


class InstallStore:
    """The installs of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- writing ------------------------------------------------------------------------------------

    def queue(self, installs: Iterable[NewInstall]) -> int:
        """Queue attempts, due at once; a device that already has one under way keeps that one."""
        queued = self._db.executemany(
            f"INSERT INTO install ({', '.join(INSTALL_COLUMNS)}) "
            f"VALUES ({placeholders(len(INSTALL_COLUMNS))}) ON CONFLICT DO NOTHING",
            (
                (
                    new.device_id,
                    new.ring_id,
                    new.kb,
                    new.platform,
                    new.action,
                    InstallState.QUEUED,
                    "waiting",
                    0,
                    new.attempt,
                    int(new.by_hand),
                    seconds(new.requested_at),
                    new.requested_by,
                    None,
                    None,
                    seconds(new.requested_at),
                    None,
                    0,
                    build_number(new.build_before),
                    None,
                    0,
                    new.follow_up_kb,
                    new.reason,
                )
                for new in installs
            ),
        )
        return queued.rowcount  # what triggers write is not in it

    def insert_history(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Bulk-insert finished installs as tuples in the order of `INSTALL_COLUMNS`."""
        self._db.executemany(
            f"INSERT INTO install ({', '.join(INSTALL_COLUMNS)}) VALUES ({placeholders(len(INSTALL_COLUMNS))})",
            rows,
        )

    def record_step(
        self,
        install_id: int,
        *,
        state: InstallState,
        stage: str,
        progress: int,
        at: datetime,
        next_at: datetime | None,
        error_code: int | None,
        build_after: OsBuild | None,
        restarted: bool,
    ) -> None:
        """Write one step. A final state has no next time; a failure stays open until it is put right."""
        final = state.is_final
        self._db.execute(
            "UPDATE install SET state = ?, stage = ?, progress = ?, next_at = ?, "
            "error_code = ifnull(?, error_code), build_after = ifnull(?, build_after), "
            "restarted = max(restarted, ?), open_failure = ?, "
            f"started_at = CASE WHEN started_at IS NULL AND ? NOT IN {among(NOT_STARTED)} THEN ? ELSE started_at END, "
            "finished_at = CASE WHEN ? THEN ? ELSE NULL END WHERE id = ?",
            (
                state,
                stage,
                progress,
                None if final else epoch(next_at),
                error_code,
                build_number(build_after),
                int(restarted),
                int(state is InstallState.FAILED),
                state,
                seconds(at),
                int(final),
                seconds(at),
                install_id,
            ),
        )

    def look_again(self, install_id: int, at: datetime) -> None:
        """Ask about an install later, when its provider had nothing to tell."""
        self._db.execute("UPDATE install SET next_at = ? WHERE id = ?", (seconds(at), install_id))

    def note_failures(self, install_ids: Sequence[int], noticed_at: datetime) -> None:
        """Keep when a failure was noticed; it takes the place of earlier failures of the release on that device."""
        for start in range(0, len(install_ids), 500):
            part = install_ids[start : start + 500]
            failed = self._db.execute(
                "UPDATE install SET detected_at = ? WHERE state = 'failed' AND detected_at IS NULL "
                f"AND id IN ({placeholders(len(part))}) RETURNING id, device_id, kb, action",
                (seconds(noticed_at), *part),
            ).fetchall()
            self._db.executemany(
                "UPDATE install SET open_failure = 0 "
                "WHERE id < ? AND device_id = ? AND kb = ? AND action = ? AND open_failure = 1",
                [tuple(row) for row in failed],
            )

    def close_failures(self, device_id: int) -> None:
        """A later attempt began or succeeded: the earlier failures of the device are no longer open."""
        self._db.execute("UPDATE install SET open_failure = 0 WHERE device_id = ? AND open_failure = 1", (device_id,))

    def cancel_waiting(self, now: datetime, kb: int | None, ring_ids: Sequence[int] | None) -> list[int]:
        """Cancel installs that have not started on their devices; returns the devices. None is "any"."""
        where, params = _scope(kb, ring_ids)
        rows = self._db.execute(
            "UPDATE install SET state = 'cancelled', stage = 'cancelled', next_at = NULL, finished_at = ? "
            f"WHERE {_NOT_STARTED} AND {where} RETURNING device_id",
            (seconds(now), *params),
        ).fetchall()
        return [row[0] for row in rows]

    def waiting(self, kb: int | None, ring_ids: Sequence[int] | None) -> int:
        """How many installs have not started on their devices."""
        where, params = _scope(kb, ring_ids)
        row = self._db.execute(
            f"SELECT count(*) FROM install WHERE next_at IS NOT NULL AND {_NOT_STARTED} AND {where}", params
        ).fetchone()
        return int(row[0])

    def in_scope(self, kb: int | None, ring_id: int | None) -> tuple[int, int]:
        """How many installs wait and how many run, within a release and a ring."""
        waiting = self.waiting(kb, None if ring_id is None else [ring_id])
        where, params = _scope(kb, None if ring_id is None else [ring_id])
        active = self._db.execute(
            f"SELECT count(*) FROM install WHERE next_at IS NOT NULL AND {where}", params
        ).fetchone()[0]
        return waiting, int(active) - waiting

    def refresh_device_states(self, device_ids: Sequence[int]) -> None:
        """Work out `device.state` anew; the same table as `engine.rules.rollout.installs.device_state`, for many at
        once."""
        for start in range(0, len(device_ids), 500):
            part = device_ids[start : start + 500]
            self._db.execute(
                f"UPDATE device AS d SET state = {STATE_OF_DEVICE} WHERE d.id IN ({placeholders(len(part))})",
                part,
            )

    # --- reading ------------------------------------------------------------------------------------

    def due(self, now: datetime, limit: int) -> list[sqlite3.Row]:
        """Installs to look at by now, oldest first, with what the provider needs of the device."""
        return self._db.execute(
            "SELECT i.id AS install_id, i.device_id, i.kb, i.platform AS release_platform, i.action, i.attempt, "
            "i.by_hand, i.requested_at, i.requested_by, i.state AS install_state, i.stage, i.follow_up_kb, "
            "i.ring_id AS install_ring_id, i.build_before, d.* "
            f"FROM install i JOIN device d ON d.id = i.device_id WHERE i.next_at <= ? AND NOT {_HELD_BACK} "
            "ORDER BY i.next_at LIMIT ?",
            (seconds(now), limit),
        ).fetchall()

    def next_due(self) -> datetime | None:
        """When the next install is to be looked at; what is paused before it has started does not count."""
        row = self._db.execute(
            "SELECT i.next_at FROM install i "
            f"WHERE i.next_at IS NOT NULL AND NOT {_HELD_BACK} ORDER BY i.next_at LIMIT 1"
        ).fetchone()
        return None if row is None else moment(row[0])

    def requeue_waiting(self, now: datetime, kb: int | None, ring_ids: Sequence[int] | None) -> None:
        """After a pause: what had not started begins anew, as if asked for now; a tenant's devices go on by
        themselves."""
        where, params = _scope(kb, ring_ids)
        self._db.execute(
            "UPDATE install SET state = 'queued', stage = 'waiting', requested_at = ?, next_at = ? "
            f"WHERE {_NOT_STARTED} AND next_at IS NOT NULL AND {where}",
            (seconds(now), seconds(now), *params),
        )

    def active(self, limit: int) -> tuple[ActiveInstall, ...]:
        """What is under way, the furthest first."""
        rows = self._db.execute(
            "SELECT i.*, d.name AS device_name, ifnull(r.name, '') AS ring FROM install i "
            "JOIN device d ON d.id = i.device_id LEFT JOIN ring r ON r.id = d.ring_id "
            f"WHERE i.next_at IS NOT NULL AND i.{_ACTIVE} ORDER BY i.progress DESC, i.id LIMIT ?",
            (limit,),
        )
        return tuple(
            ActiveInstall(
                install_id=row["id"],
                device_id=row["device_id"],
                device_name=row["device_name"],
                ring=row["ring"],
                kb=row["kb"],
                action=InstallAction(row["action"]),
                state=InstallState(row["state"]),
                stage=row["stage"],
                progress=row["progress"],
                requested_at=time_of(row["requested_at"]),
                requested_by=row["requested_by"],
                next_at=moment(row["next_at"]),
            )
            for row in rows
        )

    def of_device(self, device_id: int, limit: int = 200) -> tuple[Install, ...]:
        """The history of a device, newest first."""
        rows = self._db.execute(
            "SELECT i.*, d.name AS device_name FROM install i JOIN device d ON d.id = i.device_id "
            "WHERE i.device_id = ? ORDER BY ifnull(i.finished_at, 9e15) DESC, i.id DESC LIMIT ?",
            (device_id, limit),
        )
        return tuple(_install(row) for row in rows)

    def failures(self, where: str = "1", params: Sequence[Any] = ()) -> tuple[FailureRow, ...]:
        """Open failures, newest first; `where` is a condition over device alias ``d``."""
        rows = self._db.execute(
            "SELECT i.*, d.name AS device_name, d.user, d.site, d.model, d.driver, d.build, "
            "ifnull(r.name, '') AS ring FROM install i JOIN device d ON d.id = i.device_id "
            f"LEFT JOIN ring r ON r.id = d.ring_id WHERE i.open_failure = 1 AND {where} "
            "ORDER BY i.finished_at DESC, i.id DESC",
            tuple(params),
        )
        return tuple(
            FailureRow(
                install_id=row["id"],
                device_id=row["device_id"],
                device_name=row["device_name"],
                user=row["user"],
                ring=row["ring"],
                site=row["site"],
                model=row["model"],
                driver=row["driver"],
                platform=Platform(row["platform"]),
                build=os_build(row["build"]),
                kb=row["kb"],
                action=InstallAction(row["action"]),
                error_code=row["error_code"] or 0,
                attempt=row["attempt"],
                failed_at=time_of(row["finished_at"]),
                stage=row["stage"],
            )
            for row in rows
        )

    def failed_attempts(self, device_id: int, kb: int, action: InstallAction) -> int:
        """The highest attempt so far, 0 for none."""
        return int(
            self._db.execute(
                "SELECT ifnull(max(attempt), 0) FROM install WHERE device_id = ? AND kb = ? AND action = ?",
                (device_id, kb, action),
            ).fetchone()[0]
        )

    def release_counts(self, kb: int | None = None) -> dict[tuple[int, str], dict[str, int]]:
        """For each (KB, platform): installs by state. For lists of releases, or one."""
        found: dict[tuple[int, str], dict[str, int]] = {}
        # Grouped as the index is sorted: nothing is sorted anew. HAVING, because a WHERE would undo that.
        for row in self._db.execute(
            "SELECT kb, platform, state, sum(n) AS n FROM ("
            "SELECT kb, platform, state, sum(state <> 'failed' OR open_failure) AS n FROM install "
            f"WHERE {'1' if kb is None else 'kb = ?'} GROUP BY kb, ring_id, action, state, platform "
            "HAVING min(action) = 'apply') GROUP BY kb, platform, state",
            () if kb is None else (kb,),
        ):
            found.setdefault((row["kb"], row["platform"]), {})[row["state"]] = row["n"]
        return found


_HELD_BACK = f"""(i.{_NOT_STARTED} AND EXISTS (SELECT 1 FROM stop s WHERE s.lifted_at IS NULL
    AND (s.kb IS NULL OR (s.kb = i.kb AND i.action = 'apply')) AND (s.ring_id IS NULL OR s.ring_id = i.ring_id)))"""

STATE_OF_DEVICE = f"""ifnull(
    (SELECT CASE i.state {" ".join(f"WHEN '{each}' THEN '{state}'" for each, state in WHILE.items())} END
     FROM install i WHERE i.device_id = d.id AND i.{_ACTIVE}),
    CASE WHEN EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.open_failure = 1)
            THEN '{DeviceState.FAILED}'
         WHEN d.restart_pending = 1 THEN '{DeviceState.RESTART_PENDING}'
         WHEN EXISTS (SELECT 1 FROM exclusion x WHERE x.device_id = d.id AND x.lifted_at IS NULL)
            THEN '{DeviceState.HELD}' ELSE '{DeviceState.IDLE}' END)"""


def _scope(kb: int | None, ring_ids: Sequence[int] | None) -> tuple[str, tuple[Any, ...]]:
    where, params = ["1"], []
    if kb is not None:
        # Stopping a release never stops the way back from it.
        where.append("kb = ? AND action = 'apply'")
        params.append(kb)
    if ring_ids is not None:
        where.append(f"ring_id IN ({placeholders(len(ring_ids))})")
        params += ring_ids
    return " AND ".join(where), tuple(params)


def _install(row: sqlite3.Row) -> Install:
    return Install(
        id=row["id"],
        device_id=row["device_id"],
        device_name=row["device_name"],
        kb=row["kb"],
        platform=Platform(row["platform"]),
        action=InstallAction(row["action"]),
        state=InstallState(row["state"]),
        stage=row["stage"],
        progress=row["progress"],
        attempt=row["attempt"],
        requested_at=time_of(row["requested_at"]),
        requested_by=row["requested_by"],
        started_at=moment(row["started_at"]),
        finished_at=moment(row["finished_at"]),
        next_at=moment(row["next_at"]),
        error_code=row["error_code"],
        build_before=os_build(row["build_before"]),
        build_after=os_build(row["build_after"]),
        restarted=bool(row["restarted"]),
        follow_up_kb=row["follow_up_kb"],
        reason=row["reason"],
    )
