"""Intune's quality-update policies: hotpatch switch, approval rules, assignments, and what each says about a release.

`rings` calls it at each pull. Source: Microsoft Graph beta, "windowsQualityUpdatePolicy resource type".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec.structs import replace

from engine.model.errors import Denied, Gone, NotOffered
from engine.model.tenants import ApprovalRule, CatalogItem, PolicyKind, TenantApproval, TenantPolicy
from engine.providers.graph.answers import GraphError
from engine.providers.graph.assignments import read_targets
from engine.providers.graph.devices import moment, plain
from engine.providers.graph.odata import literal, segment, truth

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

PATH = "/deviceManagement/windowsQualityUpdatePolicies"
_LOOK_BACK = 24
"""The newest items that approvals are asked for: half a year of hotpatches, LCUs and out-of-band releases."""


async def read_policies(client: GraphClient) -> tuple[TenantPolicy, ...]:
    """All quality-update policies with their assignments.

    Raises:
        ProviderError: one of `answers`.
    """
    found = []
    async for page in client.pages(PATH, {"$expand": "assignments"}):
        for each in page.items:
            policy = read_policy(each)
            if policy is not None:
                found.append(policy if policy.reach.told else await _with_assignments(client, policy))
    return tuple(found)


async def _with_assignments(client: GraphClient, policy: TenantPolicy) -> TenantPolicy:
    """For a service that lists policies without their assignments."""
    listed: list[Mapping[str, Any]] = []
    async for page in client.pages(f"{PATH}/{segment(policy.id)}/assignments"):
        listed += page.items
    return replace(policy, reach=read_targets(listed))


def read_policy(item: Mapping[str, Any]) -> TenantPolicy | None:
    """One policy; None for one without an id."""
    policy_id = item.get("id")
    if not isinstance(policy_id, str) or not policy_id:
        return None
    rules = item.get("approvalSettings")
    return TenantPolicy(
        id=policy_id,
        kind=PolicyKind.QUALITY,
        name=plain(item.get("displayName")) or policy_id,
        hotpatch=truth(item.get("hotpatchEnabled")),
        reach=read_targets(item.get("assignments")),
        rules=tuple(_rule(each) for each in rules if isinstance(each, Mapping)) if isinstance(rules, list) else (),
        description=plain(item.get("description")),
        modified_at=moment(item.get("lastModifiedDateTime")),
    )


def _rule(item: Mapping[str, Any]) -> ApprovalRule:
    days = item.get("deferredDeploymentInDay")
    return ApprovalRule(
        cadence=plain(item.get("windowsQualityUpdateCadence")),
        category=plain(item.get("windowsQualityUpdateCategory")),
        method=plain(item.get("approvalMethodType")),
        deferral_days=days if isinstance(days, int) else None,
    )


async def read_approvals(
    client: GraphClient, policy_id: str, items: Sequence[CatalogItem]
) -> tuple[TenantApproval, ...] | None:
    """What a policy says about the newest items; None where the service does not tell.

    Raises:
        ProviderError: one of `answers`, unless it says that there is nothing to be told.
    """
    ids = newest(items)
    if not ids:
        return ()
    listed: list[Mapping[str, Any]] = []
    try:
        async for page in client.pages(details_path(policy_id, ids)):
            listed += page.items
    except (Denied, Gone, NotOffered):
        return None
    except GraphError as error:
        if error.status == 400:  # a service that does not know the function
            return None
        raise
    return tuple(_approvals(policy_id, listed))


def newest(items: Iterable[CatalogItem]) -> tuple[str, ...]:
    """Ids of the newest items of Intune's catalog."""
    dated = sorted(
        (each for each in items if each.kind is PolicyKind.QUALITY and each.released_at is not None),
        key=lambda each: (each.released_at, each.id),
        reverse=True,
    )
    return tuple(each.id for each in dated[:_LOOK_BACK])


def details_path(policy_id: str, item_ids: Iterable[str]) -> str:
    """The function that tells a policy's approvals of catalog items."""
    listed = quote(f"[{','.join(literal(each) for each in item_ids)}]", safe="',")
    return f"{PATH}/{segment(policy_id)}/retrieveWindowsQualityUpdateCatalogItemDetails(ids={listed})"


def _approvals(policy_id: str, listed: Iterable[Mapping[str, Any]]) -> Iterable[TenantApproval]:
    for each in listed:
        item, status = each.get("catalogItemId"), each.get("approvalStatus")
        if isinstance(item, str) and item and isinstance(status, str) and status.casefold() != "unknown":
            yield TenantApproval(policy_id, item, plain(status))
