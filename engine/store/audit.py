"""Keeps the audit: appends in the transaction of the change it records, reads for feed and verification."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from engine.audit import GENESIS, AuditEntry, Break, canonical, chain, verify
from engine.clock import from_text
from engine.records import AuditRow
from engine.store.values import seconds

_HEAD = "audit-head"


class AuditStore:
    """Append-only; the last sequence number and hash are kept apart so that a cut-off end is seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def append(self, entry: AuditEntry) -> int:
        """Chain one record and return its number. Call it inside the transaction of the change."""
        last = self._db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        seq, previous = (last["seq"] + 1, last["hash"]) if last else (1, GENESIS)
        body = canonical(seq, entry)
        digest = chain(previous, body)
        self._db.execute(
            "INSERT INTO audit (seq, at, actor, action, kb, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, seconds(entry.at), entry.actor, entry.action, entry.kb, body, previous, digest),
        )
        self._db.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_HEAD, json.dumps([seq, digest])),
        )
        return seq

    def page(self, limit: int, before: int | None = None) -> tuple[AuditRow, ...]:
        """The newest records, or those before the record `before`, newest first."""
        rows = self._db.execute(
            "SELECT body, hash FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?",
            (before if before is not None else 2**62, limit),
        )
        return tuple(_row(row["body"], row["hash"]) for row in rows)

    def each(self) -> Iterator[tuple[int, str, str, str]]:
        """Every record as ``(seq, body, previous, hash)``, oldest first."""
        for row in self._db.execute("SELECT seq, body, previous, hash FROM audit ORDER BY seq"):
            yield row["seq"], row["body"], row["previous"], row["hash"]

    def head(self) -> tuple[int, str] | None:
        """The last number and hash as they were written beside the chain."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (_HEAD,)).fetchone()
        if row is None:
            return None
        seq, digest = json.loads(row["value"])
        return int(seq), str(digest)

    def verify(self) -> Break | None:
        """The first place where the chain does not hold."""
        return verify(self.each(), self.head())


def _row(body: str, digest: str) -> AuditRow:
    record = json.loads(body)
    at: datetime = from_text(record["at"])
    return AuditRow(
        seq=record["seq"],
        at=at,
        actor=record["actor"],
        origin=record["origin"],
        action=record["action"],
        summary=record["summary"],
        reason=record["reason"],
        kb=record["kb"],
        rings=tuple(record["rings"]),
        devices=record["devices"],
        details=record["details"],
        hash=digest,
    )
