"""Service levels from stored times: when a failure was noticed, first acted on, put right; and what is overdue."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import Engine
from engine.model.errors import BadInput, NotFound
from engine.model.intents import Escalate, Exclude, MarkKnownProblem, Retry, Target
from engine.model.model import DeviceState, Severity
from engine.model.records.fleet import DeviceQuery, Urgency
from engine.rules.failures import FailureCase, SlaStage, SlaState, SlaSum, SlaTargets, group_sla
from engine.situation.failures import Failures
from tests.engine.failure_states import (
    APRIL,
    CLIENTS,
    MAY,
    carry_out,
    fail,
    forget_failures,
    opened,
    succeed,
)

HOUR = timedelta(hours=1)
CODE = 0x800F0831


def some(engine: Engine, count: int, filter_text: str = "ring:broad") -> list[int]:
    rows = engine.reads.devices.each(DeviceQuery(filter_text))
    return [row.id for row in rows if row.platform in CLIENTS][:count]


def only_case(engine: Engine) -> FailureCase:
    (case,) = engine.reads.failures.cases()
    return case


def step(engine: Engine, by: timedelta) -> datetime:
    assert engine.demo is not None
    engine.demo.step(by)
    return engine.now()


def test_a_case_reaches_from_the_first_failed_attempt_to_the_latest(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        (device,) = some(engine, 1)
        first = engine.now() - 30 * HOUR
        fail(engine, [device], at=first, is_open=False)
        fail(engine, [device], at=first + 4 * HOUR, attempt=2, by="mia")
        case = only_case(engine)
        assert (case.kb, case.code, case.attempts, case.ring) == (MAY, CODE, 2, "Broad")
        assert case.failed_at == first + 4 * HOUR
        assert case.times.failed_at == case.times.detected_at == first
        assert case.times.acted_at == first + 4 * HOUR - timedelta(minutes=10), "a person asked for the second attempt"
        assert case.times.fixed_at is None
        assert engine.reads.failures.of_device(device) == (case,)


def test_a_success_between_begins_a_new_case(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        (device,) = some(engine, 1)
        long_ago = engine.now() - 200 * HOUR
        fail(engine, [device], at=long_ago, is_open=False)
        succeed(engine, [device], at=long_ago + HOUR)
        fail(engine, [device], at=engine.now() - HOUR, attempt=2)
        assert only_case(engine).times.failed_at == engine.now() - HOUR


def test_the_engines_own_second_attempt_is_no_action(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        (device,) = some(engine, 1)
        fail(engine, [device], at=engine.now() - 5 * HOUR, is_open=False)
        fail(engine, [device], at=engine.now() - HOUR, attempt=2)
        assert only_case(engine).times.acted_at is None


async def test_the_runner_keeps_when_a_failure_was_noticed_and_closes_the_one_before(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        (device,) = some(engine, 1, "ring:test readiness:ready")
        fail(engine, [device], at=engine.now() - 2 * HOUR)
        store = engine.reads.store
        fail(engine, [device], at=engine.now() - HOUR, attempt=2)
        latest = engine.reads.devices.detail(device).installs[0].id
        with store.transaction():
            store.installs.note_failures([latest], engine.now())
        rows = store.connection.execute(
            "SELECT attempt, open_failure, detected_at FROM install WHERE device_id = ? AND kb = ? ORDER BY id",
            (device, MAY),
        ).fetchall()
        assert [tuple(row) for row in rows] == [(1, 0, None), (2, 1, int(engine.now().timestamp()))]
        again = engine.now() + HOUR
        with store.transaction():
            store.installs.note_failures([latest], again)
        case = only_case(engine)
        assert case.times.detected_at == engine.now() - 2 * HOUR, "the first failure is what was noticed first"


def test_severity_follows_the_release_and_what_is_exploited(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        one, other = some(engine, 2)
        fail(engine, [one], kb=APRIL)
        fail(engine, [other], kb=MAY)
        rows = {kb: engine.reads.releases.of_kb(kb)[0] for kb in (APRIL, MAY)}
        for case in engine.reads.failures.cases():
            row = rows[case.kb]
            assert case.severity == (Severity.CRITICAL if row.exploited else Severity(row.worst))


def test_stages_follow_each_other_and_an_exclusion_ends_the_case(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        (device,) = some(engine, 1)
        fail(engine, [device])
        sla = only_case(engine).sla(engine.now())
        assert (sla.stage, sla.state) == (SlaStage.ACT, SlaState.OK)
        now = step(engine, sla.due_at - engine.now() + HOUR)
        assert only_case(engine).sla(now).state is SlaState.OVERDUE
        carry_out(engine, Escalate("ngozi", target=Target(ids=(device,))))
        acted = only_case(engine)
        assert acted.times.acted_at == now
        assert acted.sla(now).stage is SlaStage.FIX
        assert acted.sla(now).missed == (SlaStage.ACT,)
        carry_out(engine, Exclude(Target(ids=(device,)), "hardware is being replaced", MAY))
        fixed = only_case(engine)
        assert fixed.is_excluded
        assert fixed.times.fixed_at == now
        assert group_sla([fixed], now).overdue == 0  # type: ignore[union-attr]


def test_marking_or_escalating_a_group_counts_for_failures_that_come_later(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        one, other, third = some(engine, 3)
        fail(engine, [one])
        carry_out(engine, Escalate("ngozi", group="0x800F0831"))
        later = step(engine, 5 * HOUR)
        fail(engine, [other], at=later)
        fail(engine, [third], at=later, code=0x80070070)
        acted = {case.device_id: case.times.acted_at for case in engine.reads.failures.cases()}
        assert acted == {one: later - 5 * HOUR, other: later, third: None}
        carry_out(engine, MarkKnownProblem("Disk full on old images", group="0x80070070"))
        assert {case.times.acted_at for case in engine.reads.failures.of_device(third)} == {later}


def test_the_overview_tells_what_is_overdue_and_what_soon_is(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        assert [each for each in engine.reads.attention() if each.screen == "failures"] == []
        fail(engine, some(engine, 3))
        due = engine.reads.failures.views()[0].sla.due_at
        assert not [each for each in engine.reads.attention() if "service level" in each.text or "due" in each.text]
        step(engine, due - engine.now() - timedelta(minutes=20))
        (soon,) = [each for each in engine.reads.attention() if "due soon" in each.text]
        assert (soon.urgency, soon.filter) == (Urgency.TODAY, "state:failed")
        step(engine, HOUR)
        (overdue,) = [each for each in engine.reads.attention() if "service level" in each.text]
        assert overdue.urgency is Urgency.NOW
        assert overdue.text.startswith("3 failed installs past the service level, the worst since 13 May")
        view = engine.reads.failures.views()[0]
        assert (view.sla.state, view.sla.overdue, view.sla.missed[SlaStage.ACT]) == (SlaState.OVERDUE, 3, 3)


def test_the_overview_judges_as_the_failures_one_by_one_are_judged(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        store = engine.reads.store

        def agree() -> None:
            failures = Failures(store, engine.now())
            told, found = failures.overall(), group_sla(failures.cases(), engine.now(), failures.targets)
            assert told is not None
            assert found is not None
            assert told == SlaSum(found.due_at, found.open, found.due_soon, found.overdue, found.missed)

        first, second, third, *_ = (each.device_id for each in engine.reads.failures.open())
        fail(engine, some(engine, 20))
        for minutes in (0, 11, 200, 300, 1_440, 3_000, 10_000):
            step(engine, timedelta(minutes=minutes))
            agree()
        carry_out(engine, Escalate("ngozi", target=Target(ids=(first,))))
        agree()
        carry_out(engine, Exclude(target=Target(ids=(second,)), reason="printer"))
        agree()
        carry_out(engine, MarkKnownProblem("Disk full", group=engine.reads.failures.views()[0].key))
        agree()
        with store.transaction():
            store.connection.execute("UPDATE device SET ring_id = 1 WHERE id = ?", (third,))
        agree()


@pytest.mark.parametrize("seed", range(6))
def test_many_failures_are_judged_together_as_they_are_one_by_one(demo_state: Path, seed: int) -> None:
    draw = random.Random(seed)
    with opened(demo_state) as engine:
        forget_failures(engine)
        store = engine.reads.store
        targets = SlaTargets(act_pace={"test": 0.5, "broad": 1.5}, due_soon_share=draw.choice((0.0, 0.25, 1.0)))
        store.sla_targets = targets
        for device in some(engine, 60, draw.choice(("", "ring:broad"))):
            begun = engine.now() - timedelta(seconds=draw.choice((0, 3_600, 14_400, 86_400, draw.randrange(3_000_000))))
            kb = draw.choice((MAY, APRIL))
            again = draw.random() < 0.6
            fail(engine, [device], kb=kb, at=begun, is_open=not again)
            if again:
                fail(engine, [device], kb=kb, at=begun + draw.randrange(50) * HOUR, attempt=2, by="mia")
        with store.transaction():  # some were noticed late, and some before they had been told
            rows = store.connection.execute("SELECT id, finished_at FROM install WHERE state = 'failed'").fetchall()
            for row in draw.sample(rows, 40):
                at = row["finished_at"] + draw.choice((-30_000, 0, 86_400, 86_401, 300_000, 500_000))
                store.connection.execute("UPDATE install SET detected_at = ? WHERE id = ?", (at, row["id"]))
        for _ in range(6):
            failures = Failures(store, engine.now())
            told, found = failures.overall(), group_sla(failures.cases(), engine.now(), targets)
            assert told is not None
            assert found is not None
            assert told == SlaSum(found.due_at, found.open, found.due_soon, found.overdue, found.missed)
            step(engine, timedelta(seconds=draw.choice((1, 3_600, 14_400, 86_400, draw.randrange(400_000)))))


@pytest.mark.parametrize("other", [0x800F0831, 0x80073712, 0x80072EE2])
def test_the_overview_counts_a_device_once_a_cause(demo_state: Path, other: int) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        first, second, third = some(engine, 3)
        for failing in ([], [first], [second], [third]):  # one code each, then a second one
            fail(engine, failing, kb=MAY)
            fail(engine, failing[:1] if failing == [second] else [], kb=APRIL, code=other)
            found = {each.cause: each.devices for each in engine.reads.failures.standings(common=False)}
            assert found == {each.cause: each.devices for each in engine.reads.failures.causes()}
            assert found == {each.cause: each.devices for each in engine.reads.failures.standings()}


def test_summary_counts_what_was_put_right_with_its_times(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        with engine.reads.store.transaction():
            engine.reads.store.connection.execute("DELETE FROM install")
        one, other, third = some(engine, 3)
        start = engine.now() - 100 * HOUR
        for device, hours in ((one, 10), (other, 30)):
            fail(engine, [device], at=start, is_open=False)
            succeed(engine, [device], at=start + hours * HOUR)
        fail(engine, [third], at=engine.now() - HOUR)
        summary = engine.reads.failures.sla()
        assert (summary.open, summary.overdue) == (1, 0)
        assert summary.typical[SlaStage.FIX] == 20 * HOUR
        assert summary.typical[SlaStage.DETECT] == timedelta(0)
        assert summary.missed[SlaStage.FIX] == 1, "thirty hours are more than a day"


def test_groups_are_named_by_key_or_code_and_a_wrong_name_says_what_there_is(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        failures = Failures(engine.reads.store, engine.now())
        for name in ("component-store/0x800F0922", "0x800f0922", "-2146498270", "800F0922"):
            code, cases = failures.of_group(name)
            assert (code, len(cases)) == (0x800F0922, 11)
        with pytest.raises(NotFound, match="component-store/0x800F0922"):
            failures.of_group("0x80070005")
        with pytest.raises(BadInput, match="not a group"):
            failures.of_group("disk")
        forget_failures(engine)
        with pytest.raises(NotFound, match="Nothing has failed"):
            Failures(engine.reads.store, engine.now()).of_group("0x80070005")


def test_a_retry_is_judged_by_the_newest_failure_with_back_off_and_limit(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        waiting, spent, hopeless, fine = some(engine, 4, "ring:broad readiness:ready state:idle")
        fail(engine, [waiting], code=0x80240438, at=engine.now() - timedelta(minutes=5))
        for attempt in (1, 2, 3):
            fail(engine, [spent], at=engine.now() - (40 - attempt) * HOUR, attempt=attempt)
        fail(engine, [hopeless], code=0x80240017, at=engine.now() - 90 * HOUR)
        fail(engine, [fine], at=engine.now() - 90 * HOUR)
        plan = engine.plan(Retry(Target(ids=(waiting, spent, hopeless, fine))))
        reasons = {each.why: each for each in plan.left_out}
        assert any("3 is the limit" in why for why in reasons)
        assert any("would end the same" in why for why in reasons)
        assert any("has to wait" in why and "Retry after the back-off, in" in reasons[why].instead for why in reasons)
        assert all("hotpatch escalate" in each.instead or "back-off" in each.instead for each in plan.left_out)
        assert plan.device_ids == (fine,)
        assert engine.reads.devices.detail(fine).state is DeviceState.FAILED
