"""Reconciles scanner exports with the fleet: rows in, findings with their verdicts out, one after the other.

`Engine.reconcile` makes it. It writes nothing and holds no finding: only devices it has met, the newest of them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Self

from msgspec import Struct, field

from engine.files.moments import DateOrder
from engine.files.scans import BadLine, ScanFile, ScanFinding, SkippedLine
from engine.rules.findings.judge import Judge, Known
from engine.rules.findings.judgement import FindingVerdict, Judgement, Reconciled, Why
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.findings import FindingFile
from engine.store.scan_targets import ScanTargets, is_address

__all__ = ["MOST_BAD_LINES", "FileTally", "FindingFile", "Reconciliation", "ScanTally", "UnreadLine"]

MOST_BAD_LINES = 1_000
"""How many unreadable lines are kept for the report; the rest is counted."""
_BETWEEN_LOOKS = 64
"""Findings between two looks at the clock."""
_HOSTS_KEPT = 50_000
_DEVICES_KEPT = 20_000
_NEAREST_SOUGHT = 1_000
"""For so many unknown hosts the nearest names are looked for; that is slow, and nobody reads more."""


class UnreadLine(Struct, frozen=True):
    """A line that could not be read, with its file."""

    file: str
    line: int
    field: str
    reason: str


class FileTally(Struct):
    """What was read of one file."""

    file: str
    form: str
    scanner: str
    scanned_at: datetime
    """Where a row tells none of its own."""
    scanned_at_source: str
    rows: int = 0
    """Rows that are findings."""
    skipped: int = 0
    """Rows that report nothing open."""
    bad: int = 0


class ScanTally(Struct):
    """What has come out so far. One finding a CVE and row."""

    findings: int = 0
    verdicts: Counter[FindingVerdict] = field(default_factory=Counter)
    reasons: Counter[Why] = field(default_factory=Counter)
    files: list[FileTally] = field(default_factory=list)
    bad: list[UnreadLine] = field(default_factory=list)
    bad_count: int = 0

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.files)


_Match = tuple[int, str] | Judgement
"""The one device as (id, name), or why there is none."""


class Reconciliation:
    """One run over some exports; iterate over it once. Everything is decided by what is known at `now`."""

    def __init__(
        self,
        store: Store,
        paths: Sequence[Path],
        now: datetime,
        *,
        scanned_at: datetime | None = None,
        dates: DateOrder = DateOrder.UNKNOWN,
    ) -> None:
        """Open every file, so that a wrong one is told before anything is read.

        Raises:
            BadInput: a file cannot be read, or is no scanner's export.
        """
        self._now = now
        self._scanned_at = scanned_at
        self._targets = ScanTargets(store.connection)
        closings = store.releases.closings(now)
        known_until = max((m for m in closings.catalog.documents if m <= f"{now:%Y-%m}"), default="")
        levels = Situation(store, now).all_levels()
        self._judge = Judge(closings, levels, now, known_until=known_until)
        self._hosts: OrderedDict[tuple[tuple[str, ...], str], _Match] = OrderedDict()
        self._devices: OrderedDict[int, Known | None] = OrderedDict()
        self._nearest_sought = 0
        self.tally = ScanTally()
        self._files: list[ScanFile] = []
        try:
            for path in paths:
                self._files.append(ScanFile(path, dates=dates))
        except BaseException:
            self.close()
            raise
        self._results = self._run()
        self.is_done = False

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names."""
        return tuple(file.file for file in self._files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self._files)

    @property
    def position(self) -> int:
        """Bytes read so far."""
        begun = len(self.tally.files)
        return sum(file.position for file in self._files[:begun])

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Reconciled]:
        """The findings with their verdicts, in the order of the files.

        Raises:
            BadInput: a JSON array breaks off, or a date can be two days.
        """
        return self._results

    def take(self, seconds: float, most: int = 20_000) -> list[Reconciled]:
        """As many findings as come in a while, some at least; `is_done` is true once there are no more."""
        until = monotonic() + seconds
        taken: list[Reconciled] = []
        while len(taken) < most and (not taken or len(taken) % _BETWEEN_LOOKS or monotonic() < until):
            result = next(self._results, None)
            if result is None:
                break
            taken.append(result)
        return taken

    def fill(self, file: FindingFile, seconds: float) -> None:
        """Put as many findings as come in a while into a file of findings."""
        file.add(self.take(seconds))

    def _run(self) -> Iterator[Reconciled]:
        for file in self._files:
            tally = self._begin(file)
            for row in file.rows():
                if isinstance(row, ScanFinding):
                    tally.rows += 1
                    yield from self._reconcile(file, tally, row)
                elif isinstance(row, SkippedLine):
                    tally.skipped += 1
                else:
                    self._note(tally, row)
        self.is_done = True

    def _begin(self, file: ScanFile) -> FileTally:
        if self._scanned_at is not None:
            at, source = self._scanned_at, "--scanned-at"
        elif file.told_at is not None:
            at, source = file.told_at, "the head of the file"
        else:
            at, source = file.written_at, "the file's own time"
        tally = FileTally(file.file, file.layout.name, file.scanner, min(at, self._now), source)
        self.tally.files.append(tally)
        return tally

    def _note(self, tally: FileTally, row: BadLine) -> None:
        tally.bad += 1
        self.tally.bad_count += 1
        if len(self.tally.bad) < MOST_BAD_LINES:
            self.tally.bad.append(UnreadLine(tally.file, row.line, row.field, row.reason))

    def _reconcile(self, file: ScanFile, tally: FileTally, row: ScanFinding) -> Iterator[Reconciled]:
        scanned_at = tally.scanned_at
        if self._scanned_at is None and row.seen_at is not None:
            scanned_at = row.seen_at
        for cve in row.cves or ("",):
            device_id, device, judgement = self._decide(row, cve, scanned_at)
            self.tally.findings += 1
            self.tally.verdicts[judgement.verdict] += 1
            self.tally.reasons[judgement.why] += 1
            yield Reconciled(
                file=file.file,
                line=row.line,
                scanner=row.scanner,
                finding_id=row.finding_id,
                host=row.host,
                device_id=device_id,
                device=device,
                cve=cve,
                title=row.title,
                severity=row.severity,
                scanned_at=scanned_at,
                judgement=judgement,
            )

    def _decide(self, row: ScanFinding, cve: str, scanned_at: datetime) -> tuple[int | None, str, Judgement]:
        beside = self._judge.beside_servicing(cve, row.other_software, about_windows=row.about_windows)
        match = self._match(row)
        if isinstance(match, Judgement):
            return None, "", beside or match
        device_id, name = match
        if beside is not None:
            return device_id, name, beside
        known = self._known(device_id)
        if known is None:
            return None, "", Judgement(FindingVerdict.UNKNOWN_DEVICE, Why.NO_SUCH_DEVICE)
        return device_id, name, self._judge.judge(cve, known, scanned_at)

    def _match(self, row: ScanFinding) -> _Match:
        key = (row.hosts, row.device_key)
        found = self._hosts.get(key)
        if found is None:
            found = self._hosts[key] = self._look_up(row)
            if len(self._hosts) > _HOSTS_KEPT:
                self._hosts.popitem(last=False)
        return found

    def _look_up(self, row: ScanFinding) -> _Match:
        devices = self._targets.find(row.hosts, row.device_key)
        if len(devices) == 1:
            return devices[0]
        unknown = FindingVerdict.UNKNOWN_DEVICE
        if devices:
            return Judgement(unknown, Why.SEVERAL_DEVICES, names=tuple(name for _, name in devices[:5]))
        named = next((host for host in row.hosts if not is_address(host)), "")
        if not named:
            return Judgement(unknown, Why.ONLY_AN_ADDRESS)
        self._nearest_sought += 1
        near = self._targets.near(named) if self._nearest_sought <= _NEAREST_SOUGHT else ()
        return Judgement(unknown, Why.NO_SUCH_DEVICE, names=near)

    def _known(self, device_id: int) -> Known | None:
        if device_id in self._devices:
            return self._devices[device_id]
        device = self._targets.read(device_id)
        known = self._devices[device_id] = self._judge.know(device) if device is not None else None
        if len(self._devices) > _DEVICES_KEPT:
            self._devices.popitem(last=False)
        return known
