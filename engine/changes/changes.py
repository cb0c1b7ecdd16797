"""From plan to one transaction: state, audit and change number together. `Engine.carry_out` stands on it.

It plans again inside the transaction, so that what was shown is what happens, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from engine.changes.before_after import Standing, differing, of_devices
from engine.changes.desk import Desk
from engine.changes.families import family_of
from engine.changes.planning import Planner
from engine.model.audit import AuditEntry
from engine.model.errors import PlanOutdated, Refused
from engine.model.intents import Actor, Plan
from engine.store import Store

_REQUESTS_KEPT = 50
"""Requests that an audit record holds in full."""


class Outcome(Struct, frozen=True):
    """What carrying out a plan did."""

    change_number: int
    summary: str
    installs: int
    """How many installs were queued or cancelled."""
    requests: tuple[int, ...] = ()
    """Numbers of the requests that wait to be sent to tenants."""


class CarryOut:
    """Carries out plans for one actor on one store."""

    def __init__(self, store: Store, planner: Planner, actor: Actor) -> None:
        self._store = store
        self._planner = planner
        self._actor = actor

    def carry_out(self, plan: Plan, now: datetime) -> Outcome:
        """Do what the plan says, in one transaction with its audit record.

        Raises:
            Refused: the plan, or the state as it is now, forbids it.
            PlanOutdated: more devices or restarts would come of it than the plan showed.
        """
        with self._store.transaction():
            fresh = self._planner.plan(plan.intent, now)
            if fresh.refusal is not None:
                raise Refused(fresh.refusal.what, fresh.refusal.why, fresh.refusal.instead)
            if fresh.devices > plan.devices or fresh.restarts > plan.restarts:
                raise PlanOutdated(
                    "The fleet has changed since the plan was shown.",
                    f"It would now touch {fresh.devices:,} devices with {fresh.restarts:,} restarts, "
                    f"not {plan.devices:,} with {plan.restarts:,}.",
                    "Look at the plan again.",
                )
            if fresh.requests != plan.requests:
                raise PlanOutdated(
                    "What a tenant would be asked has changed since the plan was shown.",
                    f"It would now be {len(fresh.requests):,} requests, not those {len(plan.requests):,}.",
                    "Look at the plan again.",
                )
            family, desk = family_of(type(fresh.intent)), self._planner.desk(now)
            before = self._standing(fresh)
            installs = family.write(fresh, fresh.intent, desk)
            requests = self._ask_tenants(fresh, desk)
            self._record(fresh, now, installs, differing(before, self._standing(fresh)))
            number = self._store.state.count_change()
        return Outcome(number, fresh.title, installs, requests)

    def _standing(self, plan: Plan) -> Standing:
        """How that which the plan can change stands now."""
        decisions = family_of(type(plan.intent)).standing(plan, plan.intent, self._store)
        return {**decisions, **of_devices(plan, self._store)}

    def _ask_tenants(self, plan: Plan, desk: Desk) -> tuple[int, ...]:
        if not plan.requests:
            return ()
        return self._store.tenant_requests.add(plan.requests, desk.tenancies.ring_ids(), desk.by, desk.now)

    def _record(self, plan: Plan, now: datetime, installs: int, altered: Mapping[str, Standing]) -> None:
        intent = plan.intent
        self._store.audit.append(
            AuditEntry(
                at=now,
                actor=self._actor.name,
                origin=self._actor.origin,
                action=intent.audit_verb,
                summary=plan.title,
                reason=intent.audit_reason,
                kb=intent.audit_kb,
                rings=intent.audit_rings,
                devices=plan.devices,
                details={
                    "steps": list(plan.steps),
                    "restarts": plan.restarts,
                    "installs": installs,
                    "sample": list(plan.sample),
                    "left_out": [{"devices": each.devices, "why": each.why} for each in plan.left_out],
                    "command": plan.command,
                    **_requests_told(plan),
                    **altered,
                },
            )
        )


def _requests_told(plan: Plan) -> Mapping[str, object]:
    """What was asked of tenants, word for word."""
    if not plan.requests:
        return {}
    shown = [
        {"provider": each.provider, "method": each.method, "path": each.address, "body": each.body}
        for each in plan.requests[:_REQUESTS_KEPT]
    ]
    return {"requests": shown, "requests_in_all": len(plan.requests)}
