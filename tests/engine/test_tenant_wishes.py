"""Requests as pure decisions: the fewest and smallest, never for what is so already, never further than meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.tenants import (
    CatalogItem,
    PolicyKind,
    Reach,
    Request,
    RingKind,
    TenantApproval,
    TenantPolicy,
    TenantRing,
    Wish,
    policy_key,
)
from engine.rules.tenants.device_wishes import expedite, sync
from engine.rules.tenants.matching import rings_of_policies, with_policies
from engine.rules.tenants.release_wishes import approve, suspend
from engine.rules.tenants.ring_wishes import pause, resume, roll_back, set_days, switch_hotpatch
from engine.rules.tenants.tenant import Tenant
from engine.rules.tenants.wishes import Asked, part

NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
MAY = 5089466
ITEM = CatalogItem("item-may", PolicyKind.QUALITY, (MAY, 5089549), released_at=NOW - timedelta(days=8))
ENTRY = CatalogItem("entry-may", PolicyKind.UPDATES, (MAY, 5089549), released_at=NOW - timedelta(days=8))


def update_ring(name: str, *groups: str, **more: object) -> TenantRing:
    reach = Reach(groups)
    values = {"deferral_days": 3, "deadline_days": 5, "grace_days": 2, "paused": False, "policies": ()}
    return TenantRing(
        key=f"update-ring:{name}", kind=RingKind.UPDATE_RING, id=name, name=name, reach=reach, **{**values, **more}
    )


def policy(name: str, *groups: str, hotpatch: bool | None = True) -> TenantPolicy:
    return TenantPolicy(name, PolicyKind.QUALITY, name, hotpatch, Reach(groups))


def tenant(rings: list[TenantRing], policies: list[TenantPolicy], **more: object) -> Tenant:
    """A tenant as reading makes it: rings matched with policies."""
    found = with_policies([each for each in rings if each.kind is RingKind.UPDATE_RING], policies)
    others = [each for each in rings if each.kind is not RingKind.UPDATE_RING]
    listed = [*found, *rings_of_policies(policies, found), *others]
    return Tenant(
        provider="corp",
        writes=True,
        rings={each.key: each for each in listed},
        names={each.key: each.name for each in listed},
        policies={each.key: each for each in policies},
        items=(ITEM, ENTRY),
        read_at=NOW,
        **more,  # type: ignore[arg-type]
    )


def newer(name: str, policy_id: str = "newer", **more: object) -> TenantRing:
    values = {"deferral_days": 3, "paused": False, "hotpatch": True}
    return TenantRing(
        key=f"ring:{policy_id}/{name}",
        kind=RingKind.RING,
        id=name,
        name=name,
        reach=Reach((f"g-{name}",)),
        policies=(policy_key(PolicyKind.UPDATES, policy_id),),
        policy_kind=PolicyKind.UPDATES,
        **{**values, **more},  # type: ignore[arg-type]
    )


TWO = tenant([update_ring("Test", "g1"), update_ring("Broad", "g2")], [policy("P", "g1"), policy("Q", "g2")])
SHARED = tenant([update_ring("Test", "g1"), update_ring("Broad", "g2")], [policy("P", "g1", "g2")])
TEST, BROAD = "update-ring:Test", "update-ring:Broad"


def only(asked: Asked) -> Request:
    assert asked.refusal is None
    assert len(asked.requests) == 1
    return asked.requests[0]


# --- releases ---------------------------------------------------------------------------------------


def test_an_approval_is_one_bulk_action_of_one_item_for_each_policy() -> None:
    request = only(approve(TWO, MAY, [TEST]))
    assert request.address == "/beta/deviceManagement/windowsQualityUpdatePolicies/P/bulkAction"
    assert (request.method, request.body) == ("POST", {"action": "approve", "ids": ["item-may"]})
    assert request.rings == ("Test",)
    both = approve(TWO, MAY, [TEST, BROAD])
    assert [each.policy for each in both.requests] == ["P", "Q"]


def test_a_request_says_ring_of_one_and_rings_of_more() -> None:
    assert only(approve(TWO, MAY, [TEST])).why == "KB5089466 is approved in policy P (ring Test)"
    assert only(approve(SHARED, MAY, [TEST, BROAD])).why == "KB5089466 is approved in policy P (rings Test, Broad)"


def test_one_item_holds_the_hotpatch_and_its_lcu_and_the_plan_says_so() -> None:
    assert approve(TWO, MAY, [TEST]).warnings == (
        "In corp's catalog KB5089466 is one item with KB5089549: it is approved with it.",
    )


def test_a_policy_that_reaches_more_rings_than_named_is_refused_with_the_rings_to_name() -> None:
    refusal = approve(SHARED, MAY, [TEST]).refusal
    assert refusal is not None
    assert refusal.why == "corp approves by policy, not by ring: policy P reaches Broad too."
    assert "--ring Test --ring Broad" in refusal.instead
    assert only(approve(SHARED, MAY, [TEST, BROAD])).rings == ("Test", "Broad")
    assert only(approve(SHARED, MAY, [TEST], covered=[BROAD])).rings == ("Test", "Broad")
    stopped = suspend(SHARED, MAY, [TEST]).refusal
    assert stopped is not None
    assert "hotpatch pause --ring Test" in stopped.instead


def test_a_ring_without_a_policy_needs_no_approval_and_can_only_be_paused() -> None:
    bare = tenant([update_ring("Test", "g1")], [])
    asked = approve(bare, MAY, [TEST])
    assert asked.requests == ()
    assert asked.refusal is None
    assert "takes every release by itself" in asked.left_out[0].why


def test_a_release_that_the_tenant_does_not_know_is_refused_with_what_to_do() -> None:
    refusal = approve(TWO, 5000001, [TEST]).refusal
    assert refusal is not None
    assert refusal.why == "It is not in corp's catalog, as it was read on 20 May 2026 08:00 UTC."
    assert refusal.instead == "Read the tenant again: hotpatch import --from corp"


def test_newer_policies_get_an_approval_and_later_another_status_of_the_same_one() -> None:
    kept = tenant([newer("R1")], [TenantPolicy("newer", PolicyKind.UPDATES, "Newer", None, Reach())])
    first = only(approve(kept, MAY, ["ring:newer/R1"]))
    assert (first.method, first.address) == ("POST", "/beta/admin/windows/updates/policies/newer/approvals")
    assert first.body == {
        "@odata.type": "#microsoft.graph.windowsUpdates.policyApproval",
        "catalogEntryId": "entry-may",
        "status": "approved",
    }
    done = kept.after(first, created="a-7")
    assert approve(done, MAY, ["ring:newer/R1"]).requests == ()
    second = only(suspend(done, MAY, ["ring:newer/R1"]))
    assert (second.method, second.path) == ("PATCH", "/admin/windows/updates/policies/newer/approvals/a-7")
    assert second.body == {"@odata.type": "#microsoft.graph.windowsUpdates.policyApproval", "status": "suspended"}


# --- rings ------------------------------------------------------------------------------------------


def test_a_pause_sends_one_member_and_says_when_it_ends() -> None:
    asked = pause(TWO, [TEST], NOW)
    request = only(asked)
    assert request.address == "/v1.0/deviceManagement/deviceConfigurations/Test"
    assert request.body == {
        "@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
        "qualityUpdatesPaused": True,
    }
    assert "it ends by itself on 24 Jun 2026, after 35 days" in asked.steps[0]


def test_a_newer_ring_is_paused_by_its_own_member_and_without_an_end() -> None:
    kept = tenant([newer("R1")], [])
    asked = pause(kept, ["ring:newer/R1"], NOW)
    request = only(asked)
    assert request.address == "/beta/admin/windows/updates/policies/newer/rings/R1"
    assert request.body == {"@odata.type": "#microsoft.graph.windowsUpdates.qualityUpdateRing", "isPaused": True}
    assert "35 days" not in asked.steps[0]


def test_a_policy_without_a_ring_cannot_be_paused() -> None:
    asked = pause(tenant([], [policy("P", "g1")]), ["policy:P"], NOW)
    assert asked.requests == ()
    assert "hotpatch halt --release KB" in asked.left_out[0].instead


def test_only_the_days_that_change_are_sent() -> None:
    request = only(set_days(TWO, TEST, deferral=3, deadline=7, grace=2))
    assert request.body == {
        "@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
        "deadlineForQualityUpdatesInDays": 7,
    }


@pytest.mark.parametrize(("rule", "value"), [("deferral", 31), ("deadline", 31), ("grace", 8), ("deferral", -1)])
def test_days_that_the_tenant_does_not_take_are_refused(rule: str, value: int) -> None:
    refusal = set_days(TWO, TEST, **{rule: value}).refusal
    assert refusal is not None
    assert f"takes a {rule} of 0 to" in refusal.why


def test_a_newer_ring_keeps_its_deferral_alone() -> None:
    kept = tenant([newer("R1")], [])
    request = only(set_days(kept, "ring:newer/R1", deferral=5, deadline=9, grace=1))
    assert request.body == {"@odata.type": "#microsoft.graph.windowsUpdates.qualityUpdateRing", "deferralInDays": 5}


def test_hotpatches_are_switched_by_policy_and_only_widened_on_demand() -> None:
    request = only(switch_hotpatch(TWO, TEST, on=False, widen=False))
    assert request.address == "/beta/deviceManagement/windowsQualityUpdatePolicies/P"
    assert request.body == {"@odata.type": "#microsoft.graph.windowsQualityUpdatePolicy", "hotpatchEnabled": False}
    refusal = switch_hotpatch(SHARED, TEST, on=False, widen=False).refusal
    assert refusal is not None
    assert "--widen" in refusal.instead
    widened = switch_hotpatch(SHARED, TEST, on=False, widen=True)
    assert only(widened).rings == ("Test", "Broad")
    assert request.why == "hotpatches are not allowed in policy P (ring Test)"
    assert only(widened).why == "hotpatches are not allowed in policy P (rings Test, Broad)"
    assert widened.warnings == ("It holds for Broad too: the policy reaches them.",)


def test_rolling_back_is_for_whole_update_rings_and_asked_for_once() -> None:
    request = only(roll_back(TWO, [TEST]))
    assert request.body == {
        "@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
        "qualityUpdatesWillBeRolledBack": True,
    }
    assert roll_back(TWO.after(request), [TEST]).requests == ()
    assert roll_back(tenant([newer("R1")], []), ["ring:newer/R1"]).requests == ()


# --- devices ----------------------------------------------------------------------------------------


def test_an_expedite_makes_a_profile_and_assigns_it_to_the_groups_of_the_rings() -> None:
    excluded = tenant([replace(update_ring("Test", "g1"), reach=Reach(("g1",), ("g9",)))], [policy("P", "g1")])
    made, given = expedite(excluded, MAY, [TEST], 1).requests
    assert made.body is not None
    assert made.body["expeditedUpdateSettings"]["qualityUpdateRelease"] == "2026-05-12T08:00:00Z"
    assert given.path == "/deviceManagement/windowsQualityUpdateProfiles/{created}/assign"
    assert given.body == {
        "assignments": [
            {"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "g1"}},
            {"target": {"@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget", "groupId": "g9"}},
        ]
    }
    again = expedite(excluded.with_open([made, given]), MAY, [TEST], 1)
    assert again.requests == ()


def test_a_release_that_cannot_be_expedited_is_refused() -> None:
    kept = replace(TWO, items=(replace(ITEM, expeditable=False),))
    assert expedite(kept, MAY, [TEST], 1).refusal is not None


def test_a_device_is_asked_to_check_in_once_while_the_request_is_on_its_way() -> None:
    devices = [(1, "PC-1", "id-1"), (2, "PC-2", "id-2")]
    asked = sync(TWO, devices)
    assert [each.path for each in asked.requests] == [
        "/deviceManagement/managedDevices/id-1/syncDevice",
        "/deviceManagement/managedDevices/id-2/syncDevice",
    ]
    assert sync(TWO.with_open(asked.requests[:1]), devices).requests == asked.requests[1:]


@pytest.mark.parametrize("hostile", ["../users", "a/b", "x?y=1", "x#y"])
def test_an_id_of_the_tenant_stays_one_part_of_a_path(hostile: str) -> None:
    kept = tenant([replace(update_ring("Test", "g1"), id=hostile)], [])
    path = only(pause(kept, [TEST], NOW)).path
    assert path.count("/") == 3
    assert "?" not in path
    assert "#" not in path


@pytest.mark.parametrize("hostile", ["", "..", "."])
def test_an_id_that_leads_elsewhere_is_refused(hostile: str) -> None:
    with pytest.raises(Exception, match="is not an id"):
        part(hostile)


# --- what holds for every tenant --------------------------------------------------------------------

GROUPS = ("g1", "g2", "g3")


@st.composite
def tenants(draw: st.DrawFn) -> Tenant:
    groups = st.lists(st.sampled_from(GROUPS), unique=True, max_size=3).map(tuple)
    days = st.none() | st.integers(0, 30)
    rings: list[TenantRing] = [
        update_ring(
            f"U{number}",
            *draw(groups),
            deferral_days=draw(days),
            deadline_days=draw(days),
            grace_days=draw(st.none() | st.integers(0, 7)),
            paused=draw(st.none() | st.booleans()),
            rolling_back=draw(st.none() | st.booleans()),
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    rings += [
        newer(f"N{number}", paused=draw(st.booleans()), hotpatch=draw(st.none() | st.booleans()))
        for number in range(draw(st.integers(0, 2)))
    ]
    policies = [
        policy(f"P{number}", *draw(groups), hotpatch=draw(st.none() | st.booleans()))
        for number in range(draw(st.integers(0, 3)))
    ]
    kept = tenant(rings, [*policies, TenantPolicy("newer", PolicyKind.UPDATES, "Newer", None, Reach())])
    approvals = {}
    for each in kept.policies.values():
        item = kept.item_for(MAY, each.kind)
        status = draw(st.sampled_from(["", "approved", "suspended", "somethingNew"]))
        if item is not None and status:
            approvals[each.key, item.id] = TenantApproval(each.key, item.id, status, draw(st.sampled_from(["", "a1"])))
    return replace(kept, approvals=approvals)


def wish_of(draw: st.DrawFn, kept: Tenant) -> Asked:
    keys = draw(st.lists(st.sampled_from(sorted(kept.rings)), unique=True, min_size=1))
    days = st.none() | st.integers(0, 7)
    match draw(st.sampled_from(["approve", "suspend", "pause", "resume", "days", "hotpatch", "roll back"])):
        case "approve":
            return approve(kept, MAY, keys)
        case "suspend":
            return suspend(kept, MAY, keys)
        case "pause":
            return pause(kept, keys, NOW)
        case "resume":
            return resume(kept, keys)
        case "days":
            return set_days(kept, keys[0], deferral=draw(days), deadline=draw(days), grace=draw(days))
        case "hotpatch":
            return switch_hotpatch(kept, keys[0], on=draw(st.booleans()), widen=draw(st.booleans()))
    return roll_back(kept, keys)


@given(st.data())
def test_what_the_tenant_has_done_is_not_asked_again(data: st.DataObject) -> None:
    kept = data.draw(tenants())
    if not kept.rings:
        return

    drawn: list[object] = []

    class Recorder:
        """Draws once and gives the same again, so that the same wish can be asked twice."""

        def __call__(self, strategy: st.SearchStrategy[object]) -> object:
            drawn.append(data.draw(strategy))
            return drawn[-1]

    class Replayer:
        def __init__(self) -> None:
            self.left = iter(drawn)

        def __call__(self, strategy: st.SearchStrategy[object]) -> object:
            return next(self.left)

    asked = wish_of(Recorder(), kept)  # type: ignore[arg-type]
    if asked.refusal is not None:
        assert asked.requests == ()
        return
    done = kept
    for each in asked.requests:
        done = done.after(each, created="new")
    again = wish_of(Replayer(), done)  # type: ignore[arg-type]
    assert again.refusal is None
    assert again.requests == ()
    on_its_way = wish_of(Replayer(), kept.with_open(asked.requests))  # type: ignore[arg-type]
    assert on_its_way.requests == ()


@given(st.data())
def test_requests_are_small_distinct_and_reach_no_further_than_meant(data: st.DataObject) -> None:
    kept = data.draw(tenants())
    if not kept.rings:
        return
    asked = wish_of(data.draw, kept)
    assert len({(each.address, str(each.body)) for each in asked.requests}) == len(asked.requests)
    for each in asked.requests:
        if each.method == "PATCH":
            assert each.body is not None
            assert each.body["@odata.type"].startswith("#microsoft.graph.")
            changed = {name for name in each.body if not name.startswith("@")}
            assert 1 <= len(changed) <= (3 if each.wish is Wish.DEFER else 1)


@settings(max_examples=40)
@given(tenants(), st.data())
def test_an_approval_never_reaches_a_ring_that_nobody_named(kept: Tenant, data: st.DataObject) -> None:
    if not kept.rings:
        return
    keys = data.draw(st.lists(st.sampled_from(sorted(kept.rings)), unique=True, min_size=1))
    meant = {kept.rings[each].name for each in keys}
    for wish in (approve, suspend):
        for each in wish(kept, MAY, keys).requests:
            assert set(each.rings) <= meant
