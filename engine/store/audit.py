"""Keeps the audit: appends in the transaction of the change it records, reads for feed and verification."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.audit import AuditCheck, AuditEntry, AuditRecord, Break, Head, chained, verify
from engine.clock import from_text
from engine.errors import StateUnusable
from engine.records import AuditRow
from engine.store.values import seconds

_HEAD = "audit-head"
_UNREADABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB})
# Text as bytes and everything by its stored type: what somebody has put there need be neither text nor a number.
_RECORDS = """
SELECT seq, CASE typeof(at) WHEN 'integer' THEN at END AS at,
    CASE typeof(kb) WHEN 'integer' THEN kb WHEN 'null' THEN NULL ELSE 'no number' END AS kb,
    typeof(actor) || typeof(action) || typeof(body) || typeof(previous) || typeof(hash) AS types,
    CAST(actor AS BLOB) AS actor, CAST(action AS BLOB) AS action, CAST(body AS BLOB) AS body,
    CAST(previous AS BLOB) AS previous, CAST(hash AS BLOB) AS hash
FROM audit WHERE seq >= ? ORDER BY seq
"""


class AuditStore:
    """Append-only; the last sequence number and hash are kept apart so that a cut-off end is seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def append(self, entry: AuditEntry) -> int:
        """Chain one record and return its number. Call it inside the transaction of the change."""
        last = self._db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        record = next(chained([entry], Head(last["seq"], last["hash"]) if last else None))
        self._db.execute(
            "INSERT INTO audit (seq, at, actor, action, kb, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(record.seq, record.at, record.actor, record.action, record.kb),
                *(record.body, record.previous, record.hash),
            ),
        )
        self._db.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_HEAD, json.dumps([record.seq, record.hash])),
        )
        return record.seq

    def page(self, limit: int, before: int | None = None) -> tuple[AuditRow, ...]:
        """The newest records, or those before the record `before`, newest first."""
        rows = self._db.execute(
            "SELECT body, hash FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?",
            (before if before is not None else 2**62, limit),
        )
        return tuple(_row(row["body"], row["hash"]) for row in rows)

    def between(self, since: datetime, until: datetime) -> Iterator[AuditRow]:
        """The records of a period, newest first, without holding them.

        Raises:
            StateUnusable: a record cannot be read; verification tells what became of it.
        """
        rows = self._db.execute(
            "SELECT seq, body, hash FROM audit WHERE at >= ? AND at < ? ORDER BY seq DESC",
            (seconds(since), seconds(until)),
        )
        for row in rows:
            try:
                found = _row(row["body"], row["hash"])
            except (ValueError, KeyError, TypeError) as error:
                raise StateUnusable(
                    f"Audit record {row['seq']} cannot be read.",
                    "It was changed after it was written.",
                    "See: hotpatch audit verify",
                ) from error
            yield found

    def records(self, first: int = 1) -> Iterator[AuditRecord]:
        """Every record from a number on as it is kept, oldest first; nothing of it is checked yet."""
        for row in self._db.execute(_RECORDS, (first,)):
            yield _record(row)

    def first_since(self, since: datetime) -> int | None:
        """The number of the first record from a time on; None where there is none."""
        row = self._db.execute("SELECT min(seq) FROM audit WHERE at >= ?", (seconds(since),)).fetchone()
        return None if row[0] is None else int(row[0])

    def before(self, first: int) -> Head | None:
        """Number and hash of the record before one; None where there is no such record."""
        row = self._db.execute("SELECT seq, hash FROM audit WHERE seq = ?", (first - 1,)).fetchone()
        return None if row is None else Head(int(row["seq"]), str(row["hash"]))

    def head(self) -> tuple[int, str] | None:
        """The last number and hash as they were written beside the chain; (0, "") where they cannot be read."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (_HEAD,)).fetchone()
        if row is None:
            return None
        try:
            seq, digest = json.loads(row["value"])
            return int(seq), str(digest)
        except (ValueError, TypeError):
            return 0, ""

    def verify(self) -> Break | None:
        """The first place where the chain does not hold."""
        return self.check().broken

    def check(self, outside: Head | None = None, on_progress: Callable[[int], None] | None = None) -> AuditCheck:
        """Follow the whole chain; call it inside `Store.snapshot` or a transaction while others may write.

        A page of the file that cannot be read is a break as well.
        """
        kept = self.head()
        reading = _Reading(self.records())
        head = None if kept is None else Head(*kept)
        found = verify(reading, kept=head, outside=outside, on_progress=on_progress)
        last = found.head.seq
        if reading.said:
            return replace(found, broken=Break(last + 1, f"record {last + 1} cannot be read: {reading.said}"))
        if found.holds and kept is None and found.records:
            return replace(found, broken=Break(last, f"the kept head is gone; the audit ends at record {last}"))
        if found.holds and (said := self._damage()) is not None:
            return replace(found, broken=Break(last, f"the table of the audit is damaged: {said}"))
        return found

    def _damage(self) -> str | None:
        """What SQLite finds wrong with the table or its index; None for nothing."""
        said = str(self._db.execute("PRAGMA integrity_check(audit)").fetchone()[0])
        return None if said == "ok" else said.splitlines()[0]


class _Reading:
    """Records up to the first that SQLite cannot read."""

    def __init__(self, records: Iterator[AuditRecord]) -> None:
        self._records = records
        self.said = ""

    def __iter__(self) -> Iterator[AuditRecord]:
        try:
            yield from self._records
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _UNREADABLE:
                raise
            self.said = str(error)


def _record(row: Any) -> AuditRecord:
    is_text = row["types"] == "text" * 5
    actor, action, body, previous, digest = (
        _text(row[name], is_text) for name in ("actor", "action", "body", "previous", "hash")
    )
    return AuditRecord(row["seq"], row["at"], actor, action, row["kb"], body, previous, digest)


def _text(raw: bytes | None, is_text: bool) -> str:
    """The text as it is kept; where one of the columns is no text, something that no record says."""
    return (raw or b"").decode("utf-8", "surrogateescape") if is_text else "\N{REPLACEMENT CHARACTER}"


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
