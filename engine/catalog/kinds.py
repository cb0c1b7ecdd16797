"""Decides what each KB is on each platform: its month, its kind, its day; from all the rows filed for it.

Called by `merging` only. Pure: the same evidence gives the same releases, in whatever order documents came.
Hard-codes no month; which months are baselines by plan comes from `engine.catalog.calendar`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from msgspec import Struct, field

from engine.catalog.calendar import BASELINE_MONTHS, Month, patch_tuesday_moment, release_moment
from engine.catalog.msrc.document import Package
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Release, ReleaseKind

_MAIN_SHARE = 0.15
"""The B release of a month carries most of its CVEs; a KB re-listed from another month carries one to three."""
_OOB_SPAN = 30
"""How far above the B release's revision an out-of-band release may lie while the next month is not known."""


class KindEvidence(Struct):
    """All that is filed about one KB on one platform."""

    kb: int
    platform: Platform
    cves: dict[str, set[str]] = field(default_factory=dict)
    """By the month of the document."""
    packages: Counter[Package] = field(default_factory=Counter)
    builds: Counter[OsBuild] = field(default_factory=Counter)
    architectures: set[Architecture] = field(default_factory=set)
    dated: date | None = None
    """The earliest day on which a CVE was revised to name this KB."""
    known: Release | None = None
    """What the catalog held before."""

    @property
    def home(self) -> str:
        """The month whose document lists most for it, the earliest of equals: the month in which it shipped."""
        return min(self.cves, key=lambda month: (-len(self.cves[month]), month))

    @property
    def build(self) -> OsBuild | None:
        if self.builds:
            return self.builds.most_common(1)[0][0]
        return self.known.build if self.known is not None else None

    @property
    def count(self) -> int:
        """CVEs listed in its own month."""
        return len(self.cves[self.home])


class Verdicts(Struct, frozen=True):
    """The releases, and the KBs that the rows named by mistake."""

    releases: tuple[Release, ...]
    slips: Mapping[tuple[int, Platform], int]
    """(KB as filed, platform) -> the platform's own KB that was meant."""


def decide(evidence: Iterable[KindEvidence]) -> Verdicts:
    """Turn evidence into releases.

    For each platform and month the KB with most CVEs among the cumulative ones is the month's LCU, and likewise
    among the hotpatches. In a month that is planned as hotpatch month the LCU is an unplanned baseline if the
    month's own document lists the LCU and no hotpatch of that month, and the platform had hotpatches before;
    a month before the first one is an ordinary LCU. A hotpatch that did ship makes any month a hotpatch month.
    Everything else of a month is out-of-band if its build lies above the B release, a companion if it is filed as
    standalone or shares a hotpatch's build, and otherwise belongs to a month whose document is not known: it
    stays out of the list until that document comes, while its fixes are kept.
    """
    everything = list(evidence)
    _agree_on_packages(everything)
    months = _Months(everything)
    slips = {}
    releases: list[Release] = []
    for item in everything:
        if not item.cves:
            if item.known is not None:
                releases.append(item.known)
            continue
        meant = months.meant_by(item)
        if meant is not None:
            slips[item.kb, item.platform] = meant
            continue
        kind = months.kind_of(item)
        if kind is not None:
            releases.append(_release(item, kind))
        elif item.known is not None:
            releases.append(item.known)  # what was once listed stays listed
    return Verdicts(tuple(sorted(releases, key=lambda r: (r.released_at, r.platform, r.kb))), slips)


def _agree_on_packages(everything: list[KindEvidence]) -> None:
    """A KB is one kind of package on every platform: the rows of all platforms vote."""
    votes: dict[int, Counter[Package]] = {}
    for item in everything:
        votes.setdefault(item.kb, Counter()).update(item.packages)
    for item in everything:
        item.packages = votes[item.kb]


def _package(item: KindEvidence) -> Package:
    if item.packages[Package.HOTPATCH] * 2 > item.packages.total():
        return Package.HOTPATCH
    return Package.STANDALONE if item.packages[Package.STANDALONE] else Package.UPDATE


class _Months:
    """The B releases of every platform and month, by which everything else is judged."""

    def __init__(self, everything: list[KindEvidence]) -> None:
        filed = [item for item in everything if item.cves]
        size: dict[str, int] = {}
        for item in filed:
            size[item.home] = max(size.get(item.home, 0), item.count)
        self._lcu: dict[tuple[Platform, str], KindEvidence] = {}
        self._hotpatch: dict[tuple[Platform, str], KindEvidence] = {}
        ordered = sorted(filed, key=lambda i: (-i.count, i.kb))
        for item in ordered:
            if item.count >= _MAIN_SHARE * size[item.home] and _package(item) is not Package.STANDALONE:
                found = self._hotpatch if _package(item) is Package.HOTPATCH else self._lcu
                found.setdefault((item.platform, item.home), item)
        for item in ordered:
            if _package(item) is Package.HOTPATCH and self._lies_between_lcus(item):
                self._hotpatch.setdefault((item.platform, item.home), item)
        self._first_hotpatch: dict[Platform, str] = {}
        for item in everything:
            if item.known is not None and not item.cves and item.known.kind.is_hotpatch:
                self._note_hotpatch(item.platform, item.known.month)
        for platform, month in self._hotpatch:
            self._note_hotpatch(platform, month)

    def _lies_between_lcus(self, item: KindEvidence) -> bool:
        """Whether its build is that of a B release of its month, however few CVEs it closes."""
        lcu = self._lcu.get((item.platform, item.home))
        before = self._lcu.get((item.platform, str(Month.parse(item.home).previous())))
        if lcu is None or before is None or item.build is None or lcu.build is None or before.build is None:
            return False
        return before.build < item.build < lcu.build

    def _note_hotpatch(self, platform: Platform, month: str) -> None:
        self._first_hotpatch[platform] = min(month, self._first_hotpatch.get(platform, month))

    def meant_by(self, item: KindEvidence) -> int | None:
        """The platform's own KB, where a row names the KB of another platform (June 2026, KB5094126 on a server)."""
        own = self._lcu.get((item.platform, item.home))
        if own is None or own.kb == item.kb or _package(item) is not Package.UPDATE:
            return None
        is_main_elsewhere = any(
            main.kb == item.kb and platform is not item.platform
            for (platform, month), main in self._lcu.items()
            if month == item.home
        )
        return own.kb if is_main_elsewhere else None

    def kind_of(self, item: KindEvidence) -> ReleaseKind | None:
        key = (item.platform, item.home)
        lcu, hotpatch = self._lcu.get(key), self._hotpatch.get(key)
        if item is lcu:
            return self._kind_of_lcu(item, hotpatch)
        if item is hotpatch:
            return ReleaseKind.HOTPATCH
        if item.known is not None and item.known.kind in _SPECIAL:
            return item.known.kind
        if _package(item) is Package.HOTPATCH:
            main = hotpatch or lcu
            return ReleaseKind.OOB_HOTPATCH if main is not None and self._is_soon_after(item, main) else None
        if _package(item) is Package.STANDALONE or (hotpatch is not None and _same_build(item, hotpatch)):
            return ReleaseKind.COMPANION
        if lcu is None:
            return None
        if self._is_soon_after(item, lcu):
            return ReleaseKind.OOB_LCU
        is_between = (
            hotpatch is not None
            and item.build is not None
            and hotpatch.build is not None
            and lcu.build is not None
            and hotpatch.build < item.build < lcu.build
        )
        return ReleaseKind.COMPANION if is_between else None

    def _kind_of_lcu(self, item: KindEvidence, hotpatch: KindEvidence | None) -> ReleaseKind:
        if hotpatch is not None:
            return ReleaseKind.LCU
        if Month.parse(item.home).number in BASELINE_MONTHS:
            return ReleaseKind.BASELINE
        first = self._first_hotpatch.get(item.platform)
        return ReleaseKind.UNPLANNED_BASELINE if first is not None and first < item.home else ReleaseKind.LCU

    def _is_soon_after(self, item: KindEvidence, main: KindEvidence) -> bool:
        """Whether it follows the B release of its month, and not that of a later month."""
        if item.build is None or main.build is None:
            return item.kb > main.kb and item.dated is not None and str(item.dated)[:7] == item.home
        if item.build <= main.build:
            return False
        later = [
            found.build
            for mains in (self._lcu, self._hotpatch)
            for (platform, month), found in mains.items()
            if platform is item.platform and month > item.home and found.build is not None
        ]
        if any(build <= item.build for build in later):
            return False
        following = str(Month.parse(item.home).next())
        is_next_known = (item.platform, following) in self._lcu
        return is_next_known or item.build.revision - main.build.revision <= _OOB_SPAN


_SPECIAL = (ReleaseKind.OOB_HOTPATCH, ReleaseKind.OOB_LCU, ReleaseKind.COMPANION)


def _same_build(one: KindEvidence, other: KindEvidence) -> bool:
    return one.build is not None and one.build == other.build


def _release(item: KindEvidence, kind: ReleaseKind) -> Release:
    return Release(
        kb=item.kb,
        platform=item.platform,
        kind=kind,
        month=item.known.month if item.known is not None and kind in _SPECIAL else item.home,
        released_at=_released_at(item, kind),
        build=item.build,
        architectures=tuple(a for a in Architecture if a in item.architectures),
        restart_required=kind.restart_required,
        source=f"MSRC CVRF {item.home}",
    )


def _released_at(item: KindEvidence, kind: ReleaseKind) -> datetime:
    """Patch Tuesday for a B release; for others the day on which a CVE was revised to name the KB."""
    day_of_month = patch_tuesday_moment(item.home)
    if kind not in _SPECIAL:
        return day_of_month
    if item.known is not None and item.known.kind in _SPECIAL:
        return item.known.released_at
    if item.dated is not None and str(item.dated)[:7] == item.home:
        return max(release_moment(item.dated), day_of_month)
    return day_of_month
