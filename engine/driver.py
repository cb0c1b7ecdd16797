"""The only loop: holds the lease, works out what is due, hands it to providers, writes back what they report.

`Engine.run_due` makes one turn of it. Killed between two transactions, the next turn of any process carries on:
what a provider is asked is decided by the state file alone, and `Order.install_id` makes repeated orders harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from engine.changes.recoveries import Recovering
from engine.evidence.closing import close_due
from engine.fleet.upkeep import follow_calendar, let_check_in, notice_stale
from engine.model.clock import Clock
from engine.model.errors import LeaseHeld
from engine.providers.base import Provider
from engine.rules.tenants.inventory import PULL_EVERY
from engine.runner.failures import mind_failures, next_end
from engine.runner.health import Watching
from engine.runner.offering import Offering
from engine.runner.orders import Orders
from engine.runner.policies import approve_by_policy, follow_members, tell_deadlines
from engine.safekeeping.pruning import mind_history
from engine.situation.populations import mind_populations
from engine.store import Store
from engine.tenants.upkeep import TenantUpkeep

_STEP = timedelta(minutes=1)
"""The least that a demo's clock is moved at once while running until idle: many small steps are done together."""
_PATIENCE = 5.0
"""Seconds of life between two looks at a real fleet while nothing is due; each look renews the lease."""
_REQUESTS = 20
"""Requests to a tenant that one turn sends: the lease must be renewed in time."""


class TurnResult(Struct, frozen=True):
    """What one turn did."""

    did: int
    """Steps written; 0 means that nothing was due."""
    next_at: datetime | None
    """When something will be due; None when nothing will without a person or a new release."""
    driving: bool
    """False when another process holds the lease."""


class Runner:
    """Drives due work through one store."""

    def __init__(
        self,
        store: Store,
        providers: Mapping[str, Provider],
        clock: Clock,
        pull_every: timedelta | None = PULL_EVERY,
    ) -> None:
        self._store = store
        self._providers = providers
        self._has_simulated = "simulated" in providers
        self._clock = clock
        self._offering = Offering(store)
        self._work = Orders(store, providers)
        self._recovering = Recovering(store)
        self._watching = Watching(store, providers)
        self.tenants = TenantUpkeep(store, providers, clock, pull_every)

    async def turn(self) -> TurnResult:
        """Do what is due now.

        Raises:
            StateUnusable: the state file cannot be written.
        """
        with self._store.transaction():
            if not self._store.lease.take():
                self.tenants.stop()
                return TurnResult(0, None, driving=False)
        now = self._clock.now()
        # Devices check in before the calendar judges them: after a long pause their facts would all look stale.
        if self._has_simulated:
            let_check_in(self._store, now)
        did = follow_calendar(self._store, now)
        did += notice_stale(self._store, now)
        did += mind_failures(self._store, now)
        did += follow_members(self._store, now)
        did += approve_by_policy(self._store, now)
        did += self._recovering.drive(now)
        did += self._watching.collect(now)
        did += tell_deadlines(self._store, now)
        did += self._offering.roll_out(now)
        did += await self._work.do_due(now)
        did += await self._deliver(now)
        did += self.tenants.turn(now)
        # What is deleted cannot be counted any more, so months are kept first.
        did += 1 if close_due(self._store, now) else mind_history(self._store, now)
        mind_populations(self._store, now)
        # After a step another may be due at once, so when the next one is need not be worked out.
        return TurnResult(did, now if did else self._next_at(now), driving=True)

    async def until_idle(
        self,
        step_to: Callable[[datetime], None] | None = None,
        until: datetime | None = None,
        progress: Callable[[datetime, int], None] | None = None,
    ) -> int:
        """Turn until nothing is due without a person, or nothing before `until`; how many steps were done.

        Args:
            step_to: Moves a demo's clock to the next event; without it life is waited for.
            until: What is due later is left.
            progress: Told the present and the steps so far, each turn.

        Raises:
            LeaseHeld: another process drives the work.
        """
        done = 0
        while True:
            turn = await self.turn()
            if not turn.driving:
                raise LeaseHeld(
                    "Another process drives the work on this state file.",
                    f"It is {self._store.lease.holder() or 'just starting'}.",
                    "Let it go on, or end it first.",
                )
            done += turn.did
            if progress is not None:
                progress(self._clock.now(), done)
            if turn.did:
                continue
            if turn.next_at is None or (until is not None and turn.next_at > until):
                return done
            if step_to is not None:
                step_to(max(turn.next_at, self._clock.now() + _STEP))
            else:
                wait = (turn.next_at - self._clock.now()).total_seconds()
                await asyncio.sleep(min(max(wait, 0.5), _PATIENCE))

    async def _deliver(self, now: datetime) -> int:
        """What decisions have asked of tenants. Nothing is loaded where there is none."""
        if not self._store.tenant_requests.providers_due(now):
            return 0
        from engine.tenants.delivery import Delivery

        return (await Delivery(self._store, self._providers).deliver(now, _REQUESTS)).did

    def _next_at(self, now: datetime) -> datetime | None:
        moments = (
            self._store.installs.next_due(),
            self._offering.next_at(now),
            self._watching.next_at(now),
            next_end(self._store),
            self._store.tenant_requests.next_at(now),
            self.tenants.next_at(now),
        )
        return min((each for each in moments if each is not None), default=None)
