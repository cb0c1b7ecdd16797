"""Keeps what a tenant's reports said last of devices and updates, and how far the exports are that were asked for.

The pull calls it, and `engine.tenants.status` reads it. The address of an exported file holds a key: it is never kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from engine.rules.tenants.outcomes import RequestOutcome
from engine.store.values import epoch, moment, seconds, time_of

KEEP = (
    "INSERT INTO tenant_outcome (provider, policy, source, intune_id, course, code, words, kb, released, at, "
    "pull) SELECT t.provider, :policy, :source, t.intune_id, :course, :code, :words, :kb, :released, :at, "
    # Two searches put together: with OR between them every device of the provider would be looked at for each row.
    ":pull FROM (SELECT provider, intune_id, pull, id FROM tenant_device WHERE provider = :provider "
    "AND intune_id = :id UNION ALL SELECT provider, intune_id, pull, id FROM tenant_device "
    "WHERE provider = :provider AND entra_id = :id AND entra_id <> '') t WHERE 1 "
    "ORDER BY t.pull DESC, t.id DESC LIMIT 1 "
    "ON CONFLICT (provider, intune_id, policy, source, course) DO UPDATE SET code = excluded.code, "
    "words = excluded.words, kb = excluded.kb, released = excluded.released, at = excluded.at, "
    "pull = excluded.pull WHERE excluded.pull <> pull OR ifnull(excluded.at, 0) >= ifnull(at, 0)"
)
"""What one row of a report does; needs the members of an outcome, the pull, and one ``id`` of the device."""


class ExportState(StrEnum):
    """The life of an export.

    asking ── answered ──► begun ── looked at, ready, fetched ──► done
       └── refused ──► failed ◄── failed there, forgotten ┘
    """

    ASKING = "asking"
    """About to be asked for; where a process ended over it, the service may have begun."""
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        return self in (ExportState.ASKING, ExportState.BEGUN)


class Export(Struct, frozen=True):
    """One report of one policy."""

    policy: str
    report: str
    state: ExportState
    asked_at: datetime
    next_at: datetime
    """When to look again; of one that is over, when it was."""
    job: str = ""
    looks: int = 0
    said: str = ""


class OutcomeStore:
    """Reports of tenants. Writers run inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- what reports said --------------------------------------------------------------------------

    def keep(self, provider: str, pull: int, outcomes: Iterable[RequestOutcome]) -> None:
        """What was told of devices that the tenant's list has, by either of their ids; the newest of a kind stays."""
        self._db.executemany(
            KEEP,
            (
                {
                    "provider": provider,
                    "policy": each.policy_id,
                    "source": each.source,
                    "course": each.course,
                    "code": each.code,
                    "words": each.words,
                    "kb": each.kb,
                    "released": each.released_on.isoformat() if each.released_on else None,
                    "at": epoch(each.at),
                    "pull": pull,
                    "id": device_id,
                }
                for each in outcomes
                for device_id in each.ids
            ),
        )

    def close(self, provider: str, policy: str, source: str, pull: int) -> None:
        """The report was read to its end: what this pull has not met holds no more."""
        self._db.execute(
            "DELETE FROM tenant_outcome WHERE provider = ? AND policy = ? AND source = ? AND pull <> ?",
            (provider, policy, source, pull),
        )

    def keep_policies(self, provider: str, policies: Sequence[str]) -> None:
        """Forget what was told of policies that the tenant does not have any more."""
        known = {
            row[0]
            for row in self._db.execute("SELECT DISTINCT policy FROM tenant_outcome WHERE provider = ?", (provider,))
        }
        known |= {
            row[0] for row in self._db.execute("SELECT policy FROM tenant_export WHERE provider = ?", (provider,))
        }
        for gone in sorted(known - set(policies)):
            for table in ("tenant_outcome", "tenant_export"):
                self._db.execute(f"DELETE FROM {table} WHERE provider = ? AND policy = ?", (provider, gone))

    # --- exports ------------------------------------------------------------------------------------

    def exports(self, provider: str) -> tuple[Export, ...]:
        """Every export that was asked for, each report of a policy once."""
        rows = self._db.execute("SELECT * FROM tenant_export WHERE provider = ? ORDER BY policy, report", (provider,))
        return tuple(
            Export(
                policy=row["policy"],
                report=row["report"],
                state=ExportState(row["state"]),
                asked_at=time_of(row["asked_at"]),
                next_at=time_of(row["next_at"]),
                job=row["job"],
                looks=row["looks"],
                said=row["said"],
            )
            for row in rows
        )

    def save_export(self, provider: str, export: Export) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO tenant_export (provider, policy, report, job, state, asked_at, next_at, looks, "
            "said) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                provider,
                export.policy,
                export.report,
                export.job,
                export.state,
                seconds(export.asked_at),
                seconds(export.next_at),
                export.looks,
                export.said,
            ),
        )

    def next_look(self, provider: str) -> datetime | None:
        """When the first open export is to be looked at; None when none is open."""
        row = self._db.execute(
            "SELECT min(next_at) FROM tenant_export WHERE provider = ? AND state IN ('asking', 'begun')", (provider,)
        ).fetchone()
        return moment(row[0])
