"""What a change finds and what it leaves, for the audit: the decisions and sums that an intent can alter.

`changes` asks before and after it writes, inside the transaction. It reads only; names of devices stand in the plan.
The decisions are told by the family of the change; here stands what all have in common or what several alter.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.build import kb_text
from engine.model.intents import Plan
from engine.store import Store

Standing = Mapping[str, object]


def of_devices(plan: Plan, store: Store) -> Standing:
    """How the devices of a plan stand now."""
    if not plan.device_ids:
        return {}
    return {
        "devices": store.standing.states(plan.device_ids),
        "under way": store.standing.under_way(plan.device_ids),
        "excluded": store.standing.excluded(plan.device_ids),
    }


def of_stops(store: Store) -> Standing:
    """The pauses and halts in force."""
    found = []
    for each in store.rollout.stops():
        scope = [*([kb_text(each.scope.kb)] if each.scope.kb else []), *([each.scope.ring] if each.scope.ring else [])]
        found.append(f"{each.id}: {each.kind} of {' in '.join(scope) or 'everything'} by {each.stopped_by}")
    return {"stops": found}


def of_holds(store: Store) -> Standing:
    """The safeguard holds and known problems in force: each can bring and end the other."""
    return {
        "holds": [f"{each.id}: {each.words} by {each.held_by}" for each in store.safeguards.in_force()],
        "known problems": [f"{each.id}: {each.title}" for each in store.problems.in_force()],
    }


def differing(before: Standing, after: Standing) -> dict[str, Standing]:
    """Of two standings what is not the same in both, as ``before`` and ``after``."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {
        "before": {name: before[name] for name in names if name in before},
        "after": {name: after[name] for name in names if name in after},
    }
