"""Opens a ring for a release and records why it was due; the rollout calls it, for a tenant's rings the pull too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.model.build import kb_text
from engine.rules.rollout.gates import ConditionState, RingStanding
from engine.situation.audit import record
from engine.store import Store


def open_ring(store: Store, kb: int, standing: RingStanding, before: Sequence[RingStanding], now: datetime) -> None:
    """Open it, with an audit record; inside the caller's transaction. `before`: the rings before it, in order."""
    ring = standing.facts.ring
    # The same ring as in `rollout.standings`: the nearest one that takes part.
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
