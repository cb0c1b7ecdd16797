"""What happened in a period, as records: decisions by person and kind, installs, failures, the audit's chain. Pure.

`reads.activity` feeds it rows of the audit and counts of the store; reports and documents show the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field

from engine.model.audit import Break
from engine.model.records.fleet import AuditRow

ENGINE = "engine"
"""The actor of what the engine decided by itself."""
SHOWN = 200
"""Decisions of each kind that a report holds; a list of all of them is read row by row."""
_DAYS_SHOWN = 45
"""The longest period that is shown day by day."""
Progress = Callable[[str, int, int], None]
"""What is being read, how much of it, and out of how much; 0 where that is not known."""


class DecisionKind(StrEnum):
    """What a decision is about, for the parts of a report."""

    APPROVAL = "approvals"
    STOP = "stops"
    RECOVERY = "recoveries"
    DEVICE_WORK = "device-work"
    FAILURE = "failure-care"
    OTHER = "other"


_KINDS: dict[str, DecisionKind] = {
    **dict.fromkeys(("approve", "countersign", "withdraw", "set-policy"), DecisionKind.APPROVAL),
    **dict.fromkeys(("pause", "halt", "resume", "hold", "lift-hold", "hold-for-problem"), DecisionKind.STOP),
    **dict.fromkeys(("recover", "recovery-ended", "uninstall"), DecisionKind.RECOVERY),
    **dict.fromkeys(("apply", "retry", "assign", "take-back"), DecisionKind.DEVICE_WORK),
    **dict.fromkeys(
        (
            *("exclude", "readmit", "exclusion-ended", "escalate", "end-escalation"),
            *("mark-known-problem", "lift-known-problem"),
        ),
        DecisionKind.FAILURE,
    ),
}


def kind_of(action: str) -> DecisionKind:
    """What a record with this verb of the audit is about."""
    return _KINDS.get(action, DecisionKind.OTHER)


class ActionCount(Struct, frozen=True):
    """One verb of the audit in the period."""

    action: str
    records: int
    by_people: int
    devices: int
    """Devices named in the records, once for each record."""


class ActorCount(Struct, frozen=True):
    """One person, or the engine, in the period."""

    actor: str
    records: int
    approvals: int
    stops: int
    recoveries: int
    first_at: datetime
    last_at: datetime


class ActivitySpan(Struct, frozen=True):
    """One day or month of the period."""

    begins: date
    decisions: int
    """Of people."""
    installed: int
    uninstalled: int
    failed: int
    """Attempts that failed."""
    opened: int
    """Failures that began: the first failed attempt since the device's last success."""
    closed: int
    """Failures that a later success put right."""

    @property
    def is_eventful(self) -> bool:
        return any((self.decisions, self.installed, self.uninstalled, self.failed, self.opened, self.closed))


class ChainState(Struct, frozen=True):
    """Whether the audit's chain holds, and where it ends."""

    records: int
    head: int
    head_hash: str
    broken: Break | None

    @property
    def holds(self) -> bool:
        return self.broken is None


class DecisionList(Struct, frozen=True):
    """The newest decisions of a kind."""

    kind: DecisionKind
    records: int
    rows: tuple[AuditRow, ...]
    """Newest first, at most `SHOWN`."""


class ActivityReport(Struct, frozen=True):
    """Who decided what, when and why, and what came of it, from `since` up to `until`."""

    made_at: datetime
    since: datetime
    until: datetime
    filter: str
    records: int
    by_people: int
    without_reason: int
    """Decisions of people that gave no reason."""
    actors: tuple[ActorCount, ...]
    actions: tuple[ActionCount, ...]
    lists: tuple[DecisionList, ...]
    by_month: bool
    """Whether `stretches` are months; else days."""
    stretches: tuple[ActivitySpan, ...]
    open_failures: int
    """As of now, whatever the period."""
    chain: ChainState

    @property
    def eventful(self) -> tuple[ActivitySpan, ...]:
        """The stretches in which something happened."""
        return tuple(each for each in self.stretches if each.is_eventful)

    @property
    def installed(self) -> int:
        return sum(each.installed for each in self.stretches)

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self.stretches)

    @property
    def opened(self) -> int:
        return sum(each.opened for each in self.stretches)

    @property
    def closed(self) -> int:
        return sum(each.closed for each in self.stretches)


class DecisionTally(Struct):
    """Counts audit rows as they are read, newest first, in bounded memory."""

    records: int = 0
    by_people: int = 0
    without_reason: int = 0
    days: dict[date, int] = field(default_factory=dict)
    _actions: dict[str, list[int]] = field(default_factory=dict)
    _actors: dict[str, list[int]] = field(default_factory=dict)
    _times: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    _counts: dict[DecisionKind, int] = field(default_factory=dict)
    _rows: dict[DecisionKind, list[AuditRow]] = field(default_factory=dict)

    def take(self, row: AuditRow) -> None:
        """Count one record."""
        is_person = row.actor != ENGINE
        kind = kind_of(row.action)
        self.records += 1
        self.by_people += is_person
        self.without_reason += is_person and not row.reason
        action = self._actions.setdefault(row.action, [0, 0, 0])
        for index, more in enumerate((1, int(is_person), row.devices)):
            action[index] += more
        actor = self._actors.setdefault(row.actor, [0, 0, 0, 0])
        kinds = (DecisionKind.APPROVAL, DecisionKind.STOP, DecisionKind.RECOVERY)
        for index, more in enumerate((1, *(int(kind is each) for each in kinds))):
            actor[index] += more
        first, last = self._times.get(row.actor, (row.at, row.at))
        self._times[row.actor] = (min(first, row.at), max(last, row.at))
        self._counts[kind] = self._counts.get(kind, 0) + 1
        rows = self._rows.setdefault(kind, [])
        if len(rows) < SHOWN:
            rows.append(row)
        if is_person:
            day = row.at.astimezone(UTC).date()
            self.days[day] = self.days.get(day, 0) + 1

    def actions(self) -> tuple[ActionCount, ...]:
        """The commonest first."""
        found = [ActionCount(name, *counts) for name, counts in self._actions.items()]
        return tuple(sorted(found, key=lambda each: (-each.records, each.action)))

    def actors(self) -> tuple[ActorCount, ...]:
        """People before the engine, whoever decided most first."""
        found = [
            ActorCount(name, records, approvals, stops, recoveries, *self._times[name])
            for name, (records, approvals, stops, recoveries) in self._actors.items()
        ]
        return tuple(sorted(found, key=lambda each: (each.actor == ENGINE, -each.records, each.actor)))

    def lists(self) -> tuple[DecisionList, ...]:
        """One list a kind, empty ones too."""
        return tuple(
            DecisionList(kind, self._counts.get(kind, 0), tuple(self._rows.get(kind, ()))) for kind in DecisionKind
        )


class DayCount(Struct, frozen=True):
    """What the store counts of one UTC day."""

    day: date
    what: str
    """``installed``, ``uninstalled``, ``failed``, ``opened`` or ``closed``."""
    number: int


def stretches(
    since: datetime, until: datetime, decisions: dict[date, int], counts: Iterable[DayCount]
) -> tuple[bool, tuple[ActivitySpan, ...]]:
    """The period day by day, or month by month where it is long, empty ones too; and whether they are months."""
    first = since.astimezone(UTC).date()
    last = (until.astimezone(UTC) - timedelta(microseconds=1)).date()
    by_month = (last - first).days >= _DAYS_SHOWN

    def begins(day: date) -> date:
        return day.replace(day=1) if by_month else day

    sums: dict[date, dict[str, int]] = {}
    day = begins(first)
    while day <= last:
        sums[day] = {}
        day = begins(day + timedelta(days=31)) if by_month else day + timedelta(days=1)
    for each, number in decisions.items():
        _add(sums, begins(each), "decisions", number)
    for count in counts:
        _add(sums, begins(count.day), count.what, count.number)
    names = ("decisions", "installed", "uninstalled", "failed", "opened", "closed")
    return by_month, tuple(ActivitySpan(day, *(found.get(name, 0) for name in names)) for day, found in sums.items())


def _add(sums: dict[date, dict[str, int]], begins: date, what: str, number: int) -> None:
    if begins in sums:
        sums[begins][what] = sums[begins].get(what, 0) + number
