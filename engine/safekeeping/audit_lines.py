"""The audit as JSON lines that anybody can verify without this program, and such files read back.

Each line is ``{"previous":"…","hash":"…","record":…}``; hash = SHA-256(previous + newline + the text of the record,
exactly as it stands in the line). The last line tells how many records there are and the hash to keep elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TextIO

from engine.model.audit import GENESIS, TELL_EVERY, AuditCheck, AuditRecord, Break, ChainWalk, Head, without_head
from engine.model.clock import from_text, to_text
from engine.model.errors import NotFound
from engine.store import Store

_LINE = re.compile(r'\{"previous":"([0-9a-f]{64})","hash":"([0-9a-f]{64})","record":(\{.*\})\}\n', re.ASCII)
_SUMMARY = re.compile(
    r'\{"records":(0|[1-9]\d{0,14}),"after":(0|[1-9]\d{0,14}),"start":"([0-9a-f]{64})",'
    r'"last":(0|[1-9]\d{0,14}),"hash":"([0-9a-f]{64})"\}\n',
    re.ASCII,
)
LONGEST_LINE = 16_000_000
"""Characters; a longer line is no record of ours, and is not read into memory."""


class AuditExport:
    """The lines of an export, made while they are taken; afterwards `check` tells what they hold.

    The chain is followed on the way: lines end where it breaks, and the last line is then missing.
    """

    def __init__(self, store: Store, since: datetime | None, on_progress: Callable[[int], None] | None) -> None:
        self._store = store
        self._since = since
        self._on_progress = on_progress
        self.check: AuditCheck | None = None
        """None until the last line was taken."""

    def __iter__(self) -> Iterator[str]:
        with self._store.snapshot():
            first = 1 if self._since is None else self._store.audit.first_since(self._since)
            if first is None:
                assert self._since is not None
                raise NotFound(
                    f"There is no audit record from {to_text(self._since)} on.", (), "Leave out --since, or go back."
                )
            start = (self._store.audit.before(first) if first > 1 else None) or Head(0, GENESIS)
            yield from self._lines(start)

    def _lines(self, start: Head) -> Iterator[str]:
        kept = self._store.audit.head()
        walk = ChainWalk(start)
        for record in self._store.audit.records(start.seq + 1):
            if walk.take(record) is not None:
                break
            yield line_of(record)
            if self._on_progress is not None and walk.records % TELL_EVERY == 0:
                self._on_progress(walk.records)
        self.check = without_head(walk.end()) if kept is None else walk.end(Head(*kept))
        if self.check.holds:
            yield last_line(self.check)


def line_of(record: AuditRecord) -> str:
    """One record as a line; its text stands in it unchanged."""
    return f'{{"previous":"{record.previous}","hash":"{record.hash}","record":{record.body}}}\n'


def last_line(check: AuditCheck) -> str:
    """The line under the records: how many, what the first follows, and the last number and hash."""
    told = {
        "records": check.records,
        "after": check.start.seq,
        "start": check.start.hash,
        "last": check.head.seq,
        "hash": check.head.hash,
    }
    return json.dumps(told, separators=(",", ":")) + "\n"


def verify_lines(
    lines: Iterable[str], outside: Head | None = None, on_progress: Callable[[int], None] | None = None
) -> AuditCheck:
    """Follow the chain of an exported file, line by line; a part of an audit is held by the hash that it begins with.

    A line that an export does not write, and a missing last line, are breaks. `outside` may name any record of the
    file, or the one before its first.
    """
    rows = iter(lines)
    walk: ChainWalk | None = None
    number = 0
    for number, line in enumerate(rows, 1):
        summary = _SUMMARY.fullmatch(line)
        record = None if summary is not None else _record(line)
        if summary is not None:
            walk = walk or ChainWalk(Head(int(summary[2]), summary[3]), outside)
            walk.broken = walk.broken or _differs(walk, summary)
            if next(rows, None) is not None:
                walk.broken = walk.broken or Break(walk.head.seq, f"line {number + 1} stands after the last line")
            return walk.end()
        if record is None:
            walk = walk or ChainWalk()
            walk.broken = Break(walk.head.seq + 1, f"line {number} is no line of an exported audit")
            return walk.end()
        walk = walk or ChainWalk(Head(record.seq - 1, record.previous if record.seq > 1 else GENESIS), outside)
        if walk.take(record) is not None:
            return walk.end()
        if on_progress is not None and walk.records % TELL_EVERY == 0:
            on_progress(walk.records)
    walk = walk or ChainWalk()
    walk.broken = Break(walk.head.seq + 1, f"the file ends after line {number}, without its last line")
    return walk.end()


def read_lines(file: TextIO) -> Iterator[str]:
    """The lines of an open file, none of them longer than `LONGEST_LINE`."""
    while line := file.readline(LONGEST_LINE):
        yield line


def _record(line: str) -> AuditRecord | None:
    """The record of a line; None where it is none."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    previous, digest, body = found.groups()
    try:
        told = json.loads(body)
        at = int(from_text(told["at"]).timestamp())
        seq = told["seq"]
        record = AuditRecord(seq, at, told["actor"], told["action"], told["kb"], body, previous, digest)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return record if type(seq) is int and seq > 0 else None


def _differs(walk: ChainWalk, summary: re.Match[str]) -> Break | None:
    """Whether the last line tells something else than the records above it."""
    start = walk.start
    if summary.groups() == (str(walk.records), str(start.seq), start.hash, str(walk.head.seq), walk.head.hash):
        return None
    told = int(summary[4])
    if told > walk.head.seq:
        return Break(walk.head.seq + 1, f"the records end at {walk.head.seq}, but the last line names {told}")
    return Break(walk.head.seq, f"the last line does not fit the records, which end at {walk.head.seq}")
