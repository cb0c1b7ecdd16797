"""The questions about releases: what is published, what devices are compared with, and when the next ones come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from engine.catalog.calendar import MonthPlan, last_document_month, next_baseline, year_plan
from engine.model.build import Platform
from engine.model.model import FINAL, InstallState, Release, ReleaseKind
from engine.model.records.fleet import ReleaseRow
from engine.reads.room import Room
from engine.situation.situation import Situation
from engine.store.releases import newest_first

if TYPE_CHECKING:
    from engine.catalog import Catalog, Levels


class ReleaseReads(Room, frozen=True):
    """The catalog and the calendar, with how far each release has come."""

    def all(self, *, companions: bool = False) -> tuple[ReleaseRow, ...]:
        """Every published release on every platform, newest first."""
        situation = self._situation()
        return self._release_rows(
            situation,
            [r for r in situation.releases if companions or r.kind is not ReleaseKind.COMPANION],
        )

    def of_kb(self, kb: int) -> tuple[ReleaseRow, ...]:
        """One release, a row a platform.

        Raises:
            NotFound: it is not published; names the nearest.
        """
        situation = self._situation()
        return self._release_rows(situation, list(situation.known(kb)), kb)

    def catalog(self) -> Catalog:
        """The whole catalog as it is known now, with vulnerabilities."""
        return self.store.releases.known_at(self.clock.now())

    def levels(self) -> Mapping[Platform, Levels]:
        """What the devices of each platform are compared with now."""
        return self._situation().all_levels()

    def year_plan(self, platform: Platform, year: int) -> tuple[MonthPlan, ...]:
        """The platform's twelve months: what was planned and what was published."""
        from engine.catalog import load_month_facts

        situation = self._situation()
        return year_plan(platform, year, situation.releases, situation.now, load_month_facts())

    def next_baseline(self, platform: Platform) -> datetime:
        """When the platform's devices restart next for a baseline, by plan."""
        situation = self._situation()
        return next_baseline(platform, situation.releases, situation.now)

    def _release_rows(
        self, situation: Situation, releases: list[Release], kb: int | None = None
    ) -> tuple[ReleaseRow, ...]:
        summary = self.store.releases.cve_summary(last_document_month(situation.now), kb)
        installs = self.store.installs.release_counts(kb)
        approved: dict[int, list[str]] = {}
        for approval in situation.approvals:
            if approval.is_valid(situation.now):
                approved.setdefault(approval.kb, []).extend(approval.rings)
        rows = []
        for release in newest_first(releases):
            cves, worst, exploited = summary.get((release.kb, release.platform), (0, "", 0))
            states = installs.get((release.kb, release.platform), {})
            rows.append(
                ReleaseRow(
                    release=release,
                    cves=cves,
                    worst=worst,
                    exploited=exploited,
                    approved_rings=tuple(dict.fromkeys(approved.get(release.kb, ()))),
                    installed=states.get(InstallState.SUCCEEDED, 0),
                    failed=states.get(InstallState.FAILED, 0),
                    active=sum(number for state, number in states.items() if state not in FINAL),
                )
            )
        return tuple(rows)
