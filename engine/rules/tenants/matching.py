"""Which policy reaches which ring, by the groups that both are assigned to and by who is in them. Pure.

The readers of rings match by the groups alone; once their members are known, taking over matches anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from engine.model.tenants import PolicyKind, Reach, RingKind, TenantPicture, TenantPolicy, TenantRing

Overlaps = frozenset[tuple[str, str]]
"""Pairs of groups that share devices, each pair both ways round."""


def matched(picture: TenantPicture, overlaps: Overlaps) -> TenantPicture:
    """The picture with policies and rings matched by the members of their groups."""
    if not overlaps or RingKind.UPDATE_RING not in picture.told:
        return picture
    update_rings = (each for each in picture.rings if each.kind is RingKind.UPDATE_RING)
    rings = with_policies(update_rings, picture.policies, overlaps)
    others = tuple(each for each in picture.rings if each.kind is RingKind.RING)
    return replace(picture, rings=(*rings, *rings_of_policies(picture.policies, rings, overlaps), *others))


def reaches(policy: Reach, ring: Reach, overlaps: Overlaps = frozenset()) -> bool:
    """Whether some devices of the ring can be among those of the policy."""
    ring_groups = frozenset(ring.included) - frozenset(policy.excluded)
    policy_groups = frozenset(policy.included) - frozenset(ring.excluded)
    if ring_groups & policy_groups:
        return True
    if any((mine, other) in overlaps for mine in policy_groups for other in ring_groups):
        return True
    if policy.all_devices and (ring_groups or ring.all_devices or ring.all_users):
        return True
    if ring.all_devices and (policy_groups or policy.all_users):
        return True
    return policy.all_users and ring.all_users


def with_policies(
    rings: Iterable[TenantRing], policies: Sequence[TenantPolicy], overlaps: Overlaps = frozenset()
) -> tuple[TenantRing, ...]:
    """Update rings with the quality-update policies that reach them, and with what those say about hotpatches."""
    found = []
    for ring in rings:
        mine = [
            each for each in policies if each.kind is PolicyKind.QUALITY and reaches(each.reach, ring.reach, overlaps)
        ]
        found.append(replace(ring, policies=tuple(each.key for each in mine), hotpatch=agreed(mine)))
    return tuple(found)


def agreed(policies: Iterable[TenantPolicy]) -> bool | None:
    """What all policies say about hotpatches; None where none says anything, or they differ."""
    said = {each.hotpatch for each in policies if each.hotpatch is not None}
    return said.pop() if len(said) == 1 else None


def rings_of_policies(
    policies: Iterable[TenantPolicy], rings: Sequence[TenantRing], overlaps: Overlaps = frozenset()
) -> tuple[TenantRing, ...]:
    """Quality-update policies that reach devices for which there is no update ring, each as a ring of its own."""
    found = []
    for policy in policies:
        if policy.kind is not PolicyKind.QUALITY or policy.reach.is_empty:
            continue
        beside = [each.reach for each in rings if policy.key in each.policies]
        left = _beyond(policy.reach, beside, overlaps)
        if left is None:
            continue
        found.append(
            TenantRing(
                key=f"{RingKind.POLICY}:{policy.id}",
                kind=RingKind.POLICY,
                id=policy.id,
                name=policy.name,
                reach=left,
                policies=(policy.key,),
                description=policy.description,
                hotpatch=policy.hotpatch,
                modified_at=policy.modified_at,
            )
        )
    return tuple(found)


def _beyond(policy: Reach, rings: Sequence[Reach], overlaps: Overlaps) -> Reach | None:
    """What a policy covers beyond these rings; None where that is nothing."""
    if not rings:
        return policy
    if any(each.all_devices for each in rings) or policy.all_devices or policy.all_users:
        # Which devices are left over, nothing tells; those in rings are the ones that can be steered.
        return None
    covered = {group for each in rings for group in each.included}
    left = tuple(
        group
        for group in policy.included
        if group not in covered and not any((group, each) in overlaps for each in covered)
    )
    return replace(policy, included=left) if left else None
