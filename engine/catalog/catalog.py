"""The catalog: every known release, vulnerability and fix, and the questions one asks of them.

Called by the engine, the store and both fronts. Immutable; `known_at` gives the catalog of an earlier day.
Never changes what a document said: kinds are decided in `kinds`, additions are made in `merging`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

from msgspec import Struct, field

from engine.catalog.calendar import patch_tuesday_moment
from engine.catalog.levels import Levels, make_levels
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Cve, Release, ReleaseKind


class Fix(Struct, frozen=True):
    """This release fixes this CVE on this platform and architecture."""

    kb: int
    platform: Platform
    architecture: Architecture
    cve: str
    filed: str
    """Month of the document that lists it, ``2026-05``; later than the release's month for a CVE filed late."""
    build: OsBuild | None = None
    """FixedBuild as filed, kept only while the release itself is not in the catalog."""


class KnownDocument(Struct, frozen=True):
    """The state of one monthly document that the catalog was made from."""

    month: str
    revision: int
    revised_at: datetime
    etag: str = ""
    """What the service called this state; for conditional requests."""


class Catalog(Struct, frozen=True, dict=True):
    """Everything known of the releases of all platforms."""

    releases: tuple[Release, ...] = ()
    cves: Mapping[str, Cve] = field(default_factory=dict)
    fixes: tuple[Fix, ...] = ()
    documents: Mapping[str, KnownDocument] = field(default_factory=dict)
    """By month; only syncing needs them."""

    def known_at(self, now: datetime) -> Catalog:
        """Only what was published by then: releases by their day, CVEs filed late from their filing on."""
        releases = tuple(release for release in self.releases if release.released_at <= now)
        released = {(release.kb, release.platform) for release in releases}
        fixes = tuple(
            fix for fix in self.fixes if (fix.kb, fix.platform) in released and patch_tuesday_moment(fix.filed) <= now
        )
        filed = {fix.cve for fix in fixes}
        cves = {name: cve for name, cve in self.cves.items() if name in filed}
        return Catalog(releases, cves, fixes, self.documents)

    def unchanged_around(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """From when until before when `known_at` gives the same as now; None has no end."""
        moments = {each.released_at for each in self.releases}
        moments |= {patch_tuesday_moment(month) for month in {fix.filed for fix in self.fixes}}
        since = max((each for each in moments if each <= now), default=None)
        return since, min((each for each in moments if each > now), default=None)

    def find(self, kb: int) -> tuple[Release, ...]:
        """The releases with this KB, one for each platform; empty for an unknown KB."""
        return tuple(release for release in self.releases if release.kb == kb)

    def for_platform(self, platform: Platform) -> tuple[Release, ...]:
        """The releases of a platform, oldest first."""
        return self._by_platform.get(platform, ())

    def twin(self, release: Release) -> Release | None:
        """The LCU of the same month and platform as a hotpatch; None for anything but a hotpatch.

        An out-of-band hotpatch has the out-of-band LCU of its own day as twin, if there is one
        (KB5078238 and KB5078136 of January 2026), else the month's LCU or baseline.
        """
        if not release.kind.is_hotpatch:
            return None
        month = [r for r in self.for_platform(release.platform) if r.month == release.month]
        same_day = [
            r for r in month if r.kind is ReleaseKind.OOB_LCU and r.released_at.date() == release.released_at.date()
        ]
        if release.kind is ReleaseKind.OOB_HOTPATCH and same_day:
            return same_day[-1]
        return next((r for r in month if r.kind.is_baseline or r.kind is ReleaseKind.LCU), None)

    def levels(self, platform: Platform, now: datetime) -> Levels:
        """What devices of this platform are compared with at this time."""
        return make_levels(platform, self.for_platform(platform), now)

    def cve_ids(self, release: Release, architecture: Architecture | None = None) -> frozenset[str]:
        """The CVEs that the release itself is filed for, on one architecture or on any."""
        return frozenset(
            fix.cve
            for fix in self.fixes_of(release.kb, release.platform)
            if architecture is None or fix.architecture is architecture
        )

    def fixes_of(self, kb: int, platform: Platform) -> tuple[Fix, ...]:
        """Every fix filed for a KB on a platform."""
        return self._fixes_by_release.get((kb, platform), ())

    def fixes_on(self, platform: Platform) -> tuple[Fix, ...]:
        """Every fix filed for a platform."""
        return self._fixes_by_platform.get(platform, ())

    @cached_property
    def _by_platform(self) -> dict[Platform, tuple[Release, ...]]:
        ordered = sorted(self.releases, key=lambda r: (r.released_at, r.build or OsBuild(0, 0), r.kb))
        return {p: tuple(r for r in ordered if r.platform is p) for p in Platform}

    @cached_property
    def _fixes_by_release(self) -> dict[tuple[int, Platform], tuple[Fix, ...]]:
        groups: dict[tuple[int, Platform], list[Fix]] = {}
        for fix in self.fixes:
            groups.setdefault((fix.kb, fix.platform), []).append(fix)
        return {key: tuple(group) for key, group in groups.items()}

    @cached_property
    def _fixes_by_platform(self) -> dict[Platform, tuple[Fix, ...]]:
        groups: dict[Platform, list[Fix]] = {}
        for fix in self.fixes:
            groups.setdefault(fix.platform, []).append(fix)
        return {platform: tuple(group) for platform, group in groups.items()}
