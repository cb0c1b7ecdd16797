"""Exclusions as conditions on devices: what the rollout and plans respect. `exclusions` keeps them."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from engine.model.model import DeviceState, Release, Verdict
from engine.rules.rollout.offers import takers, takes
from engine.store.filter_sql import SqlCondition
from engine.store.values import among, build_number, seconds

IN_FORCE = "x.lifted_at IS NULL AND (x.until_at IS NULL OR x.until_at > ?)"
"""Over alias ``x`` for the table exclusion, with the time now as its parameter."""


HELD_OFF = "EXISTS (SELECT 1 FROM exclusion h WHERE h.device_id = d.id AND h.lifted_at IS NULL AND h.until_baseline)"
"""Which devices (alias ``d``) are off hotpatches until the next baseline, since one was uninstalled."""
WHO_IS_HELD_OFF = "d.id IN (SELECT device_id FROM exclusion WHERE lifted_at IS NULL AND until_baseline)"
"""The same for a statement that reads these alone."""


def meant_for(release: Release) -> str:
    """Which devices (alias ``d``) below its build a release is meant for, as `engine.rules.rollout.offers` has it."""
    verdicts = takers(release.kind)
    if verdicts == frozenset(Verdict):
        return "1"
    free = f"d.verdict IN {among(verdicts)}"
    if takes(release.kind, Verdict.READY, held_off=True):
        return f"({free} OR {HELD_OFF})"
    return f"({free} AND NOT {HELD_OFF})" if verdicts else "0"


def excluded_from(release: Release, now: datetime) -> SqlCondition:
    """Which devices (alias ``d``) an exclusion, or the hold after an uninstall, keeps a release from."""
    return SqlCondition(
        f"EXISTS (SELECT 1 FROM exclusion x WHERE x.device_id = d.id AND {IN_FORCE} "
        "AND (x.kb = ? OR (x.kb IS NULL AND (x.until_baseline = 0 OR ?))))",
        (seconds(now), release.kb, int(release.kind.is_hotpatch)),
    )


def exclusion_reasons(connection: sqlite3.Connection, kb: int, now: datetime) -> dict[int, str]:
    """Device → why it is excluded from a release; the hold after an uninstall is none of these."""
    rows = connection.execute(
        f"SELECT x.device_id, x.reason FROM exclusion x WHERE {IN_FORCE} AND x.until_baseline = 0 "
        "AND (x.kb IS NULL OR x.kb = ?) ORDER BY x.id",
        (seconds(now), kb),
    )
    return {row["device_id"]: row["reason"] for row in rows}


def excluded_counts(
    connection: sqlite3.Connection, release: Release, now: datetime, withheld: SqlCondition
) -> dict[int, int]:
    """Ring → devices that would wait for a baseline or LCU and are excluded from it; reads the excluded ones only.

    Of an LCU the devices that are ready are left out: `held_off_counts` counts those that take it all the same.

    A hotpatch goes to no held device, so that for it nothing has to be counted apart.
    """
    if release.kind.is_hotpatch:
        return {}
    who = f"AND d.verdict IN {among(takers(release.kind))}"
    rows = connection.execute(
        "SELECT d.ring_id, count(DISTINCT d.id) AS devices FROM exclusion x JOIN device d ON d.id = x.device_id "
        f"WHERE {IN_FORCE} AND x.until_baseline = 0 AND (x.kb IS NULL OR x.kb = ?) AND d.platform = ? "
        f"AND d.state = '{DeviceState.HELD}' AND d.ring_id IS NOT NULL AND ifnull(d.build, 0) < ? {who} "
        f"AND NOT {withheld.where} GROUP BY 1",
        (seconds(now), release.kb, release.platform, build_number(release.build) or 2**62, *withheld.params),
    )
    return {row["ring_id"]: row["devices"] for row in rows}


def held_off_counts(
    connection: sqlite3.Connection, release: Release, now: datetime, withheld: SqlCondition
) -> dict[int, int]:
    """Ring → devices that are ready, and take an LCU because they are held off hotpatches; reads the held ones only."""
    if release.kind.is_baseline or not takes(release.kind, Verdict.READY, held_off=True):
        return {}
    excluded = excluded_from(release, now)
    rows = connection.execute(
        "SELECT d.ring_id, count(*) AS devices FROM device d "
        f"WHERE {WHO_IS_HELD_OFF} AND d.state = '{DeviceState.HELD}' AND d.platform = ? "
        f"AND d.verdict NOT IN {among(takers(release.kind))} AND d.ring_id IS NOT NULL AND ifnull(d.build, 0) < ? "
        f"AND NOT {excluded.where} AND NOT {withheld.where} GROUP BY 1",
        (release.platform, build_number(release.build) or 2**62, *excluded.params, *withheld.params),
    )
    return {row["ring_id"]: row["devices"] for row in rows}
