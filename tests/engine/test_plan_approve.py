"""What an approval's plan says before anybody confirms it: rings, times, restarts, refusals, warnings."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine.model.intents import Approve, Plan, Refusal, Withdraw
from engine.model.model import Approval, Gate, Platform, Release, ReleaseKind, Ring
from engine.rules.plans.approve import ApproveFacts, plan_approve, plan_withdraw
from engine.rules.rollout.approvals import ApprovalPolicy, forbids
from engine.rules.rollout.gates import RingCounts, RingFacts, RingStanding, judge_gate

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOTPATCH = Release(5089466, Platform.WIN11_24H2, ReleaseKind.HOTPATCH, "2026-05", NOW, None, (), False, "test")
LCU = Release(5089549, Platform.WIN11_24H2, ReleaseKind.LCU, "2026-05", NOW, None, (), True, "test")


def standing(
    name: str, position: int = 1, *, opens_at: datetime | None = NOW, tenant: str = "", **counts: int
) -> RingStanding:
    ring = Ring(position, name, position, 0, 2, 2, 0, Gate())
    facts = RingFacts(ring, RingCounts(**counts), 0, 0, None, None, None, tenant=tenant)
    return RingStanding(facts, opens_at, judge_gate(facts, NOW), "")


def plan(*standings: RingStanding, intent: dict[str, Any] | None = None, **facts: Any) -> Plan:
    known = {"releases": [HOTPATCH], "already": frozenset(), "newer_kb": None, **facts}
    asked = {"kb": 5089466, "rings": ("Test",), "reason": "tested", **(intent or {})}
    return plan_approve(Approve(**asked), ApproveFacts(standings=standings, **known), NOW, 7)


def test_the_plan_names_the_rings_and_counts_the_devices_that_wait() -> None:
    found = plan(standing("Test", pending=3, installed=9), standing("Fast", 2, pending=40))
    assert found.title == "Approve KB5089466 for rings Test, Fast"
    assert (found.devices, found.restarts, found.refusal, found.change_number) == (43, 0, None, 7)
    assert plan(standing("Test")).title == "Approve KB5089466 for ring Test"


@pytest.mark.parametrize(
    ("opens_at", "when"),
    [
        (None, "at once"),
        (NOW - MINUTE, "at once"),
        (NOW, "at once"),
        (NOW + MINUTE, "from Wed 13 May 09:01 UTC"),
    ],
)
def test_a_ring_opens_at_once_unless_its_time_is_still_to_come(opens_at: datetime | None, when: str) -> None:
    assert plan(standing("Test", opens_at=opens_at, pending=2)).steps == (f"Ring Test: {when}; 2 devices.",)


def test_a_later_ring_stands_behind_a_gate_and_a_tenants_ring_behind_none() -> None:
    first, second = plan(standing("Test", 1, pending=1), standing("Fast", 2, pending=1)).steps
    assert first == "Ring Test: at once; 1 device."
    assert second == "Ring Fast: at once, behind the gate of the ring before it; 1 device."
    (offered,) = plan(standing("Corp", 2, tenant="corp", pending=1)).steps
    assert offered == "Ring Corp: at once, as corp offers it; each device takes it at a scan of its own; 1 device."


def test_devices_that_cannot_take_it_are_told_where_there_are_any() -> None:
    found = plan(standing("Test", pending=2, not_ready=1_200), standing("Fast", 2, pending=1, not_ready=34))
    assert found.steps[0] == "Ring Test: at once; 2 devices, 1,200 not ready."
    assert found.warnings == ("1,234 devices in these rings cannot take it and will restart for the LCU instead.",)
    assert plan(standing("Test", pending=2)).warnings == ()


def test_what_is_no_hotpatch_restarts_every_device_and_that_is_the_one_warning_about_restarts() -> None:
    found = plan(standing("Test", pending=5, not_ready=2), releases=[HOTPATCH, LCU])
    assert (found.devices, found.restarts) == (5, 5)
    assert found.warnings == ("KB5089466 is no hotpatch: every device that takes it restarts.",)


def test_a_newer_release_and_a_second_person_are_warned_of() -> None:
    found = plan(standing("Test", pending=5), newer_kb=5099999, second_person=True)
    assert found.warnings == (
        "Policy asks for a second person: nothing opens until somebody else has signed it.",
        "KB5089466 has been replaced by KB5099999; devices are offered the newer one.",
    )


def test_a_ring_with_an_approval_in_force_is_left_out_of_everything() -> None:
    found = plan(standing("Test", pending=5, not_ready=5), standing("Fast", 2, pending=2), already=frozenset({"Test"}))
    assert (found.title, found.devices, len(found.steps)) == ("Approve KB5089466 for ring Fast", 2, 1)
    assert found.left_out == (Refusal("Test", "KB5089466 is approved for it already.", "Nothing needs to be done."),)
    assert found.warnings == ()
    assert found.refusal is None


def test_nothing_left_to_approve_is_refused() -> None:
    found = plan(standing("Test", pending=5), already=frozenset({"Test"}))
    assert found.refusal == Refusal(
        "KB5089466 is not approved.", "It is approved for these rings already.", "Name other rings."
    )
    assert found.devices == 0


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_approval_without_a_reason_is_refused(reason: str) -> None:
    refusal = plan(standing("Test", pending=1), intent={"reason": reason}).refusal
    assert refusal is not None
    assert (refusal.why, refusal.what) == ("An approval needs a reason.", "KB5089466 is not approved.")


@pytest.mark.parametrize(("lasts", "refused"), [(-MINUTE, True), (MINUTE * 0, True), (MINUTE, False)])
def test_an_approval_must_end_after_it_begins(lasts: timedelta, refused: bool) -> None:
    times = {"not_before": NOW + 5 * MINUTE, "expires_at": NOW + 5 * MINUTE + lasts}
    found = plan(standing("Test", pending=1), intent=times)
    assert (found.refusal is not None) is refused
    assert found.refusal is None or found.refusal.why == "It would expire before it begins."


@pytest.mark.parametrize("one", ["not_before", "expires_at"])
def test_a_beginning_or_an_end_alone_contradicts_nothing(one: str) -> None:
    assert plan(standing("Test", pending=1), intent={one: NOW}).refusal is None


def test_what_policy_forbids_is_refused_after_what_is_wrong_with_the_approval_itself() -> None:
    forbidden = Refusal("KB5089466 is not approved.", "Not on a Friday.", "Wait.")
    assert plan(standing("Test", pending=1), forbidden=forbidden).refusal == forbidden
    unfounded = plan(standing("Test", pending=1), intent={"reason": ""}, forbidden=forbidden).refusal
    assert unfounded is not None
    assert unfounded.why == "An approval needs a reason."


def test_the_command_does_the_same_again() -> None:
    said = plan(standing("Test"), intent={"reason": "it's fine", "rings": ("Test", "Fast lane")}).command
    assert shlex.split(said) == [
        *("hotpatch", "approve", "KB5089466", "--ring", "Test", "--ring", "Fast lane", "--reason", "it's fine"),
    ]
    timed = {"rings": (), "not_before": NOW, "expires_at": NOW + MINUTE}
    assert shlex.split(plan(standing("Test"), intent=timed).command) == [
        *("hotpatch", "approve", "KB5089466", "--all-rings", "--reason", "tested"),
        *("--not-before", "2026-05-13T09:00:00+00:00", "--expires", "2026-05-13T09:01:00+00:00"),
    ]


# --- withdrawing ----------------------------------------------------------------------------------------


APPROVAL = Approval(12, 5089466, ("Test", "Fast"), "tested", "mia", NOW)
WITHDRAWN = Approval(12, 5089466, ("Test",), "tested", "mia", NOW, withdrawn_at=NOW, withdrawn_by="ben")


def test_withdrawing_cancels_what_has_not_started_and_restarts_nothing() -> None:
    found = plan_withdraw(Withdraw(12, "bad driver"), APPROVAL, 1, 7)
    assert found.title == "Withdraw the approval of KB5089466 for Test, Fast"
    assert found.steps[0] == "1 install that have not started are cancelled."
    assert (found.devices, found.restarts, found.refusal, found.change_number) == (1, 0, None, 7)
    assert found.command == "hotpatch withdraw 12 --reason 'bad driver'"


@pytest.mark.parametrize(
    ("approval", "reason", "why"),
    [
        (APPROVAL, " ", "Withdrawing needs a reason."),
        (WITHDRAWN, "bad driver", "ben has withdrawn it before."),
        (WITHDRAWN, "", "ben has withdrawn it before."),
    ],
)
def test_withdrawing_is_refused_without_a_reason_and_a_second_time(approval: Approval, reason: str, why: str) -> None:
    refusal = plan_withdraw(Withdraw(12, reason), approval, 4, 7).refusal
    assert refusal is not None
    assert (refusal.what, refusal.why) == ("Nothing is withdrawn.", why)


@pytest.mark.parametrize(
    ("confirmed_only", "provisional", "forbidden"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_policy_forbids_only_what_nobody_confirms_and_only_where_it_says_so(
    confirmed_only: bool, provisional: bool, forbidden: bool
) -> None:
    releases = [LCU, replace(HOTPATCH, provisional=provisional)]
    found = forbids(ApprovalPolicy(confirmed_only=confirmed_only), releases)
    assert (found is not None) is forbidden
