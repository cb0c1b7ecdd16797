"""Keeps what is known of tenants fresh while somebody drives: pulls that are due go on beside the turns of the runner.

The runner alone calls it, each turn. It never asks a person to sign in, and never holds a turn up: requests run
between turns on the same thread, and each step is kept by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from engine.model.clock import Clock
from engine.model.errors import EngineError, LeaseHeld
from engine.model.intents import Actor, Role
from engine.providers.base import Provider
from engine.rules.tenants.inventory import PULL_EVERY, Freshness, PullStage
from engine.situation.audit import ACTOR
from engine.store import Store

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient
    from engine.tenants.pull import TenantIntake

_AFTER_TROUBLE = timedelta(minutes=5)
_LOOK = timedelta(seconds=1)
"""How soon a turn looks again at a pull that goes on beside it."""


@runtime_checkable
class _Tenant(Protocol):
    """A provider that is pulled from."""

    def open(self) -> AbstractAsyncContextManager[GraphClient]: ...


class TenantUpkeep:
    """The pulls of one process."""

    def __init__(
        self, store: Store, providers: Mapping[str, Provider], clock: Clock, every: timedelta | None = PULL_EVERY
    ) -> None:
        """`every`: how old what is known may grow; None leaves pulling to people."""
        self._store = store
        self._providers = providers
        self._clock = clock
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._steps = 0
        self._looked_at = -1

    def turn(self, now: datetime) -> int:
        """Begin what is due; how much has been done since the last turn. Needs a running event loop to begin."""
        names = [each.name for each in self._store.providers.all() if each.kind == "graph"]
        if not names:
            return 0
        did = self._show(names, now)
        self._raise_trouble()
        if not self.is_pulling:
            due = next((name for name in names if self._is_due(name, now)), None)
            if due is not None:
                self._task = asyncio.get_running_loop().create_task(self._pull(due))
        did, self._steps = did + self._steps, 0
        return did

    def _raise_trouble(self) -> None:
        """What nobody foresaw is the turn's trouble too, instead of being lost with the task."""
        task = self._task
        if task is not None and task.done():
            self._task = None
            if not task.cancelled() and (trouble := task.exception()) is not None:
                raise trouble

    @property
    def is_pulling(self) -> bool:
        """Whether a pull goes on now."""
        if self._task is None or self._task.done():
            return False
        return self._task.get_loop() is asyncio.get_running_loop()

    def next_at(self, now: datetime) -> datetime | None:
        """When a turn should look again; None while no pull goes on. Pulls to come make nobody wait for them."""
        return now + _LOOK if self._task is not None and not self._task.done() else None

    def stop(self) -> None:
        """Another process drives: what was read is kept, and goes on there."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
        self._task = None

    async def settle(self) -> None:
        """Wait for the pull that goes on."""
        if self._task is not None:
            await asyncio.wait([self._task])

    # --- what was accepted --------------------------------------------------------------------------

    def _show(self, names: list[str], now: datetime) -> int:
        """Rings that have opened since show their release; where nothing has changed nothing is looked at."""
        number = self._store.state.change_number()
        if number == self._looked_at:
            return 0
        from engine.tenants.status import show

        did = 0
        for name in names:
            with self._store.transaction():
                did += show(self._store, name, now).changes
        self._looked_at = self._store.state.change_number()
        return did

    # --- what is pulled -----------------------------------------------------------------------------

    def _is_due(self, name: str, now: datetime) -> bool:
        """The first pull, which changes most, is a person's."""
        found = self._store.tenant_pulls.freshness(name)
        if self._every is None or found is None or found.finished_at is None or found.is_claimed:
            return False
        if found.problem_at is not None and now - found.problem_at < _AFTER_TROUBLE:
            return False
        if self._waits(found, now):
            return False
        return now - found.finished_at >= self._every

    def _waits(self, found: Freshness, now: datetime) -> bool:
        if found.stage is not PullStage.REPORTS:
            return False
        pull = self._store.tenant_pulls.last(found.provider)
        until = self._intake().waits_until(pull) if pull is not None else None
        return until is not None and until > now

    async def _pull(self, name: str) -> None:
        """Step after step, until the pull is done, waits for the service, or cannot go on."""
        provider = self._providers.get(name)
        if not isinstance(provider, _Tenant):
            return
        intake = self._intake()
        try:
            async with provider.open() as client:
                while True:
                    pull = await intake.step(name, client)
                    self._steps += 1
                    if pull.stage is PullStage.DONE or intake.waits_until(pull) is not None:
                        return
                    await asyncio.sleep(0)
        except LeaseHeld:
            return  # another process pulls
        except EngineError as error:
            with self._store.transaction():
                self._store.tenant_pulls.note_problem(name, error, self._clock.now())
        finally:
            intake.release(name)

    def _intake(self) -> TenantIntake:
        from engine.tenants.pull import TenantIntake

        actor = Actor(ACTOR, self._store.lease.host)
        return TenantIntake(self._store, self._clock, actor, Role.OPERATOR, read_only=False)
