"""What tenants have accepted, device by device: requested, then arrived, failed or over, as far as the tenant tells.

The pull calls `follow` in its own transaction, delivery and the runner `show`. Nothing here is ever "installing": a
build that was seen is the proof of an install, and what lies between nobody sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from engine.model.build import OsBuild, Platform, kb_text
from engine.model.model import Release, ReleaseKind
from engine.rules.rollout.gates import RingStanding, is_stopped
from engine.rules.tenants.arrivals import Arrival, arrival
from engine.situation.audit import open_ring
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.tenants.status import Ringed, ShownApproval


class Followed(Struct, frozen=True):
    """What a look at a tenant changed."""

    requested: int = 0
    """Devices that wait for a release now."""
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def changes(self) -> int:
        return self.requested + self.succeeded + self.failed + self.cancelled


class _Place(Struct, frozen=True):
    """A release that is open for a ring of the tenant."""

    kb: int
    standing: RingStanding
    approval_id: int
    approved_by: str
    opened_at: datetime

    @property
    def ring_id(self) -> int:
        return self.standing.facts.ring.id

    @property
    def shown(self) -> ShownApproval:
        return ShownApproval(self.kb, self.ring_id, self.approval_id)


def follow(store: Store, provider: str, now: datetime) -> Followed:
    """Resolve what was requested by what a pull has told, and show what is requested now.

    Call it inside the transaction that takes the pull over. The same pull a second time changes nothing.
    """
    return _Follower(store, provider, now).follow()


def show(store: Store, provider: str, now: datetime) -> Followed:
    """Show what the tenant has accepted since, on the devices of the rings that are open; inside a transaction."""
    return _Follower(store, provider, now).show_new()


class _Follower:
    def __init__(self, store: Store, provider: str, now: datetime) -> None:
        self._store = store
        self._status = store.tenant_status
        self._provider = provider
        self._now = now
        self._situation = Situation(store, now)

    def follow(self) -> Followed:
        resolved = [self._resolve(kb, platform) for kb, platform in self._status.open_releases(self._provider)]
        places = self._places()
        requested = sum(self._show(each) for each in places if not each.standing.facts.stopped)
        self._status.keep_shown(self._provider, (each.shown for each in _unstopped(places)))
        self._tell()
        unasked = self._fail_unasked()
        found = Followed(
            requested=requested,
            succeeded=sum(each.succeeded for each in resolved),
            failed=sum(each.failed for each in resolved) + unasked,
            cancelled=sum(each.cancelled for each in resolved),
        )
        self._refresh(found.changes)
        return found

    def show_new(self) -> Followed:
        places, shown = self._places(), self._status.shown(self._provider)
        wanted = {each.shown for each in _unstopped(places)}
        if wanted == shown:
            return Followed()
        requested = sum(self._show(each) for each in _unstopped(places) if each.shown not in shown)
        self._status.keep_shown(self._provider, wanted)
        self._tell()
        self._refresh(requested)
        return Followed(requested=requested)

    def _refresh(self, changes: int) -> None:
        if changes:
            with self._store.devices.counted_at_the_end(changes):
                self._status.refresh_devices(self._provider)
            self._store.state.count_change()

    # --- what is open -------------------------------------------------------------------------------

    def _places(self) -> tuple[_Place, ...]:
        """Releases that are open for rings of this tenant; those that are due are opened."""
        found: list[_Place] = []
        approved = dict.fromkeys(each.kb for each in self._situation.approvals if each.withdrawn_at is None)
        for kb in approved:
            if any(each.kb == kb and self._situation.newer(each) is None for each in self._situation.releases):
                standings = self._situation.standings(kb)
                found += (
                    place for at in range(len(standings)) if (place := self._place(kb, standings, at)) is not None
                )
        return tuple(found)

    def _place(self, kb: int, standings: tuple[RingStanding, ...], at: int) -> _Place | None:
        standing = standings[at]
        facts = standing.facts
        approval = facts.approval
        if facts.tenant != self._provider or approval is None or not approval.is_valid(self._now) or facts.asked:
            return None
        opened_at = facts.opened_at
        if opened_at is None:
            if standing.waits_for or facts.stopped or _fails(standings[: at + 1]):
                return None
            open_ring(self._store, kb, standing, standings[:at], self._now)
            opened_at = self._now
        return _Place(kb, standing, approval.id, approval.approved_by, opened_at)

    def _show(self, place: _Place) -> int:
        shown = 0
        for release in self._situation.known(place.kb):
            if self._situation.newer(release) is None:
                builds = self._status.builds(self._provider, place.ring_id, release.platform)
                lacking = [build for build in builds if self._arrival(release, build) is None]
                shown += self._status.show(self._ringed(place, release), lacking, self._now) if lacking else 0
        return shown

    def _ringed(self, place: _Place, release: Release) -> Ringed:
        withheld = self._situation.withheld(place.kb)
        return Ringed(release, place.ring_id, self._provider, place.opened_at, place.approved_by, withheld)

    # --- what became of it --------------------------------------------------------------------------

    def _resolve(self, kb: int, platform: Platform) -> Followed:
        release = next((r for r in self._situation.releases if (r.kb, r.platform) == (kb, platform)), None)
        if release is None:  # the catalog does not know it any more: nothing can be told of it
            return Followed()
        succeeded = 0
        for build in self._status.builds_of_open(self._provider, kb, platform):
            found = self._arrival(release, build)
            if found is not None:
                words = f"{_instead(found, release)}build {build}"
                succeeded += self._status.arrived(
                    self._provider, kb, platform, build, words, self._now, restarted=found.restarted
                )
        failed = self._status.fail(self._provider, release, self._now)
        return Followed(succeeded=succeeded, failed=failed, cancelled=self._cancel(release))

    def _fail_unasked(self) -> int:
        """What fails of releases that the tenant's own rules have approved: nobody asked for them from here."""
        failed = 0
        for platform in Platform:
            builds = self._status.builds_told_failed(self._provider, platform)
            current = [
                each
                for each in self._situation.releases
                if each.platform is platform
                and each.kind is not ReleaseKind.COMPANION
                and self._situation.newer(each) is None
            ]
            # The newest first: a report that names no KB is about what the device is to take now.
            for release in sorted(current, key=lambda each: each.released_at, reverse=True) if builds else ():
                lacking = [build for build in builds if self._arrival(release, build) is None]
                if lacking:
                    failed += self._status.fail_unasked(self._provider, release, lacking, self._now)
        return failed

    def _cancel(self, release: Release) -> int:
        where = (self._provider, release.kb, release.platform)
        newer = self._situation.newer(release)
        if newer is not None:
            return self._status.cancel(*where, f"superseded by {kb_text(newer)}", self._now)
        places = [each for each in self._places() if each.kb == release.kb]
        words = f"{release.name} is not approved for its ring any more"
        done = self._status.cancel_other_rings(*where, (each.ring_id for each in places), words, self._now)
        words = "it is excluded, held back or not ready any more"
        if release.kind.is_hotpatch:
            words += ": it takes the month's LCU, with a restart"
        return done + sum(
            self._status.cancel_unwanted(self._ringed(each, release), words, self._now) for each in places
        )

    def _arrival(self, release: Release, build: OsBuild) -> Arrival | None:
        return arrival(release, build, self._situation.releases)

    def _tell(self) -> None:
        """Let each waiting device say why nothing is offered, or what the tenant says of it."""
        names = {ring.id: ring.name for ring in self._situation.rings}
        for kb, platform in self._status.open_releases(self._provider):
            self._status.tell(self._provider, kb, platform, self._held_back(kb, names))

    def _held_back(self, kb: int, names: Mapping[int, str]) -> dict[int, str]:
        stops = self._situation.stops
        return {ring_id: words for ring_id, name in names.items() if (words := is_stopped(stops, kb, name))}


def _unstopped(places: Iterable[_Place]) -> list[_Place]:
    return [each for each in places if not each.standing.facts.stopped]


def _fails(standings: Iterable[RingStanding]) -> bool:
    """Whether a gate fails; the runner then halts the release instead of opening it further."""
    return any(each.gate.failing is not None for each in standings)


def _instead(found: Arrival, release: Release) -> str:
    """What came, where it was not the release itself."""
    if found.by is None:
        return "a later update: "
    return "" if found.by.kb == release.kb else f"{kb_text(found.by.kb)} instead: "
