"""The decision: one CVE on one device, by design rule 9 and the device's history.

`engine.evidence.scanners` asks it for every finding. What levels and releases mean is worked out once and kept, so that
a million findings cost a few look-ups each. It reads no file and no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from engine.catalog import Levels
from engine.catalog.calendar import next_baseline
from engine.catalog.closing import Closing, Closings, Level, Route
from engine.model.build import Platform
from engine.model.model import Release, ReleaseKind, Track
from engine.rules.findings.device import Reached, TargetDevice, history
from engine.rules.findings.judgement import FindingVerdict, Judgement, LevelSource, Proof, Why

_WHY = {
    Route.HOTPATCH: Why.HOTPATCH,
    Route.BASELINE: Why.BASELINE,
    Route.COMPANION: Why.COMPANION,
    Route.CUMULATIVE: Why.CUMULATIVE,
}


class Known(Struct, frozen=True):
    """A device with the levels it has stood at, ready to be asked about any CVE."""

    device: TargetDevice
    levels: tuple[tuple[Reached, Level], ...]
    """Oldest first."""
    track: Track


class Judge:
    """Decides findings by what was published at `now`."""

    def __init__(
        self, closings: Closings, levels: Mapping[Platform, Levels], now: datetime, *, known_until: str = ""
    ) -> None:
        """Begin.

        Args:
            closings: The catalog's levels.
            levels: What the devices of each platform are compared with.
            now: The present.
            known_until: The last month that the catalog has a document of, ``2026-06``, for words.
        """
        self._closings = closings
        self._levels = levels
        self._now = now
        self._known_until = known_until
        self._known_cves = frozenset(fix.cve for fix in closings.catalog.fixes)
        self._first_year = min(closings.catalog.documents, default="")[:4]
        self._baselines: dict[Platform, datetime] = {}
        self._twins: dict[tuple[int, Platform], Release | None] = {}

    def know(self, device: TargetDevice) -> Known:
        """Look a device's history up in the catalog, once for all its findings."""
        platform, closings = device.platform, self._closings
        if platform is None:
            return Known(device, (), Track.UNKNOWN)
        levels = tuple(
            (reached, closings.at(platform, device.architecture, reached.build, reached.companions))
            for reached in history(device, closings.companions)
        )
        # The history itself is not asked again, and many devices are kept.
        return Known(replace(device, steps=(), seen=()), levels, self._levels[platform].track_of(device.build))

    def beside_servicing(self, cve: str, other_software: str, *, about_windows: bool = False) -> Judgement | None:
        """That a finding is not about Windows servicing, whatever the device; None when it is.

        A row about Windows itself stands, though the catalog has not heard of its CVE: no fix may be out yet, or the
        catalog is older than the fix. CVEs from before the catalog's first year were settled long ago.
        """
        if not cve:
            return Judgement(FindingVerdict.NOT_SERVICING, Why.NO_CVE, detail=other_software)
        if other_software:
            return Judgement(FindingVerdict.NOT_SERVICING, Why.OTHER_SOFTWARE, detail=other_software)
        if cve not in self._known_cves and not (about_windows and cve[4:8] >= self._first_year):
            return Judgement(FindingVerdict.NOT_SERVICING, Why.NOT_IN_CATALOG, detail=self._known_until)
        return None

    def judge(self, cve: str, known: Known, scanned_at: datetime) -> Judgement:
        """What becomes of a CVE of the catalog, or of one that only Windows can have, on a known device."""
        device, platform = known.device, known.device.platform
        if platform is None:
            return Judgement(FindingVerdict.TRUE, Why.NOT_PROVEN, device_build=device.build)
        if cve not in self._known_cves:
            return Judgement(
                FindingVerdict.TRUE,
                Why.NOT_IN_CATALOG,
                device_build=device.build,
                track=known.track,
                detail=self._known_until,
            )
        closers = self._closings.closers(platform, device.architecture, cve)
        if closers is None:
            return Judgement(
                FindingVerdict.NOT_SERVICING,
                Why.NOT_FOR_PLATFORM,
                device_build=device.build,
                track=known.track,
                detail=platform.label,
            )
        if known.levels and cve in known.levels[-1][1].closings:
            return self._closed(cve, known, platform, scanned_at)
        return self._open(cve, closers, known, platform)

    # --- closed -------------------------------------------------------------------------------------

    def _closed(self, cve: str, known: Known, platform: Platform, scanned_at: datetime) -> Judgement:
        reached, standing, was_open = self._since(cve, known)
        closing = standing.closings[cve]
        verdict, why = FindingVerdict.FALSE_POSITIVE, _WHY[closing.route]
        # A level that the device has stood at for as long as it is known may be older than it was first told.
        is_later = reached.at is not None and reached.at > scanned_at and (was_open or reached.evidence.is_exact)
        if is_later or closing.release.released_at > scanned_at:
            verdict = FindingVerdict.FIXED_SINCE
            why = Why.INSTALLED_SINCE if reached.evidence.is_exact else Why.SEEN_SINCE
        proof = self._proof(closing, reached, standing)
        return Judgement(
            verdict,
            why,
            proof=proof,
            device_build=known.device.build,
            track=known.track,
            next_baseline_at=self._next_baseline(platform),
        )

    def _since(self, cve: str, known: Known) -> tuple[Reached, Level, bool]:
        """The level since which the CVE has been closed without a break, and whether it is known to be open before."""
        for place in range(len(known.levels) - 1, 0, -1):
            if cve not in known.levels[place - 1][1].closings:
                return (*known.levels[place], True)
        return (*known.levels[0], False)

    def _proof(self, closing: Closing, reached: Reached, standing: Level) -> Proof:
        shown = closing.release if closing.route is Route.COMPANION else standing.running
        release = shown or closing.release
        twin = self._twin(release)
        return Proof(
            kb=release.kb,
            build=release.build,
            twin_kb=twin.kb if twin else None,
            twin_build=twin.build if twin else None,
            fixed_by=closing.release.kb,
            route=closing.route,
            baseline_kb=standing.baseline.kb if standing.baseline else None,
            at=reached.at,
            evidence=reached.evidence,
            install_id=reached.install_id if reached.evidence is not LevelSource.SEEN else None,
        )

    # --- open ---------------------------------------------------------------------------------------

    def _open(self, cve: str, closers: Sequence[Release], known: Known, platform: Platform) -> Judgement:
        device, levels = known.device, self._levels[platform]
        failure = next((each for each in device.failures if self._would_close(each.kb, cve, platform, device)), None)
        target = self._target(cve, known, levels)
        companion = next((r for r in reversed(closers) if r.kind is ReleaseKind.COMPANION), None)
        wanted = target
        if failure is not None:
            why = Why.INSTALL_FAILED
            wanted = next((r for r in self._closings.catalog.find(failure.kb) if r.platform is platform), target)
        elif device.build is None or known.track is Track.UNKNOWN:
            why = Why.NOT_PROVEN
        elif target is not None and device.restart_pending:
            why = Why.RESTART_PENDING
        elif target is not None:
            why = Why.BEHIND
        elif companion is not None and known.track is Track.HOTPATCH:
            why, wanted = Why.COMPANION_MISSING, companion
        else:
            wanted = self._beyond_the_track(cve, device, levels)
            why = Why.NOT_COVERED if wanted is not None else Why.NOT_PUBLISHED
        return Judgement(
            FindingVerdict.TRUE,
            why,
            device_build=device.build,
            track=known.track,
            next_kb=wanted.kb if wanted else None,
            next_restarts=wanted is not None and wanted.restart_required and wanted is not companion,
            error_code=failure.error_code if failure else None,
            failed_at=failure.failed_at if failure else None,
            next_baseline_at=self._next_baseline(platform),
        )

    def _target(self, cve: str, known: Known, levels: Levels) -> Release | None:
        """The release of its own track that the device lacks and that closes the CVE."""
        hotpatch, baseline, lcu = levels.current_hotpatch(), levels.baseline, levels.current_lcu()
        wanted: dict[Track, tuple[Release | None, ...]] = {
            Track.HOTPATCH: (hotpatch,),
            Track.LCU: (lcu,),
            Track.BEHIND: (baseline, hotpatch, lcu),
            Track.UNKNOWN: (hotpatch, baseline, lcu),
        }
        for release in wanted[known.track]:
            if release is not None and cve in self._closings.of(release, known.device.architecture).closings:
                return release
        return None

    def _beyond_the_track(self, cve: str, device: TargetDevice, levels: Levels) -> Release | None:
        """The cumulative update that closes what the device's own track leaves open."""
        lcu = levels.current_lcu()
        if lcu is not None and cve in self._closings.of(lcu, device.architecture).closings:
            return lcu
        return None

    def _would_close(self, kb: int, cve: str, platform: Platform, device: TargetDevice) -> bool:
        releases = [r for r in self._closings.catalog.find(kb) if r.platform is platform]
        if releases and releases[0].kind is ReleaseKind.COMPANION:
            return cve in self._closings.catalog.cve_ids(releases[0], device.architecture)
        return any(cve in self._closings.of(r, device.architecture).closings for r in releases)

    def _next_baseline(self, platform: Platform) -> datetime:
        if platform not in self._baselines:
            releases = self._closings.catalog.for_platform(platform)
            self._baselines[platform] = next_baseline(platform, releases, self._now)
        return self._baselines[platform]

    def _twin(self, release: Release) -> Release | None:
        key = (release.kb, release.platform)
        if key not in self._twins:
            self._twins[key] = self._closings.catalog.twin(release)
        return self._twins[key]
