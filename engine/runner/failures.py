"""What ends by itself of what people have decided about failures; the runner calls it each turn.

Exclusions end at their time or with the release that they name, escalations when the last of their devices is put
right. Each end is recorded.
"""

from __future__ import annotations

from datetime import datetime

from engine.model.build import kb_text
from engine.model.intents import EscalationEnd
from engine.situation.audit import ACTOR, record
from engine.situation.situation import Situation
from engine.store import Store


def mind_failures(store: Store, now: datetime) -> int:
    """End what has come to its end; returns how many exclusions and escalations."""
    return end_exclusions(store, now) + settle_escalations(store, now)


def next_end(store: Store) -> datetime | None:
    """When time alone will let devices back in."""
    return store.exclusions.next_end()


def end_exclusions(store: Store, now: datetime) -> int:
    """Let devices back in whose time has come, and those that were excluded from a release that is replaced."""
    expired = store.exclusions.has_due(now)
    replaced = _replaced(store, now)
    if not expired and not replaced:
        return 0
    ended = 0
    with store.transaction():
        if expired:
            devices = store.exclusions.expire(now, ACTOR)
            summary = f"{_devices(devices)} readmitted: the time of the exclusion is over"
            record(store, now, "exclusion-ended", summary, devices=len(set(devices)), details=_readmitted(devices))
            store.installs.refresh_device_states(devices)
            ended += len(devices)
        for kb in replaced:
            devices = store.exclusions.lapse(kb, ACTOR, now)
            summary = f"{_devices(devices)} readmitted: {kb_text(kb)}, which they were excluded from, is replaced"
            count = len(set(devices))
            record(store, now, "exclusion-ended", summary, kb=kb, devices=count, details=_readmitted(devices))
            store.installs.refresh_device_states(devices)
            ended += len(devices)
        store.state.count_change()
    return ended


def _replaced(store: Store, now: datetime) -> list[int]:
    """Releases that devices are excluded from and that are current on no platform any more."""
    kbs = store.exclusions.kbs()
    if not kbs:
        return []
    situation = Situation(store, now)
    current = {release.kb for release in situation.releases if release.kb in kbs and situation.newer(release) is None}
    return [kb for kb in kbs if kb not in current]


def settle_escalations(store: Store, now: datetime) -> int:
    """Close escalations of which no failure is open any more."""
    settled = store.escalations.settled()
    if not settled:
        return 0
    with store.transaction():
        for each in settled:
            store.escalations.end(each.id, EscalationEnd.DONE, ACTOR, now)
            late = ", late" if now > each.due_at else ""
            summary = f"The escalation to {each.owner} is done{late}: its {each.devices:,} devices are put right"
            details = {"before": {"escalation": f"{each.id}: open"}, "after": {"escalation": f"{each.id}: done"}}
            record(store, now, "end-escalation", summary, devices=each.devices, details=details)
        store.state.count_change()
    return len(settled)


def _readmitted(ids: list[int]) -> dict[str, object]:
    return {"before": {"excluded": len(set(ids))}, "after": {"excluded": 0}}


def _devices(ids: list[int]) -> str:
    count = len(set(ids))
    return "1 device was" if count == 1 else f"{count:,} devices were"
