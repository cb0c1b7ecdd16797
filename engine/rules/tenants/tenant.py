"""One tenant as it was told last, with what is on its way to it: what decisions about requests stand on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from engine.model.tenants import (
    CatalogItem,
    PolicyKind,
    Request,
    RingKind,
    TenantApproval,
    TenantPolicy,
    TenantRing,
    Wish,
)
from engine.rules.tenants.matching import agreed

DEFERRAL, DEADLINE, GRACE = (
    "qualityUpdatesDeferralPeriodInDays",
    "deadlineForQualityUpdatesInDays",
    "deadlineGracePeriodInDays",
)
"""Members of an update ring; Microsoft Graph v1.0, "windowsUpdateForBusinessConfiguration"."""
RING_DEFERRAL = "deferralInDays"
"""Member of a newer ring; Microsoft Graph beta, "qualityUpdateRing"."""
_DAYS_OF = {
    DEFERRAL: "deferral_days",
    RING_DEFERRAL: "deferral_days",
    DEADLINE: "deadline_days",
    GRACE: "grace_days",
}


class Tenant(Struct, frozen=True):
    """Rings that the tenant does not have any more are not in it."""

    provider: str
    writes: bool
    """Whether requests may be sent to it at all."""
    rings: Mapping[str, TenantRing]
    """By their keys."""
    names: Mapping[str, str]
    """Key → name of the ring here that shows it."""
    policies: Mapping[str, TenantPolicy] = field(default_factory=dict)
    items: tuple[CatalogItem, ...] = ()
    approvals: Mapping[tuple[str, str], TenantApproval] = field(default_factory=dict)
    """By policy and catalog item."""
    read_at: datetime | None = None
    open: tuple[Request, ...] = ()
    """What is still to be sent; the rest of the picture holds it already."""

    def name(self, ring: TenantRing) -> str:
        """What the ring is called here."""
        return self.names.get(ring.key, ring.name)

    def reached_by(self, key: str) -> tuple[TenantRing, ...]:
        """The rings that a policy reaches."""
        return tuple(each for each in self.rings.values() if key in each.policies)

    def item_for(self, kb: int, kind: PolicyKind) -> CatalogItem | None:
        """The item of a catalog that holds a KB, the newest where several do."""
        found = [each for each in self.items if each.kind is kind and kb in each.kbs]
        return max(found, key=lambda each: (each.released_at or _EARLY, each.id), default=None)

    def says(self, key: str, kb: int) -> TenantApproval | None:
        """What a policy says about a KB; None where nothing is told, or the catalog does not know the KB."""
        policy = self.policies.get(key)
        item = self.item_for(kb, policy.kind) if policy else None
        return self.approvals.get((key, item.id)) if item else None

    def is_approved(self, ring: TenantRing, kb: int) -> bool:
        """Whether every policy of the ring approves a KB, as far as the tenant tells."""
        said = [self.says(each, kb) for each in ring.policies if each in self.policies]
        return bool(said) and all(each is not None and each.is_approved for each in said)

    def is_suspended(self, ring: TenantRing, kb: int) -> bool:
        """Whether a policy of the ring has suspended a KB."""
        said = (self.says(each, kb) for each in ring.policies)
        return any(each is not None and each.is_suspended for each in said)

    def after(self, request: Request, created: str = "") -> Tenant:
        """The tenant once it has done what the request asks; `created`: the id of what was made there."""
        match request.wish:
            case Wish.APPROVE | Wish.SUSPEND:
                return self._after_decision(request, created)
            case Wish.PAUSE | Wish.RESUME:
                return self._with(request, paused=request.wish is Wish.PAUSE, pause_expires_at=None)
            case Wish.ROLL_BACK:
                return self._with(request, rolling_back=True)
            case Wish.DEFER:
                days = {_DAYS_OF[name]: value for name, value in (request.body or {}).items() if name in _DAYS_OF}
                return self._with(request, **days)
            case Wish.HOTPATCH_ON | Wish.HOTPATCH_OFF:
                return self._after_switch(request, on=request.wish is Wish.HOTPATCH_ON)
            case Wish.EXPEDITE | Wish.SYNC:
                return self

    def paused_until(self, key: str, at: datetime | None) -> Tenant:
        """The same, with the end of a ring's pause where it is paused and the end is known."""
        ring = self.rings.get(key)
        if ring is None or not ring.paused or at is None:
            return self
        return replace(self, rings={**self.rings, key: replace(ring, pause_expires_at=at)})

    def with_open(self, requests: Iterable[Request]) -> Tenant:
        """The tenant once all that is on its way has arrived."""
        found = self
        for each in requests:
            found = found.after(each)
            found = replace(found, open=(*found.open, each))
        return found

    def _after_decision(self, request: Request, created: str) -> Tenant:
        place = (request.policy, request.item_id)
        before = self.approvals.get(place)
        status = "approved" if request.wish is Wish.APPROVE else "suspended"
        approval = TenantApproval(*place, status, created or (before.approval_id if before else ""))
        return replace(self, approvals={**self.approvals, place: approval})

    def _after_switch(self, request: Request, *, on: bool) -> Tenant:
        if not request.policy:
            return self._with(request, hotpatch=on)
        policy = self.policies.get(request.policy)
        if policy is None:
            return self
        policies = {**self.policies, policy.key: replace(policy, hotpatch=on)}
        rings = {
            key: replace(ring, hotpatch=agreed(policies[each] for each in ring.policies if each in policies))
            if policy.key in ring.policies and ring.kind is not RingKind.RING
            else ring
            for key, ring in self.rings.items()
        }
        return replace(self, policies=policies, rings=rings)

    def _with(self, request: Request, **changes: object) -> Tenant:
        ring = self.rings.get(request.ring_key)
        if ring is None:
            return self
        return replace(self, rings={**self.rings, ring.key: replace(ring, **changes)})


_EARLY = datetime(1980, 1, 1, tzinfo=UTC)
