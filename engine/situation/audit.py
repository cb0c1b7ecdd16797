"""What the engine decides by itself, on record: rings opened, halts, releases that have appeared.

The runner calls it, for a tenant's rings the desk of tenants too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from engine.model.audit import AuditEntry
from engine.model.build import kb_text
from engine.rules.rollout.gates import ConditionState, RingStanding
from engine.store import Store

ACTOR = "engine"


def record(
    store: Store,
    at: datetime,
    action: str,
    summary: str,
    *,
    kb: int | None = None,
    rings: tuple[str, ...] = (),
    devices: int = 0,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Append one record; call it inside the transaction of what it tells."""
    store.audit.append(
        AuditEntry(
            at=at,
            actor=ACTOR,
            origin=store.lease.host,
            action=action,
            summary=summary,
            reason=reason,
            kb=kb,
            rings=rings,
            devices=devices,
            details=details or {},
        )
    )


def open_ring(store: Store, kb: int, standing: RingStanding, before: Sequence[RingStanding], now: datetime) -> None:
    """Open it, with an audit record; inside the caller's transaction. `before`: the rings before it, in order."""
    ring = standing.facts.ring
    # The same ring as in `gates.standings`: the nearest one that takes part.
    last = [each for each in before if each.facts.approval is not None or each.facts.opened_at is not None][-1:]
    gate = [
        f"{each.facts.ring.name}: {c.name} {c.value}, needed {c.needed}" for each in last for c in each.gate.conditions
    ]
    store.rollout.open_ring(kb, ring.id, now)
    record(
        store,
        now,
        "ring-opened",
        f"Ring {ring.name} opened for {kb_text(kb)}",
        kb=kb,
        rings=(ring.name,),
        devices=standing.facts.counts.pending,
        details={
            "gate": gate,
            "held": [c.state is ConditionState.HOLDS for each in last for c in each.gate.conditions],
            "before": {"ring": "closed"},
            "after": {"ring": "open"},
        },
    )
    store.state.count_change()
