"""The state file: one `Store` a connection, one module an aggregate. SQL lives here and nowhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engine.store.audit import AuditStore, StandingStore
from engine.store.connection import open_state, snapshot, transaction, unusable
from engine.store.copying import OutlookStore
from engine.store.devices import DeviceStore
from engine.store.health import HealthStore
from engine.store.installs import InstallStore
from engine.store.late import LateStore
from engine.store.members import MemberStore
from engine.store.recovery import RecoveryStore
from engine.store.releases import ReleaseStore
from engine.store.rollout import RolloutStore
from engine.store.safeguards import SafeguardStore
from engine.store.state import Lease, StateStore

if TYPE_CHECKING:
    from engine.rules.failures import SlaTargets
    from engine.store.cases import CaseStore
    from engine.store.escalations import EscalationStore
    from engine.store.evidence import EvidenceStore
    from engine.store.exclusions import ExclusionStore
    from engine.store.history import HistoryStore
    from engine.store.problems import ProblemStore
    from engine.store.providers import ProviderStore
    from engine.store.tenants.inventory import TenantInventoryStore
    from engine.store.tenants.outcomes import OutcomeStore
    from engine.store.tenants.pull import PullStore
    from engine.store.tenants.reach import ReachStore
    from engine.store.tenants.requests import TenantRequestStore
    from engine.store.tenants.rings import TenantRingStore
    from engine.store.tenants.status import TenantStatusStore
    from engine.store.traits import TraitStore


class Store:
    """All that the state file keeps, through one connection of one thread."""

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
        self.members = MemberStore(self.connection)
        self.safeguards = SafeguardStore(self.connection)
        self.recovery = RecoveryStore(self.connection)
        self.health = HealthStore(self.connection)
        self.late = LateStore(self.connection)
        self.outlook = OutlookStore(self.connection)
        self.audit = AuditStore(self.connection)
        self.standing = StandingStore(self.connection)

    # What is known and done about failures is loaded on use: most commands never ask. The same holds for providers.

    @cached_property
    def providers(self) -> ProviderStore:
        from engine.store.providers import ProviderStore

        return ProviderStore(self.connection)

    @cached_property
    def tenant_rings(self) -> TenantRingStore:
        from engine.store.tenants.rings import TenantRingStore

        return TenantRingStore(self.connection)

    @cached_property
    def tenant_requests(self) -> TenantRequestStore:
        from engine.store.tenants.requests import TenantRequestStore

        return TenantRequestStore(self.connection)

    @cached_property
    def tenant_inventory(self) -> TenantInventoryStore:
        from engine.store.tenants.inventory import TenantInventoryStore

        return TenantInventoryStore(self.connection)

    @cached_property
    def tenant_pulls(self) -> PullStore:
        from engine.store.tenants.pull import PullStore

        return PullStore(self.connection, self.lease)

    @cached_property
    def tenant_reach(self) -> ReachStore:
        from engine.store.tenants.reach import ReachStore

        return ReachStore(self.connection)

    @cached_property
    def tenant_outcomes(self) -> OutcomeStore:
        from engine.store.tenants.outcomes import OutcomeStore

        return OutcomeStore(self.connection)

    @cached_property
    def tenant_status(self) -> TenantStatusStore:
        from engine.store.tenants.status import TenantStatusStore

        return TenantStatusStore(self.connection)

    @cached_property
    def traits(self) -> TraitStore:
        from engine.store.traits import TraitStore

        return TraitStore(self.connection)

    @cached_property
    def history(self) -> HistoryStore:
        from engine.store.history import HistoryStore

        return HistoryStore(self.connection)

    @cached_property
    def cases(self) -> CaseStore:
        from engine.store.cases import CaseStore

        return CaseStore(self.connection)

    @cached_property
    def exclusions(self) -> ExclusionStore:
        from engine.store.exclusions import ExclusionStore

        return ExclusionStore(self.connection)

    @cached_property
    def escalations(self) -> EscalationStore:
        from engine.store.escalations import EscalationStore

        return EscalationStore(self.connection)

    @cached_property
    def evidence(self) -> EvidenceStore:
        from engine.store.evidence import EvidenceStore

        return EvidenceStore(self.connection)

    @cached_property
    def problems(self) -> ProblemStore:
        from engine.store.problems import ProblemStore

        return ProblemStore(self.connection)

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
