"""Pulls of the tenant that tests play: an engine's store, a client that does not wait, steps that can be counted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import open_engine
from engine.engine import Engine
from engine.model.clock import FixedClock
from engine.model.intents import Actor, Role
from engine.model.model import DeviceFacts
from engine.model.tenants import PolicyKind, Reach, RingKind, TenantPicture, TenantPolicy, TenantRing
from engine.rules.tenants.inventory import Pull, PullStage
from engine.tenants.pull import TenantIntake, lists
from tests.states import prepared
from tests.tenant.fixtures import client_of
from tests.tenant.fleet import NOW
from tests.tenant.server import Tenant
from tests.tenant.state import group_id

NAME = "corp"


def ring(key: str, *groups: int, deferral: int = 0, excluded: Sequence[int] = ()) -> TenantRing:
    """An update ring for groups of the played tenant."""
    reach = Reach(tuple(map(group_id, groups)), tuple(map(group_id, excluded)))
    return TenantRing(key, RingKind.UPDATE_RING, key, key, reach, (), deferral_days=deferral, paused=False)


def policy(name: str, *groups: int, hotpatch: bool | None, **reach: Any) -> TenantPolicy:
    """A quality-update policy for groups of the played tenant."""
    reaches = Reach(tuple(map(group_id, groups)), **reach)
    return TenantPolicy(f"id-{name}", PolicyKind.QUALITY, name, hotpatch, reaches)


def picture(rings: Sequence[TenantRing] = (), policies: Sequence[TenantPolicy] = (), **more: Any) -> TenantPicture:
    """What a tenant tells of them, read whole."""
    told = frozenset({RingKind.UPDATE_RING, RingKind.POLICY, RingKind.RING})
    return TenantPicture(tuple(rings), tuple(policies), (), (), NOW, **{"told": told, **more})


USUAL = picture(
    [ring("Test", 1), ring("First", 2, deferral=1), ring("Broad", 3, deferral=5)],
    [policy("Hotpatch", 1, 2, hotpatch=True), policy("No hotpatch", 3, hotpatch=False)],
)


def tells(monkeypatch: pytest.MonkeyPatch, told: TenantPicture | Exception) -> None:
    """Let the tenant tell these rings and policies, or fail so; reading them is tested elsewhere."""

    async def read(*_: object) -> TenantPicture:
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr(lists, "read_rings", read)


@dataclass
class Puller:
    """One process that pulls. `ends` closes it as a kill would: nothing is given back."""

    tenant: Tenant
    engine: Engine
    clock: FixedClock

    @property
    def store(self) -> Any:
        return self.engine.reads.store

    def intake(self, role: Role = Role.OPERATOR, *, read_only: bool = False) -> TenantIntake:
        return TenantIntake(self.store, self.clock, Actor("anna", "test"), role, read_only=read_only)

    async def pull(self, **how: Any) -> Any:
        async with client_of(self.tenant) as client:
            return await self.intake().pull(NAME, client, **how)

    async def steps(self, most: int) -> Pull:
        """At most so many steps; ends where the pull is done."""
        async with client_of(self.tenant) as client:
            for _ in range(most):
                pull = await self.intake().step(NAME, client)
                if pull.stage is PullStage.DONE:
                    break
        return pull

    def later(self, **by: float) -> None:
        self.clock.step(timedelta(**by))

    def dies(self) -> None:
        """The process ends without giving anything back."""
        with self.store.transaction():
            self.store.connection.execute("UPDATE tenant_pull SET pid = 999999999 WHERE holder <> ''")
        self.engine.close()

    def fleet(self) -> list[tuple[Any, ...]]:
        """Every device with all that is known of it."""
        rows = self.store.connection.execute(
            "SELECT d.*, r.name AS ring FROM device d LEFT JOIN ring r ON r.id = d.ring_id ORDER BY d.external_id"
        )
        left_out = ("id", "ring_id")
        return [tuple(row[key] for key in row.keys() if key not in left_out) for row in rows]  # noqa: SIM118


def puller(tenant: Tenant, path: Path, prepared: Path | None = None) -> Puller:
    """A process on a state file, made or copied where there is none; the tenant's moment is its present."""
    clock = FixedClock(NOW)
    if prepared is not None and not path.exists():
        shutil.copy(prepared, path)
    return Puller(tenant, open_engine(path, create=True, clock=clock, actor=Actor("anna", "test")), clock)


def empty_fleet_file() -> Path:
    """An empty fleet's state file. Do not write to it: it is copied."""
    return prepared("empty-fleet", lambda path: open_engine(path, create=True, clock=FixedClock(NOW)).close())


@pytest.fixture(scope="session")
def empty_fleet() -> Path:
    return empty_fleet_file()


@pytest.fixture
def corp(tenant: Tenant, empty_fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Puller]:
    """A process that pulls from the played tenant, whose rings and policies are USUAL."""
    tells(monkeypatch, USUAL)
    found = puller(tenant, tmp_path / "fleet.db", empty_fleet)
    yield found
    found.engine.close()


def facts(corp: Puller, number: int) -> DeviceFacts:
    """What is known of a device of the played tenant."""
    return corp.engine.reads.devices.find(f"PC-{number:06d}").facts
