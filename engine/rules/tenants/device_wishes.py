"""Requests that reach devices themselves: expedite a release, ask for a check-in. Pure.

Sources: Microsoft Graph beta, "windowsQualityUpdateProfile"; v1.0, "managedDevice: syncDevice".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.model.build import kb_text
from engine.model.intents import Refusal
from engine.model.tenants import PolicyKind, Request, TenantRing, Wish
from engine.rules.tenants.tenant import Tenant
from engine.rules.tenants.wishes import BETA, V1, Asked, part, unknown_release


def expedite(tenant: Tenant, kb: int, keys: Sequence[str], days: int) -> Asked:
    """Force a release and its restart on the groups of rings, past every deferral; `days` until the forced restart."""
    name = kb_text(kb)
    item = tenant.item_for(kb, PolicyKind.QUALITY) or tenant.item_for(kb, PolicyKind.UPDATES)
    if item is None or item.released_at is None:
        return Asked(refusal=unknown_release(tenant, name, Wish.EXPEDITE))
    if item.expeditable is False:
        why = f"{tenant.provider}'s catalog says that it cannot be expedited."
        return Asked(refusal=Refusal(f"{name} is not expedited.", why, "Shorten the deferral of the rings instead."))
    rings = [tenant.rings[key] for key in keys if key in tenant.rings]
    names = tuple(tenant.name(each) for each in rings)
    targets = _targets(rings)
    if not targets:
        why = f"{tenant.provider} does not tell to which groups ring {', '.join(names)} is assigned."
        return Asked(refusal=Refusal(f"{name} is not expedited.", why, "Name a ring that is assigned to groups."))
    title = f"Expedite {name} ({', '.join(names)})"[:200]
    settings = {
        "@odata.type": "#microsoft.graph.expeditedWindowsQualityUpdateSettings",
        "qualityUpdateRelease": f"{item.released_at:%Y-%m-%dT%H:%M:%SZ}",
        "daysUntilForcedReboot": days,
    }
    profile = {
        "@odata.type": "#microsoft.graph.windowsQualityUpdateProfile",
        "displayName": title,
        "expeditedUpdateSettings": settings,
    }
    profiles = "/deviceManagement/windowsQualityUpdateProfiles"
    made = f"an expedite profile for {name} is made"
    given = f"the profile for {name} is assigned to the groups of {', '.join(names)}"
    requests = (
        Request(tenant.provider, Wish.EXPEDITE, "POST", BETA, profiles, profile, made, kb=kb, rings=names),
        Request(
            tenant.provider,
            Wish.EXPEDITE,
            "POST",
            BETA,
            f"{profiles}/{{created}}/assign",
            {"assignments": [{"target": each} for each in targets]},
            given,
            kb=kb,
            rings=names,
        ),
    )
    if any(each.path == profiles and each.body == profile for each in tenant.open):
        return Asked(steps=(f"The same is on its way to {tenant.provider} already.",))
    return Asked(requests, steps=(f"{tenant.provider} is asked: {made}; {given}.",))


def sync(tenant: Tenant, devices: Sequence[tuple[int, str, str]]) -> Asked:
    """Ask devices to check in: (id here, name, Intune's id) of each."""
    asked = {each.device_id for each in tenant.open if each.wish is Wish.SYNC}
    requests = tuple(
        Request(
            tenant.provider,
            Wish.SYNC,
            "POST",
            V1,
            f"/deviceManagement/managedDevices/{part(managed_id)}/syncDevice",
            None,
            f"{name} is asked to check in",
            device_id=device_id,
        )
        for device_id, name, managed_id in devices
        if device_id not in asked
    )
    already = len(devices) - len(requests)
    steps = (f"{already:,} of them have been asked already.",) if already else ()
    return Asked(requests, steps=steps)


def _targets(rings: Iterable[TenantRing]) -> list[Mapping[str, str]]:
    """Assignment targets that cover what rings are assigned to, exclusions included."""
    listed = list(rings)
    found: dict[tuple[str, str], None] = {}
    for ring in listed:
        if ring.reach.all_devices:
            found["allDevicesAssignmentTarget", ""] = None
        if ring.reach.all_users:
            found["allLicensedUsersAssignmentTarget", ""] = None
        found.update({("groupAssignmentTarget", group): None for group in ring.reach.included})
    included = {group for kind, group in found if kind == "groupAssignmentTarget"}
    for ring in listed if found else ():
        excluded = (group for group in ring.reach.excluded if group not in included)
        found.update({("exclusionGroupAssignmentTarget", group): None for group in excluded})
    return [
        {"@odata.type": f"#microsoft.graph.{kind}", **({"groupId": group} if group else {})} for kind, group in found
    ]
