"""Which policy reaches which ring: by groups, by what they exclude, and by who is in them."""

from __future__ import annotations

from engine.model.tenants import Reach, RingKind, TenantPicture
from engine.rules.tenants.matching import matched, reaches, rings_of_policies, with_policies
from tests.engine.test_tenant_wishes import NOW, TEST, policy, update_ring


def test_a_policy_reaches_a_ring_through_a_common_group_unless_it_is_excluded() -> None:
    assert reaches(Reach(("a", "b")), Reach(("b",)))
    assert not reaches(Reach(("a",)), Reach(("b",)))
    assert not reaches(Reach(("a", "b"), ("b",)), Reach(("b",)))
    assert not reaches(Reach(("a",)), Reach(("a",), ("a",)))
    assert reaches(Reach(all_devices=True), Reach(("b",)))
    assert not reaches(Reach((), ("b",), all_devices=True), Reach(("b",)))


def test_members_tell_what_the_names_of_groups_do_not() -> None:
    picture = TenantPicture(
        rings=(update_ring("Test", "inner"), *rings_of_policies([policy("P", "outer")], [])),
        policies=(policy("P", "outer"),),
        items=(),
        approvals=(),
        read_at=NOW,
        told=frozenset(RingKind),
    )
    assert [each.key for each in picture.rings] == [TEST, "policy:P"]
    found = matched(picture, frozenset({("inner", "outer"), ("outer", "inner")}))
    assert [(each.key, each.policies) for each in found.rings] == [(TEST, ("P",))]


def test_groups_that_no_update_ring_has_are_a_ring_of_their_policy() -> None:
    rings = with_policies([update_ring("Test", "g1")], [policy("P", "g1", "g5")])
    left = rings_of_policies([policy("P", "g1", "g5")], rings)
    assert [(each.key, each.reach.included) for each in left] == [("policy:P", ("g5",))]
