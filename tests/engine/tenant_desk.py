"""What the tests of tenants' rings and requests share: a state file whose fleet a played tenant carries."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine import Engine, open_engine
from engine.model.clock import FixedClock
from engine.model.intents import Actor, Approve, Intent, Plan, Scope, Stop, StopKind
from engine.model.records.fleet import ProviderRow
from engine.model.tenants import Receipt
from engine.providers.base import Capabilities, CheckIn, InstallReport, Order
from engine.providers.graph.client import GraphClient, Limits
from engine.providers.graph.config import to_json
from engine.providers.graph.rings import read_rings
from engine.store import Store
from engine.tenants.pull import TenantIntake
from engine.tenants.rings import TakenOver, take_over_rings
from tests.engine.tenant_pulls import empty_fleet_file
from tests.tenant.fixtures import TOKEN, client_of, config_of
from tests.tenant.fleet import NOW
from tests.tenant.server import Tenant, running

NAME = "corp"
MAY, MAY_LCU = 5089466, 5089549
BOARD = "board decision 12"
PAIR = ("Corp Test", "Corp First")
"""Rings that one policy reaches: they are approved for together."""
APPROVE = Approve(MAY, PAIR, BOARD)
PAUSE = Stop(StopKind.PAUSE, Scope(ring="Corp Broad"), "change freeze")


@dataclass
class Corp:
    """The played tenant as a provider whose client never really waits."""

    tenant: Tenant
    writes: bool = True
    limits: Limits | None = None
    name: str = NAME
    opened: int = 0

    def capabilities(self) -> Capabilities:
        return Capabilities(install_now=False, uninstall_device=False, reports_progress=False, reports_health=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[GraphClient]:
        self.opened += 1
        async with client_of(self.tenant, writes=self.writes, limits=self.limits) as client:
            yield client

    async def devices(self, since: datetime | None) -> AsyncIterator[CheckIn]:
        return
        yield

    async def report(self, orders: Any, now: datetime) -> tuple[InstallReport, ...]:
        self.orders: tuple[Order, ...] = tuple(orders)
        return ()


@dataclass
class Desk:
    """One operator's engine on a state file."""

    tenant: Tenant
    path: Path
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    engine: Engine = field(init=False)
    corp: Corp = field(init=False)

    def __post_init__(self) -> None:
        self.corp = Corp(self.tenant)
        self.engine = self.open(create=True)

    def open(self, *, create: bool = False, read_only: bool = False, who: str = "mia") -> Engine:
        """Another engine on the same file, as another process has it."""
        return open_engine(
            self.path,
            clock=self.clock,
            providers={NAME: self.corp},
            actor=Actor(who, "jump01 test"),
            create=create,
            read_only=read_only,
        )

    @property
    def store(self) -> Store:
        return self.engine.reads.store

    def add_provider(self, *, writes: bool = True) -> None:
        """The provider's row, as `provider add` writes it."""
        row = ProviderRow(NAME, "graph", to_json(config_of(self.tenant)), writes, "mia", NOW)
        with self.store.transaction():
            self.store.providers.add(row)

    async def pull(self) -> Any:
        """The whole inventory, rings too."""
        intake = TenantIntake(self.store, self.clock, Actor("mia", "test"), self.engine.info().role, read_only=False)
        async with client_of(self.tenant) as client:
            return await intake.pull(NAME, client)

    async def pull_rings(self) -> TakenOver:
        """Rings and approvals only."""
        async with client_of(self.tenant) as client:
            picture = await read_rings(client, self.clock.now())
        with self.store.transaction():
            return take_over_rings(self.store, NAME, picture, self.clock.now())

    def plan(self, intent: Intent) -> Plan:
        return self.engine.plan(intent)

    def carry_out(self, intent: Intent) -> tuple[int, ...]:
        """Plan and carry out; the numbers of the requests."""
        return self.engine.carry_out(self.plan(intent)).requests

    async def ask(self, intent: Intent) -> tuple[Receipt, ...]:
        """Plan, carry out, deliver; what became of the requests."""
        numbers = self.carry_out(intent)
        await self.engine.deliver()
        return self.receipts(numbers)

    def receipts(self, numbers: tuple[int, ...]) -> tuple[Receipt, ...]:
        return self.store.tenant_requests.these(numbers)

    def later(self, **by: float) -> None:
        self.clock.step(timedelta(**by))

    def ring(self, name: str) -> Any:
        return next(each for each in self.store.rollout.rings() if each.name == name)

    def audit(self, action: str) -> list[Any]:
        return [each for each in self.engine.reads.activity.audit(limit=500) if each.action == action]


async def desk(tenant: Tenant, folder: Path, *, writes: bool = True) -> Desk:
    """A state file of the test's own with the tenant's fleet pulled into it.

    What a pull from a new tenant gives is kept beside the folders of the tests, and copied where nothing was changed
    in this one.
    """
    path = folder / "state.db"
    if not (tenant.state.is_untouched and tenant.faults.is_empty):
        return await _pulled(tenant, path, writes=writes)
    shutil.copy(await _prepared(folder.parent, writes=writes), path)
    found = Desk(tenant, path)
    with found.store.transaction():
        config = to_json(config_of(tenant))
        found.store.connection.execute("UPDATE provider SET config = ? WHERE name = ?", (config, NAME))
    return found


async def _prepared(folder: Path, *, writes: bool) -> Path:
    """The state file after a pull from a tenant that no test has seen. Do not write to it: it is copied."""
    kept = folder / f"{NAME}-{writes}.prepared"
    if not kept.exists():
        played = Tenant(token=TOKEN)
        played.state.write_tokens.add(TOKEN)
        begun = kept.with_suffix(".begun")
        begun.unlink(missing_ok=True)
        with running(played):
            made = await _pulled(played, begun, writes=writes)
            made.engine.close()
        assert not played.violations
        begun.rename(kept)
    return kept


async def _pulled(tenant: Tenant, path: Path, *, writes: bool) -> Desk:
    shutil.copy(empty_fleet_file(), path)
    found = Desk(tenant, path)
    found.add_provider(writes=writes)
    await found.pull()
    return found


def sent(tenant: Tenant) -> list[tuple[str, str]]:
    """Method and path of each request that may have changed something."""
    return [(each.method, each.path) for each in tenant.writes]
