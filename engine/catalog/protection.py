"""Which monthly release a build protects against, by platform and track; for compliance and the cost of restarts.

Called by `compliance`, `cost` and `evidence`. Pure. Never compares a hotpatch's build with an LCU's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from msgspec import Struct, field

from engine.catalog.levels import Levels, make_levels
from engine.model.build import OsBuild, Platform
from engine.model.model import Release, ReleaseKind
from engine.model.records.reports import PlatformRelease

NOTHING = -1
"""The reach of a build that protects against no month."""
_REMEMBERED = 10_000
"""Builds at most whose reach is remembered: an import may name any number of builds."""


class MonthOnPlatform(Struct, frozen=True):
    """What Patch Tuesday of a month brought to a platform."""

    month: str
    main: Release
    """The hotpatch, or the baseline or LCU where there is none."""
    lcu: Release | None
    """The month's cumulative update: the twin of a hotpatch, or the release itself."""
    levels: Levels
    """What devices were compared with when it appeared."""

    @property
    def released_at(self) -> datetime:
        return self.main.released_at

    def record(self) -> PlatformRelease:
        twin = self.lcu.kb if self.lcu is not None and self.lcu is not self.main else None
        main = self.main
        return PlatformRelease(main.platform, main.released_at, main.kind, main.kb, twin, main.provisional)

    def stops(self, build: OsBuild, hotpatch: Release | None) -> bool:
        """Whether a device with this build has the month's release, its twin, or something later on its track.

        `hotpatch` is the hotpatch of any month that the build belongs to. A hotpatch is later than the month when it
        was released later, whatever the revisions say: they do not rise from track to track.
        """
        if hotpatch is not None:
            return hotpatch.released_at >= self.released_at
        if self.lcu is None or self.lcu.build is None:
            # Without the month's LCU the levels would compare with an older one.
            return self.main.build is not None and build > self.main.build
        return self.levels.is_current(build)


class Reaches(Struct):
    """The newest month, as an index into `months`, that a build protects against."""

    months: tuple[str, ...]
    """Every month that a release is known of, oldest first."""
    by_platform: Mapping[Platform, tuple[MonthOnPlatform | None, ...]]
    """Parallel to `months`; None where the platform had no release of that month."""
    hotpatches: Mapping[tuple[Platform, OsBuild], Release]
    builds: Mapping[tuple[int, Platform], int | None]
    """(KB, platform) → the build it brings."""
    _found: dict[tuple[bool, int], int] = field(default_factory=dict)

    def of(self, build: int | None, *, is_server: bool) -> int:
        """The reach of a build as `OsBuild.as_int`; NOTHING for an unknown build or one of another system.

        The build's own number says which platform it belongs to, so that a device that was upgraded from one
        Windows to the next keeps what it had.
        """
        if build is None:
            return NOTHING
        key = (is_server, build)
        if key not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[key] = self._work_out(OsBuild.from_int(build), is_server=is_server)
        return self._found[key]

    def of_kb(self, kb: int, platform: Platform) -> int:
        """The reach of the build that a KB brings to a platform; NOTHING where it is not known."""
        return self.of(self.builds.get((kb, platform)), is_server=platform.is_server)

    def table(self, *, is_server: bool) -> ReachTable:
        """The same as a mapping from build to reach, for loops over millions of builds."""
        return ReachTable(self, is_server)

    def _work_out(self, build: OsBuild, *, is_server: bool) -> int:
        platform = next((p for p in Platform if p.is_server is is_server and p.build_number == build.number), None)
        if platform is None:
            return NOTHING
        hotpatch = self.hotpatches.get((platform, build))
        indexes = [
            index
            for index, month in enumerate(self.by_platform[platform])
            if month is not None and month.stops(build, hotpatch)
        ]
        return max(indexes, default=NOTHING)

    def month(self, platform: Platform, index: int) -> MonthOnPlatform | None:
        return self.by_platform[platform][index]

    def current(self, platform: Platform) -> int:
        """The index of the platform's newest month; NOTHING without any."""
        months = self.by_platform[platform]
        return max((index for index, month in enumerate(months) if month is not None), default=NOTHING)

    def of_month(self, month: str) -> tuple[MonthOnPlatform, ...]:
        """What each platform got in a month, in the order of the platforms; empty for an unknown month."""
        if month not in self.months:
            return ()
        index = self.months.index(month)
        return tuple(found for months in self.by_platform.values() if (found := months[index]) is not None)

    def released_at(self, month: str) -> datetime:
        """When the first platform got the month's release.

        Raises:
            ValueError: no release of that month is known.
        """
        return min(each.released_at for each in self.of_month(month))


class ReachTable(dict[int | None, int]):
    """Build → reach for clients or for servers; works out what it is asked for the first time."""

    def __init__(self, reaches: Reaches, is_server: bool) -> None:
        super().__init__()
        self._reaches = reaches
        self._is_server = is_server

    def __missing__(self, build: int | None) -> int:
        found = self._reaches.of(build, is_server=self._is_server)
        self[build] = found
        return found


def make_reaches(releases: Iterable[Release], now: datetime) -> Reaches:
    """The months that are released by now, from the releases of all platforms."""
    return _make_reaches(tuple(release for release in releases if release.released_at <= now))


@lru_cache(maxsize=4)
def _make_reaches(published: tuple[Release, ...]) -> Reaches:
    found: dict[Platform, dict[str, MonthOnPlatform]] = {}
    for platform in Platform:
        mine = [release for release in published if release.platform is platform]
        found[platform] = {month.month: month for month in _months_of(platform, mine)}
    months = tuple(sorted({month for each in found.values() for month in each}))
    hotpatches: dict[tuple[Platform, OsBuild], Release] = {}
    for release in sorted(published, key=lambda each: each.released_at):
        if release.kind.is_hotpatch and release.build is not None:
            hotpatches[release.platform, release.build] = release
    return Reaches(
        months=months,
        by_platform={platform: tuple(each.get(month) for month in months) for platform, each in found.items()},
        hotpatches=hotpatches,
        builds={(r.kb, r.platform): r.build.as_int() if r.build is not None else None for r in published},
    )


def _months_of(platform: Platform, releases: Sequence[Release]) -> Iterable[MonthOnPlatform]:
    by_month: dict[str, list[Release]] = {}
    for release in releases:
        by_month.setdefault(release.month, []).append(release)
    for month, members in sorted(by_month.items()):
        lcu = next((r for r in members if r.kind.is_baseline or r.kind is ReleaseKind.LCU), None)
        main = next((r for r in members if r.kind is ReleaseKind.HOTPATCH), lcu)
        if main is not None:
            yield MonthOnPlatform(month, main, lcu, make_levels(platform, releases, main.released_at))
