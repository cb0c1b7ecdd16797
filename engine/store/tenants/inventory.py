"""Keeps what a tenant has told of its devices and their users, between pulls too. The pull and `reads` call it.

Rows of devices that the newest pull did not list stay until the fleet has let go of the device.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.rules.tenants.inventory import Enrolment, ListedDevice, ToldFacts
from engine.store.values import epoch, moment, seconds

_TABLES = (
    "tenant_pull tenant_device tenant_user tenant_assignment tenant_group tenant_member "
    "tenant_outcome tenant_export tenant_shown"
).split()


class TenantInventoryStore:
    """Staged devices, users and their licences. Writers run inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- the list of devices ------------------------------------------------------------------------

    def keep_listed(self, provider: str, pull: int, devices: Iterable[ListedDevice], now: datetime) -> None:
        """Devices as the list has them. What is known besides stays; another sync makes its details due."""
        self._db.executemany(
            "INSERT INTO tenant_device (provider, intune_id, entra_id, user_id, synced_at, pull, listed, listed_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider, intune_id) DO UPDATE SET "
            "entra_id = excluded.entra_id, user_id = excluded.user_id, synced_at = excluded.synced_at, "
            "pull = excluded.pull, listed = excluded.listed, listed_at = excluded.listed_at",
            (
                (
                    provider,
                    each.intune_id,
                    each.entra_id,
                    each.user_id,
                    epoch(each.synced_at),
                    pull,
                    json.dumps(each.told, ensure_ascii=False),
                    seconds(now),
                )
                for each in devices
            ),
        )

    def forget_listed(self, provider: str, pull: int) -> None:
        """The list is walked anew: nothing counts as listed by this pull yet."""
        self._db.execute("UPDATE tenant_device SET pull = 0 WHERE provider = ? AND pull = ?", (provider, pull))

    def not_listed(self, provider: str, intune_ids: Iterable[str]) -> None:
        """Devices that were deleted while the pull was under way."""
        self._db.executemany(
            "UPDATE tenant_device SET pull = 0 WHERE provider = ? AND intune_id = ?",
            ((provider, each) for each in intune_ids),
        )

    def listed(self, provider: str, pull: int) -> int:
        return int(
            self._db.execute(
                "SELECT count(*) FROM tenant_device WHERE provider = ? AND pull = ?", (provider, pull)
            ).fetchone()[0]
        )

    # --- details of single devices ------------------------------------------------------------------

    def wanting_details(self, provider: str, pull: int, after: int, limit: int) -> list[tuple[int, str]]:
        """Row ids and Intune ids, behind a row, of devices that have synced since their details were read."""
        return [
            (row[0], row[1])
            for row in self._db.execute(
                f"SELECT id, intune_id FROM tenant_device WHERE id > ? AND {_WANTS_DETAIL} ORDER BY id LIMIT ?",
                (after, provider, pull, limit),
            )
        ]

    def count_wanting_details(self, provider: str, pull: int) -> int:
        return int(
            self._db.execute(f"SELECT count(*) FROM tenant_device WHERE {_WANTS_DETAIL}", (provider, pull)).fetchone()[
                0
            ]
        )

    def keep_details(self, provider: str, details: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
        """Details by Intune id, as of the sync that the list told."""
        self._db.executemany(
            "UPDATE tenant_device SET detail = ?, detail_for = synced_at, detail_at = ? "
            "WHERE provider = ? AND intune_id = ?",
            (
                (json.dumps(detail, ensure_ascii=False), seconds(now), provider, intune_id)
                for intune_id, detail in details.items()
            ),
        )

    # --- enrolment in the update service ------------------------------------------------------------

    def keep_enrolments(self, provider: str, pull: int, found: Iterable[tuple[str, Enrolment]], now: datetime) -> None:
        """Enrolments by Entra device id; those of devices that are not staged are passed over."""
        self._db.executemany(
            "UPDATE tenant_device SET enrolment = ?, enrolment_errors = ?, enrolment_pull = ?, enrolment_at = ? "
            "WHERE provider = ? AND entra_id = ? AND entra_id <> ''",
            ((each.state, ",".join(each.errors), pull, seconds(now), provider, entra_id) for entra_id, each in found),
        )

    def close_enrolments(self, provider: str, pull: int) -> None:
        """The list was read to its end: what this pull has not met is not in it any more."""
        self._db.execute(
            "UPDATE tenant_device SET enrolment = NULL, enrolment_errors = '', enrolment_at = NULL "
            "WHERE provider = ? AND enrolment_at IS NOT NULL AND enrolment_pull <> ?",
            (provider, pull),
        )

    # --- licences of users --------------------------------------------------------------------------

    def wanting_licences(self, provider: str, pull: int, after: str, limit: int, fresh_since: datetime) -> list[str]:
        """Ids, behind one, of primary users whose licences were not read since then; each once."""
        return [
            row[0]
            for row in self._db.execute(
                f"SELECT DISTINCT user_id FROM tenant_device d WHERE {_WANTS_LICENCE} AND user_id > ? "
                "ORDER BY user_id LIMIT ?",
                (provider, pull, seconds(fresh_since), after, limit),
            )
        ]

    def count_wanting_licences(self, provider: str, pull: int, fresh_since: datetime) -> int:
        return int(
            self._db.execute(
                f"SELECT count(DISTINCT user_id) FROM tenant_device d WHERE {_WANTS_LICENCE}",
                (provider, pull, seconds(fresh_since)),
            ).fetchone()[0]
        )

    def keep_licences(self, provider: str, found: Iterable[tuple[str, str, str]], now: datetime) -> None:
        """User id, licence key and what is worth saying about it."""
        self._db.executemany(
            "INSERT OR REPLACE INTO tenant_user (provider, user_id, licence, note, read_at) VALUES (?, ?, ?, ?, ?)",
            ((provider, user_id, licence, note, seconds(now)) for user_id, licence, note in found),
        )

    # --- one device, and the end --------------------------------------------------------------------

    def is_tenants(self, device_id: int) -> bool:
        """Whether a device of the fleet is one that a tenant has told of."""
        found = self._db.execute(
            "SELECT 1 FROM device d JOIN tenant_device t ON t.provider = d.provider AND t.intune_id = d.external_id "
            "WHERE d.id = ?",
            (device_id,),
        ).fetchone()
        return found is not None

    def oldest_fact(self, provider: str, pull: int) -> datetime | None:
        """When the oldest fact that the devices of this pull stand on was read; None for no device."""
        row = self._db.execute(
            "SELECT min(t.listed_at), min(t.detail_at), min(t.enrolment_at), min(u.read_at), "
            "(SELECT min(g.read_at) FROM tenant_group g WHERE g.provider = :provider) FROM tenant_device t "
            "LEFT JOIN tenant_user u ON u.provider = t.provider AND u.user_id = t.user_id "
            "WHERE t.provider = :provider AND t.pull = :pull",
            {"provider": provider, "pull": pull},
        ).fetchone()
        return moment(min((each for each in row if each is not None), default=None))

    def tidy(self, provider: str, pull: int) -> None:
        """Forget devices that neither the tenant nor the fleet has any more, and users without a device."""
        self._db.execute(
            "DELETE FROM tenant_device WHERE provider = :provider AND pull <> :pull AND NOT EXISTS "
            "(SELECT 1 FROM device d WHERE d.provider = :provider AND d.external_id = tenant_device.intune_id)",
            {"provider": provider, "pull": pull},
        )
        self._db.execute(
            "DELETE FROM tenant_user WHERE provider = ? AND NOT EXISTS (SELECT 1 FROM tenant_device d "
            "WHERE d.provider = tenant_user.provider AND d.user_id = tenant_user.user_id AND d.user_id <> '')",
            (provider,),
        )

    def forget(self, provider: str) -> None:
        """Everything about a provider that is removed."""
        for table in _TABLES:
            self._db.execute(f"DELETE FROM {table} WHERE provider = ?", (provider,))


_WANTS_DETAIL = "provider = ? AND pull = ? AND (detail_at IS NULL OR detail_for IS NOT synced_at)"
_WANTS_LICENCE = (
    "d.provider = ? AND d.pull = ? AND d.user_id <> '' AND NOT EXISTS (SELECT 1 FROM tenant_user u "
    "WHERE u.provider = d.provider AND u.user_id = d.user_id AND u.read_at >= ?)"
)
TOLD_COLUMNS = (
    "t.id, t.intune_id, t.entra_id, t.user_id, t.synced_at, t.listed, t.detail, t.enrolment, t.enrolment_errors, "
    "t.enrolment_at, u.licence, u.note, p.policies_read, p.enrolment_read, p.faults"
)
TOLD_JOINS = (
    "JOIN tenant_pull p ON p.provider = t.provider "
    "LEFT JOIN tenant_user u ON u.provider = t.provider AND u.user_id = t.user_id AND t.user_id <> ''"
)


def told_of(
    row: sqlite3.Row | Sequence[Any], allowed_by: str, blocked_by: str, faults: Mapping[str, str] | None = None
) -> ToldFacts:
    """The record of a row of TOLD_COLUMNS. `faults`: of the pull under way; left out, those of the finished one."""
    _, intune_id, entra_id, user_id, synced_at, listed, detail, enrolment, errors, enrolment_at = tuple(row)[:10]
    licence, note, policies_read, enrolment_read, kept_faults = tuple(row)[10:15]
    return ToldFacts(
        intune_id=intune_id,
        entra_id=entra_id,
        user_id=user_id,
        synced_at=moment(synced_at),
        listed=json.loads(listed),
        detail=None if detail is None else json.loads(detail),
        enrolment=None if enrolment_at is None else Enrolment(enrolment, tuple(filter(None, errors.split(",")))),
        licence=licence,
        licence_note=note or "",
        allowed_by=allowed_by,
        blocked_by=blocked_by,
        policies_read=bool(policies_read),
        enrolment_read=bool(enrolment_read),
        faults=json.loads(kept_faults) if faults is None else faults,
    )
