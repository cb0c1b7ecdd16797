"""The newer update policies: their rings, and the approvals given to them.

`rings` calls it at each pull. Source: Microsoft Graph beta, "windowsUpdates policy" and "qualityUpdateRing".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.model.tenants import (
    ApprovalRule,
    PolicyKind,
    Reach,
    RingKind,
    TenantApproval,
    TenantPolicy,
    TenantRing,
    policy_key,
)
from engine.providers.graph.assignments import read_groups
from engine.providers.graph.devices import moment, plain
from engine.providers.graph.odata import segment, truth, type_name
from engine.rules.tenants.matching import agreed

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

PATH = "/admin/windows/updates/policies"
_POLICY_TYPES = ("", "windowsUpdates.policy", "windowsUpdates.qualityUpdatePolicy")
_RING_TYPES = ("", "windowsUpdates.ring", "windowsUpdates.qualityUpdateRing")


async def read_update_policies(
    client: GraphClient,
) -> tuple[tuple[TenantPolicy, ...], tuple[TenantRing, ...], tuple[TenantApproval, ...]]:
    """All policies for quality updates, their rings and their approvals.

    Raises:
        ProviderError: one of `answers`.
    """
    policies: list[TenantPolicy] = []
    rings: list[TenantRing] = []
    approvals: list[TenantApproval] = []
    async for page in client.pages(PATH):
        for each in page.items:
            policy_id = each.get("id")
            if not isinstance(policy_id, str) or not policy_id or type_name(each) not in _POLICY_TYPES:
                continue
            mine = await _rings(client, policy_id)
            rings += mine
            approvals += await _approvals(client, policy_id)
            policies.append(_policy(each, policy_id, mine))
    return tuple(policies), tuple(rings), tuple(approvals)


async def _rings(client: GraphClient, policy_id: str) -> list[TenantRing]:
    found = []
    async for page in client.pages(f"{PATH}/{segment(policy_id)}/rings"):
        found += [ring for each in page.items if (ring := read_ring(each, policy_id)) is not None]
    return found


async def _approvals(client: GraphClient, policy_id: str) -> list[TenantApproval]:
    found = []
    async for page in client.pages(f"{PATH}/{segment(policy_id)}/approvals"):
        found += [each for item in page.items if (each := read_approval(item, policy_id)) is not None]
    return found


def read_ring(item: Mapping[str, Any], policy_id: str) -> TenantRing | None:
    """One ring; None for one without an id, or of another kind of update."""
    ring_id = item.get("id")
    if not isinstance(ring_id, str) or not ring_id or type_name(item) not in _RING_TYPES:
        return None
    deferral = item.get("deferralInDays")
    return TenantRing(
        key=f"{RingKind.RING}:{policy_id}/{ring_id}",
        kind=RingKind.RING,
        id=ring_id,
        name=plain(item.get("displayName")) or ring_id,
        reach=read_groups(item),
        policies=(policy_key(PolicyKind.UPDATES, policy_id),),
        policy_kind=PolicyKind.UPDATES,
        description=plain(item.get("description")),
        deferral_days=deferral if isinstance(deferral, int) else None,
        paused=truth(item.get("isPaused")),
        hotpatch=truth(item.get("isHotpatchEnabled")),
        modified_at=moment(item.get("lastModifiedDateTime")),
    )


def read_approval(item: Mapping[str, Any], policy_id: str) -> TenantApproval | None:
    """One approval; None for one that names no catalog entry."""
    entry, status, own_id = item.get("catalogEntryId"), item.get("status"), item.get("id")
    if not isinstance(entry, str) or not entry or not isinstance(status, str):
        return None
    return TenantApproval(
        policy_key(PolicyKind.UPDATES, policy_id), entry, plain(status), own_id if isinstance(own_id, str) else ""
    )


def _policy(item: Mapping[str, Any], policy_id: str, rings: list[TenantRing]) -> TenantPolicy:
    rules = item.get("approvalRules")
    groups = dict.fromkeys(group for ring in rings for group in ring.reach.included)
    said = [TenantPolicy(each.id, PolicyKind.UPDATES, "", each.hotpatch, Reach()) for each in rings]
    return TenantPolicy(
        id=policy_id,
        kind=PolicyKind.UPDATES,
        name=plain(item.get("displayName")) or policy_id,
        hotpatch=agreed(said),
        reach=Reach(tuple(groups)),
        rules=tuple(_rule(each) for each in rules if isinstance(each, Mapping)) if isinstance(rules, list) else (),
        description=plain(item.get("description")),
        modified_at=moment(item.get("lastModifiedDateTime")),
    )


def _rule(item: Mapping[str, Any]) -> ApprovalRule:
    days = item.get("deferralInDays")
    return ApprovalRule(
        cadence=plain(item.get("cadence")),
        category=plain(item.get("classification")),
        method="automatic",
        deferral_days=days if isinstance(days, int) else None,
    )
