"""What the devices of one platform are compared with at one time: baseline, hotpatches, cumulative updates.

Called by the store and by every rule that asks where a device stands. Works from plain releases and never loads
vulnerabilities. Comparisons stay on a track: "build >= LCU" would call every hotpatched device unprotected.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from engine.model.build import OsBuild, Platform
from engine.model.model import Release, ReleaseKind, Track


class Levels(Struct, frozen=True):
    """One platform at one time."""

    platform: Platform
    baseline: Release | None
    """The newest baseline, planned or not, that was released by then."""
    hotpatches: tuple[Release, ...]
    """Hotpatches since that baseline, oldest first, out-of-band ones included."""
    cumulative: tuple[Release, ...]
    """LCUs and out-of-band LCUs since that baseline, oldest first, without the baseline."""
    companions: tuple[Release, ...] = ()
    """Standalone fixes since that baseline, oldest first."""

    def current_hotpatch(self) -> Release | None:
        """The newest hotpatch on the baseline, or None where none has shipped on it yet."""
        return self.hotpatches[-1] if self.hotpatches else None

    def current_lcu(self) -> Release | None:
        """The newest cumulative update; the baseline itself where nothing came after it."""
        return self.cumulative[-1] if self.cumulative else self.baseline

    def track_of(self, build: OsBuild | None) -> Track:
        """Where a device with this build stands.

        UNKNOWN for a build that no release explains: it can be a preview's, or that of a hotpatch or an LCU which
        the catalog does not have yet. Where an out-of-band LCU and a companion share a build (October 2025,
        26100.6905) only the installed KBs can tell.
        """
        if build is None or self.baseline is None or self.baseline.build is None:
            return Track.UNKNOWN
        if build.number != self.platform.build_number:
            return Track.UNKNOWN
        if build < self.baseline.build:
            return Track.BEHIND
        if build == self.baseline.build or any(release.build == build for release in self.hotpatches):
            return Track.HOTPATCH
        if any(release.build == build for release in self.cumulative):
            is_shared = any(release.build == build for release in self.companions)
            return Track.UNKNOWN if is_shared else Track.LCU
        return Track.UNKNOWN

    def is_beyond(self, build: OsBuild | None) -> bool:
        """Whether a build of this platform is newer than every release that is known of it."""
        if build is None or self.baseline is None or build.number != self.platform.build_number:
            return False
        known = (self.baseline, *self.hotpatches, *self.cumulative, *self.companions)
        return all(release.build is None or build > release.build for release in known)

    def release_of(self, build: OsBuild | None) -> Release | None:
        """The release that a device with this build runs, the newest where two share a build."""
        if build is None:
            return None
        for release in (*reversed(self.hotpatches), *reversed(self.cumulative), self.baseline):
            if release is not None and release.build == build:
                return release
        return None

    def is_current(self, build: OsBuild | None) -> bool:
        """Whether a device with this build is protected by the newest release of its own track, or by a later one.

        On the hotpatch track an out-of-band hotpatch counts (KB5084597 closes what KB5079420 left open). On the
        LCU track the month's LCU is enough: an out-of-band LCU repairs a known trouble and is not for everyone.
        """
        if build is None or self.baseline is None or build.number != self.platform.build_number:
            return False
        hotpatch = self.current_hotpatch()
        if hotpatch is not None and hotpatch.build == build:
            return True
        wanted = next(
            (r for r in reversed(self.cumulative) if r.kind is not ReleaseKind.OOB_LCU and r.build is not None),
            self.baseline,
        )
        if wanted.build is None or build < wanted.build:
            return False
        # A hotpatch of an earlier day can carry a higher revision than the LCU (September 2026: 9448 > 9445).
        return all(release.build != build for release in self.hotpatches)


def make_levels(platform: Platform, releases: Iterable[Release], now: datetime) -> Levels:
    """The levels of a platform as they are known at `now`, from any collection of releases."""
    published = sorted(
        (r for r in releases if r.platform is platform and r.released_at <= now),
        key=lambda release: (release.released_at, release.build or OsBuild(0, 0), release.kb),
    )
    baseline = next((release for release in reversed(published) if release.kind.is_baseline), None)
    since = published if baseline is None else [r for r in published if r.released_at >= baseline.released_at]
    return Levels(
        platform=platform,
        baseline=baseline,
        hotpatches=tuple(r for r in since if r.kind.is_hotpatch),
        cumulative=tuple(r for r in since if r.kind in (ReleaseKind.LCU, ReleaseKind.OOB_LCU)),
        companions=tuple(r for r in since if r.kind is ReleaseKind.COMPANION),
    )
