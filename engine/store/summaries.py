"""Sums over the fleet and its history for reports: readiness by group, what a period brought, how fresh the facts are.

`reads.evidence` and `reads.activity` call it. Each question is one pass in SQLite; nothing is held but the sums.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from engine.model.model import DONE, InstallState, Verdict
from engine.model.records.fleet import ProviderFreshness
from engine.rules.evidence.activity import DayCount
from engine.rules.readiness.summary import VerdictCell
from engine.rules.rollout.offers import TAKES_HOTPATCHES
from engine.store.filter_sql import SqlCondition
from engine.store.values import among, moment, seconds

_EPOCH = date(1970, 1, 1)

_FAILURES = f"""
WITH attempt AS (
    SELECT f.device_id, f.kb, f.action, f.finished_at,
        (SELECT min(s.id) FROM install s WHERE s.device_id = f.device_id AND s.id > f.id
            AND s.state IN {among(DONE)}) AS success_id
    FROM install f WHERE f.state = 'failed' AND f.finished_at < :until
), episode AS (
    SELECT min(finished_at) AS opened_at, success_id FROM attempt GROUP BY device_id, kb, action, success_id
)
SELECT e.opened_at, s.finished_at AS closed_at FROM episode e LEFT JOIN install s ON s.id = e.success_id
"""


def verdict_cells(
    connection: sqlite3.Connection, condition: SqlCondition, ring_names: Mapping[int, str], sites: int
) -> tuple[tuple[VerdictCell, ...], int]:
    """Devices by ring, platform, site and what readiness says of them, and how many sites there are.

    Only the `sites` with the most devices are told apart, so that the answer stays small whatever was imported.
    """
    rows = connection.execute(
        "WITH cell AS MATERIALIZED (SELECT d.site, d.ring_id AS ring, ifnull(d.platform, '') AS platform, d.verdict, "
        "ifnull(d.eligible, 0) AS eligible, ifnull(d.enrolled, 0) AS enrolled, count(*) AS devices "
        f"FROM device d WHERE {condition.where} GROUP BY 1, 2, 3, 4, 5, 6), "
        "largest AS (SELECT site FROM cell GROUP BY site ORDER BY sum(devices) DESC, site LIMIT ?) "
        "SELECT l.site, c.ring, c.platform, c.verdict, c.eligible, c.enrolled, sum(c.devices), "
        "(SELECT count(DISTINCT site) FROM cell) FROM cell c LEFT JOIN largest l ON l.site = c.site "
        "GROUP BY 1, 2, 3, 4, 5, 6",
        (*condition.params, sites),
    ).fetchall()
    cells = tuple(
        VerdictCell(ring_names.get(ring, ""), platform, Verdict(verdict), bool(eligible), bool(enrolled), devices, site)
        for site, ring, platform, verdict, eligible, enrolled, devices, _ in rows
    )
    return cells, rows[0][-1] if rows else 0


def reason_sets(connection: sqlite3.Connection, condition: SqlCondition) -> Mapping[tuple[str, ...], int]:
    """Devices that are not ready, or not known to be, by all that keeps them from it."""
    rows = connection.execute(
        f"SELECT d.reasons, count(*) FROM device d WHERE d.verdict NOT IN {among(TAKES_HOTPATCHES)} "
        f"AND ({condition.where}) GROUP BY 1",
        condition.params,
    )
    return {tuple(reasons.split(",")): devices for reasons, devices in rows if reasons}


def freshness(connection: sqlite3.Connection, silent_before: datetime) -> tuple[ProviderFreshness, ...]:
    """The systems that devices were told by: how many, the last word, and how many have been silent since a time."""
    rows = connection.execute(
        "SELECT provider, count(*), max(last_seen_at), sum(ifnull(last_seen_at, 0) < ?) FROM device "
        "GROUP BY provider ORDER BY 2 DESC, 1",
        (seconds(silent_before),),
    )
    return tuple(
        ProviderFreshness(provider, devices, moment(newest), silent) for provider, devices, newest, silent in rows
    )


def install_days(connection: sqlite3.Connection, since: datetime, until: datetime) -> Iterator[DayCount]:
    """Attempts that ended in the period, by UTC day and end."""
    rows = connection.execute(
        "SELECT finished_at / 86400 AS day, state, count(*) FROM install WHERE finished_at >= ? AND finished_at < ? "
        f"AND state IN {among(DONE | {InstallState.FAILED})} GROUP BY 1, 2",
        (seconds(since), seconds(until)),
    )
    names = {"succeeded": "installed", "uninstalled": "uninstalled", "failed": "failed"}
    for day, state, number in rows:
        yield DayCount(_day(day), names[state], number)


def failure_days(connection: sqlite3.Connection, since: datetime, until: datetime) -> Iterator[DayCount]:
    """Failures that began and that were put right in the period, by UTC day.

    A failure is all failed attempts at the same thing on a device between two of its successes.
    """
    first, last = seconds(since), seconds(until)
    sums: dict[tuple[int, str], int] = {}
    for opened_at, closed_at in connection.execute(_FAILURES, {"until": last}):
        for at, what in ((opened_at, "opened"), (closed_at, "closed")):
            if at is not None and first <= at < last:
                key = (at // 86400, what)
                sums[key] = sums.get(key, 0) + 1
    for (day, what), number in sums.items():
        yield DayCount(_day(day), what, number)


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=number)


def beginning(connection: sqlite3.Connection) -> datetime | None:
    """When the first audit record was written; None in an empty file."""
    row = connection.execute("SELECT at FROM audit ORDER BY seq LIMIT 1").fetchone()
    return None if row is None else datetime.fromtimestamp(row[0], UTC)
