"""What waits for a person beside failures and gates: signatures, hands in recoveries, holds that hold nothing any more.

`Reads.attention` calls it; it reads and never writes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.model.build import kb_text
from engine.model.errors import NotFound
from engine.model.model import Approval
from engine.model.records.fleet import Attention, Urgency
from engine.situation.situation import Situation
from engine.store import Store

_SOON = timedelta(days=2)
"""An approval that runs out within this time unsigned cannot wait for later."""


def waiting_for_people(store: Store, situation: Situation) -> list[Attention]:
    """All of it, in no particular order."""
    return [*unsigned(situation), *needing_hands(store), *spent_holds(store, situation)]


def unsigned(situation: Situation) -> list[Attention]:
    """Approvals that count only when a second person has signed them."""
    found = []
    for each in situation.approvals:
        is_over = each.expires_at is not None and each.expires_at <= situation.now
        if each.is_signed or each.withdrawn_at is not None or is_over:
            continue
        what = f"{kb_text(each.kb)} for {', '.join(each.rings)}"
        text = f"{what} waits for a second signature; {each.approved_by} approved it on {_day(each.approved_at)}"
        urgency = Urgency.NOW if _runs_out(each, situation.now) else Urgency.TODAY
        found.append(Attention(urgency, text, "releases", kb_text(each.kb)))
    return found


def _runs_out(approval: Approval, now: datetime) -> bool:
    return approval.expires_at is not None and approval.expires_at - now < _SOON


def needing_hands(store: Store) -> list[Attention]:
    """Recoveries whose devices failed on the way back: the engine never tries those again by itself."""
    found = []
    for each in store.recovery.all(open_only=True):
        devices = store.recovery.standings(each).get("hands", 0)
        if devices:
            need = "1 device needs" if devices == 1 else f"{devices:,} devices need"
            text = f"Recovery from {kb_text(each.kb)}: {need} hands"
            found.append(Attention(Urgency.NOW, text, "failures", "state:failed"))
    return found


def spent_holds(store: Store, situation: Situation) -> list[Attention]:
    """Safeguard holds on releases that newer ones have replaced on every platform: nothing is left to be withheld."""
    found = []
    for each in store.safeguards.in_force():
        if each.kb is None:
            continue
        try:
            newer = [situation.newer(release) for release in situation.known(each.kb)]
        except NotFound:
            continue  # held before it is published
        if all(newer):
            by = ", ".join(dict.fromkeys(kb_text(kb) for kb in newer if kb is not None))
            text = f"Safeguard hold {each.id} on {kb_text(each.kb)} has come to its end: {by} replaced it"
            found.append(Attention(Urgency.SOON, text, "releases", kb_text(each.kb)))
    return found


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %H:%M} UTC"
