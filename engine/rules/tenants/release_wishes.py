"""Requests that approve or suspend a release. Pure; `changes.tenants` and the rollout ask it.

Sources: Microsoft Graph beta, "windowsQualityUpdatePolicy: bulkAction" and "windowsUpdates policyApproval".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.model.build import kb_text
from engine.model.intents import Refusal
from engine.model.tenants import PolicyKind, Request, TenantPolicy, TenantRing, Wish
from engine.rules.tenants.tenant import Tenant
from engine.rules.tenants.wishes import (
    BETA,
    NEWER,
    POLICIES,
    Asked,
    beyond_what_is_meant,
    part,
    policies_of,
    quoted,
    unknown_release,
)

_APPROVAL = {"@odata.type": "#microsoft.graph.windowsUpdates.policyApproval"}


def approve(tenant: Tenant, kb: int, keys: Sequence[str], covered: Iterable[str] = ()) -> Asked:
    """Let a release go to rings. `covered`: other rings that it is approved for already."""
    return _decide(tenant, kb, keys, Wish.APPROVE, covered)


def suspend(tenant: Tenant, kb: int, keys: Sequence[str], covered: Iterable[str] = ()) -> Asked:
    """Stop a release in rings. `covered`: other rings that nobody has approved it for."""
    return _decide(tenant, kb, keys, Wish.SUSPEND, covered)


def _decide(tenant: Tenant, kb: int, keys: Sequence[str], wish: Wish, covered: Iterable[str]) -> Asked:
    name = kb_text(kb)
    rings = [tenant.rings[key] for key in keys if key in tenant.rings]
    policies = policies_of(tenant, rings)
    left_out = tuple(_no_policy(tenant, ring) for ring in rings if not policies_of(tenant, [ring]))
    if beyond := beyond_what_is_meant(tenant, policies, {*keys, *covered}):
        return Asked(refusal=_too_far(tenant, name, wish, rings, beyond))
    requests, steps, warnings = [], [], []
    for policy in policies:
        item = tenant.item_for(kb, policy.kind)
        if item is None:
            return Asked(refusal=unknown_release(tenant, name, wish))
        names = tuple(tenant.name(each) for each in tenant.reached_by(policy.key))
        said = tenant.approvals.get((policy.key, item.id))
        done = "approved" if wish is Wish.APPROVE else "suspended"
        if said is not None and said.status.casefold() == done:
            steps.append(f"In policy {policy.name} of {tenant.provider} {name} is {done} already.")
            continue
        why = f"{name} is {done} in policy {policy.name} (ring{'s' if len(names) > 1 else ''} {', '.join(names)})"
        method, path, body = _decision(policy, item.id, done, said.approval_id if said else "")
        requests.append(
            Request(
                tenant.provider,
                wish,
                method,
                BETA,
                path,
                body,
                why,
                kb=kb,
                rings=names,
                policy=policy.key,
                item_id=item.id,
            )
        )
        steps.append(f"{tenant.provider} is asked: {why}.")
        others = [kb_text(each) for each in item.kbs if each != kb]
        if others:
            warnings.append(
                f"In {tenant.provider}'s catalog {name} is one item with {', '.join(others[:4])}: "
                f"{'they are' if len(others) > 1 else 'it is'} {done} with it."
            )
    return Asked(tuple(requests), steps=tuple(steps), left_out=left_out, warnings=tuple(dict.fromkeys(warnings)))


def _decision(policy: TenantPolicy, item_id: str, status: str, approval_id: str) -> tuple[str, str, Mapping[str, Any]]:
    """Method, path and body that approve or suspend one item of a policy."""
    if policy.kind is PolicyKind.QUALITY:
        action = "approve" if status == "approved" else "suspend"
        return "POST", f"{POLICIES}/{part(policy.id)}/bulkAction", {"action": action, "ids": [item_id]}
    approvals = f"{NEWER}/{part(policy.id)}/approvals"
    if approval_id:
        return "PATCH", f"{approvals}/{part(approval_id)}", {**_APPROVAL, "status": status}
    return "POST", approvals, {**_APPROVAL, "catalogEntryId": item_id, "status": status}


def _too_far(
    tenant: Tenant, name: str, wish: Wish, rings: Sequence[TenantRing], beyond: Mapping[str, Sequence[TenantRing]]
) -> Refusal:
    told = "; ".join(
        f"policy {policy} reaches {', '.join(tenant.name(each) for each in others)} too"
        for policy, others in beyond.items()
    )
    meant = [tenant.name(each) for each in rings]
    more = list(dict.fromkeys(tenant.name(each) for others in beyond.values() for each in others))
    if wish is Wish.APPROVE:
        options = " ".join(f"--ring {quoted(each)}" for each in dict.fromkeys([*meant, *more]))
        return Refusal(
            f"{name} is not approved.",
            f"{tenant.provider} approves by policy, not by ring: {told}.",
            f"Approve it for all of them, {options}, or split the policy in the tenant.",
        )
    return Refusal(
        f"{name} is not suspended for {', '.join(meant)}.",
        f"{tenant.provider} suspends by policy, not by ring: {told}.",
        f"Stop it everywhere, hotpatch halt --release {name}, or pause the ring, "
        f"hotpatch pause --ring {quoted(meant[0])}.",
    )


def _no_policy(tenant: Tenant, ring: TenantRing) -> Refusal:
    return Refusal(
        f"Ring {tenant.name(ring)}",
        f"No quality-update policy of {tenant.provider} reaches it: it takes every release by itself after its "
        "deferral.",
        f"To hold a release back, pause the ring: hotpatch pause --ring {quoted(tenant.name(ring))}",
    )
