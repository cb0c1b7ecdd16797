"""Failed installs written straight into a demo's state file, for the tests of what is known and done about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import Engine, open_engine
from engine.model.build import Platform
from engine.model.errors import Refused
from engine.model.intents import Actor, Approve, Intent, Role, Target
from engine.model.records.fleet import DeviceQuery, DeviceRow
from engine.store.values import seconds

APRIL, MAY = 5083769, 5089466
CLIENTS = (Platform.WIN11_24H2, Platform.WIN11_25H2)
MAY_LCU = 5089549
SERVER_MAY = 5087423
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def opened(path: Path, actor: str = "mia", role: Role = Role.APPROVER, **options: object) -> Engine:
    return open_engine(path, actor=Actor(actor, "jump01 test"), role=role, **options)  # type: ignore[arg-type]


def carry_out(engine: Engine, intent: Intent) -> None:
    engine.carry_out(engine.plan(intent))


def ready(engine: Engine, count: int = 1, ring: str = "Test") -> list[DeviceRow]:
    query = DeviceQuery(f"ring:{ring} readiness:ready state:idle")
    rows = [row for row in engine.reads.devices.each(query) if row.platform in CLIENTS]
    assert len(rows) >= count
    return rows[:count]


def approve(engine: Engine, *rings: str, kb: int = MAY) -> None:
    carry_out(engine, Approve(kb, rings, "tested on the bench"))


def on(*rows: DeviceRow) -> Target:
    return Target(ids=tuple(row.id for row in rows))


def refusal(engine: Engine, intent: Intent) -> str:
    plan = engine.plan(intent)
    assert plan.refusal is not None
    assert plan.refusal.instead
    with pytest.raises(Refused):
        engine.carry_out(plan)
    return f"{plan.refusal.what} {plan.refusal.why}"


def forget_failures(engine: Engine) -> None:
    """Every failure of the sample fleet is put right, so that a test's own stand alone."""
    with engine.reads.store.transaction():
        engine.reads.store.connection.execute("UPDATE install SET open_failure = 0")
        engine.reads.store.connection.execute("UPDATE device SET state = 'idle' WHERE state = 'failed'")


def fail(
    engine: Engine,
    device_ids: Iterable[int],
    *,
    kb: int = MAY,
    code: int | None = 0x800F0831,
    at: datetime | None = None,
    attempt: int = 1,
    action: str = "apply",
    by: str = "engine",
    is_open: bool = True,
) -> None:
    """Write one failed attempt for each device."""
    moment = at or engine.now()
    store = engine.reads.store
    with store.transaction():
        for device_id in device_ids:
            row = store.devices.row(device_id)
            assert row is not None
            store.connection.execute(
                "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, "
                "by_hand, requested_at, requested_by, started_at, finished_at, error_code, open_failure, "
                "build_before, restarted, reason) "
                "VALUES (?, ?, ?, ?, ?, 'failed', 'failed', 0, ?, 0, ?, ?, ?, ?, ?, ?, ?, 0, 'test')",
                (
                    device_id,
                    row["ring_id"],
                    kb,
                    row["platform"],
                    action,
                    attempt,
                    seconds(moment) - 600,
                    by,
                    seconds(moment) - 300,
                    seconds(moment),
                    code,
                    int(is_open),
                    row["build"],
                ),
            )
        store.installs.refresh_device_states(list(device_ids))
        store.state.count_change()


def fail_instead(engine: Engine, device_ids: Iterable[int], *, kb: int, code: int = 0x800F0831) -> None:
    """What succeeded on these devices failed instead, under the same circumstances."""
    with engine.reads.store.transaction():
        engine.reads.store.connection.executemany(
            "UPDATE install SET state = 'failed', open_failure = 1, error_code = ? "
            "WHERE device_id = ? AND kb = ? AND state = 'succeeded'",
            ((code, device_id, kb) for device_id in device_ids),
        )
        engine.reads.store.state.count_change()


def succeed(engine: Engine, device_ids: Iterable[int], *, kb: int = MAY, at: datetime | None = None) -> None:
    """Write one install that succeeded for each device, without touching the device itself."""
    moment = seconds(at or engine.now())
    store = engine.reads.store
    with store.transaction():
        for device_id in device_ids:
            row = store.devices.row(device_id)
            assert row is not None
            store.connection.execute(
                "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, "
                "by_hand, requested_at, requested_by, started_at, finished_at, open_failure, build_before, restarted, "
                "reason) VALUES (?, ?, ?, ?, 'apply', 'succeeded', 'done', 100, 1, 0, ?, 'engine', ?, ?, 0, ?, 0, '')",
                (device_id, row["ring_id"], kb, row["platform"], moment - 600, moment - 300, moment, row["build"]),
            )
        store.state.count_change()
