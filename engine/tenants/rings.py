"""Takes over what a tenant tells of its rings and approvals: the tenant wins, and what it changed by itself is told.

The pull of the inventory calls it inside its transaction. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from engine.model.build import kb_text
from engine.model.model import Ring
from engine.model.tenants import BoundRing, PolicyKind, RingKind, TenantApproval, TenantPicture, TenantRing
from engine.rules.rollout.gates import valid_approval
from engine.rules.rollout.presets import preset
from engine.rules.tenants.matching import matched
from engine.rules.tenants.showing import differences, free_name, in_order, kind_words, new_ring, not_ours, shown
from engine.rules.tenants.tenant import Tenant
from engine.situation.audit import record
from engine.situation.situation import Situation
from engine.situation.tenants import Tenancies
from engine.store import Store

_ACTION = "tenant-change"
_ITEMS_KEPT = 300
"""Of each catalog the newest: quality updates of some years."""


class TakenOver(Struct):
    """What a picture of a tenant's rings changed here."""

    ring_ids: dict[str, int] = field(default_factory=dict)
    """Key of each ring that the tenant has → ring here."""
    new: list[str] = field(default_factory=list)
    """Names of rings that appeared."""
    changed: list[str] = field(default_factory=list)
    """What the tenant changed by itself, in words."""
    gone: list[str] = field(default_factory=list)
    gave_way: list[str] = field(default_factory=list)
    """Preset rings that nothing was in."""


def take_over_rings(store: Store, provider: str, picture: TenantPicture, now: datetime) -> TakenOver:
    """Bring our rings in line with a tenant's, with an audit record for each change made there.

    New rings follow ours in the order of their deferral; a ring that is gone is kept and marked. Call it inside a
    transaction.
    """
    return _TakeOver(store, provider, matched(picture, store.tenant_rings.overlaps(provider)), now).do()


class _TakeOver:
    def __init__(self, store: Store, provider: str, picture: TenantPicture, now: datetime) -> None:
        self._store = store
        self._provider = provider
        self._picture = picture
        self._now = now
        self._known = {each.ring.key: each for each in store.tenant_rings.bound(provider)}
        tenancies = Tenancies(store)
        self._before = tenancies.told(provider)
        self._expected = tenancies.tenant(provider)
        """The tenant once our own requests have arrived: what of it shows is no change of the tenant's."""
        self._done = TakenOver()

    def do(self) -> TakenOver:
        for ring in self._picture.rings:
            if (bound := self._known.get(ring.key)) is not None:
                self._again(bound, ring)
        self._mark_gone()
        self._begin([each for each in self._picture.rings if each.key not in self._known])
        self._take_decisions()
        self._store.tenant_rings.note_told(
            self._provider, self._picture.read_at, self._picture.untold, self._picture.approvals_of
        )
        self._store.state.count_change()
        return self._done

    # --- rings --------------------------------------------------------------------------------------

    def _again(self, bound: BoundRing, ring: TenantRing) -> None:
        self._done.ring_ids[ring.key] = bound.ring_id
        own = self._ring(bound.ring_id)
        after = shown(ring, own)
        if after != own:
            self._store.rollout.save_ring(after)
        found = differences(bound.ring, ring)
        by_itself = (
            not_ours(found, self._expected.rings.get(ring.key, ring)) if ring.key in self._expected.rings else ()
        )
        self._store.tenant_rings.tell(bound.ring_id, ring, self._now)
        words = [each.words for each in by_itself]
        if bound.gone_at is not None:
            words.insert(0, "is there again")
        if not words:
            return
        told = ", ".join(words)
        self._store.tenant_rings.note_change(bound.ring_id, told, self._now)
        self._tell(
            f"{self._provider} changed ring {own.name} by itself: {told}",
            (own.name,),
            {each.name: each.before for each in by_itself},
            {each.name: each.after for each in by_itself},
        )

    def _mark_gone(self) -> None:
        told = {each.key for each in self._picture.rings}
        for key, bound in self._known.items():
            if key in told or bound.ring.kind not in self._picture.told or bound.gone_at is not None:
                continue
            name = self._ring(bound.ring_id).name
            self._store.tenant_rings.mark_gone(bound.ring_id, self._now)
            self._done.gone.append(name)
            before = {"name": bound.ring.name, "kind": str(bound.ring.kind)}
            self._tell(f"{self._provider} does not have ring {name} any more", (name,), before, {})

    def _begin(self, rings: Sequence[TenantRing]) -> None:
        if not rings:
            return
        self._done.gave_way = self._store.tenant_rings.give_way([each.name for each in preset()])
        ours = self._store.rollout.rings()
        taken = {each.name.casefold() for each in ours}
        position = max((each.position for each in ours), default=0)
        ring_id = max((each.id for each in ours), default=0)
        for ring in in_order(rings):
            position, ring_id = position + 1, ring_id + 1
            name = free_name(ring.name, self._provider, taken)
            taken.add(name.casefold())
            self._store.rollout.save_ring(new_ring(ring, ring_id, position, name))
            self._store.tenant_rings.bind(ring_id, self._provider, ring, self._now)
            self._done.ring_ids[ring.key] = ring_id
            self._done.new.append(name)
            after = {"kind": str(ring.kind), "deferral": ring.deferral_days, "hotpatches": ring.hotpatch}
            self._tell(f"Ring {name} is {self._provider}'s {kind_words(ring.kind)}", (name,), {}, after)

    def _ring(self, ring_id: int) -> Ring:
        return next(each for each in self._store.rollout.rings() if each.id == ring_id)

    # --- decisions ----------------------------------------------------------------------------------

    def _take_decisions(self) -> None:
        """Policies, catalogs and approvals as they are told; what could not be read stays as it was."""
        store, picture = self._store.tenant_rings, self._picture
        kinds = _policy_kinds(picture.told)
        kept = [each for each in self._before.policies.values() if each.kind not in kinds]
        store.forget_policies(self._provider, [each.key for each in (*picture.policies, *kept)])
        store.save_policies(self._provider, picture.policies)
        store.forget_items(self._provider, dict.fromkeys(str(each.kind) for each in picture.items))
        for kind in PolicyKind:
            items = [each for each in picture.items if each.kind is kind]
            newest = sorted(items, key=lambda each: (each.released_at or self._now, each.id), reverse=True)
            store.save_items(self._provider, newest[:_ITEMS_KEPT])
        store.forget_approvals(self._provider, picture.approvals_of)
        store.save_approvals(self._provider, picture.approvals, self._now)
        if self._before.read_at is not None:
            self._tell_decisions()
        self._approve_as_there()

    def _tell_decisions(self) -> None:
        """An audit record for each approval that was given, suspended or taken away there."""
        told = {(each.policy, each.item_id): each for each in self._picture.approvals}
        before = {key: each for key, each in self._before.approvals.items() if key[0] in self._picture.approvals_of}
        for key in sorted({*before, *told}):
            was, now = _status(before.get(key)), _status(told.get(key))
            if was != now and now != _status(self._expected.approvals.get(key)):
                self._tell_decision(key, was, now)

    def _tell_decision(self, key: tuple[str, str], was: str, now: str) -> None:
        policy = next((each for each in self._picture.policies if each.key == key[0]), None)
        item = next((each for each in self._picture.items if each.id == key[1]), None)
        if policy is None or item is None:
            return
        kbs = ", ".join(kb_text(each) for each in item.kbs) or item.name
        rings = tuple(
            free.name
            for ring in self._picture.rings
            if policy.key in ring.policies and (free := self._ring(self._done.ring_ids[ring.key])) is not None
        )
        words = f"{kbs}: {was or 'not decided'} → {now or 'not decided'}"
        self._done.changed.append(words)
        for ring in self._picture.rings:
            if policy.key in ring.policies:
                self._store.tenant_rings.note_change(self._done.ring_ids[ring.key], words, self._now)
        summary = f"{self._provider} changed its policy {policy.name} by itself: {words}"
        kb = item.kbs[0] if item.kbs else None
        self._tell(summary, rings, {"status": was}, {"status": now}, kb=kb)

    def _approve_as_there(self) -> None:
        """A current release that the tenant approves is approved here too: its devices get it whatever we say."""
        tenancies = Tenancies(self._store)
        tenant = tenancies.tenant(self._provider)
        situation = Situation(self._store, self._now)
        names = {each.ring.key: self._ring(each.ring_id).name for each in tenancies.bound}
        for kb in dict.fromkeys(each.kb for each in situation.releases if situation.newer(each) is None):
            rings = [
                names[ring.key]
                for ring in tenant.rings.values()
                if tenant.is_approved(ring, kb)
                and valid_approval(situation.approvals, kb, names[ring.key], self._now) is None
            ]
            if rings:
                reason = f"approved in {self._provider}"
                self._store.rollout.add_approval(kb, rings, reason, self._provider, self._now, None, None)
                summary = f"{kb_text(kb)} is approved in {self._provider} for {', '.join(rings)}"
                self._tell(summary, tuple(rings), {}, {"status": "approved"}, kb=kb)

    def _tell(
        self,
        summary: str,
        rings: tuple[str, ...],
        before: Mapping[str, object],
        after: Mapping[str, object],
        *,
        kb: int | None = None,
    ) -> None:
        details = {"provider": self._provider, "before": dict(before), "after": dict(after)}
        record(self._store, self._now, _ACTION, summary, kb=kb, rings=rings, details=details)
        if before:
            self._done.changed.append(summary)


def _policy_kinds(told: Iterable[RingKind]) -> frozenset[PolicyKind]:
    """The kinds of policies that were read whole with these kinds of rings."""
    return frozenset(PolicyKind.UPDATES if each is RingKind.RING else PolicyKind.QUALITY for each in told)


def _status(approval: TenantApproval | None) -> str:
    return approval.status.casefold() if approval is not None else ""


def note_done(store: Store, tenant_before: Tenant, tenant_after: Tenant, now: datetime) -> None:
    """Keep what our own request changed in the tenant, before the next pull tells it; inside a transaction."""
    provider = tenant_after.provider
    bound = {each.ring.key: each for each in store.tenant_rings.bound(provider)}
    own = {each.id: each for each in store.rollout.rings()}
    for key, ring in tenant_after.rings.items():
        if ring != tenant_before.rings.get(key) and key in bound:
            ring_id = bound[key].ring_id
            store.tenant_rings.tell(ring_id, ring, bound[key].told_at)
            after = shown(ring, own[ring_id])
            if after != own[ring_id]:
                store.rollout.save_ring(after)
    changed = [each for key, each in tenant_after.policies.items() if each != tenant_before.policies.get(key)]
    store.tenant_rings.save_policies(provider, changed)
    decided = [each for key, each in tenant_after.approvals.items() if each != tenant_before.approvals.get(key)]
    store.tenant_rings.save_approvals(provider, decided, now)
