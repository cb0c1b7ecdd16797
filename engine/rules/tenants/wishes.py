"""What all wishes share: what one comes to, and how requests are addressed. Pure.

`release_wishes`, `ring_wishes` and `device_wishes` turn a wish into the fewest and smallest requests. They are asked
with the tenant as it is told and with what is on its way to it; asking again for what is so already gives no request.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from urllib.parse import quote

from msgspec import Struct

from engine.model.errors import BadInput
from engine.model.intents import Refusal
from engine.model.tenants import Request, TenantPolicy, TenantRing, Wish
from engine.rules.tenants.tenant import Tenant

BETA, V1 = "beta", "v1.0"
POLICIES = "/deviceManagement/windowsQualityUpdatePolicies"
NEWER = "/admin/windows/updates/policies"


class Asked(Struct, frozen=True):
    """What a wish comes to in one tenant."""

    requests: tuple[Request, ...] = ()
    refusal: Refusal | None = None
    """Set when the wish cannot be had there as it stands."""
    steps: tuple[str, ...] = ()
    """What happens, and what is so already."""
    left_out: tuple[Refusal, ...] = ()
    """Rings that the wish cannot reach."""
    warnings: tuple[str, ...] = ()


def together(parts: Iterable[Asked]) -> Asked:
    """Several wishes as one; the first refusal stands for all."""
    listed = list(parts)
    return Asked(
        requests=tuple(request for each in listed for request in each.requests),
        refusal=next((each.refusal for each in listed if each.refusal is not None), None),
        steps=tuple(step for each in listed for step in each.steps),
        left_out=tuple(refusal for each in listed for refusal in each.left_out),
        warnings=tuple(dict.fromkeys(warning for each in listed for warning in each.warnings)),
    )


def policies_of(tenant: Tenant, rings: Iterable[TenantRing]) -> list[TenantPolicy]:
    ids = dict.fromkeys(each for ring in rings for each in ring.policies)
    return [tenant.policies[each] for each in ids if each in tenant.policies]


def beyond_what_is_meant(
    tenant: Tenant, policies: Iterable[TenantPolicy], meant: set[str]
) -> dict[str, list[TenantRing]]:
    """Policy → rings that it reaches and nobody means."""
    found = {}
    for policy in policies:
        others = [ring for ring in tenant.reached_by(policy.key) if ring.key not in meant]
        if others:
            found[policy.name] = others
    return found


def unknown_release(tenant: Tenant, name: str, wish: Wish) -> Refusal:
    read = f"as it was read on {tenant.read_at:%d %b %Y %H:%M} UTC" if tenant.read_at else "which was not read yet"
    done = {Wish.APPROVE: "approved", Wish.SUSPEND: "suspended", Wish.EXPEDITE: "expedited"}[wish]
    return Refusal(
        f"{name} is not {done}.",
        f"It is not in {tenant.provider}'s catalog, {read}.",
        f"Read the tenant again: hotpatch import --from {quoted(tenant.provider)}",
    )


def quoted(name: str) -> str:
    """A name as one word of a command line."""
    return shlex.quote(name)


def part(value: str) -> str:
    """An id as one part of a path.

    Raises:
        BadInput: it is empty or only dots; a path with it would lead elsewhere.
    """
    if not value.strip(". "):
        raise BadInput(f"{value!r} is not an id of the tenant.", "Its ring or policy cannot be addressed.")
    return quote(value, safe="")
