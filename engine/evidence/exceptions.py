"""One audit record for each exception list that is given away: who gave what to whom it may concern.

`Engine.exception_record` makes it. It is all that reconciliation ever writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from engine.model.audit import AuditEntry
from engine.model.errors import Refused
from engine.model.intents import Actor
from engine.store import Store


class ExceptionRecord:
    """Records of exports, by one actor on one store."""

    def __init__(self, store: Store, actor: Actor, now: datetime, *, read_only: bool) -> None:
        self._store = store
        self._actor = actor
        self._now = now
        self._read_only = read_only

    def check(self) -> None:
        """Before an export is begun.

        Raises:
            Refused: the state file is open read-only, so that the export could not be recorded.
        """
        if self._read_only:
            raise Refused(
                "Cannot export an exception list.",
                "The state file is open read-only, and what is given to auditors is recorded there.",
                "Leave --read-only away, or print the findings with --json.",
            )

    def head(self) -> str:
        """Number and hash of the newest audit record, ``412:9f3c...``; "" while there is none."""
        head = self._store.audit.head()
        return f"{head[0]}:{head[1]}" if head is not None else ""

    def keep(self, file: str, digest: str, findings: int, verdicts: Mapping[str, int], scans: Sequence[str]) -> None:
        """Record one export.

        Args:
            file: The list's name.
            digest: SHA-256 of the file, in hexadecimal.
            findings: How many it holds.
            verdicts: How many of each verdict the scans had.
            scans: The names of the scanner exports.

        Raises:
            Refused: as `check`.
            StateUnusable: it cannot be written.
        """
        self.check()
        with self._store.transaction():
            self._store.audit.append(
                AuditEntry(
                    at=self._now,
                    actor=self._actor.name,
                    origin=self._actor.origin,
                    action="exceptions-export",
                    summary=f"Exception list {file}: {findings:,} findings of {len(scans)} scanner exports",
                    details={"file": file, "sha256": digest, "verdicts": dict(verdicts), "scans": list(scans)},
                )
            )
            self._store.state.count_change()
