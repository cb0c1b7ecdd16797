from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Approval, Gate, Release, ReleaseKind, Ring
from engine.model.records.fleet import RingBefore
from engine.rules.rollout.gates import (
    ConditionState,
    RingCounts,
    RingFacts,
    count_ring,
    is_stopped,
    judge_gate,
    next_change_at,
    standings,
    valid_approval,
)

RELEASED = datetime(2026, 5, 12, 17, tzinfo=UTC)
NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)


def ring(position: int, *, deferral: int = 0, gate: Gate | None = None) -> Ring:
    return Ring(position, f"R{position}", position, deferral, 2, 2, 0, gate or Gate())


def approval(*rings: str, at: datetime = NOW, not_before: datetime | None = None) -> Approval:
    return Approval(1, 5089466, rings, "May", "mia", at, not_before)


def facts(
    of: Ring,
    counts: RingCounts,
    *,
    succeeded: int = 0,
    failed: int = 0,
    reached: datetime | None = None,
    opened: datetime | None = None,
    approved: Approval | None = None,
    stopped: str = "",
) -> RingFacts:
    return RingFacts(of, counts, succeeded, failed, reached, opened, approved, stopped)


def release(kind: ReleaseKind) -> Release:
    return Release(
        5089466,
        Platform.WIN11_24H2,
        kind,
        "2026-05",
        RELEASED,
        OsBuild(26100, 8390),
        (Architecture.X64,),
        False,
        "test",
    )


def test_the_first_ring_opens_when_its_deferral_has_passed() -> None:
    agreed = approval("R1")
    waiting = standings(RELEASED, [facts(ring(1, deferral=1), RingCounts(pending=4), approved=agreed)], NOW)
    assert waiting[0].opens_at == RELEASED + timedelta(days=1)
    assert waiting[0].waits_for == "deferral"
    assert next_change_at(waiting, NOW) == RELEASED + timedelta(days=1)
    later = standings(
        RELEASED, [facts(ring(1, deferral=1), RingCounts(pending=4), approved=agreed)], NOW + timedelta(days=1)
    )
    assert later[0].waits_for == ""


def test_an_approval_given_late_or_beginning_later_moves_the_opening() -> None:
    begins = NOW + timedelta(days=3)
    found = standings(
        RELEASED, [facts(ring(1), RingCounts(pending=4), approved=approval("R1", not_before=begins))], NOW
    )
    assert found[0].opens_at == begins
    assert found[0].waits_for == "its time"


def test_the_second_ring_waits_for_the_gate_of_the_first() -> None:
    agreed = approval("R1", "R2")
    open_one = facts(ring(1), RingCounts(installed=3, pending=7), succeeded=3, opened=NOW, approved=agreed)
    found = standings(RELEASED, [open_one, facts(ring(2), RingCounts(pending=50), approved=agreed)], NOW)
    assert found[1].waits_for.startswith("gate of ring R1: installed 30% (3 of 10)")
    assert found[1].behind == RingBefore("R1", "installed 30% (3 of 10), needs at least 80%")
    assert next_change_at(found, NOW) is None, "no time alone makes devices install"


def test_soaking_ends_by_time_alone_and_the_next_change_says_when() -> None:
    agreed = approval("R1", "R2")
    done = facts(ring(1), RingCounts(installed=10), succeeded=10, reached=NOW, opened=RELEASED, approved=agreed)
    waiting = [done, facts(ring(2), RingCounts(pending=50), approved=agreed)]
    found = standings(RELEASED, waiting, NOW + timedelta(hours=1))
    assert "soak 1 h" in found[1].waits_for
    assert next_change_at(found, NOW + timedelta(hours=1)) == NOW + timedelta(hours=24)
    assert standings(RELEASED, waiting, NOW + timedelta(hours=24))[1].waits_for == ""


def test_a_ring_nobody_approved_does_not_hold_up_the_next() -> None:
    found = standings(
        RELEASED,
        [facts(ring(1), RingCounts(pending=9)), facts(ring(2), RingCounts(pending=9), approved=approval("R2"))],
        NOW,
    )
    assert found[0].waits_for == "approval"
    assert found[1].waits_for == ""


def test_too_many_failures_fail_the_gate_only_with_a_sample() -> None:
    gate = Gate(min_sample=10, max_failed_share=0.1)
    few = judge_gate(facts(ring(1, gate=gate), RingCounts(failed=2, pending=8), succeeded=1, failed=2), NOW)
    assert few.failing is None
    many = judge_gate(facts(ring(1, gate=gate), RingCounts(failed=5, installed=5), succeeded=5, failed=5), NOW)
    assert many.failing is not None
    assert many.failing.value == "50% (5 of 10)"


def test_a_ring_without_a_device_to_offer_to_holds() -> None:
    assert judge_gate(facts(ring(1), RingCounts(not_ready=12)), NOW).holds


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.booleans(),
            st.sampled_from(["idle", "failed", "queued", "installing", "uninstalling", "restart-pending", "held"]),
            st.integers(0, 500),
        )
    )
)
def test_every_device_is_counted_exactly_once(cells: list[tuple[bool, bool, str, int]]) -> None:
    total = sum(devices for *_, devices in cells)
    assert count_ring(cells, release(ReleaseKind.HOTPATCH)).devices == total
    assert count_ring(cells, release(ReleaseKind.BASELINE)).devices == total


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 100),
    st.integers(0, 24),
)
def test_a_gate_holds_only_when_every_condition_does(
    installed: int, failed: int, pending: int, not_ready: int, hours: int, soak: int
) -> None:
    of = ring(1, gate=Gate(min_installed_share=0.5, max_failed_share=0.2, min_sample=5, soak_hours=soak))
    counts = RingCounts(installed=installed, failed=failed, pending=pending, not_ready=not_ready)
    enough = counts.offerable > 0 and installed >= 0.5 * counts.offerable
    reached = NOW - timedelta(hours=hours) if enough else None
    verdict = judge_gate(facts(of, counts, succeeded=installed, failed=failed, reached=reached), NOW)
    if counts.offerable == 0:
        assert verdict.holds
        return
    bad = installed + failed >= 5 and failed / (installed + failed) > 0.2
    soaked = soak == 0 or (reached is not None and hours >= soak)
    assert verdict.holds == (enough and not bad and soaked)
    assert (verdict.failing is not None) == bad
    if verdict.holds_at is not None:
        assert verdict.holds_at > NOW
        assert all(c.state is not ConditionState.FAILING for c in verdict.conditions)


def test_stops_cover_release_ring_both_or_everything() -> None:
    stops = [(None, "Broad", "a"), (5089466, None, "b")]
    assert is_stopped(stops, 1, "broad") == "a"
    assert is_stopped(stops, 5089466, "Test") == "b"
    assert is_stopped(stops, 1, "Test") == ""
    assert is_stopped([(None, None, "all")], 1, "Test") == "all"


def test_withdrawn_and_expired_approvals_do_not_count() -> None:
    withdrawn = Approval(1, 1, ("Test",), "", "mia", NOW, withdrawn_at=NOW)
    expired = Approval(2, 1, ("Test",), "", "mia", NOW, expires_at=NOW)
    good = Approval(3, 1, ("test",), "", "mia", NOW)
    assert valid_approval([withdrawn, expired], 1, "Test", NOW) is None
    assert valid_approval([withdrawn, expired, good], 1, "Test", NOW) is good
    assert not expired.is_valid(NOW)
