"""Every kind of change tells in the audit who, when, from where, what, why, and what stood before and after."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from engine import Engine, open_engine
from engine.model import intents
from engine.model.intents import (
    Actor,
    Apply,
    Approve,
    Assign,
    Countersign,
    EndEscalation,
    Escalate,
    Exclude,
    HoldForProblem,
    Intent,
    LiftHold,
    LiftKnownProblem,
    MarkKnownProblem,
    Readmit,
    Recover,
    Resume,
    Retry,
    Scope,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    StopKind,
    TakeBack,
    Target,
    Uninstall,
    Withdraw,
)
from engine.model.records.fleet import AuditRow, DeviceQuery
from tests.engine.rollout_desk import MAY, desk

WHY = "ticket 4711"
TENANT = {"Sync", "Expedite", "AskAgain"}
"""What only a fleet in a tenant can be asked."""


def script(engine: Engine, second: Engine) -> Iterator[tuple[Engine, Intent]]:
    """Each kind of intent at least once, in an order in which it can be carried out."""

    def ready() -> Target:
        rows = engine.reads.devices.each(DeviceQuery("ready state:idle platform:win11-24h2"))
        return Target(names=(next(iter(rows)).name,))

    once = {case.install_id for case in engine.reads.failures.cases() if case.retry(engine.now()).allowed}
    failure = next(each for each in engine.reads.failures.open() if each.install_id in once)
    group = engine.reads.failures.groups(common=False)[0]
    yield engine, SetPolicy(second_person=True, reason=WHY)
    yield engine, Approve(MAY, ("Test", "First", "Fast", "Broad"), WHY)
    yield second, Countersign(engine.reads.rollout.approvals(MAY)[0].id, WHY)
    yield engine, SetPolicy(second_person=False, reason=WHY)
    yield engine, Approve(MAY, ("Last",), WHY)
    yield engine, Withdraw(max(each.id for each in engine.reads.rollout.approvals(MAY)), WHY)
    yield engine, Stop(StopKind.PAUSE, Scope(ring="Fast"), WHY)
    yield engine, Resume(Scope(ring="Fast"), WHY)
    yield engine, SetRing("Test", deferral_days=2, window="sat 22:00-04:00 UTC", reason=WHY)
    yield engine, Assign(Target(names=(failure.device_name,)), "Last" if failure.ring != "Last" else "Broad", WHY)
    chosen = ready()
    yield engine, Apply(MAY, chosen, WHY)
    yield engine, TakeBack(chosen, reason=WHY)
    yield engine, Retry(Target(names=(failure.device_name,)), reason=WHY)
    yield engine, Exclude(Target(names=(failure.device_name,)), WHY)
    yield engine, Readmit(Target(names=(failure.device_name,)), WHY)
    yield engine, Escalate("ngozi.okafor", group.key, reason=WHY)
    yield engine, EndEscalation(engine.reads.failures.escalations()[0].id, reason=WHY)
    yield engine, MarkKnownProblem("printer driver", group.key)
    yield engine, HoldForProblem(engine.reads.failures.known_problems()[0].id, WHY)
    yield engine, LiftKnownProblem(engine.reads.failures.known_problems()[0].id, WHY)
    yield engine, SetHold(MAY, "model:latitude", WHY)
    yield engine, LiftHold(engine._store.safeguards.in_force()[0].id, WHY)
    has_it = tuple(row.id for row in engine.reads.devices.each(DeviceQuery("build:26100.8390")))
    yield engine, Uninstall(MAY, Target(ids=has_it[:1]), WHY)
    yield engine, Recover(MAY, WHY)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A fleet in which a few devices run the month's hotpatch already."""
    path = desk(tmp_path, size=300)
    with open_engine(path) as engine, engine._store.transaction():
        engine._store.connection.execute(
            "UPDATE device SET build = 2610000008390 WHERE id IN "
            "(SELECT id FROM device WHERE platform = 'win11-24h2' AND state = 'idle' LIMIT 3)"
        )
    return path


def test_every_kind_of_change_is_told_in_full(state: Path) -> None:
    told: dict[type, AuditRow] = {}
    mia, ben = Actor("mia", "jump01 console"), Actor("ben", "jump02 command")
    with open_engine(state, actor=mia) as engine, open_engine(state, actor=ben) as second:
        for who, intent in script(engine, second):
            plan = who.plan(intent)
            assert plan.refusal is None, (intent, plan.refusal)
            who.carry_out(plan)
            record = who.reads.activity.audit(1)[0]
            told[type(intent)] = record
            name = "ben" if who is second else "mia"
            assert (record.actor, record.origin.startswith("jump")) == (name, True)
            assert record.summary
            assert record.at == who.now()
            assert record.reason == getattr(intent, "reason", "")
            before, after = record.details["before"], record.details["after"]
            assert isinstance(before, dict)
            assert isinstance(after, dict)
            assert before != after, record
            assert all(before.get(each) != after.get(each) for each in {**before, **after}), record
        assert engine.reads.activity.audit_check().holds
    kinds = {each for each in get_args(Intent) if inspect.getmodule(each) is intents}
    missing = {each.__name__ for each in kinds - told.keys()}
    assert missing <= TENANT, "a new kind of change is tried here as well"


def test_what_it_tells(state: Path) -> None:
    with open_engine(state) as engine:
        engine.carry_out(engine.plan(SetRing("Test", deferral_days=2, reason=WHY)))
        record = engine.reads.activity.audit(1)[0]
        assert record.details["before"] == {"deferral days": 0}
        assert record.details["after"] == {"deferral days": 2}
        engine.carry_out(engine.plan(Stop(StopKind.HALT, Scope(kb=MAY), WHY)))
        record = engine.reads.activity.audit(1)[0]
        assert record.details["before"] == {"stops": []}
        (stop,) = record.details["after"]["stops"]  # type: ignore[index]
        assert "halt of KB5089466" in stop
        device = next(iter(engine.reads.devices.each(DeviceQuery("ring:broad"))))
        engine.carry_out(engine.plan(Assign(Target(ids=(device.id,)), "Test", WHY)))
        record = engine.reads.activity.audit(1)[0]
        assert (record.details["before"], record.details["after"]) == ({"rings": {"Broad": 1}}, {"rings": {"Test": 1}})
