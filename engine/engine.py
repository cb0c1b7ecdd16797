"""The engine's door for both fronts: reads, plan, carry out, one turn of the runner. Thin: it delegates.

One `Engine` is one SQLite connection and belongs to one thread; only `interrupt` may come from another.
"""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.fleet.demo_clock import DemoControl, read_demo
from engine.model.clock import Clock, SystemClock
from engine.model.errors import NotOffered
from engine.model.intents import Actor, Approve, Intent, Plan, Refusal, Role
from engine.model.records.fleet import DeviceQuery, StateInfo
from engine.providers.base import Provider
from engine.providers.opening import SIMULATED, Providers
from engine.reads.reads import Reads
from engine.rules.tenants.inventory import PULL_EVERY
from engine.store import Store

if TYPE_CHECKING:
    from engine.catalog import Changes
    from engine.catalog.sync import Progress, SyncSettings
    from engine.changes.changes import CarryOut, Outcome
    from engine.changes.planning import Planner
    from engine.driver import Runner, TurnResult
    from engine.evidence.exceptions import ExceptionRecord
    from engine.evidence.scanners import Reconciliation
    from engine.files.devices import DateOrder
    from engine.fleet.catalog import Intake
    from engine.fleet.lists import ImportReport
    from engine.model.records.rollout import Forecast
    from engine.providers.graph.signin import OnCode
    from engine.rules.failures import SlaTargets
    from engine.safekeeping.backup import Examined
    from engine.safekeeping.backup import Progress as CopyProgress
    from engine.safekeeping.pruning import Pruned
    from engine.tenants.desk import ProviderDesk
    from engine.tenants.pull import PullProgress


class Engine:
    """Queries and commands on one state file. Made by `open_engine`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        providers: Mapping[str, Provider],
        actor: Actor,
        role: Role,
        *,
        read_only: bool,
        pull_every: timedelta | None = PULL_EVERY,
    ) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor
        self._role = role
        self._read_only = read_only
        self._providers = providers
        self._pull_every = pull_every
        self.reads = Reads(store, clock)
        self.demo: DemoControl | None = DemoControl(store) if read_demo(store) is not None else None

    # Rooms are loaded when they are entered: whoever only asks loads neither the planner nor the runner.

    @cached_property
    def _planner(self) -> Planner:
        from engine.changes.planning import Planner

        return Planner(self._store, self._actor, self._role, read_only=self._read_only)

    @cached_property
    def _changes(self) -> CarryOut:
        from engine.changes.changes import CarryOut

        return CarryOut(self._store, self._planner, self._actor)

    @cached_property
    def _runner(self) -> Runner:
        from engine.driver import Runner

        return Runner(self._store, self._providers, self._clock, self._pull_every)

    # --- asking -------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The present: the demo's, or the machine's."""
        return self._clock.now()

    def data_version(self) -> int:
        """Moves when another connection has written; cheap enough to poll."""
        return self._store.state.data_version()

    def change_number(self) -> int:
        """Moves when something that a screen may show has changed."""
        return self._store.state.change_number()

    def info(self) -> StateInfo:
        """What the console shows about the state file and the one who has it open."""
        demo = read_demo(self._store)
        return StateInfo(
            path=str(self._store.path),
            now=self._clock.now(),
            change_number=self._store.state.change_number(),
            devices=self.reads.devices.total(DeviceQuery()),
            actor=self._actor.name,
            role=self._role,
            read_only=self._read_only,
            demo=self.demo.clock() if self.demo else None,
            scenario=demo.scenario if demo else "",
            driver=self._store.lease.holder(),
            tenants=tuple(replace(each, note=self._note_of(each.provider)) for each in self.reads.tenants.ages()),
        )

    def _note_of(self, name: str) -> str:
        provider = self._providers.get(name)
        return provider.capabilities().note if provider is not None else ""

    def may(self, kind: type[Intent]) -> Refusal | None:
        """Why this actor may not do this kind of change; None when they may."""
        from engine.rules.plans.permissions import may

        return may(kind, self._role, read_only=self._read_only)

    def interrupt(self) -> None:
        """Stop the read that runs on this engine's thread; the only call allowed from another thread."""
        self._store.interrupt()

    # --- changing -----------------------------------------------------------------------------------

    def plan(self, intent: Intent) -> Plan:
        """What the intent would do, without doing it.

        Raises:
            NotFound, BadInput: it names something that does not exist.
        """
        return self._planner.plan(intent, self._clock.now())

    def forecast(self, intent: Approve) -> Forecast:
        """What will happen if this is approved now: the engine run ahead on a private copy of the state.

        Takes seconds; the state file is only read.

        Raises:
            NotFound: it names something that does not exist.
            Refused: it cannot be approved.
        """
        from engine.forecast import forecast

        return forecast(self._store, intent, self._clock.now(), self._actor)

    def carry_out(self, plan: Plan) -> Outcome:
        """Do what the plan says, in one transaction.

        Raises:
            Refused: policy or state forbids it.
            PlanOutdated: more would happen than the plan showed.
        """
        return self._changes.carry_out(plan, self._clock.now())

    def remember(self, name: str, value: str) -> None:
        """Keep a small thing for the console, such as the last filter."""
        with self._store.transaction():
            self._store.state.set(f"console:{name}", value)

    # --- taking in ----------------------------------------------------------------------------------

    def import_catalog(self, paths: Sequence[Path]) -> Changes:
        """Add MSRC documents from files and folders; what is wrong with them stands in the faults.

        Raises:
            Refused, BadInput.
        """
        return self._intake().catalog_from_files(paths, self._clock.now())

    def sync_catalog(self, settings: SyncSettings, on_progress: Callable[[Progress], None] | None = None) -> Changes:
        """Fetch what Microsoft's service has published since.

        Raises:
            Refused, BadInput.
        """
        return self._intake().catalog_from_service(settings, self._clock.now(), on_progress)

    def import_devices(
        self,
        path: Path,
        *,
        dry_run: bool = False,
        strict: bool = False,
        remove_gone: bool = False,
        dates: DateOrder | None = None,
        progress: Callable[[int, int, int], None] | None = None,
    ) -> ImportReport:
        """Bring a device list (CSV, JSON, Intune's export) into the fleet; all of it or nothing.

        Raises:
            Refused: this actor may not.
            BadInput: the file cannot be read, or it is strict and a row is bad.
        """
        from engine.files.devices import DateOrder
        from engine.fleet.lists import DeviceIntake

        intake = DeviceIntake(self._store, self._actor, self._role, read_only=self._read_only)
        return intake.take(
            path,
            self._clock.now(),
            dry_run=dry_run,
            strict=strict,
            remove_gone=remove_gone,
            dates=dates or DateOrder.UNKNOWN,
            progress=progress,
        )

    # --- giving out ---------------------------------------------------------------------------------

    def reconcile(
        self, paths: Sequence[Path], *, scanned_at: datetime | None = None, dates: DateOrder | None = None
    ) -> Reconciliation:
        """Sort the findings of scanner exports by what the fleet proves; iterate over the answer. Writes nothing.

        Args:
            paths: Exports of Nessus, Qualys or Microsoft Defender.
            scanned_at: When the scan ran; None takes what rows and files tell.
            dates: What comes first in 5/6/2026, where a file does not show it.

        Raises:
            BadInput: a file cannot be read, or is no scanner's export.
        """
        from engine.evidence.scanners import Reconciliation
        from engine.files.moments import DateOrder

        return Reconciliation(
            self._store, paths, self._clock.now(), scanned_at=scanned_at, dates=dates or DateOrder.UNKNOWN
        )

    def exception_record(self) -> ExceptionRecord:
        """What is kept of exception lists that are given to auditors."""
        from engine.evidence.exceptions import ExceptionRecord

        return ExceptionRecord(self._store, self._actor, self._clock.now(), read_only=self._read_only)

    async def import_from(
        self,
        provider: str,
        *,
        dry_run: bool = False,
        remove_gone: bool = False,
        progress: Callable[[PullProgress], None] | None = None,
    ) -> ImportReport:
        """Pull the devices of a tenant into the fleet, from where an earlier pull was broken off.

        Raises:
            NotFound, NotOffered: there is no such provider, or it is no tenant.
            Refused: this actor may not.
            LeaseHeld: another process pulls from this tenant.
            ProviderError: the tenant does not answer; what was read is kept.
        """
        from engine.tenants.pull import TenantIntake

        if provider == SIMULATED:
            raise NotOffered("The simulated fleet is not pulled.", "It is in the state file already.")
        tenant = self.provider_desk().graph(provider)
        intake = TenantIntake(self._store, self._clock, self._actor, self._role, read_only=self._read_only)
        async with tenant.open() as client:
            return await intake.pull(tenant.name, client, dry_run=dry_run, remove_gone=remove_gone, progress=progress)

    def _intake(self) -> Intake:
        # Loaded on use: reading documents is no part of starting up.
        from engine.fleet.catalog import Intake

        return Intake(self._store, self._actor, self._role, read_only=self._read_only)

    # --- keeping safe -------------------------------------------------------------------------------

    def backup(self, target: Path, *, force: bool = False, on_progress: CopyProgress | None = None) -> Examined:
        """Write all that the state holds now to a file, while others go on writing, and check it.

        Raises:
            Refused: there is such a file.
            BadInput, StateUnusable: it cannot be written; no file is left.
        """
        from engine.safekeeping.backup import back_up

        found = back_up(self._store, target, force=force, on_progress=on_progress)
        if not self._read_only:
            with self._store.transaction():
                self._store.state.set("last-backup", self._clock.now().isoformat())
        return found

    def prune(
        self, *, dry_run: bool = False, compact: bool = False, on_progress: Callable[[int], None] | None = None
    ) -> Pruned:
        """Delete history that is older than policy keeps it; the audit always stays.

        Raises:
            Refused: this actor may not, or policy keeps everything.
            StateUnusable: it cannot be written; what was deleted until then is told by the audit.
        """
        from engine.safekeeping.pruning import prune

        who = (self._actor, self._role, self._read_only)
        return prune(self._store, self._clock.now(), *who, dry_run=dry_run, compact=compact, on_progress=on_progress)

    # --- providers ----------------------------------------------------------------------------------

    def provider_desk(self) -> ProviderDesk:
        """The systems that reach devices: add, list, remove, sign in, check."""
        from engine.tenants.desk import ProviderDesk

        return ProviderDesk(self._store, self._actor, self._role, self._providers, read_only=self._read_only)

    # --- driving ------------------------------------------------------------------------------------

    async def run_due(self) -> TurnResult:
        """One turn of the runner: take the lease, do what is due now."""
        return await self._runner.turn()

    async def run_until_idle(
        self, *, until: datetime | None = None, progress: Callable[[datetime, int], None] | None = None
    ) -> int:
        """Turn until nothing is due without a person; a demo's clock is moved to each next event.

        Returns how many steps were done.

        Raises:
            LeaseHeld: another process drives the work.
        """
        return await self._runner.until_idle(self.demo.step_to if self.demo else None, until, progress)

    async def deliver(self) -> datetime | None:
        """Send what decisions have asked of tenants and what waits for them; when there will be more to send.

        A session that is read-only sends nothing, old requests neither.
        """
        if self._read_only:
            return None
        from engine.tenants.delivery import Delivery

        return (await Delivery(self._store, self._providers).deliver(self._clock.now())).next_at

    def give_back_lease(self) -> None:
        """Let another process drive at once instead of after the lease has run out."""
        with self._store.transaction():
            self._store.lease.give_back()

    # --- ending -------------------------------------------------------------------------------------

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_engine(
    path: Path,
    *,
    clock: Clock | None = None,
    providers: Mapping[str, Provider] | None = None,
    actor: Actor | None = None,
    role: Role = Role.APPROVER,
    read_only: bool = False,
    create: bool = False,
    on_code: OnCode | None = None,
    targets: SlaTargets | None = None,
    pull_every: timedelta | None = PULL_EVERY,
) -> Engine:
    """Open a state file; the only place where store, clock, providers and actor meet.

    A demo's state file brings its own clock and the simulated provider unless others are given; `on_code` lets a person
    sign in on the spot where a provider keeps no sign-in; `targets` are service levels other than the usual ones;
    `pull_every` says how old what is known of a tenant may grow while this engine drives, None for however old.

    Raises:
        StateUnusable: the file cannot be opened; the message says why.
    """
    store = Store(path, read_only=read_only, create=create)
    store.sla_targets = targets
    demo = read_demo(store)
    if providers is None:
        simulated = partial(_simulated, demo.seed, demo.scenario) if demo else None
        providers = Providers(store.providers.all, simulated, read_only=read_only, on_code=on_code)
    if clock is None:
        clock = DemoControl(store) if demo else SystemClock()
    who = actor or this_user()
    if create and not read_only:
        from engine.fleet.catalog import Intake

        Intake(store, who, Role.APPROVER, read_only=False).begin(clock.now())
    return Engine(store, clock, providers, who, role, read_only=read_only, pull_every=pull_every)


def this_user(front: str = "") -> Actor:
    """The operating-system user on this host."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"  # a user without a name, as in some containers
    return Actor(name, f"{platform.node()} {front}".strip())


def _simulated(seed: int, scenario: str) -> Provider:
    from engine.providers.simulated import SimulatedProvider, faults_for

    return SimulatedProvider(seed, faults_for(scenario))
