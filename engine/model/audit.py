"""The hash chain of the audit as pure functions: canonical text, hash, verification.

    hash(n) = SHA-256( hash(n-1) + newline + canonical JSON of record n )        hash(0) = 64 zeros

`store.audit` keeps the records, `audit_lines` writes them out. What a chain can and cannot prove stands at `verify`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from engine.model.clock import from_text, to_text

GENESIS = "0" * 64
_FIELDS = frozenset("seq at actor origin action summary reason kb rings devices details".split())
TELL_EVERY = 5_000
"""Records between two calls of a progress callback."""


class AuditEntry(Struct, frozen=True):
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


class AuditRecord(Struct, frozen=True):
    """One record as it is kept: the canonical text, its place in the chain, and what is kept beside it for searching.

    Nothing of it can be trusted before `verify` has passed it, not even its types.
    """

    seq: int
    at: object
    """Whole seconds since 1970 UTC."""
    actor: object
    action: object
    kb: object
    body: str
    previous: str
    hash: str


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
    return hashlib.sha256(f"{previous}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()


class Head(Struct, frozen=True):
    """The number and hash of a record, as somebody keeps them outside."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


class Break(Struct, frozen=True):
    """Where a chain does not hold, and why."""

    seq: int
    why: str


class AuditCheck(Struct, frozen=True):
    """What looking at a chain has found."""

    records: int
    """Records that hold, up to the break."""
    start: Head
    """What the first record follows: 0 and 64 zeros for a whole chain, the record before for a part of one."""
    head: Head
    """The last record that holds; keep it elsewhere."""
    broken: Break | None
    outside: Head | None = None
    """The copy that was given, if any."""

    @property
    def holds(self) -> bool:
        return self.broken is None


def verify(
    records: Iterable[AuditRecord],
    *,
    kept: Head | None = None,
    outside: Head | None = None,
    start: Head | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> AuditCheck:
    """Follow a chain to its end, or to the first place where it does not hold.

    `kept` is the head as it was written beside the records, `outside` a copy of one that was kept elsewhere, `start`
    what the first record must follow (none: the beginning of the audit).

    Whoever can write the file can also write a new chain with a new head into it: that, and an end that was cut off
    together with the kept head, is proved by `outside` alone.
    """
    walk = ChainWalk(start, outside)
    for record in records:
        if walk.take(record) is not None:
            break
        if on_progress is not None and walk.records % TELL_EVERY == 0:
            on_progress(walk.records)
    return walk.end(kept)


def without_head(check: AuditCheck) -> AuditCheck:
    """What was found where no head stands beside the records: only an audit without records may lack it."""
    last = check.head.seq
    if not check.holds or not last:
        return check
    return replace(check, broken=Break(last, f"the kept head is gone; the audit ends at record {last}"))


class ChainWalk:
    """One walk along a chain, record by record; `verify` in steps, for who writes the records out on the way."""

    def __init__(self, start: Head | None = None, outside: Head | None = None) -> None:
        self.start = start or Head(0, GENESIS)
        """What the first record follows."""
        self._outside = outside
        self._met = False
        self.head = self.start
        """The last record that holds."""
        self.records = 0
        self.broken = self._meets_outside()

    def take(self, record: AuditRecord) -> Break | None:
        """Look at the next record; what is broken stays broken."""
        if self.broken is None:
            self.broken = self._examine(record)
        return self.broken

    def end(self, kept: Head | None = None) -> AuditCheck:
        """What was found, once there is no further record."""
        if self.broken is None:
            self.broken = self._differs_from_kept(kept) or self._misses_outside()
        return AuditCheck(self.records, self.start, self.head, self.broken, self._outside)

    def _examine(self, record: AuditRecord) -> Break | None:
        seq, last = record.seq, self.head.seq
        if seq != last + 1:
            if seq <= last and not self.records:
                return Break(seq, f"record {seq} stands before the first")
            if seq <= last:
                return Break(seq, f"record {seq} stands after record {last}")
            return Break(last + 1, f"record {last + 1} is missing; {seq} follows {last}")
        if record.previous != self.head.hash:
            return Break(seq, f"record {seq} does not follow record {last}")
        if chain(record.previous, record.body) != record.hash:
            return Break(seq, f"record {seq} was changed")
        if (wrong := _differing(record)) is not None:
            return Break(seq, f"record {seq} was changed: {wrong}")
        self.head = Head(seq, record.hash)
        self.records += 1
        return self._meets_outside()

    def _meets_outside(self) -> Break | None:
        """Hold the present place against the copy from elsewhere."""
        if self._outside is None or self._outside.seq != self.head.seq:
            return None
        self._met = True
        if self._outside.hash == self.head.hash:
            return None
        return Break(self.head.seq, f"record {self.head.seq} is not the one whose hash was kept elsewhere")

    def _differs_from_kept(self, kept: Head | None) -> Break | None:
        last = self.head.seq
        if kept is None or kept == self.head:
            return None
        if kept.seq > last:
            return Break(last + 1, f"the audit ends at record {last}, but {kept.seq} were written")
        return Break(kept.seq, f"the audit ends at record {last}, but its kept head names record {kept.seq}")

    def _misses_outside(self) -> Break | None:
        outside, last = self._outside, self.head.seq
        if outside is None or self._met:
            return None
        if outside.seq > last:
            return Break(last + 1, f"it ends at record {last}, but record {outside.seq} was kept elsewhere")
        return Break(outside.seq, f"it begins after record {self.start.seq}, so record {outside.seq} is not in it")


def _differing(record: AuditRecord) -> str | None:
    """What beside the hashed text says something else than it; None when all agree."""
    try:
        told = json.loads(record.body)
        at = int(from_text(told["at"]).timestamp())
        if not told.keys() >= _FIELDS:
            return "its text lacks fields"
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return "its text cannot be read"
    kept = {"seq": record.seq, "at": record.at, "actor": record.actor, "action": record.action, "kb": record.kb}
    stands = {"seq": told["seq"], "at": at, "actor": told["actor"], "action": told["action"], "kb": told["kb"]}
    for name, value in kept.items():
        if type(value) is not type(stands[name]) or value != stands[name]:
            return f"{name} beside it is not that of its text"
    return None


def chained(entries: Iterable[AuditEntry], start: Head | None = None) -> Iterator[AuditRecord]:
    """Records as the store would write them."""
    head = start or Head(0, GENESIS)
    for entry in entries:
        seq = head.seq + 1
        body = canonical(seq, entry)
        digest = chain(head.hash, body)
        at = int(entry.at.timestamp())
        yield AuditRecord(seq, at, entry.actor, entry.action, entry.kb, body, head.hash, digest)
        head = Head(seq, digest)
