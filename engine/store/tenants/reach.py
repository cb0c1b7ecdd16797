"""Keeps what a tenant assigns to which groups and who is in them, and works out whom each ring and policy reaches.

The pull of the inventory calls it. Exclusions win; users in a group bring their devices into its rings alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.model.tenants import RingKind
from engine.rules.tenants.inventory import EVERY_DEVICE, EVERY_USER, Assignment, Member, ToldFacts
from engine.store.tenants.inventory import TOLD_COLUMNS, TOLD_JOINS, told_of
from engine.store.values import seconds


class ReachStore:
    """Assignments, groups and members. Writers run inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- what is read -------------------------------------------------------------------------------

    def keep_assignments(self, provider: str, told: Iterable[RingKind], assignments: Iterable[Assignment]) -> None:
        """What the tenant assigns now, in place of what it did before; kinds that were not told stay as they were."""
        self._db.execute(
            "DELETE FROM tenant_assignment WHERE provider = ? AND kind IN (SELECT value FROM json_each(?))",
            (provider, json.dumps(list(told))),
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO tenant_assignment (provider, kind, key, name, is_ring, allows, group_id, excluded) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (provider, each.kind, each.key, each.name, each.is_ring, each.allows, each.group, each.excluded)
                for each in assignments
            ),
        )
        for table in ("tenant_member", "tenant_group"):
            self._db.execute(
                f"DELETE FROM {table} WHERE provider = ? AND group_id NOT IN "
                "(SELECT a.group_id FROM tenant_assignment a WHERE a.provider = ?)",
                (provider, provider),
            )

    def next_group(self, provider: str, pull: int) -> str:
        """A group whose members this pull has not read yet; "" for none."""
        row = self._db.execute(
            f"SELECT group_id {_UNREAD} ORDER BY group_id LIMIT 1", (provider, EVERY_DEVICE, EVERY_USER, pull)
        ).fetchone()
        return "" if row is None else str(row[0])

    def count_groups(self, provider: str, pull: int) -> int:
        """Groups whose members this pull has still to read."""
        return int(
            self._db.execute(
                f"SELECT count(DISTINCT group_id) {_UNREAD}", (provider, EVERY_DEVICE, EVERY_USER, pull)
            ).fetchone()[0]
        )

    def keep_members(self, provider: str, group: str, pull: int, members: Sequence[Member]) -> None:
        """Who is in a group; the object ids of devices are learnt on the way."""
        self._db.executemany(
            "INSERT INTO tenant_member (provider, group_id, kind, member_id, pull) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (provider, group_id, kind, member_id) DO UPDATE SET pull = excluded.pull",
            ((provider, group, each.kind, each.id, pull) for each in members),
        )
        self._db.executemany(
            "UPDATE tenant_device SET object_id = ? WHERE provider = ? AND entra_id = ? AND entra_id <> '' "
            "AND object_id <> ?",
            (
                (each.object_id, provider, each.id, each.object_id)
                for each in members
                if each.kind == "device" and each.object_id
            ),
        )

    def close_group(self, provider: str, group: str, pull: int, now: datetime) -> None:
        """The group was read to its end: whom this pull has not met is not in it any more."""
        self._db.execute(
            "DELETE FROM tenant_member WHERE provider = ? AND group_id = ? AND pull <> ?", (provider, group, pull)
        )
        self._db.execute(
            "INSERT OR REPLACE INTO tenant_group (provider, group_id, pull, read_at) VALUES (?, ?, ?, ?)",
            (provider, group, pull, seconds(now)),
        )

    # --- whom it reaches ----------------------------------------------------------------------------

    def told_of_device(self, device_id: int) -> ToldFacts | None:
        """All that a tenant has told of a device of the fleet, and which policies reach it; None for no tenant's."""
        row = self._db.execute(
            f"SELECT {TOLD_COLUMNS}, t.provider FROM device d JOIN tenant_device t ON t.provider = d.provider "
            f"AND t.intune_id = d.external_id {TOLD_JOINS} WHERE d.id = ?",
            (device_id,),
        ).fetchone()
        if row is None:
            return None
        return told_of(row, *self.policies_of(row["provider"], row["id"]))

    def policies_of(self, provider: str, device: int) -> tuple[str, str]:
        """The names of a policy that allows and of one that blocks hotpatches on a staged device; "" for none."""
        row = self._db.execute(
            f"SELECT {_ALLOWING}, {_BLOCKING} FROM ({_reached('t.id = :device')})",
            {"provider": provider, "device": device, "every": EVERY_DEVICE, "users": EVERY_USER},
        ).fetchone()
        return row[0] or "", row[1] or ""

    def place(self, provider: str, pull: int, ring_ids: Mapping[str, int]) -> None:
        """Work out ring and policies of every device of the pull into a temporary table, for `each_told`.

        `ring_ids`: the tenant's rings in their order. A device in two rings is in the first.
        """
        self._db.execute("DROP TABLE IF EXISTS temp.tenant_place")
        self._db.execute(
            "CREATE TEMP TABLE tenant_place (id INTEGER PRIMARY KEY, rank INTEGER, allowed TEXT, blocked TEXT)"
        )
        ranks = json.dumps({key: rank for rank, key in enumerate(ring_ids)})
        self._db.execute(
            f"INSERT INTO tenant_place SELECT r.id, min(k.value), {_ALLOWING}, {_BLOCKING} "
            f"FROM ({_reached('t.pull = :pull')}) r LEFT JOIN json_each(:ranks) k ON k.key = r.key AND r.is_ring "
            "GROUP BY r.id",
            {"provider": provider, "pull": pull, "ranks": ranks, "every": EVERY_DEVICE, "users": EVERY_USER},
        )

    def each_told(
        self, provider: str, pull: int, ring_ids: Mapping[str, int], faults: Mapping[str, str]
    ) -> Iterator[tuple[ToldFacts, int | None]]:
        """Every device of the pull with its ring, after `place`, without holding them all.

        Of two entries for one Entra device the one that synced last counts: the other is left from before the device
        was enrolled anew.
        """
        in_order: Sequence[int] = list(ring_ids.values())
        cursor = self._db.cursor()
        cursor.row_factory = None
        rows: Iterable[Any] = cursor.execute(
            f"SELECT {TOLD_COLUMNS}, s.rank, s.allowed, s.blocked FROM tenant_device t {TOLD_JOINS} "
            f"LEFT JOIN tenant_place s ON s.id = t.id WHERE {_CURRENT} ORDER BY t.id",
            {"provider": provider, "pull": pull},
        )
        for row in rows:
            rank, allowed, blocked = row[-3:]
            yield told_of(row, allowed or "", blocked or "", faults), None if rank is None else in_order[rank]

    def count_current(self, provider: str, pull: int) -> int:
        """How many devices `each_told` gives."""
        return int(
            self._db.execute(
                f"SELECT count(*) FROM tenant_device t WHERE {_CURRENT}", {"provider": provider, "pull": pull}
            ).fetchone()[0]
        )

    def follow_enrolments(self, provider: str, pull: int) -> int:
        """Let devices of the fleet that were enrolled anew keep their history under their new Intune id."""
        twice = self._db.execute(
            "SELECT entra_id FROM tenant_device WHERE provider = ? AND entra_id <> '' GROUP BY entra_id "
            "HAVING count(*) > 1",
            (provider,),
        ).fetchall()
        followed = 0
        for (entra_id,) in twice:
            # The entry that counts now comes first; of those before it, the one that the fleet has heard of last.
            rows = self._db.execute(
                "SELECT t.intune_id, t.pull, d.id FROM tenant_device t LEFT JOIN device d ON d.provider = t.provider "
                "AND d.external_id = t.intune_id WHERE t.provider = ? AND t.entra_id = ? AND t.entra_id <> '' "
                "ORDER BY t.pull = ? DESC, ifnull(t.synced_at, 0) DESC, t.id DESC",
                (provider, entra_id, pull),
            ).fetchall()
            now, before = rows[0], [row["id"] for row in rows[1:] if row["id"] is not None]
            if now["pull"] == pull and now["id"] is None and before:
                self._db.execute("UPDATE device SET external_id = ? WHERE id = ?", (now["intune_id"], before[0]))
                followed += 1
        return followed


_UNREAD = (
    "FROM tenant_assignment a WHERE a.provider = ? AND a.group_id NOT IN (?, ?) AND NOT EXISTS (SELECT 1 "
    "FROM tenant_group g WHERE g.provider = a.provider AND g.group_id = a.group_id AND g.pull = ?)"
)
_CURRENT = (
    "t.provider = :provider AND t.pull = :pull AND (t.entra_id = '' OR NOT EXISTS (SELECT 1 FROM tenant_device o "
    "WHERE o.provider = t.provider AND o.entra_id = t.entra_id AND o.entra_id <> '' AND o.pull = t.pull "
    "AND (ifnull(o.synced_at, 0), o.id) > (ifnull(t.synced_at, 0), t.id)))"
)
_ALLOWING = "min(CASE WHEN allows = 1 THEN name END)"
_BLOCKING = "min(CASE WHEN allows = 0 THEN name END)"


def _reached(devices: str) -> str:
    """Rings and policies with the staged devices (alias ``t``) that they reach."""
    # CROSS JOIN keeps SQLite to this order: from a device to its few groups, from a group to what is assigned to it.
    by_group = (
        "SELECT a.key, a.name, a.is_ring, a.allows, t.id FROM tenant_device t CROSS JOIN tenant_member m "
        "ON m.provider = t.provider AND m.kind = {kind} AND m.member_id = t.{member} CROSS JOIN tenant_assignment a "
        "ON a.provider = m.provider AND a.group_id = m.group_id WHERE t.{member} <> '' AND {own} {only}"
    )
    every = (
        "SELECT a.key, a.name, a.is_ring, a.allows, t.id FROM tenant_assignment a CROSS JOIN tenant_device t "
        "ON t.provider = a.provider WHERE a.group_id IN (:every, :users) "
        "AND (a.group_id = :every OR (a.is_ring AND t.user_id <> '')) AND {own}"
    )

    def reaching(excluded: int) -> str:
        own = f"t.provider = :provider AND {devices} AND a.excluded = {excluded}"
        device = by_group.format(kind="'device'", member="entra_id", own=own, only="")
        user = by_group.format(kind="'user'", member="user_id", own=own, only="AND a.is_ring")
        return f"{device} UNION {user}" + ("" if excluded else f" UNION {every.format(own=own)}")

    return f"{reaching(0)} EXCEPT SELECT * FROM ({reaching(1)})"
