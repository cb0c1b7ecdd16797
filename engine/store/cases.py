"""Reads failures as cases: from the first attempt that failed to what was done about it, for the service levels.

`engine.situation.failures` calls it. What follows from installs is kept in `open_case` by the triggers of the schema;
the rest follows from exclusions, escalations and recoveries as they stand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from engine.model.build import Platform
from engine.model.model import DONE, InstallAction, Severity
from engine.rules.failures import FailureCase, FailureTimes, SlaSeconds, SlaSpan, SlaTargets
from engine.store.filter_sql import SqlCondition
from engine.store.traits import EVERY_DEVICE
from engine.store.values import among, moment, seconds, time_of

_Place = tuple[int, str, int | None]
"""KB, platform, ring."""
SeverityOf = Callable[[int, Platform], Severity]
"""(KB, platform) → the severity that the service level of its failures goes by."""

_ACTED = """
    (SELECT min(x.excluded_at) FROM exclusion x WHERE x.device_id = c.device_id AND x.lifted_at IS NULL
        AND (x.until_at IS NULL OR x.until_at > ?) AND x.until_baseline = 0
        AND (x.kb IS NULL OR x.kb = c.kb)) AS excluded_at,
    (SELECT min(e.escalated_at) FROM escalation_device m JOIN escalation e ON e.id = m.escalation_id
        WHERE m.device_id = c.device_id AND e.outcome <> 'taken-back' AND e.escalated_at >= c.failed_at
        AND (e.code IS NULL OR e.code = c.code)) AS escalated_at,
    (SELECT min(m.joined_at) FROM recovery_device m JOIN recovery v ON v.id = m.recovery_id
        WHERE m.device_id = c.device_id AND v.kb = c.kb AND m.joined_at >= c.failed_at) AS recovered_at"""
"""What people did about the failure ``c``; the schema keeps its other times in `open_case`."""

_OPEN = f"""
SELECT c.*, d.name AS device_name, ifnull(r.name, '') AS ring, i.attempt, i.finished_at AS last_failed_at, {_ACTED}
FROM open_case c JOIN install i ON i.id = c.install_id JOIN device d ON d.id = c.device_id
LEFT JOIN ring r ON r.id = c.ring_id
WHERE {{where}} ORDER BY i.finished_at DESC, i.id DESC
"""

_TIMES = f"""
SELECT c.kb, c.platform, c.ring_id, c.code, c.failed_at, c.detected_at, c.retried_at, {_ACTED} FROM open_case c
WHERE {{where}}
"""

_ALIKE = """
SELECT count(*), min(c.detected_at), c.failed_at, c.retried_at,
    total(c.detected_at > c.failed_at + :detect), total(c.retried_at > c.detected_at + :act), count(c.retried_at)
FROM open_case c WHERE c.kb = :kb AND c.platform = :platform AND c.ring_id IS :ring
    AND c.detected_at >= :since AND c.detected_at < :until AND {where}
"""
"""Failures of one release in one ring about which nobody did more than retry: how many, the earliest, and how many were
detected late, retried late, and retried."""

_IN = "FROM open_case WHERE kb = :kb AND platform = :platform AND ring_id IS :ring"
_FIRST_AND_LAST = f"SELECT (SELECT min(detected_at) {_IN}), (SELECT max(detected_at) {_IN})"
_KINDS = "GROUP BY (c.detected_at > c.failed_at + :detect) | ifnull((c.retried_at > c.detected_at + :act) << 1, 4)"

_ODD = "c.retried_at < c.detected_at"
_HANDLED = ("exclusion", "escalation_device", "recovery_device")
"""Where devices stand about whose failures people did something."""

_SETTLED = f"""
WITH episodes AS (
    SELECT device_id, kb, platform, action, ring_id, min(id) AS first_id, max(id) AS last_id,
        max(open_failure) AS is_open
    FROM install WHERE state = 'failed' AND finished_at >= ? GROUP BY device_id, kb, action
)
SELECT * FROM (
    SELECT e.kb, e.platform, ifnull(r.name, '') AS ring, f.finished_at AS failed_at,
        ifnull(f.detected_at, f.finished_at) AS detected_at,
        (SELECT min(a.requested_at) FROM install a WHERE a.device_id = e.device_id AND a.id > e.first_id
            AND a.kb = e.kb AND a.action = e.action AND a.state <> 'cancelled'
            AND a.requested_by <> 'engine') AS acted_at,
        (SELECT min(s.finished_at) FROM install s WHERE s.device_id = e.device_id AND s.id > e.last_id
            AND s.state IN {among(DONE)}) AS fixed_at
    FROM episodes e JOIN install f ON f.id = e.first_id LEFT JOIN ring r ON r.id = e.ring_id
    WHERE NOT e.is_open
) WHERE fixed_at IS NOT NULL
"""


class CaseStore:
    """Failures with their times."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def open(
        self, severity_of: SeverityOf, now: datetime, targets: SlaTargets, devices: SqlCondition = EVERY_DEVICE
    ) -> tuple[FailureCase, ...]:
        """Open failures of the devices of a condition over alias ``d``, the latest first."""
        whole_groups = self._group_actions()
        rows = self._db.execute(_OPEN.format(where=devices.where), (seconds(now), *devices.params))
        return tuple(_case(row, severity_of, whole_groups, targets) for row in rows)

    def spans(self, severity_of: SeverityOf, now: datetime, targets: SlaTargets) -> Iterator[tuple[SlaSpan, int]]:
        """The same of all failures as bare times, each with how many `sum_spans` judges like it.

        A large fleet has several ten thousand, and most were detected in time and retried late, say: those that differ
        in no answer are told as one, the earliest, whose due time is the first.
        """
        groups = self._group_actions()
        one_by_one = self._one_by_one(groups)
        sql = _ALIKE.format(where=f"NOT ({' OR '.join(one_by_one)})" if one_by_one else "1")
        allowed = self._allowed(severity_of, targets)
        for place, target in allowed.items():
            kb, platform, ring = place
            detect, act, _ = target
            asked: dict[str, Any] = {"kb": kb, "platform": platform, "ring": ring, "detect": detect, "act": act}
            first, last = self._plain(_FIRST_AND_LAST, asked).fetchone()
            edges = [each for each in _edges(now.timestamp(), target, targets.due_soon_share) if first < each <= last]
            for since, until in pairwise([first, *edges, last + 1]):
                asked |= {"since": since, "until": until}
                for count, detected, failed, retried, *marks in self._kinds(sql, asked):
                    assert set(marks) <= {0, count}
                    yield (failed, detected, retried, None, target), count
        if one_by_one:
            for row in self._plain(_TIMES.format(where=" OR ".join(one_by_one)), (seconds(now),)):
                yield _span(row, groups, allowed[row[:3]]), 1

    def _kinds(self, sql: str, asked: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Rows of `_ALIKE`, one for those that differ in nothing."""
        count, *_, late, retried_late, retried = whole = self._plain(sql, asked).fetchone()
        if {late, retried_late, retried} <= {0, count}:
            return [whole] if count else []
        return self._plain(sql + _KINDS, asked).fetchall()

    def _plain(self, sql: str, asked: Any) -> sqlite3.Cursor:
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, asked)

    def _one_by_one(self, groups: Iterable[int]) -> list[str]:
        """Conditions of the failures that have times of their own; none where there are no such failures."""
        found = [
            f"c.device_id IN (SELECT device_id FROM {name})"
            for name in _HANDLED
            if self._db.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()
        ]
        if codes := ", ".join(map(str, groups)):
            found.append(f"c.code IN ({codes})")
        if self._db.execute(f"SELECT 1 FROM open_case c WHERE {_ODD} LIMIT 1").fetchone():
            found.append(f"ifnull({_ODD}, 0)")
        return found

    def _allowed(self, severity_of: SeverityOf, targets: SlaTargets) -> dict[_Place, SlaSeconds]:
        """The time allowed to the failures of each release in each ring."""
        rings = {row[0]: row[1] for row in self._db.execute("SELECT id, name FROM ring")}
        return {
            (kb, platform, ring): targets.target(severity_of(kb, Platform(platform)), rings.get(ring, "")).seconds()
            for kb, platform, ring in self._plain("SELECT DISTINCT kb, platform, ring_id FROM open_case", ())
        }

    def count_open(self) -> int:
        """How many failures are open."""
        return int(self._db.execute("SELECT count(*) FROM open_case").fetchone()[0])

    def settled(self, severity_of: SeverityOf, since: datetime) -> Iterator[tuple[FailureTimes, Severity, str]]:
        """Failures from that time on that have been put right: times, severity and ring."""
        for row in self._db.execute(_SETTLED, (seconds(since),)):
            times = FailureTimes(
                failed_at=time_of(row["failed_at"]),
                detected_at=moment(row["detected_at"]),
                acted_at=moment(row["acted_at"]),
                fixed_at=moment(row["fixed_at"]),
            )
            yield times, severity_of(row["kb"], Platform(row["platform"])), row["ring"]

    def _group_actions(self) -> Mapping[int, int]:
        """Error code → since when somebody has had all failures with it in hand."""
        rows = self._db.execute(
            "SELECT code, min(at) FROM ("
            "SELECT code, escalated_at AS at FROM escalation WHERE code IS NOT NULL AND ended_at IS NULL UNION ALL "
            "SELECT code, marked_at FROM known_problem WHERE code IS NOT NULL AND lifted_at IS NULL) GROUP BY code"
        )
        return {row[0]: row[1] for row in rows}


def _edges(now: float, allowed: SlaSeconds, due_soon_share: float) -> list[float]:
    """The times of detection between which it makes no difference when a failure was detected."""
    _, act, fix = allowed
    soon = 1 - due_soon_share
    return sorted({now - fix, now - fix * soon, now - act, now - act * soon})


def _span(row: tuple[Any, ...], groups: Mapping[int, int], allowed: SlaSeconds) -> SlaSpan:
    *_, code, failed, detected, retried, excluded, escalated, recovered = row
    acts = [at for at in (retried, excluded, escalated, recovered) if at is not None]
    if code in groups:
        acts.append(max(groups[code], failed))
    return failed, detected, min(acts, default=None), excluded, allowed


def _case(row: Any, severity_of: SeverityOf, whole_groups: Mapping[int, int], targets: SlaTargets) -> FailureCase:
    platform = Platform(row["platform"])
    failed_at, code = row["failed_at"], row["code"]
    acted = [row[name] for name in ("retried_at", "excluded_at", "escalated_at", "recovered_at")]
    if code in whole_groups:
        acted.append(max(whole_groups[code], failed_at))
    return FailureCase(
        install_id=row["install_id"],
        device_id=row["device_id"],
        device_name=row["device_name"],
        ring=row["ring"],
        kb=row["kb"],
        platform=platform,
        action=InstallAction(row["action"]),
        code=code,
        attempts=row["attempt"],
        failed_at=time_of(row["last_failed_at"]),
        times=FailureTimes(
            failed_at=time_of(failed_at),
            detected_at=time_of(row["detected_at"]),
            acted_at=moment(min((at for at in acted if at is not None), default=None)),
            fixed_at=moment(row["excluded_at"]),
        ),
        severity=severity_of(row["kb"], platform),
        is_excluded=row["excluded_at"] is not None,
        targets=targets,
    )
