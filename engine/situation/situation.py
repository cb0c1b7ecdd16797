"""Reads from the store what decisions need, once and for all who decide: changes, runner, reads.

It brings facts together and asks the pure modules; it never writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.catalog import Levels, make_levels
from engine.model.build import Platform
from engine.model.errors import BadInput, NotFound, nearest
from engine.model.intents import Target
from engine.model.model import UNDER_WAY, Approval, Release, Ring
from engine.rules.plans.apply import ReleaseFacts
from engine.rules.plans.holds import Hold
from engine.rules.rollout.gates import (
    RingCounts,
    RingFacts,
    RingStanding,
    count_ring,
    is_stopped,
    sample_needed,
    standings,
    unsigned_by,
    valid_approval,
)
from engine.rules.rollout.health import HealthVerdict, KindHealth, compare
from engine.rules.rollout.offers import as_good, waits_for_baseline
from engine.rules.rollout.waves import WaveStanding, wave_standing
from engine.store import Store
from engine.store.filter_sql import SqlCondition
from engine.store.health import CONTROL
from engine.store.rollout import ProgressCell
from engine.store.safeguards import NOTHING

if TYPE_CHECKING:
    from engine.situation.tenants import Tenancies


class Situation:
    """The state at one time, read on demand and kept for as long as one question takes."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self.now = now
        self._releases: tuple[Release, ...] | None = None
        self._levels: dict[Platform, Levels] = {}
        self._rings: tuple[Ring, ...] | None = None
        self._approvals: tuple[Approval, ...] | None = None
        self._stops: tuple[tuple[int | None, str | None, str], ...] | None = None
        self._health: dict[int, Mapping[int, HealthVerdict]] = {}
        self._holds: tuple[Hold, ...] | None = None

    @cached_property
    def tenancies(self) -> Tenancies | None:
        """The tenants that carry part of the rollout; None where there is none."""
        if not any(each.kind == "graph" for each in self._store.providers.all()):
            return None
        # Loaded on use: most fleets have no tenant.
        from engine.situation.tenants import Tenancies

        return Tenancies(self._store)

    @property
    def releases(self) -> tuple[Release, ...]:
        """Releases that are published by now, oldest first."""
        if self._releases is None:
            self._releases = tuple(r for r in self._store.releases.releases() if r.released_at <= self.now)
        return self._releases

    @property
    def rings(self) -> tuple[Ring, ...]:
        if self._rings is None:
            self._rings = self._store.rollout.rings()
        return self._rings

    @property
    def approvals(self) -> tuple[Approval, ...]:
        if self._approvals is None:
            self._approvals = self._store.rollout.approvals()
        return self._approvals

    @property
    def stops(self) -> tuple[tuple[int | None, str | None, str], ...]:
        """Pauses and halts in force as (KB, ring, words), the tenants' own too."""
        if self._stops is None:
            self._stops = self.own_stops
            if self.tenancies is not None:
                self._stops += self.tenancies.stops()
        return self._stops

    @cached_property
    def own_stops(self) -> tuple[tuple[int | None, str | None, str], ...]:
        """Those that were decided here."""
        return tuple(
            (
                each.scope.kb,
                each.scope.ring,
                f"{'halted' if each.kind == 'halt' else 'paused'} by {each.stopped_by}: {each.reason}",
            )
            for each in self._store.rollout.stops()
        )

    def levels(self, platform: Platform) -> Levels:
        """What devices of a platform are compared with now."""
        if platform not in self._levels:
            self._levels[platform] = make_levels(platform, self.releases, self.now)
        return self._levels[platform]

    def all_levels(self) -> Mapping[Platform, Levels]:
        return {platform: self.levels(platform) for platform in Platform}

    def known(self, kb: int) -> tuple[Release, ...]:
        """The published release with this KB, one row a platform.

        Raises:
            NotFound: no such release is published; names the nearest.
        """
        found = tuple(release for release in self.releases if release.kb == kb)
        if not found:
            names = [release.name for release in reversed(self.releases)]
            raise NotFound(
                f"There is no release KB{kb}.", nearest(f"KB{kb}", names), "List them with: hotpatch releases"
            )
        return found

    def ring(self, name: str) -> Ring:
        """The ring with this name, whatever its case.

        Raises:
            NotFound: no such ring; names those that exist.
        """
        for each in self.rings:
            if each.name.casefold() == name.strip().casefold():
                return each
        names = ", ".join(each.name for each in self.rings) or "none"
        raise NotFound(f"There is no ring {name!r}.", (), f"The rings are: {names}.")

    def newer(self, release: Release) -> int | None:
        """The KB that has replaced a release on its platform, or None while it is current.

        A baseline stays current until the next one: a device needs it to get on the hotpatch track.
        """
        levels = self.levels(release.platform)
        baseline = levels.baseline
        if baseline is not None and release.released_at < baseline.released_at:
            return baseline.kb
        if release.kind.is_baseline:
            return None
        newest = levels.current_hotpatch() if release.kind.is_hotpatch else levels.current_lcu()
        if newest is None or newest.kb == release.kb or newest.released_at <= release.released_at:
            return None
        return newest.kb

    def release_facts(self, kb: int) -> ReleaseFacts:
        """What a plan must know about a KB."""
        releases = {release.platform: release for release in self.known(kb)}
        newer = {platform: self.newer(release) for platform, release in releases.items()}
        approved = frozenset(
            ring.id
            for ring in self.rings
            if (approval := valid_approval(self.approvals, kb, ring.name, self.now)) and approval.is_valid(self.now)
        )
        return ReleaseFacts(
            kb=kb,
            releases=releases,
            newer={platform: each for platform, each in newer.items() if each is not None},
            approved_rings=approved,
            ring_names={ring.id: ring.name for ring in self.rings},
            stopped=lambda ring: is_stopped(self.stops, kb, ring),
            withheld=self._store.safeguards.ids(self.withheld(kb)),
            excluded=self._store.rollout.exclusion_reasons(kb, self.now),
        )

    def release_facts_for_retry(self, kb: int) -> ReleaseFacts:
        """Like `release_facts`, but a ring of which this file knows no decision counts as approved: the install that
        failed there was permitted elsewhere, before the fleet was brought here. A withdrawn approval still refuses."""
        facts = self.release_facts(kb)
        decided = {name.casefold() for each in self.approvals if each.kb == kb for name in each.rings}
        undecided = {ring.id for ring in self.rings if ring.name.casefold() not in decided}
        return replace(facts, approved_rings=facts.approved_rings | undecided)

    def open_in(self, ring: Ring) -> frozenset[int]:
        """The KBs that are offered in a ring now."""
        return frozenset(
            kb
            for kb, ring_id in self._store.rollout.openings()
            if ring_id == ring.id
            and (approval := valid_approval(self.approvals, kb, ring.name, self.now)) is not None
            and approval.is_valid(self.now)
            and not is_stopped(self.stops, kb, ring.name)
        )

    def standings(self, kb: int, approvals: Iterable[Approval] | None = None) -> tuple[RingStanding, ...]:
        """How far a release has come, ring by ring; `approvals` tries out others than those in force."""
        releases = self.known(kb)
        decided = tuple(self.approvals if approvals is None else approvals)
        counts = self._ring_counts(releases)
        openings = self._store.rollout.openings()
        facts = [
            self._ring_facts(kb, ring, counts.get(ring.id, RingCounts()), openings.get((kb, ring.id)), decided)
            for ring in self.rings
        ]
        return standings(min(release.released_at for release in releases), facts, self.now)

    def _ring_counts(self, releases: Sequence[Release]) -> dict[int, RingCounts]:
        found: dict[int, RingCounts] = {}
        for release in releases:
            cells: dict[int, list[tuple[bool, bool, str, int]]] = {}
            held_back: dict[int, list[tuple[bool, bool, str, int]]] = {}
            waiting = self._baseline_first(release)
            for cell in self._progress(release, apart=bool(waiting)):
                if cell.behind and cell.ring_id in waiting and cell.state not in UNDER_WAY:
                    continue  # it takes the baseline first
                row = (cell.has_build, cell.ready, str(cell.state), cell.devices)
                (held_back if cell.withheld else cells).setdefault(cell.ring_id, []).append(row)
            for ring_id, rows in cells.items():
                found[ring_id] = found.get(ring_id, RingCounts()).plus(count_ring(rows, release))
            for ring_id, rows in held_back.items():
                found[ring_id] = found.get(ring_id, RingCounts()).plus(count_ring(rows, release).withheld())
            for ring_id, devices in self._store.rollout.excluded_counts(
                release, self.now, self.withheld(release.kb)
            ).items():
                found[ring_id] = found.get(ring_id, RingCounts()).without(devices)
            for ring_id, devices in self._store.rollout.held_off_counts(
                release, self.now, self.withheld(release.kb)
            ).items():
                found[ring_id] = found.get(ring_id, RingCounts()).plus(RingCounts(pending=devices))
        for ring_id, devices in self._store.rollout.failed_devices(releases[0].kb).items():
            found[ring_id] = found.get(ring_id, RingCounts()).with_failed(devices)
        return found

    def _baseline_first(self, release: Release) -> frozenset[int]:
        """The rings in which devices behind the baseline get that one before this release."""
        if release.kind.is_baseline or not release.kind.is_cumulative:
            return frozenset()
        levels = self.levels(release.platform)
        return frozenset(ring.id for ring in self.rings if self.is_after_baseline(release, levels, ring))

    def is_after_baseline(self, release: Release, levels: Levels, ring: Ring) -> bool:
        """Whether devices behind the baseline get that one before this release in a ring."""
        is_open = self.open_in(ring)
        return waits_for_baseline(release, levels, lambda each: each.kb in is_open or each.kb == release.kb)

    def _progress(self, release: Release, *, apart: bool) -> tuple[ProgressCell, ...]:
        """How devices stand towards a release: from the kept totals where it is what protects them now.

        With `apart` devices behind the baseline are told apart.
        """
        withheld, levels = self.withheld(release.kb), self.levels(release.platform)
        if withheld is NOTHING and release == (levels.current_hotpatch() or levels.baseline):
            return self._store.rollout.kept_progress(release.platform)
        baseline = levels.baseline.build if apart and levels.baseline is not None else None
        return self._store.rollout.progress(release, withheld, baseline=baseline, as_good=as_good(release, levels))

    def _ring_facts(
        self, kb: int, ring: Ring, counts: RingCounts, opened_at: datetime | None, approvals: Sequence[Approval]
    ) -> RingFacts:
        succeeded, failed = self._store.rollout.finished(kb, ring.id)
        reached = None
        if counts.offerable:
            needed = sample_needed(ring.gate, counts)
            reached = self._installed_at(kb, ring, counts, succeeded, opened_at, needed)
        return RingFacts(
            ring=ring,
            counts=counts,
            succeeded=succeeded,
            failed=failed,
            share_reached_at=reached,
            opened_at=opened_at,
            approval=valid_approval(approvals, kb, ring.name, self.now),
            stopped=is_stopped(self.stops, kb, ring.name),
            health=self.health(kb).get(ring.id),
            unsigned=unsigned_by(approvals, kb, ring.name, self.now),
            **self._tenants_part(kb, ring),
        )

    def _tenants_part(self, kb: int, ring: Ring) -> dict[str, str]:
        bound = self.tenancies.by_ring.get(ring.id) if self.tenancies is not None else None
        if self.tenancies is None or bound is None:
            return {}
        return {"tenant": bound.provider, "asked": self.tenancies.not_yet(bound, kb)}

    def _installed_at(
        self, kb: int, ring: Ring, counts: RingCounts, succeeded: int, opened_at: datetime | None, needed: int
    ) -> datetime | None:
        """When so many devices of a ring had a release; None when they have not."""
        if counts.installed < needed:
            return None
        # Devices that have the build by other ways count for the share; soaking begins when rollout's part is in.
        by_rollout = max(1, min(succeeded, needed - (counts.installed - succeeded)))
        return self._store.rollout.nth_success_at(kb, ring.id, by_rollout) or opened_at

    def wave(self, facts: RingFacts, kb: int) -> WaveStanding:
        """Which wave of a ring is on for a release."""
        return wave_standing(
            facts.ring,
            facts.counts,
            lambda n: self._installed_at(kb, facts.ring, facts.counts, facts.succeeded, facts.opened_at, n),
            self.now,
        )

    def health(self, kb: int) -> Mapping[int, HealthVerdict]:
        """Ring id → how its patched devices fare; rings without a reading are not in it."""
        if kb not in self._health:
            _, readings = self._store.health.latest(kb)
            control = tuple(each.health for each in readings if each.ring_id == CONTROL)
            patched: dict[int, list[KindHealth]] = {}
            for each in readings:
                if each.ring_id != CONTROL:
                    patched.setdefault(each.ring_id, []).append(each.health)
            self._health[kb] = {ring_id: compare(tuple(kinds), control) for ring_id, kinds in patched.items()}
        return self._health[kb]

    def withheld(self, kb: int) -> SqlCondition:
        """Which devices the safeguard holds in force keep a release from; `NOTHING` for none."""
        if self._holds is None:
            self._holds = self._store.safeguards.in_force()
        return self._store.safeguards.withheld([each for each in self._holds if each.kb in (None, kb)], self.now)

    def target_ids(self, target: Target) -> list[int]:
        """The devices of a target: those that every given part of it matches.

        Raises:
            NotFound, BadInput: an unknown device or ring, an unreadable filter, or nothing named at all.
        """
        if target.is_empty:
            raise BadInput(
                "No device is named.", "", "Name devices, rings or a filter: --device NAME, --ring NAME, --filter TEXT"
            )
        parts: list[set[int]] = []
        if target.ids:
            parts.append(set(target.ids))
        if target.names:
            parts.append({self.device_id(name) for name in target.names})
        if target.rings:
            parts.append(set(self._store.devices.ids_in_rings([self.ring(name).id for name in target.rings])))
        if target.filter.strip():
            parts.append(set(self._store.devices.ids(target.filter, self.now)))
        return sorted(set.intersection(*parts))

    def device_id(self, name: str) -> int:
        """The one device that a name, user, serial or asset tag means.

        Raises:
            NotFound: none; names the nearest.
            BadInput: several.
        """
        return find_device(self._store, name)


def find_device(store: Store, text: str) -> int:
    """The id of the one device that is meant: what is exact wins over what matches in part, a name over a user.

    Raises:
        NotFound: none; names the nearest.
        BadInput: several match equally well; says how many and names some.
    """
    shown = text.strip()
    if not shown:
        raise BadInput("No device is named.", "", "Name one by its name, user, serial number or asset tag.")
    found = store.devices.find(shown, 5)
    if found.obvious is not None:
        return found.obvious.id
    if not found.rows:
        raise NotFound(
            f"There is no device {shown!r}.", store.devices.names_near(shown), "Search with: hotpatch devices TEXT"
        )
    names = ", ".join(f"{row.name} ({row.user})" if row.user else row.name for row in found.rows)
    among = "They are" if found.as_good == len(found.rows) else "Among them"
    raise BadInput(f"{shown!r} matches {found.as_good:,} devices.", f"{among} {names}.", "Name one of them in full.")
