"""Reads failures as cases: from the first attempt that failed to what was done about it, for the service levels.

`engine.situation.failures` calls it. A case is not stored: its times follow from installs, exclusions and escalations,
so that they can never disagree with them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from engine.model.build import Platform
from engine.model.model import InstallAction, Severity
from engine.rules.failures import FailureCase, FailureTimes, GroupSla, SlaTargets
from engine.store.filter_sql import SqlCondition
from engine.store.traits import EVERY_DEVICE
from engine.store.values import moment, seconds, time_of

SeverityOf = Callable[[int, Platform], Severity]
"""(KB, platform) → the severity that the service level of its failures goes by."""

_OPEN = """
WITH latest AS MATERIALIZED (
    SELECT i.*, d.name AS device_name, ifnull(r.name, '') AS ring,
        ifnull((SELECT max(s.id) FROM install s WHERE s.device_id = i.device_id AND s.id < i.id
            AND s.state IN ('succeeded', 'uninstalled')), 0) AS success_id
    FROM install i JOIN device d ON d.id = i.device_id LEFT JOIN ring r ON r.id = d.ring_id
    WHERE i.open_failure = 1 AND ({where})
), cases AS MATERIALIZED (
    SELECT l.*, (SELECT min(e.id) FROM install e WHERE e.device_id = l.device_id AND e.id > l.success_id
        AND e.kb = l.kb AND e.action = l.action AND e.state = 'failed') AS first_id
    FROM latest l
)
SELECT c.id, c.device_id, c.device_name, c.ring, c.kb, c.platform, c.action, ifnull(c.error_code, 0) AS code,
    c.attempt, c.finished_at AS last_failed_at, f.finished_at AS failed_at,
    ifnull(f.detected_at, f.finished_at) AS detected_at,
    (SELECT min(e.requested_at) FROM install e WHERE e.device_id = c.device_id AND e.id > c.first_id AND e.kb = c.kb
        AND e.action = c.action AND e.state <> 'cancelled' AND e.requested_by <> 'engine') AS retried_at,
    (SELECT min(x.excluded_at) FROM exclusion x WHERE x.device_id = c.device_id AND x.lifted_at IS NULL
        AND (x.until_at IS NULL OR x.until_at > ?) AND x.until_baseline = 0
        AND (x.kb IS NULL OR x.kb = c.kb)) AS excluded_at,
    (SELECT min(e.escalated_at) FROM escalation_device m JOIN escalation e ON e.id = m.escalation_id
        WHERE m.device_id = c.device_id AND e.outcome <> 'taken-back' AND e.escalated_at >= f.finished_at
        AND (e.code IS NULL OR e.code = ifnull(c.error_code, 0))) AS escalated_at,
    (SELECT min(m.joined_at) FROM recovery_device m JOIN recovery v ON v.id = m.recovery_id
        WHERE m.device_id = c.device_id AND v.kb = c.kb AND m.joined_at >= f.finished_at) AS recovered_at
FROM cases c JOIN install f ON f.id = c.first_id
ORDER BY c.finished_at DESC, c.id DESC
"""

_SETTLED = """
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
            AND s.state IN ('succeeded', 'uninstalled')) AS fixed_at
    FROM episodes e JOIN install f ON f.id = e.first_id LEFT JOIN ring r ON r.id = e.ring_id
    WHERE NOT e.is_open
) WHERE fixed_at IS NOT NULL
"""


class CaseStore:
    """Failures with their times."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.overall: tuple[datetime, tuple[int, ...], GroupSla | None] | None = None
        """When `engine.situation.failures` has last judged every failure, after which decisions, and what came of
        it."""

    def open(
        self, severity_of: SeverityOf, now: datetime, targets: SlaTargets, devices: SqlCondition = EVERY_DEVICE
    ) -> tuple[FailureCase, ...]:
        """Open failures of the devices of a condition over alias ``d``, the latest first."""
        whole_groups = self._group_actions()
        rows = self._db.execute(_OPEN.format(where=devices.where), (*devices.params, seconds(now)))
        return tuple(_case(row, severity_of, whole_groups, targets) for row in rows)

    def count_open(self) -> int:
        """How many failures are open; reads an index alone."""
        return int(self._db.execute("SELECT count(*) FROM install WHERE open_failure = 1").fetchone()[0])

    def decisions(self) -> tuple[int, ...]:
        """Moves when somebody has excluded, escalated or marked something, or that has ended."""
        row = self._db.execute(
            "SELECT (SELECT ifnull(max(id), 0) FROM exclusion), "
            "(SELECT count(*) FROM exclusion WHERE lifted_at IS NULL), "
            "(SELECT ifnull(max(id), 0) FROM escalation), (SELECT count(*) FROM escalation WHERE ended_at IS NULL), "
            "(SELECT ifnull(max(id), 0) FROM known_problem), "
            "(SELECT count(*) FROM known_problem WHERE lifted_at IS NULL)"
        ).fetchone()
        return tuple(row)

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


def _case(row: Any, severity_of: SeverityOf, whole_groups: Mapping[int, int], targets: SlaTargets) -> FailureCase:
    platform = Platform(row["platform"])
    failed_at, code = row["failed_at"], row["code"]
    acted = [row[name] for name in ("retried_at", "excluded_at", "escalated_at", "recovered_at")]
    if code in whole_groups:
        acted.append(max(whole_groups[code], failed_at))
    return FailureCase(
        install_id=row["id"],
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
