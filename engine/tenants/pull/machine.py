"""Drives a pull: who may, who does, which stage is next, when a pull that was broken off is begun anew.

    devices ─► details ─► enrolment ─► licences ─► rings ─► members ─► reports ─► compose ─► done
Every arrow, and every step within a stage, is one transaction. Killed at any instant, the next process goes on there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.fleet.takeover import ImportReport
from engine.model.clock import Clock
from engine.model.errors import LeaseHeld, ProviderError, Refused
from engine.model.intents import Actor, Role
from engine.rules.plans.permissions import may_take_in
from engine.rules.tenants.inventory import Pull, PullStage, where
from engine.store import Store
from engine.tenants.pull import batches, lists, reports
from engine.tenants.pull.composing import compose
from engine.tenants.pull.reading import PullWork

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

BROKEN_OFF_HOLDS = timedelta(hours=24)
"""A pull that was broken off longer ago than this is not gone on with: the devices have moved on."""
READ_HOLDS = timedelta(hours=1)
"""So long a pull that was read and not taken over, as by a dry run, is as good as a new one."""

_STEPS: Mapping[PullStage, Callable[[PullWork], Awaitable[Pull]]] = {
    PullStage.DEVICES: lists.devices,
    PullStage.DETAILS: batches.details,
    PullStage.ENROLMENT: lists.enrolment,
    PullStage.LICENCES: batches.licences,
    PullStage.RINGS: lists.rings,
    PullStage.MEMBERS: lists.members,
    PullStage.REPORTS: reports.reports,
}


class PullProgress(Struct, frozen=True):
    """How far a pull has come."""

    stage: PullStage
    done: int
    """Within the stage."""
    total: int
    """Within the stage; 0 where the service does not say beforehand."""


class TenantIntake:
    """Pulls for one actor on one store."""

    def __init__(self, store: Store, clock: Clock, actor: Actor, role: Role, *, read_only: bool) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor
        self._role = role
        self._read_only = read_only

    async def pull(
        self,
        provider: str,
        client: GraphClient,
        *,
        dry_run: bool = False,
        remove_gone: bool = False,
        progress: Callable[[PullProgress], None] | None = None,
    ) -> ImportReport:
        """The whole of a pull, or the rest of one that was broken off.

        A dry run keeps what it has read, so that the pull after it need not read again.

        Raises:
            Refused: this actor may not.
            LeaseHeld: another process pulls from this tenant.
            ProviderError: the tenant does not answer; what was read is kept.
        """
        self._check()
        pull = self._claimed(provider)
        try:
            while pull.stage is not PullStage.COMPOSE and not (dry_run and reports.asks_for_exports(pull)):
                waited = await self._sit_out(pull, client)
                pull = await self._one_step(pull, client, waited=waited)
                if progress is not None:
                    progress(PullProgress(pull.stage, pull.tally.done, pull.tally.total))
            return compose(self._store, self._actor, pull, self._now(), dry_run=dry_run, remove_gone=remove_gone)
        finally:
            self.release(provider)

    async def step(self, provider: str, client: GraphClient) -> Pull:
        """One bounded piece: a page, some batches, or the taking over. After the last one a new pull begins.

        The right to pull stays with this process until the pull is done; `release` gives it back before.

        Raises:
            Refused, LeaseHeld, ProviderError: as `pull` does.
        """
        self._check()
        pull = self._claimed(provider)
        if pull.stage is not PullStage.COMPOSE:
            return await self._one_step(pull, client, waited=False)
        compose(self._store, self._actor, pull, self._now(), dry_run=False, remove_gone=False)
        self.release(provider)
        return pull.at(PullStage.DONE)

    def waits_until(self, pull: Pull) -> datetime | None:
        """When the next step has something to do, where a stage waits for the service; None when it has now."""
        return reports.waits_until(self._store, pull, self._now())

    def release(self, provider: str) -> None:
        """Let another process pull."""
        with self._store.transaction():
            self._store.tenant_pulls.release(provider)

    def _check(self) -> None:
        refusal = may_take_in("pull devices from a tenant", self._role, read_only=self._read_only)
        if refusal is not None:
            raise Refused(refusal.what, refusal.why, refusal.instead)

    def _claimed(self, provider: str) -> Pull:
        """The pull to go on with, ours from now on; a new one where there is none."""
        pulls, now = self._store.tenant_pulls, self._now()
        with self._store.transaction():
            pull = pulls.last(provider) or pulls.begin(provider, now)
            holder = pulls.claim(provider)
            if holder:
                raise LeaseHeld(
                    f"Another process pulls from {provider}.",
                    f"It is {holder}, at {where(pull.stage, pull.tally.done, pull.tally.total)}.",
                    "Let it go on, or end it: the pull goes on where it stands.",
                )
            if self._is_over(pull, now):
                pull = pulls.begin(provider, now)
        return pull

    def _is_over(self, pull: Pull, now: datetime) -> bool:
        if pull.stage in (PullStage.REPORTS, PullStage.COMPOSE):
            moved_at = self._store.tenant_pulls.moved_at(pull.provider) or pull.begun_at
            return now - moved_at > READ_HOLDS
        return pull.stage is PullStage.DONE or now - pull.begun_at > BROKEN_OFF_HOLDS

    async def _one_step(self, pull: Pull, client: GraphClient, *, waited: bool) -> Pull:
        try:
            return await _STEPS[pull.stage](PullWork(self._store, client, pull, self._now(), waited))
        except ProviderError as error:
            with self._store.transaction():
                self._store.tenant_pulls.note_problem(pull.provider, error, self._now())
                self._store.state.count_change()
            raise

    async def _sit_out(self, pull: Pull, client: GraphClient) -> bool:
        """Wait for what a stage waits for; True when something was waited for."""
        until = self.waits_until(pull)
        if until is not None:
            await client.rest((until - self._now()).total_seconds())
        return until is not None

    def _now(self) -> datetime:
        return self._clock.now()
