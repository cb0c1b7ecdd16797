"""Triage: groups of failures, retries and service levels."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from itertools import product
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.causes import Cause, RetryWorth
from engine.model.errors import BadInput
from engine.model.model import Severity
from engine.rules.failures import (
    DEFAULT_TARGETS,
    RETRY_LIMITS,
    BaseRates,
    FailedInstall,
    FailureTimes,
    SlaStage,
    SlaState,
    SlaTarget,
    SlaTargets,
    base_rates,
    due_at,
    group_failures,
    judge,
    retry_decision,
    severity_for,
    sla_state,
    sum_spans,
    summarise_causes,
    summarise_sla,
)
from engine.rules.failures.sla import SlaSpan
from tests.engine.triage_fleet import DAY, HOUR, NOW, failures_of, fleet_of, having

# --- groups ---------------------------------------------------------------------------------------------


def test_groups_go_by_cause_then_code() -> None:
    fleet, base = fleet_of(1)
    failures = [
        *failures_of(fleet[:10], 0x80070070, 0),
        *failures_of(fleet[10:22], 0x800F0831, 100),
        *failures_of(fleet[22:25], 0x80073712, 200),
        *failures_of(fleet[25:29], -2145107951, 300),
    ]
    groups = group_failures(failures, base)
    assert [(group.cause, group.symbol, group.devices) for group in groups] == [
        (Cause.COMPONENT_STORE, "CBS_E_STORE_CORRUPTION", 12),
        (Cause.COMPONENT_STORE, "ERROR_SXS_COMPONENT_STORE_CORRUPT", 3),
        (Cause.DISK_SPACE, "ERROR_DISK_FULL", 10),
        (Cause.POLICY, "WU_E_PT_SUS_SERVER_NOT_SET", 4),
    ]
    first = groups[0]
    assert first.key == "component-store/0x800F0831"
    assert first.retry is RetryWorth.AFTER_FIX
    assert first.retry_after == "the repair"
    assert first.remedy
    assert first.kbs == (5089466,)
    assert first.device_ids == first.install_ids == tuple(range(100, 112))
    assert first.sample == tuple(f"LON-LT-{n:04}" for n in range(100, 105))
    assert (first.first_failed_at, first.last_failed_at) == (NOW - 11 * HOUR, NOW)
    assert sum(group.devices for group in groups) == 29


def test_a_device_counts_once_with_its_latest_traits() -> None:
    old, new = {"site": "Leeds"}, {"site": "Pune"}
    base = BaseRates(1000, {"site": {"Leeds": 20, "Pune": 20}})
    failures = [
        FailedInstall(n, n % 10, f"D{n % 10}", 5089466, 0x80070020, NOW + n * HOUR, n, old if n < 10 else new)
        for n in range(20)
    ]
    (group,) = group_failures(reversed(failures), base)
    assert (group.devices, len(group.install_ids), group.attempts) == (10, 20, 19)
    assert [factor.value for factor in group.common] == ["site Pune"]


def test_an_unknown_code_is_a_group_too() -> None:
    fleet, base = fleet_of(1)
    (group,) = group_failures(failures_of(fleet[:2], 0x80244ABC), base)
    assert (group.cause, group.known, group.symbol) == (Cause.NETWORK, False, "")
    assert group_failures([], base) == ()


def test_without_base_rates_nothing_is_said_to_be_shared() -> None:
    fleet, _ = fleet_of(1)
    (group,) = group_failures(failures_of(having(fleet, site="Pune")), None)
    assert group.common == ()


def test_each_group_is_held_against_those_who_attempted_its_releases() -> None:
    fleet, everybody = fleet_of(1)
    early = having(fleet, ring="First")
    failures = failures_of(early[:20])
    asked: list[dict[int, int]] = []

    def attempted(failed: Mapping[int, int]) -> BaseRates | None:
        asked.append(dict(failed))
        return base_rates(early)

    (against_fleet,) = group_failures(failures, everybody)
    assert ("ring", "First") in against_fleet.common[0].parts, "only that ring has been offered the release"
    (against_attempts,) = group_failures(failures, attempted)
    assert against_attempts.common == ()
    assert group_failures(failures[:5], attempted)[0].common == ()
    assert asked == [{5089466: 20}], "a group that is too small to be judged costs no count"
    assert group_failures(failures, lambda failed: None)[0].common == ()


def test_a_cause_shows_what_no_single_code_can() -> None:
    fleet, base = fleet_of(6)
    codes = [0x80073712, 0x800F0831, 0x800F081F, 0x80070570, 0x80073701, 0x800F0986]
    devices = having(fleet, model="Latitude 7450")[:24]
    failures = [
        failure for n, code in enumerate(codes) for failure in failures_of(devices[n::6], code, n * 100)
    ] + failures_of(fleet[:2], 0x80070070, 5000)
    assert not any(group.common for group in group_failures(failures, base)), "four devices a code"
    store, disk = summarise_causes(failures, base)
    assert (store.cause, store.devices, store.installs) == (Cause.COMPONENT_STORE, 24, 24)
    assert set(store.codes) == set(codes)
    assert ("model", "Latitude 7450") in store.common[0].parts
    assert (disk.cause, disk.devices, disk.common) == (Cause.DISK_SPACE, 2, ())


def test_ten_thousand_failures_in_a_million_devices_are_quick() -> None:
    fleet, _ = fleet_of(7, 12_000)
    asked: list[object] = []
    counts = {
        trait: {value: count * 83 for value, count in values.items()}
        for trait, values in fleet_of(7, 12_000)[1].values.items()
    }
    joint = fleet_of(7, 12_000)[1].together
    assert joint is not None

    def together(one: tuple[str, str], other: tuple[str, str]) -> int:
        asked.append((one, other))
        return joint(one, other) * 83

    base = BaseRates(1_000_000, counts, together)
    guilty = having(fleet, driver="Intel Graphics 31.0.101", site="London")
    devices = [*guilty, *fleet[: 10_000 - len(guilty)]]
    failures = failures_of(devices)
    start = process_time()
    (group,) = group_failures(failures, base)
    assert process_time() - start < 3.0
    assert group.devices == 10_000
    assert set(group.common[0].parts) == {("driver", "Intel Graphics 31.0.101"), ("site", "London")}
    assert len(asked) <= 150, "each is a query over a million rows"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_whole_screen_of_random_groups_stays_quiet(seed: int) -> None:
    fleet, base = fleet_of(seed % 6)
    dice = random.Random(seed)
    codes = dice.sample([0x80070020, 0x80070070, 0x8024402C, 0x800F0831, 0x80070643, 0xC00000BB], 4)
    failures = [
        failure
        for n, code in enumerate(codes)
        for failure in failures_of(dice.sample(fleet, dice.randint(1, 60)), code, 10_000 * n)
    ]
    named = [factor for group in group_failures(failures, base) for factor in group.common]
    assert len(named) <= 1
    for factor in named:
        assert factor.p_value <= 0.01


# --- retries --------------------------------------------------------------------------------------------


def test_a_network_failure_is_retried_with_growing_waits_up_to_a_limit() -> None:
    code = 0x80072EE2
    for attempts, wait in ((1, 1), (2, 2), (3, 4), (4, 8)):
        early = retry_decision(code, attempts, NOW, NOW + wait * HOUR - timedelta(seconds=1))
        assert not early.allowed
        assert early.not_before == NOW + wait * HOUR
        assert retry_decision(code, attempts, NOW, NOW + wait * HOUR).allowed
    over = retry_decision(code, RETRY_LIMITS[RetryWorth.YES], NOW, NOW + 30 * DAY)
    assert (over.allowed, over.not_before) == (False, None)
    assert "Escalate" in over.why


def test_what_needs_a_repair_is_not_repeated_before_it() -> None:
    decision = retry_decision(0x80070070, 1, NOW - DAY, NOW)
    assert (decision.allowed, decision.not_before, decision.needs) == (False, None, "the clean-up")
    assert "20 GB" in decision.why
    by_hand = retry_decision(0x80070070, 1, NOW - DAY, NOW, repaired=True)
    assert by_hand.allowed
    assert by_hand.why == "Try 2 of 3."
    assert not retry_decision(0x80070070, 3, NOW - DAY, NOW, repaired=True).allowed


def test_what_would_end_the_same_is_never_retried() -> None:
    for repaired in (False, True):
        decision = retry_decision(0x800F081E, 1, NOW - 30 * DAY, NOW, repaired=repaired)
        assert (decision.allowed, decision.not_before) == (False, None)
        assert decision.why.startswith("It would end the same.")


def test_a_failure_dated_into_the_future_does_not_block_for_ever() -> None:
    decision = retry_decision(0x80072EE2, 1, NOW + 400 * DAY, NOW)
    assert decision.not_before == NOW + HOUR


@given(
    code=st.integers(-(2**31), 2**32 - 1) | st.sampled_from([0x80072EE2, 0x80070070, 0x800F081E, 0x80240009]),
    attempts=st.integers(-1, 2000),
    ago=st.timedeltas(min_value=-DAY, max_value=60 * DAY),
    repaired=st.booleans(),
)
@settings(max_examples=300)
def test_a_retry_decision_never_contradicts_itself(code: int, attempts: int, ago: timedelta, repaired: bool) -> None:
    decision = retry_decision(code, attempts, NOW - ago, NOW, repaired=repaired)
    assert decision.why
    assert not (decision.allowed and attempts >= 5)
    assert not (decision.allowed and decision.needs)
    if decision.allowed:
        assert decision.not_before is not None
        assert decision.not_before <= NOW
    elif decision.not_before is not None:
        assert NOW < decision.not_before <= NOW + DAY
        later = retry_decision(code, attempts, NOW - ago, decision.not_before, repaired=repaired)
        assert later.allowed or ago < timedelta(0)


# --- service levels -------------------------------------------------------------------------------------


def test_due_times_go_by_severity_and_ring() -> None:
    times = FailureTimes(NOW, detected_at=NOW + 2 * HOUR)
    assert due_at(SlaStage.DETECT, times, Severity.CRITICAL) == NOW + DAY
    assert due_at(SlaStage.ACT, times, Severity.CRITICAL) == NOW + 6 * HOUR
    assert due_at(SlaStage.ACT, times, Severity.CRITICAL, "FIRST ") == NOW + 4 * HOUR
    assert due_at(SlaStage.FIX, times, Severity.CRITICAL, "First") == NOW + 26 * HOUR
    assert due_at(SlaStage.FIX, times, Severity.IMPORTANT, "Broad") == NOW + 5 * DAY + 2 * HOUR
    assert due_at(SlaStage.FIX, times, Severity.LOW, "no such ring") == NOW + 21 * DAY + 2 * HOUR
    assert due_at(SlaStage.FIX, times, Severity.UNRATED) == due_at(SlaStage.FIX, times, Severity.IMPORTANT)


def test_what_is_exploited_is_critical() -> None:
    assert severity_for(Severity.LOW, exploited=True) is Severity.CRITICAL
    assert severity_for(Severity.LOW, exploited=False) is Severity.LOW


def test_a_stage_is_ok_then_due_soon_then_overdue() -> None:
    due = NOW + 4 * HOUR
    assert sla_state(NOW, due, NOW) is SlaState.OK
    assert sla_state(NOW, due, NOW + 3 * HOUR) is SlaState.OK
    assert sla_state(NOW, due, NOW + 3 * HOUR + timedelta(seconds=1)) is SlaState.DUE_SOON
    assert sla_state(NOW, due, due) is SlaState.DUE_SOON
    assert sla_state(NOW, due, due + timedelta(seconds=1)) is SlaState.OVERDUE
    assert sla_state(NOW, due, due + 9 * DAY, done_at=due) is SlaState.OK
    assert sla_state(NOW, due, due + 9 * DAY, done_at=due + HOUR) is SlaState.OVERDUE


def test_a_failure_is_judged_by_its_next_open_stage() -> None:
    fresh = judge(FailureTimes(NOW), Severity.CRITICAL, "Broad", NOW + HOUR)
    assert (fresh.stage, fresh.state, fresh.missed) == (SlaStage.DETECT, SlaState.OK, ())
    seen = FailureTimes(NOW, detected_at=NOW + HOUR)
    waiting = judge(seen, Severity.CRITICAL, "Broad", NOW + 4.5 * HOUR)
    assert (waiting.stage, waiting.state, waiting.due_at) == (SlaStage.ACT, SlaState.DUE_SOON, NOW + 5 * HOUR)
    late = judge(seen, Severity.CRITICAL, "Broad", NOW + 6 * HOUR)
    assert (late.state, late.missed) == (SlaState.OVERDUE, (SlaStage.ACT,))
    acted = FailureTimes(NOW, NOW + HOUR, acted_at=NOW + 6 * HOUR)
    repairing = judge(acted, Severity.CRITICAL, "Broad", NOW + 7 * HOUR)
    assert (repairing.stage, repairing.state, repairing.missed) == (SlaStage.FIX, SlaState.OK, (SlaStage.ACT,))


@pytest.mark.parametrize(("late", "missed"), [(timedelta(0), False), (timedelta(seconds=1), True)])
def test_a_stage_that_is_done_when_it_is_due_is_not_missed(late: timedelta, missed: bool) -> None:
    """A critical release's failure is to be known within a day; the last second of it still counts."""
    unseen = judge(FailureTimes(NOW), Severity.CRITICAL, "Broad", NOW + DAY + late)
    seen = judge(FailureTimes(NOW, detected_at=NOW + DAY + late), Severity.CRITICAL, "Broad", NOW + DAY + 2 * HOUR)
    assert (unseen.stage, seen.stage) == (SlaStage.DETECT, SlaStage.ACT)
    assert [SlaStage.DETECT in each.missed for each in (unseen, seen)] == [missed, missed]


@pytest.mark.parametrize(("late", "missed"), [(timedelta(0), False), (timedelta(seconds=1), True)])
def test_the_last_second_counts_for_acting_and_fixing_too(late: timedelta, missed: bool) -> None:
    done = FailureTimes(NOW, NOW, acted_at=NOW + 4 * HOUR + late, fixed_at=NOW + DAY + late)
    for times, now in ((done, NOW + 9 * DAY), (FailureTimes(NOW, NOW), NOW + 4 * HOUR + late)):
        assert (SlaStage.ACT in judge(times, Severity.CRITICAL, "Broad", now).missed) is missed
    for times, now in ((done, NOW + 9 * DAY), (FailureTimes(NOW, NOW, NOW), NOW + DAY + late)):
        assert (SlaStage.FIX in judge(times, Severity.CRITICAL, "Broad", now).missed) is missed


def test_a_fix_closes_every_stage() -> None:
    times = FailureTimes(NOW, fixed_at=NOW + 2 * HOUR)
    sla = judge(times, Severity.CRITICAL, "Broad", NOW + 30 * DAY)
    assert (sla.stage, sla.state, sla.missed) == (SlaStage.FIX, SlaState.OK, ())


def test_a_fix_cannot_be_overdue_unseen_behind_an_early_stage() -> None:
    times = FailureTimes(NOW, detected_at=NOW)
    sla = judge(times, Severity.CRITICAL, "Broad", NOW + 2 * DAY)
    assert sla.missed == (SlaStage.ACT, SlaStage.FIX)


def test_the_overview_counts_and_measures() -> None:
    rows = [
        (FailureTimes(NOW, NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR), Severity.CRITICAL, "Broad"),
        (FailureTimes(NOW, NOW + 3 * HOUR, NOW + 30 * HOUR), Severity.CRITICAL, "Broad"),
        (FailureTimes(NOW + 44 * HOUR, NOW + 45 * HOUR), Severity.CRITICAL, "Broad"),
        (FailureTimes(NOW + 47 * HOUR), Severity.LOW, "Last"),
    ]
    summary = summarise_sla(rows, NOW + 48.5 * HOUR)
    assert (summary.open, summary.due_soon, summary.overdue) == (3, 1, 1)
    assert summary.missed == {SlaStage.DETECT: 0, SlaStage.ACT: 1, SlaStage.FIX: 1}
    assert summary.typical[SlaStage.DETECT] == HOUR
    assert summary.typical[SlaStage.ACT] == 14 * HOUR
    assert summary.typical[SlaStage.FIX] == 2 * HOUR
    assert summarise_sla([], NOW).typical == dict.fromkeys(SlaStage)


def span(*hours: int | None, allowed: tuple[int, int, int] = (24, 4, 24)) -> SlaSpan:
    """A failure of that many hours after `NOW`, as bare numbers; by default with a critical release's time."""
    failed, detected, acted, fixed = (
        None if hour is None else int((NOW + hour * HOUR).timestamp()) for hour in (0, *hours)
    )
    assert failed is not None
    assert detected is not None
    detect, act, fix = (3_600.0 * each for each in allowed)
    return failed, detected, acted, fixed, (detect, act, fix)


@pytest.mark.parametrize("now", [1, 3, 4, 5, 18, 19, 24, 25, 60])
def test_bare_numbers_are_judged_like_moments(now: int) -> None:
    """At, before and after each limit, reached or not, in any order."""
    at = NOW + now * HOUR
    for hours in product((0, 1, 24, 25), (None, 0, 1, 4, 5, 30), (None, 0, 2, 24, 26, 50)):
        times = FailureTimes(NOW, *(None if hour is None else NOW + hour * HOUR for hour in hours))
        found = sum_spans([(span(*hours), 1)], at, DEFAULT_TARGETS.due_soon_share)
        told = summarise_sla([(times, Severity.CRITICAL, "Broad")], at)
        assert found is not None
        counts = (told.open, told.due_soon, told.overdue, told.missed)
        assert (found.open, found.due_soon, found.overdue, found.missed) == counts, hours
        assert found.due_at == (judge(times, Severity.CRITICAL, "Broad", at).due_at if told.open else at), hours


def test_the_due_time_of_many_is_that_of_the_most_urgent() -> None:
    overdue, later_overdue = span(0, None, None), span(1, None, None)
    soon, later_soon = (span(0, None, None, allowed=(24, act, 48)) for act in (11, 12))
    fine, later_fine = (span(0, None, None, allowed=(24, act, 48)) for act in (40, 41))

    def due_in(*spans: SlaSpan) -> float:
        found = sum_spans(((each, 2) for each in spans), NOW + 10 * HOUR, 0.25)
        assert found is not None
        return (found.due_at - NOW) / HOUR

    assert due_in(later_fine, fine) == 40
    assert due_in(fine, later_soon, soon) == 11
    assert due_in(fine, soon, later_overdue, overdue) == 4
    assert sum_spans([], NOW, 0.25) is None


def test_targets_can_be_set_and_must_fit_together() -> None:
    own = SlaTargets(severities={Severity.LOW: SlaTarget(HOUR, HOUR, 2 * HOUR)}, act_pace={"vip": 0.5})
    times = FailureTimes(NOW, NOW)
    assert due_at(SlaStage.ACT, times, Severity.LOW, "VIP", own) == NOW + HOUR / 2
    assert due_at(SlaStage.FIX, times, Severity.CRITICAL, "", own) == NOW + DAY, "the rest keeps its defaults"
    slow = SlaTargets(act_pace={"last": 100.0}).target(Severity.CRITICAL, "Last")
    assert slow.act == slow.fix
    for wrong in ((HOUR, 2 * HOUR, HOUR), (HOUR, timedelta(0), HOUR), (timedelta(0), HOUR, HOUR)):
        with pytest.raises(BadInput, match="do not fit together"):
            SlaTarget(*wrong)


@given(
    severity=st.sampled_from(list(Severity)),
    ring=st.sampled_from(["Test", "First", "Broad", "", "Odd"]),
    hours=st.lists(st.none() | st.integers(0, 900), min_size=3, max_size=3),
    now=st.integers(0, 1500),
)
@settings(max_examples=200)
def test_an_open_failure_only_gets_worse(severity: Severity, ring: str, hours: list[int | None], now: int) -> None:
    moments = [None if hour is None else NOW + hour * HOUR for hour in hours]
    times = FailureTimes(NOW, *moments)
    rank = list(SlaState)
    before = judge(times, severity, ring, NOW + now * HOUR)
    after = judge(times, severity, ring, NOW + (now + 24) * HOUR)
    assert rank.index(after.state) >= rank.index(before.state)
    assert set(before.missed) <= set(after.missed)
    assert (before.state is SlaState.OVERDUE) is (before.stage in before.missed)
    assert DEFAULT_TARGETS.target(severity, ring).act <= DEFAULT_TARGETS.target(severity, ring).fix
