"""Keeps the audit: appends in the transaction of the change it records, reads for feed and verification.

What a record says of devices before and after comes from here too, as counts over the given ids.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from engine.model.audit import GENESIS, AuditCheck, AuditEntry, AuditRecord, Break, Head, chained, verify, without_head
from engine.model.clock import from_text
from engine.model.model import FINAL
from engine.model.records.fleet import AuditRow
from engine.store.values import among, damage, seconds

_HEAD = "audit-head"
_LAST_SEQ = 2**53
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
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
_SHOWN = "seq, at, CAST(body AS BLOB) AS body, CAST(hash AS BLOB) AS hash"


class AuditStore:
    """Append-only; the last sequence number and hash are kept apart so that a cut-off end is seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def append(self, entry: AuditEntry) -> int:
        """Chain one record and return its number. Call it inside the transaction of the change."""
        last = self._db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        ends = Head(last["seq"], str(last["hash"])) if last else Head(0, GENESIS)
        follows, moves_head = _continued(ends, self.head())
        record = next(chained([entry], follows))
        self._db.execute(
            "INSERT INTO audit (seq, at, actor, action, kb, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(record.seq, record.at, record.actor, record.action, record.kb),
                *(record.body, record.previous, record.hash),
            ),
        )
        if moves_head:
            self._db.execute(
                "INSERT INTO setting (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (_HEAD, json.dumps([record.seq, record.hash])),
            )
        return record.seq

    def page(self, limit: int, before: int | None = None) -> tuple[AuditRow, ...]:
        """The newest records, or those before the record `before`, newest first."""
        rows = self._db.execute(
            f"SELECT {_SHOWN} FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?",
            (before if before is not None else 2**62, limit),
        )
        return tuple(_row(row) for row in rows)

    def between(self, since: datetime, until: datetime) -> Iterator[AuditRow]:
        """The records of a period, newest first, without holding them."""
        rows = self._db.execute(
            f"SELECT {_SHOWN} FROM audit WHERE at >= ? AND at < ? ORDER BY seq DESC",
            (seconds(since), seconds(until)),
        )
        for row in rows:
            yield _row(row)

    def records(self, first: int = 1) -> Iterator[AuditRecord]:
        """Every record from a number on as it is kept, oldest first; nothing of it is checked yet.

        From 1 on means all of them: what somebody has put before the first as well.
        """
        for row in self._db.execute(_RECORDS, (first if first > 1 else -(2**63),)):
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
        except (ValueError, TypeError, OverflowError, RecursionError):
            return 0, ""

    def verify(self) -> Break | None:
        """The first place where the chain does not hold."""
        return self.check().broken

    def check(self, outside: Head | None = None, on_progress: Callable[[int], None] | None = None) -> AuditCheck:
        """Follow the whole chain; call it inside `Store.snapshot` or a transaction while others may write.

        A page of the file that cannot be read is a break as well.
        """
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'audit'").fetchone():
            nothing = Head(0, GENESIS)
            return AuditCheck(0, nothing, nothing, Break(1, "the table of the audit is gone"), outside)
        kept = self.head()
        reading = _Reading(self.records())
        head = None if kept is None else Head(*kept)
        found = verify(reading, kept=head, outside=outside, on_progress=on_progress)
        last = found.head.seq
        if reading.said:
            return replace(found, broken=Break(last + 1, f"record {last + 1} cannot be read: {reading.said}"))
        if kept is None:
            found = without_head(found)
        if found.holds and (said := self._damage()) is not None:
            return replace(found, broken=Break(last, f"the table of the audit is damaged: {said}"))
        return found

    def _damage(self) -> str | None:
        """What SQLite finds wrong with the table or its index; None for nothing."""
        said = str(self._db.execute("PRAGMA integrity_check(audit)").fetchone()[0])
        return None if said == "ok" else damage(said)


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


def _continued(ends: Head, kept: tuple[int, str] | None) -> tuple[Head, bool]:
    """What a new record follows, and whether the kept head moves on to it.

    Where the records do not end at the kept head, a new one must not heal what somebody did: a cut-off end stays a
    gap in the numbers, and a head that is gone or names another record stays as it is.
    """
    if kept is None:
        return ends, ends.seq == 0
    if kept == (ends.seq, ends.hash):
        return ends, True
    if ends.seq < kept[0] < _LAST_SEQ and _DIGEST.fullmatch(kept[1]):
        return Head(*kept), True
    return ends, False


def _row(row: Any) -> AuditRow:
    """A record for reading. One that cannot be read stands there as such, so that the others can be."""
    try:
        told = json.loads(row["body"])
        found = AuditRow(
            seq=row["seq"],
            at=from_text(told["at"]),
            actor=told["actor"],
            origin=told["origin"],
            action=told["action"],
            summary=told["summary"],
            reason=told["reason"],
            kb=told["kb"],
            rings=tuple(told["rings"]),
            devices=told["devices"],
            details=told["details"],
            hash=_hash(row),
        )
        words = (found.actor, found.origin, found.action, found.summary, found.reason, *found.rings)
        numbers = (found.devices, 0 if found.kb is None else found.kb)
        if all(type(each) is str for each in words) and all(type(each) is int for each in numbers):
            return replace(found, details=dict(found.details))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        pass
    return _unreadable(row)


def _hash(row: Any) -> str:
    return (row["hash"] or b"").decode("ascii", "replace")


def _unreadable(row: Any) -> AuditRow:
    try:
        at = datetime.fromtimestamp(row["at"], UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        at = datetime.fromtimestamp(0, UTC)
    return AuditRow(
        seq=row["seq"],
        at=at,
        actor="unknown",
        origin="",
        action="unreadable",
        summary=f"Record {row['seq']} cannot be read; it was changed after it was written. See: hotpatch audit verify",
        reason="",
        kb=None,
        rings=(),
        devices=0,
        details={},
        hash=_hash(row),
    )


_OF = "IN (SELECT value FROM json_each(?))"


class StandingStore:
    """Sums over chosen devices."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def states(self, device_ids: Sequence[int]) -> dict[str, int]:
        """State of devices → how many of them."""
        return self._sums(f"SELECT state, count(*) FROM device WHERE id {_OF} GROUP BY 1 ORDER BY 1", device_ids)

    def rings(self, device_ids: Sequence[int]) -> dict[str, int]:
        """Ring → how many of the devices; "" for no ring."""
        return self._sums(
            "SELECT ifnull(r.name, ''), count(*) FROM device d LEFT JOIN ring r ON r.id = d.ring_id "
            f"WHERE d.id {_OF} GROUP BY 1 ORDER BY 1",
            device_ids,
        )

    def under_way(self, device_ids: Sequence[int]) -> dict[str, int]:
        """``apply KB5089466`` → how many of the devices have such an install that has not ended."""
        return self._sums(
            "SELECT action || ' KB' || kb, count(*) FROM install "
            f"WHERE state NOT IN {among(FINAL)} AND device_id {_OF} "
            "GROUP BY 1 ORDER BY 1",
            device_ids,
        )

    def excluded(self, device_ids: Sequence[int]) -> int:
        """How many of the devices are kept from some release."""
        row = self._db.execute(
            f"SELECT count(DISTINCT device_id) FROM exclusion WHERE lifted_at IS NULL AND device_id {_OF}",
            (json.dumps(list(device_ids)),),
        ).fetchone()
        return int(row[0])

    def devices(self) -> int:
        """How many devices the fleet has, from the kept totals."""
        return int(self._db.execute("SELECT ifnull(sum(devices), 0) FROM device_count").fetchone()[0])

    def releases(self) -> int:
        """How many releases the catalog holds, by platform."""
        return int(self._db.execute("SELECT count(*) FROM release").fetchone()[0])

    def _sums(self, sql: str, device_ids: Sequence[int]) -> dict[str, int]:
        return {row[0]: row[1] for row in self._db.execute(sql, (json.dumps(list(device_ids)),))}
