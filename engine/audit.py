"""The hash chain of the audit as pure functions: canonical text, hash, verification.

    hash(n) = SHA-256( hash(n-1) + canonical JSON of record n )        hash(0) = 64 zeros

`store.audit` keeps the records; a change, a removal or a swap breaks the chain at that place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.clock import to_text

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision before it is chained: who, when, from where, what, why, before and after."""

    at: datetime
    actor: str
    origin: str
    action: str
    """A verb of the house: ``approve``, ``apply``, ``ring-opened`` ..."""
    summary: str
    reason: str = ""
    kb: int | None = None
    rings: tuple[str, ...] = ()
    devices: int = 0
    details: Mapping[str, object] = field(default_factory=dict)
    """What stood before and what stands after, names of devices, figures."""


def canonical(seq: int, entry: AuditEntry) -> str:
    """The one text of a record that is hashed and kept: sorted keys, ASCII, no blanks."""
    record = {
        "seq": seq,
        "at": to_text(entry.at),
        "actor": entry.actor,
        "origin": entry.origin,
        "action": entry.action,
        "summary": entry.summary,
        "reason": entry.reason,
        "kb": entry.kb,
        "rings": list(entry.rings),
        "devices": entry.devices,
        "details": dict(entry.details),
    }
    return json.dumps(record, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def chain(previous: str, body: str) -> str:
    """The hash of a record that follows one with the hash `previous`."""
    return hashlib.sha256(f"{previous}\n{body}".encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold, and why."""

    seq: int
    why: str


def verify(records: Iterable[tuple[int, str, str, str]], head: tuple[int, str] | None = None) -> Break | None:
    """The first break in ``(seq, body, previous, hash)`` records, or None when the chain holds.

    `head` is the last known ``(seq, hash)``, kept apart from the records: without it a cut-off end cannot be seen.
    """
    previous, last = GENESIS, 0
    for seq, body, stored_previous, stored_hash in records:
        if seq != last + 1:
            return Break(last + 1, f"record {last + 1} is missing; {seq} follows {last}")
        if stored_previous != previous:
            return Break(seq, f"record {seq} does not follow record {last}")
        if chain(previous, body) != stored_hash:
            return Break(seq, f"record {seq} was changed")
        previous, last = stored_hash, seq
    if head is not None and head != (last, previous):
        return Break(last + 1, f"the audit ends at record {last}, but {head[0]} were written")
    return None
