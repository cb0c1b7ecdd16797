"""Escalations and known problems: planned, audited, undone; and who may do what about failures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.model.build import OsBuild, Platform
from engine.model.errors import NotFound
from engine.model.intents import (
    Apply,
    EndEscalation,
    Escalate,
    EscalationEnd,
    Exclude,
    FailureIntent,
    HoldForProblem,
    LiftHold,
    LiftKnownProblem,
    MarkKnownProblem,
    Readmit,
    Role,
    TakeBack,
    Target,
)
from engine.model.model import InstallAction, InstallState, Severity
from engine.model.records.fleet import DeviceQuery, Urgency
from engine.rules.failures import Escalation, FailureCase, FailureTimes, SlaState
from engine.rules.failures.views import escalation_due, group_sla, retry_outlook
from engine.rules.plans.escalate import EscalateFacts, plan_escalate
from tests.engine.failure_states import (
    APRIL,
    CLIENTS,
    DAY,
    HOUR,
    MAY,
    approve,
    carry_out,
    fail,
    forget_failures,
    on,
    opened,
    ready,
    refusal,
)

# --- escalate -----------------------------------------------------------------------------------------


def test_escalating_a_group_sets_owner_and_due_time_and_shows_when_it_is_overdue(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        devices = ready(engine, 3, "Broad")
        fail(engine, [row.id for row in devices])
        due = engine.reads.failures.views()[0].sla
        plan = engine.plan(Escalate("ngozi.okafor", group="component-store/0x800F0831", reason="imaging team"))
        assert (plan.devices, plan.restarts) == (3, 0)
        assert plan.title == "Escalate 3 devices with 0x800F0831 CBS_E_STORE_CORRUPTION to ngozi.okafor"
        assert plan.command == (
            "hotpatch escalate component-store/0x800F0831 --owner ngozi.okafor --reason 'imaging team'"
        )
        engine.carry_out(plan)
        (escalation,) = engine.reads.failures.escalations()
        assert (escalation.owner, escalation.devices, escalation.open_devices) == ("ngozi.okafor", 3, 3)
        assert escalation.due_at > due.due_at, "the fix is due later than the first action"
        view = engine.reads.failures.views()[0]
        assert [each.id for each in view.escalations] == [escalation.id]
        assert engine.demo is not None
        engine.demo.step(escalation.due_at - engine.now() + HOUR)
        overdue = [each for each in engine.reads.attention() if "Escalation to ngozi.okafor" in each.text]
        assert [(each.urgency, each.filter) for each in overdue] == [(Urgency.NOW, "error:0x800F0831")]
        assert "3 of 3 devices still fail" in overdue[0].text
        assert next(row for row in engine.reads.activity.audit() if row.action == "escalate").devices == 3


def test_a_fix_that_is_overdue_already_gives_the_owner_time_to_act(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        plan = engine.plan(Escalate("ngozi", group="0x800F0922"))
        assert "was to be put right by" in plan.warnings[0]
        engine.carry_out(plan)
        (escalation,) = engine.reads.failures.escalations()
        assert HOUR <= escalation.due_at - engine.now() <= DAY


NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def failed_case(device_id: int = 1) -> FailureCase:
    """A failure of a critical release: to be fixed within a day."""
    return FailureCase(
        install_id=device_id,
        device_id=device_id,
        device_name=f"LON-{device_id}",
        ring="Broad",
        kb=MAY,
        platform=Platform.WIN11_24H2,
        action=InstallAction.APPLY,
        code=0x80070070,
        attempts=1,
        failed_at=NOW,
        times=FailureTimes(NOW, NOW),
        severity=Severity.CRITICAL,
        is_excluded=False,
    )


@pytest.mark.parametrize(
    ("due_at", "now", "why", "warnings"),
    [
        (NOW, NOW, "Wed 13 May 2026 09:00 UTC has passed.", []),
        (NOW + SECOND, NOW, "", []),
        (NOW + DAY, NOW, "", []),
        (NOW + DAY + SECOND, NOW, "", ["That is later than the service level asks for, Thu 14 May 2026 09:00 UTC."]),
        (NOW + 2 * DAY, NOW + DAY, "", ["That is later than the service level asks for, Thu 14 May 2026 09:00 UTC."]),
        (
            NOW + 2 * DAY,
            NOW + DAY + SECOND,
            "",
            ["By the service level the first of them was to be put right by Thu 14 May 2026 09:00 UTC."],
        ),
    ],
)
def test_an_escalation_is_held_against_now_and_against_the_service_level(
    due_at: datetime, now: datetime, why: str, warnings: list[str]
) -> None:
    facts = EscalateFacts(None, [failed_case()], NOW + DAY, ())
    plan = plan_escalate(Escalate("ngozi", target=Target(ids=(1,)), due_at=due_at), facts, now, 1)
    assert (plan.refusal.why if plan.refusal else "") == why
    assert list(plan.warnings) == warnings


def test_the_first_of_several_to_be_put_right_is_held_against_and_the_owner_is_named() -> None:
    later = replace(failed_case(2), times=FailureTimes(NOW + HOUR, NOW + HOUR))
    facts = EscalateFacts(None, [later, failed_case()], NOW + DAY, ())
    plan = plan_escalate(Escalate(" ngozi ", due_at=NOW + DAY + SECOND), facts, NOW, 1)
    assert plan.warnings == ("That is later than the service level asks for, Thu 14 May 2026 09:00 UTC.",)
    assert plan.title == "Escalate 2 failed devices to ngozi"
    assert plan.steps[0] == "ngozi has until Thu 14 May 2026 09:00 UTC to put 2 failed devices right."


@pytest.mark.parametrize(
    ("code", "given", "members", "owner", "same"),
    [
        (5, 5, {1}, "NGOZI", True),
        (5, 6, {1, 2}, "ngozi", False),
        (5, 5, {1}, "tom", False),
        (None, 5, {1, 2}, "ngozi", True),
        (None, None, {1, 2, 3}, "ngozi", True),
        (None, None, {1}, "ngozi", False),
        (None, None, {1, 2}, "tom", False),
    ],
)
def test_an_owner_has_a_group_by_its_code_and_devices_when_all_are_theirs(
    code: int | None, given: int | None, members: set[int], owner: str, same: bool
) -> None:
    already = Escalation(7, given, "ngozi", "", NOW + DAY, "mia", NOW, 1, 1)
    facts = EscalateFacts(code, [failed_case(1), failed_case(2)], NOW, [(already, frozenset(members))])
    assert (facts.with_owner(owner) is already) is same


@pytest.mark.parametrize(
    ("late", "open_devices", "ended_at", "overdue"),
    [
        (SECOND, 1, None, True),
        (SECOND * 0, 1, None, False),
        (SECOND, 0, None, False),
        (SECOND, 1, NOW, False),
    ],
)
def test_an_escalation_is_overdue_after_its_time_while_a_device_still_fails(
    late: timedelta, open_devices: int, ended_at: datetime | None, overdue: bool
) -> None:
    given = Escalation(7, None, "ngozi", "", NOW, "mia", NOW - DAY, 2, open_devices, ended_at)
    assert given.is_overdue(NOW + late) is overdue


def test_an_escalation_is_due_with_the_first_fix_or_when_that_is_past_after_the_time_to_act() -> None:
    """A critical release's failure is to be fixed within a day and acted on within four hours."""
    first, later = failed_case(1), replace(failed_case(2), times=FailureTimes(NOW + HOUR, NOW + HOUR))
    slow = replace(failed_case(3), severity=Severity.LOW)
    fixed = replace(first, times=replace(first.times, fixed_at=NOW))
    assert escalation_due([later, first, slow], NOW) == NOW + DAY
    assert escalation_due([later, fixed, slow], NOW) == NOW + DAY + HOUR
    assert escalation_due([slow, first], NOW + DAY - SECOND) == NOW + DAY
    assert escalation_due([slow, first], NOW + DAY) == NOW + DAY + 4 * HOUR
    assert escalation_due([fixed], NOW) is None


def test_the_most_urgent_failure_speaks_for_its_group() -> None:
    first, later = failed_case(1), replace(failed_case(2), times=FailureTimes(NOW + HOUR, NOW + HOUR))
    fixed = replace(first, times=FailureTimes(NOW - DAY, NOW - DAY, fixed_at=NOW + HOUR))
    found = group_sla([later, fixed, first], NOW + 4 * HOUR)
    assert found is not None
    assert (found.open, found.due_soon, found.overdue, found.due_at) == (2, 1, 0, NOW + 4 * HOUR)
    found = group_sla([first, later, fixed], NOW + 4 * HOUR + SECOND)
    assert found is not None
    assert (found.open, found.due_soon, found.overdue, found.state) == (2, 1, 1, SlaState.OVERDUE)
    done = group_sla([fixed], NOW + 9 * DAY)
    assert done is not None
    assert (done.open, done.state) == (0, SlaState.OK)


def test_a_group_can_be_tried_again_with_the_first_of_those_that_wait() -> None:
    network = replace(failed_case(1), code=0x80072EE2)
    later = replace(network, failed_at=NOW + HOUR / 2)
    assert retry_outlook([later, network], NOW + HOUR / 2).next_at == NOW + HOUR
    found = retry_outlook([later, network], NOW + HOUR)
    assert (found.now, found.waiting, found.next_at) == (1, 1, NOW + 1.5 * HOUR)


def test_single_devices_are_escalated_and_refusals_say_why(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        one, other = (row.device_id for row in engine.reads.failures.open()[:2])
        (healthy,) = ready(engine)
        carry_out(engine, Escalate("ngozi", target=Target(ids=(one, healthy.id))))
        (escalation,) = engine.reads.failures.escalations()
        assert (escalation.code, escalation.devices, escalation.group_key) == (None, 1, "")
        assert "has it already" in refusal(engine, Escalate("Ngozi", target=Target(ids=(one,))))
        both = engine.plan(Escalate("ngozi", target=Target(ids=(one, other))))
        assert both.refusal is None
        assert "ngozi has it too" in both.warnings[-1]
        assert "open failure" in refusal(engine, Escalate("ngozi", target=on(healthy)))
        assert "needs an owner" in refusal(engine, Escalate(" ", target=Target(ids=(one,))))
        late = Escalate("ngozi", target=Target(ids=(other,)), due_at=engine.now() - HOUR)
        assert "has passed" in refusal(engine, late)
        excluded = engine.reads.failures.open()[0]
        carry_out(engine, Exclude(Target(ids=(other,)), "away"))
        assert "excluded" in refusal(engine, Escalate("tom", target=Target(ids=(other,))))
        assert excluded.device_id in (one, other)


def test_a_part_of_a_group_stays_with_its_devices(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        ids = engine.reads.failures.groups()[0].device_ids[:2]
        carry_out(engine, Escalate("ngozi", group="0x800F0922", target=Target(ids=ids)))
        (escalation,) = engine.reads.failures.escalations()
        assert (escalation.code, escalation.devices) == (None, 2)


def test_an_escalation_is_undone_and_then_never_was_an_action(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        (device,) = ready(engine, 1, "Broad")
        fail(engine, [device.id])
        carry_out(engine, Escalate("ngozi", target=on(device)))
        (escalation,) = engine.reads.failures.escalations()
        assert engine.reads.failures.of_device(device.id)[0].times.acted_at is not None
        plan = engine.plan(EndEscalation(escalation.id, EscalationEnd.TAKEN_BACK, "wrong person"))
        assert plan.command == f"hotpatch end-escalation {escalation.id} --taken-back --reason 'wrong person'"
        engine.carry_out(plan)
        assert engine.reads.failures.escalations() == ()
        assert engine.reads.failures.of_device(device.id)[0].times.acted_at is None
        assert engine.reads.failures.escalations(open_only=False)[0].outcome == "taken-back"
        assert "mia has ended it" in refusal(engine, EndEscalation(escalation.id))
        with pytest.raises(NotFound, match="no escalation 99"):
            engine.plan(EndEscalation(99))


async def test_an_escalation_ends_by_itself_when_the_last_device_is_put_right(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        one, other = ready(engine, 2, "Broad")
        fail(engine, [one.id, other.id])
        carry_out(engine, Escalate("ngozi", group="0x800F0831"))
        with engine.reads.store.transaction():
            engine.reads.store.installs.close_failures(one.id)
        await engine.run_due()
        (escalation,) = engine.reads.failures.escalations()
        assert escalation.open_devices == 1
        with engine.reads.store.transaction():
            engine.reads.store.installs.close_failures(other.id)
        await engine.run_due()
        assert engine.reads.failures.escalations() == ()
        ended = engine.reads.activity.audit()[0]
        assert (ended.action, ended.actor, ended.devices) == ("end-escalation", "engine", 2)


# --- known problems -----------------------------------------------------------------------------------


async def test_a_known_problem_with_a_hold_keeps_the_release_from_matching_devices(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        devices = ready(engine, 4)
        model = devices[0].model
        fail(engine, [row.id for row in ready(engine, 2, "Broad")])
        matching = [row for row in ready(engine, 4) if row.model == model]
        approve(engine, "Test")
        carry_out(engine, Apply(MAY, on(matching[0])))
        intent = MarkKnownProblem(
            "Graphics driver dies", group="0x800F0831", filter=f'model="{model}"', hold=True, note="update the driver"
        )
        plan = engine.plan(intent)
        concerned = [
            row
            for row in engine.reads.devices.each(DeviceQuery(f'model="{model}"'))
            if row.platform in CLIENTS and row.build is not None and row.build < OsBuild(row.build.number, 8390)
        ]
        assert plan.devices == len(concerned)
        assert any("1 install will be cancelled" in step for step in plan.steps)
        assert "--hold" in plan.command
        engine.carry_out(plan)
        (problem,) = engine.reads.failures.known_problems()
        assert (problem.kb, problem.holds, problem.group_key) == (MAY, True, "component-store/0x800F0831")
        assert engine.reads.failures.views()[0].known_problems == (problem,)
        (hold,) = engine.reads.rollout.safeguards()
        assert hold.reason == f"known problem {problem.id}: Graphics driver dies"
        blocked = engine.plan(Apply(MAY, on(matching[0])))
        assert blocked.refusal is not None
        assert "safeguard hold" in blocked.refusal.why
        assert any("Graphics driver dies" in each for each in engine.reads.devices.detail(matching[0].id).holds)
        await engine.run_until_idle(until=engine.now() + DAY)
        for row in matching:
            tried = [each for each in engine.reads.devices.detail(row.id).installs if each.kb == MAY]
            assert all(each.state is InstallState.CANCELLED for each in tried)
        others = [row for row in devices if row.model != model]
        assert all(engine.reads.devices.detail(row.id).installs[0].kb == MAY for row in others)


def test_a_known_problem_becomes_a_hold_later_and_both_are_lifted(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        carry_out(engine, MarkKnownProblem("Licensing folder", group="0x800F0922"))
        (problem,) = engine.reads.failures.known_problems()
        assert (problem.kb, problem.holds) == (APRIL, False)
        assert engine.reads.rollout.safeguards() == ()
        plan = engine.plan(HoldForProblem(problem.id))
        assert "withheld from every device" in plan.warnings[0]
        engine.carry_out(plan)
        assert engine.reads.failures.known_problems()[0].holds
        assert "already" in refusal(engine, HoldForProblem(problem.id))
        carry_out(engine, LiftKnownProblem(problem.id, only_hold=True))
        assert (engine.reads.rollout.safeguards(), engine.reads.failures.known_problems()[0].holds) == ((), False)
        assert "holds no release back" in refusal(engine, LiftKnownProblem(problem.id, only_hold=True))
        carry_out(engine, HoldForProblem(problem.id))
        carry_out(engine, LiftHold(engine.reads.rollout.safeguards()[0].id))
        assert not engine.reads.failures.known_problems()[0].holds, (
            "a hold that is lifted by itself is none of the problem's"
        )
        carry_out(engine, LiftKnownProblem(problem.id, "the vendor has shipped a fix"))
        assert engine.reads.failures.known_problems() == ()
        assert engine.reads.failures.views()[0].known_problems == ()
        with pytest.raises(NotFound):
            engine.plan(LiftKnownProblem(problem.id))
        assert [row.action for row in engine.reads.activity.audit(4)] == [
            "lift-known-problem",
            "lift-hold",
            "hold-for-problem",
            "lift-known-problem",
        ]


def test_marking_is_refused_with_a_reason(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        assert "needs a title" in refusal(engine, MarkKnownProblem(" ", group="0x800F0922"))
        assert "Neither failures nor a release" in refusal(engine, MarkKnownProblem("Something"))
        carry_out(engine, MarkKnownProblem("Something", kb=MAY))
        assert "has marked it before" in refusal(engine, MarkKnownProblem("something ", kb=MAY))
        (problem,) = engine.reads.failures.known_problems()
        assert (problem.code, problem.kb) == (None, MAY)
        with pytest.raises(NotFound):
            engine.plan(MarkKnownProblem("x", kb=1234567))


# --- policy, audit, commands --------------------------------------------------------------------------

EVERY: tuple[FailureIntent, ...] = (
    Exclude(Target(ids=(1,)), "x"),
    Readmit(Target(ids=(1,))),
    TakeBack(Target(ids=(1,))),
    Escalate("ngozi", target=Target(ids=(1,))),
    EndEscalation(1),
    MarkKnownProblem("x", kb=MAY),
    HoldForProblem(1),
    LiftKnownProblem(1),
)


def test_the_help_desk_may_retry_and_escalate_and_no_more(demo_state: Path) -> None:
    with opened(demo_state, role=Role.HELP_DESK) as engine:
        allowed = {type(each) for each in EVERY if engine.may(type(each)) is None}
        assert allowed == {TakeBack, Escalate, EndEscalation}
        carry_out(engine, Escalate("ngozi", group="0x800F0922"))
        device = engine.reads.failures.open()[0].device_id
        plan = engine.plan(Exclude(Target(ids=(device,)), "because"))
        assert plan.refusal is not None
        assert "Your role is help-desk; this needs operator." in plan.refusal.why
    with opened(demo_state, role=Role.VIEWER) as engine:
        assert all(engine.may(type(each)) is not None for each in EVERY)
    with opened(demo_state, read_only=True) as engine:
        assert all("read-only" in engine.may(type(each)).why for each in EVERY)  # type: ignore[union-attr]


def test_every_change_is_in_the_audit_with_its_command_and_the_chain_holds(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        device = engine.reads.failures.open()[0].device_id
        carry_out(engine, Escalate("ngozi", group="0x800F0922"))
        carry_out(engine, EndEscalation(1))
        carry_out(engine, MarkKnownProblem("x", kb=MAY, hold=True))
        carry_out(engine, LiftKnownProblem(1))
        carry_out(engine, Exclude(Target(ids=(device,)), "x"))
        carry_out(engine, Readmit(Target(ids=(device,))))
        rows = list(reversed(engine.reads.activity.audit(6)))
        assert [row.action for row in rows] == [
            "escalate",
            "end-escalation",
            "mark-known-problem",
            "lift-known-problem",
            "exclude",
            "readmit",
        ]
        assert all(str(row.details["command"]).startswith("hotpatch ") for row in rows)
        assert all(row.origin == "jump01 test" for row in rows)
        assert engine.reads.store.audit.verify() is None
