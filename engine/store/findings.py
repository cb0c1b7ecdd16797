"""Keeps reconciled findings in a private temporary database that vanishes when it is closed, however the program ends.

The screen fills it and pages through it, each from its own thread. It never touches the state file.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from engine.catalog.closing import Route
from engine.model.model import Track
from engine.model.records.fleet import Anchor, AnchorKind
from engine.rules.findings.judgement import FindingVerdict, Judgement, LevelSource, Proof, Reconciled, Why
from engine.store.values import build_number, epoch, moment, os_build, placeholders, seconds, time_of

_COLUMNS = (
    "file line scanner finding_id host device_id device cve title severity scanned_at verdict why proof more"
).split()
_CHUNK = 500


class FindingFile:
    """Findings in the order in which they came."""

    def __init__(self) -> None:
        # The empty name: SQLite makes a file that has no name any more, and lets go of it with the connection.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._lock = threading.Lock()
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -4000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.row_factory = sqlite3.Row
        self._db.execute(
            "CREATE TABLE finding (id INTEGER PRIMARY KEY, file TEXT NOT NULL, line INTEGER NOT NULL, "
            "scanner TEXT NOT NULL, finding_id TEXT NOT NULL, host TEXT NOT NULL, device_id INTEGER, "
            "device TEXT NOT NULL, cve TEXT NOT NULL, title TEXT NOT NULL, severity TEXT NOT NULL, "
            "scanned_at INTEGER NOT NULL, verdict TEXT NOT NULL, why TEXT NOT NULL, proof TEXT, more TEXT)"
        )
        self._db.execute("CREATE INDEX finding_by_verdict ON finding (verdict, id)")

    def add(self, findings: Sequence[Reconciled]) -> None:
        """Append some."""
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany(
                f"INSERT INTO finding ({', '.join(_COLUMNS)}) VALUES ({placeholders(len(_COLUMNS))})",
                map(_values, findings),
            )
            self._db.execute("COMMIT")

    def total(self, verdicts: Collection[FindingVerdict] = ()) -> int:
        """How many there are of these verdicts; of all, when none is named."""
        where, params = _of(verdicts)
        with self._lock:
            return int(self._db.execute(f"SELECT count(*) FROM finding WHERE {where}", params).fetchone()[0])

    def page(self, verdicts: Collection[FindingVerdict], at: Anchor, limit: int) -> tuple[tuple[Reconciled, ...], int]:
        """A stretch of the list, and the position of its first row; -1: not counted. Anchors go by `number`."""
        where, params = _of(verdicts)
        compare, order = {
            AnchorKind.TOP: ("1", "id"),
            AnchorKind.END: ("1", "id DESC"),
            AnchorKind.AFTER: (f"id > {int(at.device_id)}", "id"),
            AnchorKind.BEFORE: (f"id < {int(at.device_id)}", "id DESC"),
            AnchorKind.AT: (f"id >= {int(at.device_id)}", "id"),
            AnchorKind.NAME: ("0", "id"),
        }[at.kind]
        rows = self._rows(f"SELECT * FROM finding WHERE {where} AND {compare} ORDER BY {order} LIMIT ?", params, limit)
        if order.endswith("DESC"):
            rows.reverse()
        first = 0 if at.kind is AnchorKind.TOP else -1
        if at.kind is AnchorKind.END:
            first = max(self.total(verdicts) - len(rows), 0)
        return tuple(map(_finding, rows)), first

    def position(self, verdicts: Collection[FindingVerdict], number: int) -> int:
        """How many findings of the list stand before this one."""
        where, params = _of(verdicts)
        with self._lock:
            return int(
                self._db.execute(
                    f"SELECT count(*) FROM finding WHERE {where} AND id < ?", (*params, number)
                ).fetchone()[0]
            )

    def each(self, verdicts: Collection[FindingVerdict] = ()) -> Iterator[Reconciled]:
        """All of these verdicts, without holding them."""
        where, params = _of(verdicts)
        last = 0
        while rows := self._rows(
            f"SELECT * FROM finding WHERE {where} AND id > {last} ORDER BY id LIMIT ?", params, _CHUNK
        ):
            yield from map(_finding, rows)
            last = int(rows[-1]["id"])

    def close(self) -> None:
        """Let everything go."""
        with self._lock:
            self._db.close()

    def _rows(self, statement: str, params: tuple[Any, ...], limit: int) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(statement, (*params, limit)).fetchall()


def _of(verdicts: Collection[FindingVerdict]) -> tuple[str, tuple[str, ...]]:
    if not verdicts:
        return "1", ()
    return f"verdict IN ({placeholders(len(verdicts))})", tuple(str(each) for each in verdicts)


def _values(each: Reconciled) -> tuple[Any, ...]:
    judgement = each.judgement
    return (
        each.file,
        each.line,
        str(each.scanner),
        each.finding_id,
        each.host,
        each.device_id,
        each.device,
        each.cve,
        each.title,
        each.severity,
        seconds(each.scanned_at),
        str(judgement.verdict),
        str(judgement.why),
        None if judgement.proof is None else json.dumps(_proof_values(judgement.proof)),
        json.dumps(_more_values(judgement)),
    )


def _proof_values(proof: Proof) -> Mapping[str, object]:
    return {
        "kb": proof.kb,
        "build": build_number(proof.build),
        "twin_kb": proof.twin_kb,
        "twin_build": build_number(proof.twin_build),
        "fixed_by": proof.fixed_by,
        "route": proof.route,
        "baseline_kb": proof.baseline_kb,
        "at": epoch(proof.at),
        "evidence": proof.evidence,
        "install_id": proof.install_id,
    }


def _more_values(judgement: Judgement) -> Mapping[str, object]:
    return {
        "device_build": build_number(judgement.device_build),
        "track": judgement.track,
        "next_kb": judgement.next_kb,
        "next_restarts": judgement.next_restarts,
        "error_code": judgement.error_code,
        "failed_at": epoch(judgement.failed_at),
        "next_baseline_at": epoch(judgement.next_baseline_at),
        "names": judgement.names,
        "detail": judgement.detail,
    }


def _finding(row: sqlite3.Row) -> Reconciled:
    return Reconciled(
        file=row["file"],
        line=row["line"],
        scanner=row["scanner"],
        finding_id=row["finding_id"],
        host=row["host"],
        device_id=row["device_id"],
        device=row["device"],
        cve=row["cve"],
        title=row["title"],
        severity=row["severity"],
        scanned_at=time_of(row["scanned_at"]),
        judgement=_judgement(row["verdict"], row["why"], row["proof"], json.loads(row["more"])),
        number=row["id"],
    )


def _judgement(verdict: str, why: str, proof: str | None, more: Mapping[str, Any]) -> Judgement:
    return Judgement(
        FindingVerdict(verdict),
        Why(why),
        proof=None if proof is None else _proof(json.loads(proof)),
        device_build=os_build(more["device_build"]),
        track=Track(more["track"]),
        next_kb=more["next_kb"],
        next_restarts=more["next_restarts"],
        error_code=more["error_code"],
        failed_at=moment(more["failed_at"]),
        next_baseline_at=moment(more["next_baseline_at"]),
        names=tuple(more["names"]),
        detail=more["detail"],
    )


def _proof(kept: Mapping[str, Any]) -> Proof:
    return Proof(
        kb=kept["kb"],
        build=os_build(kept["build"]),
        twin_kb=kept["twin_kb"],
        twin_build=os_build(kept["twin_build"]),
        fixed_by=kept["fixed_by"],
        route=Route(kept["route"]),
        baseline_kb=kept["baseline_kb"],
        at=moment(kept["at"]),
        evidence=LevelSource(kept["evidence"]),
        install_id=kept["install_id"],
    )
