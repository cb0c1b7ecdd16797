"""The state file: one `Store` a connection, one module an aggregate. SQL lives here and nowhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.store.audit import AuditStore, StandingStore
from engine.store.connection import open_state, snapshot, transaction, unusable
from engine.store.devices import DeviceStore
from engine.store.installs import InstallStore
from engine.store.releases import ReleaseStore
from engine.store.rollout import RolloutStore
from engine.store.state import Lease, StateStore

if TYPE_CHECKING:
    from engine.rules.failures import SlaTargets
    from engine.store.cases import CaseStore
    from engine.store.copying import OutlookStore
    from engine.store.escalations import EscalationStore
    from engine.store.evidence import EvidenceStore
    from engine.store.exclusions import ExclusionStore
    from engine.store.health import HealthStore
    from engine.store.history import HistoryStore
    from engine.store.late import LateStore
    from engine.store.members import MemberStore
    from engine.store.problems import ProblemStore
    from engine.store.providers import ProviderStore
    from engine.store.recovery import RecoveryStore
    from engine.store.safeguards import SafeguardStore
    from engine.store.tenants.inventory import TenantInventoryStore
    from engine.store.tenants.outcomes import OutcomeStore
    from engine.store.tenants.pull import PullStore
    from engine.store.tenants.reach import ReachStore
    from engine.store.tenants.requests import TenantRequestStore
    from engine.store.tenants.rings import TenantRingStore
    from engine.store.tenants.status import TenantStatusStore
    from engine.store.traits import TraitStore


T = TypeVar("T")


class Later(Generic[T]):
    """A part of the store that most commands never ask: loaded when it is first asked, and kept."""

    def __init__(self, place: str) -> None:
        """``tenants.rings:TenantRingStore``: the module within `store`, and the class in it."""
        self._place = place

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, store: Store, owner: type) -> T:
        module, _, name = self._place.partition(":")
        made: T = getattr(import_module(f"{__name__}.{module}"), name)(store.connection)
        store.__dict__[self._name] = made  # found before this descriptor from now on
        return made


class Store:
    """All that the state file keeps, through one connection of one thread."""

    providers: Later[ProviderStore] = Later("providers:ProviderStore")
    tenant_rings: Later[TenantRingStore] = Later("tenants.rings:TenantRingStore")
    tenant_requests: Later[TenantRequestStore] = Later("tenants.requests:TenantRequestStore")
    tenant_inventory: Later[TenantInventoryStore] = Later("tenants.inventory:TenantInventoryStore")
    tenant_reach: Later[ReachStore] = Later("tenants.reach:ReachStore")
    tenant_outcomes: Later[OutcomeStore] = Later("tenants.outcomes:OutcomeStore")
    tenant_status: Later[TenantStatusStore] = Later("tenants.status:TenantStatusStore")
    traits: Later[TraitStore] = Later("traits:TraitStore")
    history: Later[HistoryStore] = Later("history:HistoryStore")
    cases: Later[CaseStore] = Later("cases:CaseStore")
    exclusions: Later[ExclusionStore] = Later("exclusions:ExclusionStore")
    escalations: Later[EscalationStore] = Later("escalations:EscalationStore")
    evidence: Later[EvidenceStore] = Later("evidence:EvidenceStore")
    problems: Later[ProblemStore] = Later("problems:ProblemStore")
    outlook: Later[OutlookStore] = Later("copying:OutlookStore")
    late: Later[LateStore] = Later("late:LateStore")
    health: Later[HealthStore] = Later("health:HealthStore")
    recovery: Later[RecoveryStore] = Later("recovery:RecoveryStore")
    safeguards: Later[SafeguardStore] = Later("safeguards:SafeguardStore")
    members: Later[MemberStore] = Later("members:MemberStore")

    def __init__(self, path: Path, *, read_only: bool = False, create: bool = True) -> None:
        """Open the file.

        Raises:
            StateUnusable: it cannot be used; the message says why and what to do.
        """
        self.path = path
        self.sla_targets: SlaTargets | None = None
        """Service levels of whoever has opened it; None for those that `engine.rules.failures` comes with."""
        self.connection = open_state(path, read_only=read_only, create=create)
        self.state = StateStore(self.connection)
        self.lease = Lease(self.connection)
        self.releases = ReleaseStore(self.connection)
        self.devices = DeviceStore(self.connection)
        self.rollout = RolloutStore(self.connection)
        self.installs = InstallStore(self.connection)
        self.audit = AuditStore(self.connection)
        self.standing = StandingStore(self.connection)

    @cached_property
    def tenant_pulls(self) -> PullStore:
        from engine.store.tenants.pull import PullStore

        return PullStore(self.connection, self.lease)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """State, audit and change number together, or nothing.

        Raises:
            StateUnusable: the file is busy, full or read-only; nothing was written.
        """
        try:
            with transaction(self.connection):
                yield
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads of one and the same state."""
        with snapshot(self.connection):
            yield

    def interrupt(self) -> None:
        """Stop the read that runs on another thread."""
        self.connection.interrupt()

    def hurry(self) -> None:
        """Give up safety against a crash, for a private copy that nobody needs afterwards."""
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self.connection.execute("PRAGMA synchronous = OFF")

    def settle(self) -> None:
        """Bring everything into the file itself, so that it is complete without the files beside it."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def compact(self) -> None:
        """Write the file anew without its free space; others cannot write meanwhile.

        Raises:
            StateUnusable: somebody writes, or the disk is full; nothing has changed.
        """
        try:
            self.history.compact()
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def close(self) -> None:
        self.connection.close()
