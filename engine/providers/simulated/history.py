"""The past of a sample device: what it installed since October 2025, on the real releases of its platform.

`fleet` tells the story of a device, this module turns it into installs, and into the build and the restart that
follow from them. No install ends after the device was last seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from engine.model.build import OsBuild
from engine.model.model import InstallAction, InstallState, Release, ReleaseKind
from engine.model.sample import PastInstall
from engine.providers.simulated.draws import between, pick
from engine.providers.simulated.shelf import Due, Shelf

ENGINE = "engine"
"""Who asked for what the rollout did by itself."""
OPERATORS = ("ngozi.okafor", "ciaran.byrne", "anna.meyer")

SHARED_CODE = 0x800F0922
"""CBS_E_INSTALLERS_FAILED: the open failures that nearly all share a model and a driver."""
EARLY_CODES = (0x8024402C, 0x80D02002, 0x80072EE2, 0x80240034)
"""No connection: such a device failed at the release before the latest, and was not offered anything since."""
LATE_CODES = (
    0x80073712,
    0x80070070,
    0x80070643,
    0x800F0831,
    0x80070BC9,
    0x80070020,
    0x800F0823,
    0x80242014,
)
_PASSING_CODES = (0x80D02002, 0x8024402C, 0x80240016, 0x80070643, 0x80246007, 0x8024200B)
_UNINSTALL_REASONS = (
    "audio drops in Teams calls since the hotpatch",
    "label printer stopped working",
    "VPN client crashes at sign-in",
    "asked for by an application's vendor while they look into a crash",
)
_RETRY_REASON = "tried again after a failure"
_REASONS = {operator: f"rollout, approved by {operator}" for operator in OPERATORS}
_PERCENT_PASSING = 3
"""Installs that fail at first and succeed when tried again."""


class Story(NamedTuple):
    """What happened to a device, in the words of the generator."""

    ring: str
    on_track: bool
    is_server: bool
    last_seen_at: datetime
    missed: int = 0
    """How many of the latest releases it never began."""
    failure_code: int | None = None
    """Why its latest release, or with an early code the one before, has not gone in."""
    was_uninstalled: bool = False
    """A hotpatch of the quarter before was removed again."""
    took_oob_lcu: bool = False
    """An out-of-band LCU threw it off the track until the next baseline."""


class Past(NamedTuple):
    """The installs, and the facts that follow from them."""

    installs: tuple[PastInstall, ...]
    build: OsBuild | None
    restarted_at: datetime | None
    """When the last install that restarts ended; None when none did."""


def past_of(shelf: Shelf, story: Story, draw: Iterator[int]) -> Past:
    """Live the story through the releases of the shelf."""
    diary = _Diary(shelf, story, draw)
    dues: Sequence[Due] = (shelf.on_track if story.on_track else shelf.cumulative)[story.ring]
    missed = 1 if story.failure_code in EARLY_CODES and len(dues) > 1 else story.missed
    dues = dues[: len(dues) - missed]
    failing = dues[-1] if story.failure_code is not None and dues else None
    removed = _removed(dues, shelf) if story.was_uninstalled and story.on_track else None
    off_track = False
    for due in dues:
        release, offered_at = due
        if release.kind.is_baseline:
            off_track = False
        elif off_track and release.kind.is_hotpatch:
            lcu = shelf.month_lcu.get(release.month)
            if lcu is None or release.kind is ReleaseKind.OOB_HOTPATCH:
                continue
            release = lcu
        if due is failing:
            diary.fail_for_good(release, offered_at)
            break
        if not diary.apply(release, offered_at):
            break
        follow_up = shelf.month_lcu[release.month] if release is removed else None
        if follow_up is not None and not diary.uninstall(release, follow_up):
            break
        oob = shelf.oob_lcu.get(release.month) if story.took_oob_lcu and release.kind.is_baseline else None
        if oob is not None and not diary.apply(oob, max(offered_at, oob.released_at)):
            break
        off_track = off_track or follow_up is not None or oob is not None
    return Past(tuple(diary.installs), diary.build, diary.restarted_at)


def _removed(dues: Iterable[Due], shelf: Shelf) -> Release | None:
    """The last hotpatch before the newest baseline, where that month has an LCU to follow it."""
    candidate = found = None
    for release, _ in dues:
        if release.kind.is_baseline:
            found = candidate
        elif release.month in shelf.month_lcu:
            candidate = release
    return found


class _Diary:
    """Writes installs one after the other, never two at once, never later than the device was seen."""

    def __init__(self, shelf: Shelf, story: Story, draw: Iterator[int]) -> None:
        self._story = story
        self._draw = draw
        self._free_at: datetime | None = None
        self._baseline = self.build = shelf.build_on_track if story.on_track else shelf.build_cumulative
        self._restart_hours = 12 if story.is_server else 26
        self.installs: list[PastInstall] = []
        self.restarted_at: datetime | None = None

    def apply(self, release: Release, offered_at: datetime) -> bool:
        """Install a release, sometimes at the second try. False when the device was gone by then."""
        draw = self._draw
        first = next(draw)
        requested_at = self._request(offered_at, first)
        operator = OPERATORS[release.kb % len(OPERATORS)]
        attempt, by, reason = 1, ENGINE, _REASONS[operator]
        if first % 100 < _PERCENT_PASSING:
            failed_at = requested_at + timedelta(0, between(900, 40_000, next(draw)))
            code = pick(_PASSING_CODES, next(draw))
            if not self._fail(release, requested_at, failed_at, attempt=1, code=code, by=by, reason=reason):
                return False
            attempt, by, reason = 2, operator if code & 1 else ENGINE, _RETRY_REASON
            requested_at = failed_at + timedelta(0, between(7_200, 100_000, next(draw)))
        restarts = not release.kind.is_hotpatch
        wait = next(draw) * 64_800 >> 32
        started_at = requested_at + timedelta(0, 90 + (wait * wait // 64_800))
        shortest, longest = (1_500, self._restart_hours * 3_600) if restarts else (340, 1_500)
        finished_at = started_at + timedelta(0, between(shortest, longest, next(draw)))
        return self._write(
            PastInstall(
                release.kb, release.platform, InstallAction.APPLY, InstallState.SUCCEEDED, attempt,
                requested_at, started_at, finished_at, None, self.build, release.build, restarts, by, False, reason,
            ),
            is_baseline=release.kind.is_baseline,
        )  # fmt: skip

    def fail_for_good(self, release: Release, offered_at: datetime) -> None:
        """Try a release two or three times, and leave the last failure open."""
        code = self._story.failure_code
        assert code is not None
        requested_at = self._request(offered_at, next(self._draw))
        attempts = between(2, 3, next(self._draw))
        by, reason = ENGINE, _REASONS[OPERATORS[release.kb % len(OPERATORS)]]
        for attempt in range(1, attempts + 1):
            failed_at = requested_at + timedelta(0, between(900, 30_000, next(self._draw)))
            if not self._fail(release, requested_at, failed_at, attempt=attempt, code=code, by=by, reason=reason):
                break
            by, reason = pick(OPERATORS, next(self._draw)), _RETRY_REASON
            requested_at = failed_at + timedelta(0, between(20_000, 130_000, next(self._draw)))
        if self.installs and self.installs[-1].state is InstallState.FAILED:
            self.installs[-1] = self.installs[-1]._replace(open_failure=True)

    def uninstall(self, hotpatch: Release, lcu: Release) -> bool:
        """Remove a hotpatch, with its restart, and take the month's LCU, with another."""
        draw = self._draw
        assert self._free_at is not None
        requested_at = self._free_at + timedelta(0, between(14_400, 200_000, next(draw)))
        started_at = requested_at + timedelta(0, between(60, 240, next(draw)))
        finished_at = started_at + timedelta(0, between(900, 14_400, next(draw)))
        by, reason = pick(OPERATORS, next(draw)), pick(_UNINSTALL_REASONS, next(draw))
        done = self._write(
            PastInstall(
                hotpatch.kb, hotpatch.platform, InstallAction.UNINSTALL, InstallState.UNINSTALLED, 1,
                requested_at, started_at, finished_at, None, self.build, self._baseline, True, by, False, reason,
            ),
            is_baseline=False,
        )  # fmt: skip
        return done and self.apply(lcu, finished_at)

    def _request(self, offered_at: datetime, word: int) -> datetime:
        requested_at = offered_at + timedelta(0, word * 7_200 >> 32)
        return requested_at if self._free_at is None else max(requested_at, self._free_at + timedelta(0, 1_800))

    def _fail(
        self,
        release: Release,
        requested_at: datetime,
        failed_at: datetime,
        *,
        attempt: int,
        code: int,
        by: str,
        reason: str,
    ) -> bool:
        started_at = requested_at + timedelta(0, between(60, 600, next(self._draw)))
        return self._write(
            PastInstall(
                release.kb, release.platform, InstallAction.APPLY, InstallState.FAILED, attempt,
                requested_at, started_at, failed_at, code, self.build, None, False, by, False, reason,
            ),
            is_baseline=False,
        )  # fmt: skip

    def _write(self, install: PastInstall, *, is_baseline: bool) -> bool:
        if install.finished_at > self._story.last_seen_at:
            return False
        self.installs.append(install)
        self._free_at = install.finished_at
        if install.state is not InstallState.FAILED:
            self.build = install.build_after
            if install.restarted:
                self.restarted_at = install.finished_at
            if is_baseline:
                self._baseline = install.build_after
        return True
