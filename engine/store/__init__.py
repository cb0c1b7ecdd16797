"""The state file: one `Store` a connection, one module an aggregate. SQL lives here and nowhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engine.store.audit import AuditStore
from engine.store.connection import open_state, transaction, unusable
from engine.store.devices import DeviceStore
from engine.store.health import HealthStore
from engine.store.installs import InstallStore
from engine.store.late import LateStore
from engine.store.members import MemberStore
from engine.store.outlook import OutlookStore
from engine.store.recovery import RecoveryStore
from engine.store.releases import ReleaseStore
from engine.store.rollout import RolloutStore
from engine.store.safeguards import SafeguardStore
from engine.store.state import Lease, StateStore

if TYPE_CHECKING:
    from engine.store.cases import CaseStore
    from engine.store.escalations import EscalationStore
    from engine.store.exclusions import ExclusionStore
    from engine.store.problems import ProblemStore
    from engine.store.traits import TraitStore


class Store:
    """All that the state file keeps, through one connection of one thread."""

    def __init__(self, path: Path, *, read_only: bool = False, create: bool = True) -> None:
        """Open the file.

        Raises:
            StateUnusable: it cannot be used; the message says why and what to do.
        """
        self.path = path
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

    # What is known and done about failures is loaded on use: most commands never ask.

    @cached_property
    def traits(self) -> TraitStore:
        from engine.store.traits import TraitStore

        return TraitStore(self.connection)

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

    def interrupt(self) -> None:
        """Stop the read that runs on another thread."""
        self.connection.interrupt()

    def hurry(self) -> None:
        """Give up safety against a crash, for a private copy that nobody needs afterwards."""
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self.connection.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        self.connection.close()
