"""What every family of changes works with: the store, the facts of one moment, and who asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from engine.model.build import Platform
from engine.model.intents import Actor, Role, Target
from engine.model.model import Release, ReleaseKind
from engine.rules.plans.candidates import Candidate
from engine.rules.plans.uninstall import WayBack
from engine.situation.situation import Situation
from engine.store import Store

if TYPE_CHECKING:
    from engine.changes.tenant_wishes import TenantWishes
    from engine.situation.tenants import Tenancies


class Desk:
    """What is known for one question, or for one change; made anew for each."""

    def __init__(self, store: Store, now: datetime, actor: Actor, role: Role) -> None:
        self.store = store
        self.now = now
        self.by = actor.name
        """Who asks, as it is recorded."""
        self.role = role
        self.situation = Situation(store, now)

    @cached_property
    def number(self) -> int:
        """The state of the file that a plan is computed on."""
        return self.store.state.change_number()

    @cached_property
    def tenancies(self) -> Tenancies:
        """The tenants, also where no provider is one any more."""
        # Loaded on use: most fleets have no tenant.
        from engine.situation.tenants import Tenancies

        return self.situation.tenancies or Tenancies(self.store)

    @cached_property
    def tenants(self) -> TenantWishes | None:
        """What the tenants that carry part of the rollout are asked by a change; None where there is none."""
        if self.situation.tenancies is None:
            return None
        # Loaded on use: most fleets have no tenant.
        from engine.changes.tenant_wishes import TenantWishes

        return TenantWishes(self.store, self.situation.tenancies, self.situation)

    def candidates(self, target: Target) -> Iterator[Candidate]:
        """The devices of a target; the store is asked when they are taken.

        Raises:
            NotFound, BadInput: as `Situation.target_ids`.
        """
        yield from self.store.rollout.candidates(self.situation.target_ids(target))

    def ways_back(self, kb: int) -> dict[Platform, WayBack]:
        """Platform → what devices can be led back to from a release, and what that leaves open.

        Raises:
            NotFound: there is no such release.
        """
        catalog = None
        found = {}
        releases = self.situation.releases
        for release in self.situation.known(kb):
            sits_on = [
                each
                for each in releases
                if each.platform is release.platform
                and each.kind.is_baseline
                and each.released_at <= release.released_at
            ]
            reopened = 0
            if release.kind.is_hotpatch:
                catalog = catalog or self.store.releases.known_at(self.now)
                reopened = len(catalog.cve_ids(release))
            found[release.platform] = WayBack(
                release=release,
                baseline=sits_on[-1] if sits_on else None,
                lcu=lcu_of_month(releases, release),
                reopened=reopened,
            )
        return found

    def cancel_waiting(self, kb: int | None, ring_ids: list[int] | None) -> int:
        """Cancel what has not started; None is every release, or every ring. Returns how many installs."""
        devices = self.store.installs.cancel_waiting(self.now, kb, ring_ids)
        self.store.installs.refresh_device_states(devices)
        return len(devices)


def lcu_of_month(releases: Sequence[Release], release: Release) -> Release | None:
    """The ordinary LCU of a release's month and platform, which protects a device again; loads no catalog."""
    mine = (each for each in releases if each.platform is release.platform and each.month == release.month)
    return next((each for each in mine if each.kind is ReleaseKind.LCU), None)
