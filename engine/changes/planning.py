"""From intent to plan: may this person, and what would it do. `Engine.plan` stands on it.

It never writes; `changes` carries plans out.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from engine.changes.desk import Desk
from engine.changes.families import family_of
from engine.model.intents import Actor, Intent, Plan, Role
from engine.rules.plans.permissions import may
from engine.store import Store


class Planner:
    """Plans intents for one actor on one store."""

    def __init__(self, store: Store, actor: Actor, role: Role, *, read_only: bool) -> None:
        self._store = store
        self._actor = actor
        self._role = role
        self._read_only = read_only

    def desk(self, now: datetime) -> Desk:
        """What a family of changes works with at this time, for this actor."""
        return Desk(self._store, now, self._actor, self._role)

    def plan(self, intent: Intent, now: datetime) -> Plan:
        """What the intent would do; reads only.

        Raises:
            NotFound, BadInput: it names something that does not exist.
        """
        forbidden = may(type(intent), self._role, read_only=self._read_only)
        plan = family_of(type(intent)).plan(intent, self.desk(now))
        return replace(plan, refusal=forbidden, requests=()) if forbidden else plan
