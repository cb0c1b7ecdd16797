"""What the rollout keeps by itself between an operator's decisions; the runner calls it each turn.

Devices join the ring whose filter they match, policy approves for the rings it names, deadlines that pass are told.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.model.build import kb_text
from engine.rules.plans.candidates import plural
from engine.rules.rollout.approvals import SETTING, forbids, policy_from_text
from engine.rules.rollout.deadlines import Lateness, deadline_of
from engine.rules.rollout.offers import takes
from engine.situation.audit import ACTOR, record
from engine.situation.situation import Situation
from engine.store import Store

if TYPE_CHECKING:
    from engine.model.tenants import Request

MEMBERS_EVERY = timedelta(hours=6)
_MEMBERS_CHECKED = "members-checked"
_TOLD = "deadlines-told"
_LOOK_AT = 1_000
"""Late devices counted by reading them, for one ring and platform; beyond that the record says "at least"."""


def follow_members(store: Store, now: datetime) -> int:
    """Let devices join the ring whose filter they match, a few times a day; returns how many moved."""
    situation = Situation(store, now)
    if not any(ring.members for ring in situation.rings):
        return 0
    last = store.state.setting(_MEMBERS_CHECKED)
    if last is not None and now - datetime.fromisoformat(last) < MEMBERS_EVERY:
        return 0
    with store.transaction():
        moved = store.members.follow(situation.rings, now)
        for ring, devices in moved.items():
            summary = f"{plural(devices, 'device')} joined ring {ring} by its filter"
            record(store, now, "assign", summary, rings=(ring,), devices=devices)
        store.state.set(_MEMBERS_CHECKED, now.isoformat())
        if moved:
            store.state.count_change()
    return sum(moved.values())


def approve_by_policy(store: Store, now: datetime) -> int:
    """Approve what is new for the rings that policy names; a release somebody has decided on is left alone."""
    policy = policy_from_text(store.state.setting(SETTING))
    if not policy.auto_approve:
        return 0
    situation = Situation(store, now)
    names = {each.casefold() for each in policy.auto_approve}
    rings = [ring.name for ring in situation.rings if ring.name.casefold() in names]
    current = {
        newest.kb
        for level in situation.all_levels().values()
        if (newest := level.current_hotpatch() or level.baseline) is not None
    }
    did = 0
    for kb in sorted(current):
        decided = {name.casefold() for each in situation.approvals if each.kb == kb for name in each.rings}
        missing = [name for name in rings if name.casefold() not in decided]
        if not missing or forbids(policy, situation.known(kb)):
            continue
        missing, requests = _with_tenants(store, situation, kb, missing)
        if not missing:
            continue
        with store.transaction():
            if situation.tenancies is not None:
                store.tenant_requests.add(requests, situation.tenancies.ring_ids(), ACTOR, now)
            store.rollout.add_approval(kb, missing, "policy approves it for these rings", ACTOR, now, None, None)
            details = {
                "before": {"approved for": sorted(decided)},
                "after": {"approved for": [*sorted(decided), *missing]},
            }
            summary = f"{kb_text(kb)} was approved by policy"
            record(store, now, "approve", summary, kb=kb, rings=tuple(missing), details=details)
            store.state.count_change()
        did += 1
    return did


def _with_tenants(
    store: Store, situation: Situation, kb: int, names: list[str]
) -> tuple[list[str], tuple[Request, ...]]:
    """The rings that can be approved for as policy names them, with the requests that this asks of tenants.

    A ring whose tenant cannot approve for it alone waits for a person.
    """
    if situation.tenancies is None:
        return names, ()
    from engine.changes.tenant_wishes import TenantWishes

    wishes = TenantWishes(store, situation.tenancies, situation)
    asked = wishes.approving(kb, [situation.ring(name) for name in names])
    if asked.refusal is None:
        return names, asked.requests
    ours = [name for name in names if situation.ring(name).id not in situation.tenancies.by_ring]
    return ours, ()


def tell_deadlines(store: Store, now: datetime) -> int:
    """Record once a release and ring which devices are overdue when deadline and grace have passed."""
    situation = Situation(store, now)
    told = set(json.loads(store.state.setting(_TOLD) or "[]"))
    rings = {ring.id: ring for ring in situation.rings}
    did = 0
    for (kb, ring_id), opened_at in store.rollout.openings().items():
        mark = f"{kb}/{ring_id}"
        deadline = deadline_of(rings[ring_id], opened_at)
        if mark in told or deadline.grace_ends_at > now:
            continue
        overdue = [
            row.name
            for release in situation.releases
            if release.kb == kb and situation.newer(release) is None
            for row in store.late.missing(release, ring_id, now, _LOOK_AT)
            if deadline.lateness(row.last_seen_at, now) is Lateness.OVERDUE and takes(release.kind, row.verdict)
        ]
        told.add(mark)
        name = rings[ring_id].name
        with store.transaction():
            store.state.set(_TOLD, json.dumps(sorted(told)))
            if overdue:
                verb = "is" if len(overdue) == 1 else "are"
                summary = f"{plural(len(overdue), 'device')} of ring {name} {verb} past the deadline of {kb_text(kb)}"
                details = {"sample": overdue[:20], "deadline": deadline.deadline_at.isoformat()}
                record(
                    store,
                    now,
                    "deadline-passed",
                    summary,
                    kb=kb,
                    rings=(name,),
                    devices=len(overdue),
                    details=details,
                )
                store.state.count_change()
        did += 1
    return did
