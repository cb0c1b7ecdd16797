"""Which CVEs a release closes, and which stay open on a device: rule 9 of the design, from filed facts.

Both fronts ask it about a catalog. A CVE is closed on the hotpatch track if the chain of hotpatches since the baseline
lists it, or anything at or below the baseline does, or an installed standalone KB does. Never compares builds across
tracks.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from engine.catalog.catalog import Catalog, Fix
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Cve, Release, ReleaseKind, Severity


class Gap(Struct, frozen=True):
    """A CVE that stays open, and the releases that close it."""

    cve: Cve
    closed_by: tuple[Release, ...]
    """Oldest first: the twin or an earlier LCU, a companion, a later hotpatch or baseline."""

    @property
    def companions(self) -> tuple[Release, ...]:
        """Standalone packages that close it without leaving the hotpatch track."""
        return tuple(release for release in self.closed_by if release.kind is ReleaseKind.COMPANION)


class Coverage(Struct, frozen=True):
    """What one release does for a device, on one architecture or on any."""

    release: Release
    fixes: tuple[Cve, ...]
    """What the release itself is filed for, worst first."""
    chain: tuple[Release, ...]
    """The hotpatches since the baseline up to this one, oldest first; empty for a cumulative update."""
    baseline: Release | None
    """What the chain sits on."""
    twin: Release | None
    twin_fixes: tuple[Cve, ...]
    not_covered: tuple[Gap, ...]
    """What a device on this hotpatch still lacks against a device on the twin, worst first."""
    still_open: tuple[Gap, ...]
    """Filed by this release's month, but closed neither by it nor by its twin, only by something later."""


def coverage_of(catalog: Catalog, release: Release, architecture: Architecture | None = None) -> Coverage:
    """The coverage of a release; for anything but a hotpatch there is no twin and nothing left open against it."""
    twin = catalog.twin(release)
    baseline, chain = chain_of(catalog, release)
    lacking: set[str] = set()
    open_everywhere: set[str] = set()
    # Without an architecture named, what is open on one of them counts.
    for each in (architecture,) if architecture is not None else release.architectures:
        state = PlatformFixes(catalog, release.platform, each)
        closed = state.closed_on(release, baseline, chain, frozenset())
        by_twin = state.closed_by_cumulative(twin) if twin is not None else frozenset()
        lacking |= by_twin - closed
        open_everywhere |= {fix.cve for fix in state.fixes if fix.filed <= release.month} - closed - by_twin
    state = PlatformFixes(catalog, release.platform, architecture)
    return Coverage(
        release=release,
        fixes=worst_first(catalog, catalog.cve_ids(release, architecture)),
        chain=chain,
        baseline=baseline,
        twin=twin,
        twin_fixes=worst_first(catalog, catalog.cve_ids(twin, architecture)) if twin is not None else (),
        not_covered=state.gaps(lacking),
        still_open=state.gaps(open_everywhere),
    )


def running_release(releases: tuple[Release, ...], build: OsBuild | None) -> Release | None:
    """The release that a build stands for, or the newest baseline that it proves."""
    if build is None:
        return None
    exact = [r for r in releases if r.build == build and r.kind is not ReleaseKind.COMPANION]
    if exact:
        return exact[-1]
    proven = [r for r in releases if r.kind.is_baseline and r.build is not None and r.build <= build]
    return proven[-1] if proven else None


def chain_of(catalog: Catalog, release: Release) -> tuple[Release | None, tuple[Release, ...]]:
    """The baseline that a hotpatch sits on, and the hotpatches from there up to it."""
    if not release.kind.is_hotpatch:
        return None, ()
    earlier = [r for r in catalog.for_platform(release.platform) if r.released_at <= release.released_at]
    baseline = next((r for r in reversed(earlier) if r.kind.is_baseline), None)
    chain = tuple(
        r
        for r in earlier
        if r.kind.is_hotpatch and (baseline is None or r.released_at >= baseline.released_at) and not _after(r, release)
    )
    return baseline, chain


def _after(one: Release, other: Release) -> bool:
    """Whether a hotpatch is newer than another of the same day."""
    return one.released_at == other.released_at and (one.build or OsBuild(0, 0)) > (other.build or OsBuild(0, 0))


class PlatformFixes:
    """The fixes of one platform, ready to be asked what a level closes."""

    def __init__(self, catalog: Catalog, platform: Platform, architecture: Architecture | None) -> None:
        self._catalog = catalog
        self._releases = {release.kb: release for release in catalog.for_platform(platform)}
        self.fixes: tuple[Fix, ...] = tuple(
            fix for fix in catalog.fixes_on(platform) if architecture is None or fix.architecture is architecture
        )

    def closed_on(
        self, release: Release, baseline: Release | None, chain: tuple[Release, ...], companions: frozenset[int]
    ) -> frozenset[str]:
        """What is closed on a device that runs this release."""
        standalone = self.closed_by_standalone(companions)
        if not release.kind.is_hotpatch:
            return self.closed_by_cumulative(release) | standalone
        kbs = {hotpatch.kb for hotpatch in chain}
        listed = frozenset(fix.cve for fix in self.fixes if fix.kb in kbs)
        below = self.closed_by_cumulative(baseline) if baseline is not None else frozenset()
        return listed | below | standalone

    def closed_by_cumulative(self, level: Release) -> frozenset[str]:
        """What a cumulative update closes: its own CVEs and those of everything that it contains."""
        return frozenset(fix.cve for fix in self.fixes if self._is_within(fix, level))

    def closed_by_standalone(self, kbs: frozenset[int]) -> frozenset[str]:
        return frozenset(
            fix.cve
            for fix in self.fixes
            if fix.kb in kbs
            and (release := self._releases.get(fix.kb)) is not None
            and release.kind is ReleaseKind.COMPANION
        )

    def gaps(self, cves: set[str]) -> tuple[Gap, ...]:
        closing: dict[str, set[int]] = {}
        for fix in self.fixes:
            if fix.cve in cves and fix.kb in self._releases:
                closing.setdefault(fix.cve, set()).add(fix.kb)
        return tuple(
            Gap(
                cve,
                tuple(
                    sorted(
                        (self._releases[kb] for kb in closing.get(cve.id, ())),
                        key=lambda release: (release.released_at, release.kb),
                    )
                ),
            )
            for cve in worst_first(self._catalog, cves)
        )

    def _is_within(self, fix: Fix, level: Release) -> bool:
        """Whether a cumulative update contains a fix.

        Hotpatches and companions of earlier days are in it too: May 2026 files two CVEs of Server 2022 under
        March's hotpatch only, and April's baseline holds them.
        """
        if fix.kb == level.kb:
            return True
        release = self._releases.get(fix.kb)
        if release is None:
            return fix.build is not None and level.build is not None and fix.build <= level.build
        if release.kind is ReleaseKind.COMPANION:
            return release.released_at < level.released_at
        return release.released_at <= level.released_at


def worst_first(catalog: Catalog, ids: Iterable[str]) -> tuple[Cve, ...]:
    """The vulnerabilities with these ids: exploited ones first, then by severity and score."""
    order = list(Severity)
    cves = [catalog.cves[name] for name in ids if name in catalog.cves]
    return tuple(sorted(cves, key=lambda c: (not c.exploited, order.index(c.severity), -(c.cvss or 0.0), c.id)))
