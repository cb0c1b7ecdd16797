"""Requests that change a ring: pause, resume, its days, whether hotpatches are allowed, rolling back. Pure.

Sources: Microsoft Graph v1.0, "windowsUpdateForBusinessConfiguration"; beta, "qualityUpdateRing".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.model.intents import Refusal
from engine.model.tenants import Request, RingKind, TenantPolicy, TenantRing, Wish, policy_id_of
from engine.rules.tenants.tenant import DEADLINE, DEFERRAL, GRACE, RING_DEFERRAL, Tenant
from engine.rules.tenants.wishes import (
    BETA,
    NEWER,
    POLICIES,
    V1,
    Asked,
    beyond_what_is_meant,
    part,
    policies_of,
    together,
)

LONGEST_PAUSE = timedelta(days=35)
"""After that the tenant resumes by itself. Microsoft Learn, "Configure Windows Update rings policy in Intune"."""
DEFERRALS = range(31)
"""Days. Microsoft Graph v1.0, "windowsUpdateForBusinessConfiguration"; beta, "windowsUpdates ring"."""
DEADLINES = range(31)
GRACES = range(8)
"""Days. Microsoft Learn, "Policy CSP - Update", ConfigureDeadlineForQualityUpdates and ConfigureDeadlineGracePeriod."""
_UPDATE_RING = {"@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration"}
_RING = {"@odata.type": "#microsoft.graph.windowsUpdates.qualityUpdateRing"}
_QUALITY_POLICY = {"@odata.type": "#microsoft.graph.windowsQualityUpdatePolicy"}


def pause(tenant: Tenant, keys: Sequence[str], now: datetime) -> Asked:
    """Stop all quality updates in rings, hotpatches too."""
    ends = f"{now + LONGEST_PAUSE:%d %b %Y}"
    parts = []
    for ring in (tenant.rings[key] for key in keys if key in tenant.rings):
        name = tenant.name(ring)
        if ring.kind is RingKind.POLICY:
            why = f"It is a policy of {tenant.provider} without an update ring, and a policy cannot be paused."
            instead = "Stop the release instead: hotpatch halt --release KB"
            parts.append(Asked(left_out=(Refusal(f"Ring {name}", why, instead),)))
        elif ring.paused:
            parts.append(Asked(steps=(f"Ring {name} is paused in {tenant.provider} already.",)))
        else:
            until = f"; it ends by itself on {ends}, after 35 days" if ring.kind is RingKind.UPDATE_RING else ""
            request = _patch_ring(tenant, ring, Wish.PAUSE, _paused(ring, on=True), f"ring {name} is paused")
            step = f"{tenant.provider} is asked to pause ring {name}, hotpatches and LCUs alike{until}."
            parts.append(Asked((request,), steps=(step,)))
    return together(parts)


def resume(tenant: Tenant, keys: Sequence[str]) -> Asked:
    """Let quality updates go on in rings."""
    parts = []
    for ring in (tenant.rings[key] for key in keys if key in tenant.rings):
        if ring.paused:
            name = tenant.name(ring)
            request = _patch_ring(tenant, ring, Wish.RESUME, _paused(ring, on=False), f"ring {name} goes on")
            parts.append(Asked((request,), steps=(f"{tenant.provider} is asked to let ring {name} go on.",)))
    return together(parts)


def set_days(
    tenant: Tenant,
    key: str,
    *,
    deferral: int | None = None,
    deadline: int | None = None,
    grace: int | None = None,
) -> Asked:
    """Change what the tenant keeps of a ring's days; what it does not keep is not asked of it."""
    ring = tenant.rings[key]
    name = tenant.name(ring)
    if ring.kind is RingKind.POLICY and deferral is not None:
        why = f"It is a policy of {tenant.provider} without an update ring, which has no deferral."
        return Asked(refusal=Refusal(f"Ring {name} is not changed.", why, "Make an update ring for its groups."))
    members = _days_members(ring)
    wanted = {"deferral": deferral, "deadline": deadline, "grace": grace}
    now = {"deferral": ring.deferral_days, "deadline": ring.deadline_days, "grace": ring.grace_days}
    for rule, allowed in (("deferral", DEFERRALS), ("deadline", DEADLINES), ("grace", GRACES)):
        value = wanted[rule]
        if rule in members and value is not None and value not in allowed:
            why = f"{tenant.provider} takes a {rule} of {allowed[0]} to {allowed[-1]} days."
            return Asked(refusal=Refusal(f"Ring {name} is not changed.", why, f"Choose {allowed[-1]} days or fewer."))
    changed = {
        rule: value for rule, value in wanted.items() if rule in members and value is not None and value != now[rule]
    }
    if not changed:
        return Asked()
    words = ", ".join(f"{rule} {_days(now[rule])} → {_days(value)}" for rule, value in changed.items())
    body = {members[rule]: value for rule, value in changed.items()}
    request = _patch_ring(tenant, ring, Wish.DEFER, body, f"ring {name}: {words}")
    return Asked((request,), steps=(f"{tenant.provider} is asked for {words}.",))


def keeps(ring: TenantRing) -> frozenset[str]:
    """Which of ``deferral``, ``deadline``, ``grace`` the tenant keeps itself."""
    return frozenset(_days_members(ring))


def switch_hotpatch(tenant: Tenant, key: str, *, on: bool, widen: bool) -> Asked:
    """Let the devices of a ring take hotpatches, or not; `widen`: also those of other rings of the same policies."""
    ring = tenant.rings[key]
    name = tenant.name(ring)
    wish = Wish.HOTPATCH_ON if on else Wish.HOTPATCH_OFF
    words = "hotpatches are allowed" if on else "hotpatches are not allowed"
    if ring.kind is RingKind.RING:
        if ring.hotpatch is on:
            return Asked()
        request = _patch_ring(tenant, ring, wish, {"isHotpatchEnabled": on}, f"{words} in ring {name}")
        return Asked((request,), steps=(f"{tenant.provider} is asked: {words} in ring {name}.",))
    policies = [each for each in policies_of(tenant, [ring]) if each.hotpatch is not on]
    if not ring.policies:
        why = f"No quality-update policy of {tenant.provider} reaches it, and only such a policy allows hotpatches."
        return Asked(refusal=Refusal(f"Ring {name} is not changed.", why, "Assign a policy to its groups in Intune."))
    beyond = beyond_what_is_meant(tenant, policies, {key})
    others = list(dict.fromkeys(tenant.name(each) for rings in beyond.values() for each in rings))
    if others and not widen:
        why = (
            f"{tenant.provider} switches hotpatches by policy, and {', '.join(beyond)} reaches {', '.join(others)} too."
        )
        return Asked(refusal=Refusal(f"Ring {name} is not changed.", why, "Say --widen to switch it for all of them."))
    requests = tuple(_patch_policy(tenant, policy, wish, words, on=on) for policy in policies)
    warnings = (f"It holds for {', '.join(others)} too: the policy reaches them.",) if others else ()
    return Asked(
        requests, steps=tuple(f"{tenant.provider} is asked: {each.why}." for each in requests), warnings=warnings
    )


def roll_back(tenant: Tenant, keys: Sequence[str]) -> Asked:
    """Uninstall the last quality update from every device of rings, whichever it is; each restarts."""
    parts = []
    for ring in (tenant.rings[key] for key in keys if key in tenant.rings):
        name = tenant.name(ring)
        if ring.kind is not RingKind.UPDATE_RING:
            why = f"Only Intune's update rings can be rolled back, and in {tenant.provider} it is none."
            parts.append(Asked(left_out=(Refusal(f"Ring {name}", why, "Uninstall on the devices; see the runbook."),)))
        elif ring.rolling_back:
            parts.append(Asked(steps=(f"Ring {name} is being rolled back in {tenant.provider} already.",)))
        else:
            body = {"qualityUpdatesWillBeRolledBack": True}
            request = _patch_ring(tenant, ring, Wish.ROLL_BACK, body, f"ring {name} is rolled back")
            step = (
                f"{tenant.provider} is asked to uninstall the last quality update from every device of ring {name}, "
                "whichever that is; each restarts."
            )
            parts.append(Asked((request,), steps=(step,)))
    return together(parts)


def ring_path(ring: TenantRing) -> tuple[str, str]:
    """Version and path of the object that a ring is; a policy where it is one."""
    match ring.kind:
        case RingKind.UPDATE_RING:
            return V1, f"/deviceManagement/deviceConfigurations/{part(ring.id)}"
        case RingKind.RING:
            return BETA, f"{NEWER}/{part(policy_id_of(ring.policies[0]))}/rings/{part(ring.id)}"
        case RingKind.POLICY:
            return BETA, f"{POLICIES}/{part(ring.id)}"


def _patch_ring(tenant: Tenant, ring: TenantRing, wish: Wish, body: Mapping[str, Any], why: str) -> Request:
    version, path = ring_path(ring)
    kind = _UPDATE_RING if ring.kind is RingKind.UPDATE_RING else _RING
    name = tenant.name(ring)
    return Request(
        tenant.provider, wish, "PATCH", version, path, {**kind, **body}, why, ring_key=ring.key, rings=(name,)
    )


def _patch_policy(tenant: Tenant, policy: TenantPolicy, wish: Wish, words: str, *, on: bool) -> Request:
    names = tuple(tenant.name(each) for each in tenant.reached_by(policy.key))
    return Request(
        tenant.provider,
        wish,
        "PATCH",
        BETA,
        f"{POLICIES}/{part(policy.id)}",
        {**_QUALITY_POLICY, "hotpatchEnabled": on},
        f"{words} in policy {policy.name} (ring{'s' if len(names) > 1 else ''} {', '.join(names)})",
        rings=names,
        policy=policy.key,
    )


def _paused(ring: TenantRing, *, on: bool) -> Mapping[str, Any]:
    return {"qualityUpdatesPaused" if ring.kind is RingKind.UPDATE_RING else "isPaused": on}


def _days_members(ring: TenantRing) -> Mapping[str, str]:
    """Rule → member of the object that keeps it."""
    match ring.kind:
        case RingKind.UPDATE_RING:
            return {"deferral": DEFERRAL, "deadline": DEADLINE, "grace": GRACE}
        case RingKind.RING:
            return {"deferral": RING_DEFERRAL}
        case RingKind.POLICY:
            return {}


def _days(value: int | None) -> str:
    return "none" if value is None else f"{value} d"
