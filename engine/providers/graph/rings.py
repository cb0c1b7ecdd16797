"""All that a tenant tells about rings and approvals, as one picture: both generations of Microsoft's rollout.

The pull of the inventory calls it. It reads only; what a refused part leaves unknown is said in the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from engine.model.errors import Denied, Gone, NotOffered, ProviderError
from engine.model.tenants import CatalogItem, RingKind, TenantApproval, TenantPicture, TenantPolicy, TenantRing
from engine.providers.graph.assignments import read_targets
from engine.providers.graph.devices import moment, plain
from engine.providers.graph.odata import segment, truth, type_name
from engine.providers.graph.policies import read_approvals, read_policies
from engine.providers.graph.update_catalog import read_entries, read_items
from engine.providers.graph.update_policies import read_update_policies
from engine.rules.tenants.matching import rings_of_policies, with_policies

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

CONFIGURATIONS = "/deviceManagement/deviceConfigurations"
VERSION = "v1.0"
"""Update rings are in v1.0; their policies are in beta only."""
_KIND = "windowsUpdateForBusinessConfiguration"
_REFUSED = (Denied, Gone, NotOffered)


async def read_rings(client: GraphClient, now: datetime) -> TenantPicture:
    """The tenant's rings, policies, catalogs and approvals.

    A tenant may use either generation or both; one that it may not read, or does not have, is left out and named.

    Raises:
        ProviderError: one of `answers`, where nothing is known for want of an answer.
    """
    found = _Found()
    try:
        await _read_intune(client, found)
    except _REFUSED as error:
        found.untold.append(_words("Intune's update rings and quality-update policies", error))
    else:
        found.told |= {RingKind.UPDATE_RING, RingKind.POLICY}
    try:
        await _read_newer(client, found)
    except _REFUSED as error:
        found.untold.append(_words("The newer update policies and rings", error))
    else:
        found.told.add(RingKind.RING)
    named = {each.id.casefold(): each.id for each in found.items}
    return TenantPicture(
        rings=tuple(_as_of(each, now) for each in found.rings),
        policies=tuple(found.policies),
        items=tuple(found.items),
        # Graph writes an id now in capitals, now in small letters.
        approvals=tuple(replace(a, item_id=named.get(a.item_id.casefold(), a.item_id)) for a in found.approvals),
        read_at=now,
        told=frozenset(found.told),
        untold=tuple(found.untold),
        approvals_of=frozenset(found.approvals_of),
    )


class _Found:
    """What has been read so far."""

    def __init__(self) -> None:
        self.rings: list[TenantRing] = []
        self.policies: list[TenantPolicy] = []
        self.items: list[CatalogItem] = []
        self.approvals: list[TenantApproval] = []
        self.approvals_of: set[str] = set()
        self.told: set[RingKind] = set()
        self.untold: list[str] = []


async def _read_intune(client: GraphClient, found: _Found) -> None:
    policies = await read_policies(client)
    rings = with_policies(await read_update_rings(client), policies)
    found.policies += policies
    found.rings += [*rings, *rings_of_policies(policies, rings)]
    if not policies:
        return
    try:
        items = await read_items(client)
    except _REFUSED as error:
        found.untold.append(_words("Intune's catalog of quality updates", error))
        return
    found.items += items
    silent = []
    for policy in policies:
        told = await read_approvals(client, policy.id, items)
        if told is None:
            silent.append(policy.name)
        else:
            found.approvals += told
            found.approvals_of.add(policy.key)
    if silent:
        found.untold.append(f"The service does not tell what is approved in {', '.join(silent[:3])}.")


async def _read_newer(client: GraphClient, found: _Found) -> None:
    policies, rings, approvals = await read_update_policies(client)
    found.policies += policies
    found.rings += rings
    found.approvals += approvals
    found.approvals_of |= {each.key for each in policies}
    if not policies:
        return
    try:
        found.items += await read_entries(client)
    except _REFUSED as error:
        found.untold.append(_words("The update service's catalog", error))


async def read_update_rings(client: GraphClient) -> tuple[TenantRing, ...]:
    """Intune's update rings, in the order of the service.

    Raises:
        ProviderError: one of `answers`.
    """
    found = []
    query = {"$filter": f"isof('microsoft.graph.{_KIND}')", "$expand": "assignments"}
    async for page in client.pages(CONFIGURATIONS, query, version=VERSION):
        for each in page.items:
            if type_name(each) != _KIND:
                continue
            item = each if "assignments" in each else await _with_assignments(client, each)
            if (ring := read_update_ring(item)) is not None:
                found.append(ring)
    return tuple(found)


def _as_of(ring: TenantRing, now: datetime) -> TenantRing:
    """The ring without a pause that has ended: its flag stays where nobody takes it away, its devices go on."""
    ended = ring.paused and ring.pause_expires_at is not None and ring.pause_expires_at <= now
    return replace(ring, paused=False, pause_expires_at=None) if ended else ring


async def _with_assignments(client: GraphClient, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """For a service that lists configurations without their assignments."""
    ring_id = item.get("id")
    if not isinstance(ring_id, str) or not ring_id:
        return item
    path = f"{CONFIGURATIONS}/{segment(ring_id)}"
    return await client.get(path, {"$expand": "assignments"}, version=VERSION)


def read_update_ring(item: Mapping[str, Any]) -> TenantRing | None:
    """One update ring; None for one without an id."""
    ring_id = item.get("id")
    if not isinstance(ring_id, str) or not ring_id:
        return None
    paused = truth(item.get("qualityUpdatesPaused"))
    return TenantRing(
        key=f"{RingKind.UPDATE_RING}:{ring_id}",
        kind=RingKind.UPDATE_RING,
        id=ring_id,
        name=plain(item.get("displayName")) or ring_id,
        reach=read_targets(item.get("assignments")),
        policies=(),
        description=plain(item.get("description")),
        deferral_days=_days(item, "qualityUpdatesDeferralPeriodInDays"),
        deadline_days=_days(item, "deadlineForQualityUpdatesInDays"),
        grace_days=_days(item, "deadlineGracePeriodInDays"),
        paused=paused,
        pause_expires_at=moment(item.get("qualityUpdatesPauseExpiryDateTime")) if paused else None,
        rolling_back=truth(item.get("qualityUpdatesWillBeRolledBack")),
        modified_at=moment(item.get("lastModifiedDateTime")),
    )


def _days(item: Mapping[str, Any], name: str) -> int | None:
    value = item.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 365 else None


def _words(what: str, error: ProviderError) -> str:
    return " ".join(part for part in (f"{what} could not be read.", error.why or error.what) if part)
