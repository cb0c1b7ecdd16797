"""The tenants that carry part of the rollout, read from the store for whoever decides. Never writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from engine.model.model import Ring
from engine.model.records.fleet import TenantSide
from engine.model.tenants import BoundRing, Receipt
from engine.rules.tenants.showing import kind_words, pause_words
from engine.rules.tenants.tenant import Tenant
from engine.store import Store

_Stop = tuple[int | None, str | None, str]


class Tenancies:
    """All tenants at one time; read on demand and kept for as long as one question takes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, Tenant] = {}
        self._tenants: dict[str, Tenant] = {}
        self._receipts: dict[str, tuple[Receipt, ...]] = {}

    @cached_property
    def bound(self) -> tuple[BoundRing, ...]:
        """Rings that are a tenant's, in the order of the rings here."""
        return self._store.tenant_rings.bound()

    @cached_property
    def by_ring(self) -> Mapping[int, BoundRing]:
        """Ring here → the tenant's."""
        return {each.ring_id: each for each in self.bound}

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """Names of the tenants, those without rings too."""
        return tuple(each.name for each in self._store.providers.all() if each.kind == "graph")

    def tenant(self, provider: str) -> Tenant:
        """A tenant with all that is on its way to it."""
        if provider not in self._tenants:
            on_the_way = (each.request for each in self._on_the_way(provider))
            self._tenants[provider] = self.told(provider).with_open(on_the_way)
        return self._tenants[provider]

    def told(self, provider: str) -> Tenant:
        """A tenant as it was told, without what is on its way."""
        if provider not in self._told:
            self._told[provider] = self._read(provider)
        return self._told[provider]

    def _read(self, provider: str) -> Tenant:
        row = self._store.providers.find(provider)
        mine = [each for each in self.bound if each.provider == provider and each.gone_at is None]
        told = self._store.tenant_rings.told(provider)
        return Tenant(
            provider=provider,
            writes=row is not None and row.writes,
            rings={each.ring.key: each.ring for each in mine},
            names={each.ring.key: self._names[each.ring_id] for each in mine},
            policies={each.key: each for each in self._store.tenant_rings.policies(provider)},
            items=self._store.tenant_rings.items(provider),
            approvals={(a.policy, a.item_id): a for a in self._store.tenant_rings.approvals(provider)},
            read_at=told.read_at if told else None,
        )

    @cached_property
    def _names(self) -> Mapping[int, str]:
        return {ring.id: ring.name for ring in self._store.rollout.rings()}

    def stops(self) -> tuple[_Stop, ...]:
        """What tenants themselves hold back, as (KB, ring, words): paused or gone rings, suspended releases."""
        found: list[_Stop] = []
        for each in self.bound:
            if words := pause_words(each.ring, each.provider, each.gone_at):
                found.append((None, self._names[each.ring_id], words))
        for provider in dict.fromkeys(each.provider for each in self.bound):
            found += _suspended(self.told(provider))
        return tuple(found)

    def not_yet(self, bound: BoundRing, kb: int) -> str:
        """What a tenant has not taken yet of an approval, in words; "" when it has, or when it needs none."""
        told = self.told(bound.provider)
        ring = told.rings.get(bound.ring.key)
        if ring is None or not any(each in told.policies for each in ring.policies) or told.is_approved(ring, kb):
            return ""
        return f"{bound.provider} to take the approval"

    def side(self, ring_id: int) -> TenantSide | None:
        """What a tenant keeps of a ring here; None where no tenant carries it."""
        bound = self.by_ring.get(ring_id)
        if bound is None:
            return None
        told, ring = self.told(bound.provider), bound.ring
        others = dict.fromkeys(
            told.name(other) for policy in ring.policies for other in told.reached_by(policy) if other.key != ring.key
        )
        return TenantSide(
            provider=bound.provider,
            kind=kind_words(ring.kind),
            told_at=told.read_at or bound.told_at,
            gone_at=bound.gone_at,
            paused=ring.paused,
            pause_expires_at=ring.pause_expires_at,
            hotpatch=ring.hotpatch,
            deferral_days=ring.deferral_days,
            deadline_days=ring.deadline_days,
            grace_days=ring.grace_days,
            policies=tuple(told.policies[each].name for each in ring.policies if each in told.policies),
            also=tuple(others),
            changed=bound.changed,
            changed_at=bound.changed_at,
            asked=tuple(
                (each.request.why, each.asked_at)
                for each in self._on_the_way(bound.provider)
                if self._names[ring_id] in each.request.rings
            ),
        )

    def _on_the_way(self, provider: str) -> tuple[Receipt, ...]:
        if provider not in self._receipts:
            self._receipts[provider] = self._store.tenant_requests.on_the_way(provider)
        return self._receipts[provider]

    def of(self, rings: Iterable[Ring]) -> dict[str, list[str]]:
        """Provider → keys of those of its rings that are among these; gone rings are not."""
        found: dict[str, list[str]] = {}
        for ring in rings:
            bound = self.by_ring.get(ring.id)
            if bound is not None and bound.gone_at is None:
                found.setdefault(bound.provider, []).append(bound.ring.key)
        return found

    def ring_ids(self) -> dict[tuple[str, str], int]:
        """Provider and key → ring here."""
        return {(each.provider, each.ring.key): each.ring_id for each in self.bound}


def _suspended(tenant: Tenant) -> list[_Stop]:
    items = {(each.kind, each.id): each for each in tenant.items}
    found: list[_Stop] = []
    for approval in tenant.approvals.values():
        policy = tenant.policies.get(approval.policy)
        item = items.get((policy.kind, approval.item_id)) if policy and approval.is_suspended else None
        if item is not None:
            words = f"suspended in {tenant.provider}"
            rings = tenant.reached_by(approval.policy)
            found += [(kb, tenant.name(ring), words) for ring in rings for kb in item.kbs]
    return found
