"""By which release each CVE is closed at each level that a device can stand at; worked out once a level.

Reconciliation of scanner findings and the page of a device call it. The same rule as `coverage` (design rule 9), told
with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from engine.catalog.coverage import PlatformFixes, chain_of, running_release, worst_first
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Cve, Release, ReleaseKind

if TYPE_CHECKING:
    from engine.catalog.catalog import Catalog


class Route(StrEnum):
    """Why a CVE is closed."""

    HOTPATCH = "hotpatch"
    """A hotpatch of the chain since the baseline lists it."""
    BASELINE = "baseline"
    """The baseline under the hotpatches holds it."""
    COMPANION = "companion"
    """An installed standalone package lists it."""
    CUMULATIVE = "cumulative"
    """The cumulative update that the device runs holds it."""


class Closing(Struct, frozen=True):
    """What closes one CVE."""

    route: Route
    release: Release
    """The earliest release on that route that holds the fix."""


class Level(Struct, frozen=True):
    """One level: a release that runs, with standalone packages beside it."""

    running: Release | None
    """What the build stands for, or the newest baseline that it proves; None proves nothing."""
    is_exact: bool
    """Whether the build is that release's own."""
    baseline: Release | None
    """What the hotpatches sit on; None on a cumulative update."""
    closings: Mapping[str, Closing]


_MOST_BUILDS = 10_000
"""So many builds are remembered; there are few, unless a file invents them."""
_NOTHING = Level(None, False, None, {})
_Key = tuple[Platform, Architecture | None, int, bool, frozenset[int]]


class Closings(Struct):
    """The levels of all platforms, by a catalog of what was known at one time."""

    catalog: Catalog
    _levels: dict[_Key, Level] = field(default_factory=dict)
    _asked: dict[tuple[Platform, Architecture | None, OsBuild | None, frozenset[int]], Level] = field(
        default_factory=dict
    )
    _fixes: dict[tuple[Platform, Architecture], PlatformFixes] = field(default_factory=dict)
    _closers: dict[tuple[Platform, Architecture | None], Mapping[str, tuple[Release, ...]]] = field(
        default_factory=dict
    )
    _companions: frozenset[int] | None = None

    @property
    def companions(self) -> frozenset[int]:
        """The KBs of every standalone package."""
        if self._companions is None:
            self._companions = frozenset(r.kb for r in self.catalog.releases if r.kind is ReleaseKind.COMPANION)
        return self._companions

    def at(
        self,
        platform: Platform,
        architecture: Architecture | None,
        build: OsBuild | None,
        companions: frozenset[int] = frozenset(),
    ) -> Level:
        """The level of a device; without an architecture only what is closed on every one of the platform counts."""
        asked = (platform, architecture, build, companions)
        found = self._asked.get(asked)
        if found is None:
            if len(self._asked) >= _MOST_BUILDS:
                self._asked.clear()
            found = self._asked[asked] = self._find(platform, architecture, build, companions)
        return found

    def _find(
        self,
        platform: Platform,
        architecture: Architecture | None,
        build: OsBuild | None,
        companions: frozenset[int],
    ) -> Level:
        running = running_release(self.catalog.for_platform(platform), build)
        if running is not None and running.kind is ReleaseKind.OOB_LCU and self._is_companion(running, companions):
            # The build is shared, and what was installed is the package beside the hotpatches (October 2025).
            released = [r for r in self.catalog.for_platform(platform) if r.released_at < running.released_at]
            running = next((r for r in reversed(released) if r.kind.is_baseline), running)
        if running is None and not companions:
            return _NOTHING
        exact = running is not None and running.build == build
        key = (platform, architecture, running.kb if running else 0, exact, companions)
        if key not in self._levels:
            self._levels[key] = self._work_out(platform, architecture, running, exact, companions)
        return self._levels[key]

    def of(self, release: Release, architecture: Architecture | None) -> Level:
        """The level of a device that runs this release and nothing beside it."""
        key = (release.platform, architecture, release.kb, True, frozenset[int]())
        if key not in self._levels:
            self._levels[key] = self._work_out(release.platform, architecture, release, True, frozenset())
        return self._levels[key]

    def closers(self, platform: Platform, architecture: Architecture | None, cve: str) -> tuple[Release, ...] | None:
        """The releases that are filed for a CVE here, oldest first; None when the platform has no such CVE."""
        return self._filed_for(platform, architecture).get(cve)

    def _filed_for(self, platform: Platform, architecture: Architecture | None) -> Mapping[str, tuple[Release, ...]]:
        """CVE → the releases that are filed for it on a platform, oldest first."""
        key = (platform, architecture)
        if key not in self._closers:
            found: dict[str, set[int]] = {}
            for fix in self.catalog.fixes_on(platform):
                if architecture is None or fix.architecture is architecture:
                    found.setdefault(fix.cve, set()).add(fix.kb)
            releases = self.catalog.for_platform(platform)
            self._closers[key] = {name: tuple(r for r in releases if r.kb in kbs) for name, kbs in found.items()}
        return self._closers[key]

    def open_cves(
        self,
        platform: Platform,
        architecture: Architecture | None,
        build: OsBuild | None,
        companions: frozenset[int] = frozenset(),
    ) -> tuple[Cve, ...]:
        """The CVEs of the platform that are open on a device, worst first; without an architecture those of any.

        A build that no release explains proves only the newest baseline at or below it; without a build nothing is
        proven and every known CVE of the platform counts as open.
        """
        closed = self.at(platform, architecture, build, companions).closings
        return worst_first(
            self.catalog, [name for name in self._filed_for(platform, architecture) if name not in closed]
        )

    def _is_companion(self, running: Release, companions: frozenset[int]) -> bool:
        return any(
            r.kb in companions and r.build == running.build and r.kind is ReleaseKind.COMPANION
            for r in self.catalog.for_platform(running.platform)
        )

    def _work_out(
        self,
        platform: Platform,
        architecture: Architecture | None,
        running: Release | None,
        exact: bool,
        companions: frozenset[int],
    ) -> Level:
        baseline, chain = chain_of(self.catalog, running) if running is not None else (None, ())
        everywhere = (architecture,) if architecture is not None else platform.architectures
        maps = [self._closings(platform, each, running, baseline, chain, companions) for each in everywhere]
        shared = set(maps[0]).intersection(*maps[1:])
        return Level(running, exact, baseline, {cve: maps[0][cve] for cve in shared})

    def _closings(
        self,
        platform: Platform,
        architecture: Architecture,
        running: Release | None,
        baseline: Release | None,
        chain: tuple[Release, ...],
        companions: frozenset[int],
    ) -> dict[str, Closing]:
        fixes = self._fixes_of(platform, architecture)
        closings: dict[str, Closing] = {}
        level = baseline if chain or running is None or running.kind.is_hotpatch else running
        if level is not None:
            route = Route.BASELINE if level.kind.is_baseline else Route.CUMULATIVE
            for cve in fixes.closed_by_cumulative(level):
                held = [r for r in self.closers(platform, architecture, cve) or () if r.kind.is_cumulative]
                first = next((r for r in held if r.released_at <= level.released_at), level)
                closings[cve] = Closing(route, first)
        for hotpatch in chain:
            for cve in self._filed(hotpatch, architecture):
                closings.setdefault(cve, Closing(Route.HOTPATCH, hotpatch))
        for release in self.catalog.for_platform(platform):
            if release.kb in companions and release.kind is ReleaseKind.COMPANION:
                for cve in self._filed(release, architecture):
                    closings.setdefault(cve, Closing(Route.COMPANION, release))
        return closings

    def _filed(self, release: Release, architecture: Architecture) -> frozenset[str]:
        return self.catalog.cve_ids(release, architecture)

    def _fixes_of(self, platform: Platform, architecture: Architecture) -> PlatformFixes:
        key = (platform, architecture)
        if key not in self._fixes:
            self._fixes[key] = PlatformFixes(self.catalog, platform, architecture)
        return self._fixes[key]


def closings_known_at(catalog: Catalog, now: datetime) -> Closings:
    """The levels by what was published at `now`."""
    return Closings(catalog.known_at(now))
