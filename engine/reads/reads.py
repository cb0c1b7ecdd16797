"""Everything a screen or a command may ask, as plain calls that return records; never writes.

One `Reads` belongs to one `Engine` and so to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.catalog.calendar import MonthPlan, last_document_month, next_baseline, year_plan
from engine.model.audit import AuditCheck, Head
from engine.model.build import Platform, kb_text
from engine.model.clock import Clock
from engine.model.errors import NotFound
from engine.model.model import Approval, DeviceState, Release, ReleaseKind, Track
from engine.model.records.fleet import (
    ActiveInstall,
    Anchor,
    Attention,
    AuditRow,
    Count,
    DeviceDetail,
    DevicePage,
    DeviceQuery,
    DeviceRow,
    ReasonCount,
    ReleaseRow,
    RingRow,
    Urgency,
)
from engine.reads.evidence import EvidenceReads
from engine.reads.failures import FailureReads
from engine.reads.reports import SummaryReads
from engine.reads.rollout import RolloutReads
from engine.reads.tenants import TenantReads, tenant_attention
from engine.reads.waiting import waiting_for_people
from engine.rules.readiness import Readiness, assess, with_notes
from engine.rules.tenants.inventory import RESTARTS_UNTOLD
from engine.situation.situation import Situation, find_device
from engine.store import Store
from engine.store.devices import facts_of
from engine.store.reasons import reason_counts
from engine.store.releases import newest_first

if TYPE_CHECKING:
    from engine.catalog import Catalog, Levels
    from engine.safekeeping.audit_lines import AuditExport
    from engine.store.rollout import StopRow

_ACTIVE_STATES = ("queued", "offered", "downloading", "installing", "restart-pending", "verifying")


class Reads(Struct, FailureReads, RolloutReads, SummaryReads, EvidenceReads, TenantReads, frozen=True):
    """The questions."""

    store: Store
    clock: Clock

    def _situation(self) -> Situation:
        return Situation(self.store, self.clock.now())

    # --- devices ------------------------------------------------------------------------------------

    def counts(self) -> tuple[Count, ...]:
        """Kept totals by ring, platform, readiness and state; sums over them answer the overview."""
        return self.store.devices.counts({ring.id: ring.name for ring in self.store.rollout.rings()})

    def reasons(self) -> tuple[ReasonCount, ...]:
        """Why devices are not ready, the commonest first; reads the index of those that are not."""
        return reason_counts(self.store.connection)

    def reason_counts(self) -> tuple[tuple[str, int], ...]:
        """Reason id of readiness → devices that are not ready for it, the commonest first; ``vbs?`` is unknown."""
        return self.store.devices.reason_counts()

    def device_page(self, query: DeviceQuery, at: Anchor, limit: int) -> DevicePage:
        """A stretch of the list.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self.store.devices.page(query, at, limit, self.clock.now())

    def device_total(self, query: DeviceQuery) -> int:
        return self.store.devices.total(query, self.clock.now())

    def device_position(self, query: DeviceQuery, device_id: int) -> int | None:
        """How many devices stand before this one; None when it is not in the list."""
        return self.store.devices.position(query, device_id, self.clock.now())

    def each_device(self, query: DeviceQuery) -> Iterator[DeviceRow]:
        """Every matching device, without holding them all."""
        return self.store.devices.each(query, self.clock.now())

    def search(self, text: str, limit: int = 20) -> tuple[DeviceRow, ...]:
        """Devices by name, user, serial or asset tag, forgiving."""
        return self.store.devices.search(text, limit)

    def find_device(self, text: str) -> DeviceDetail:
        """The one device that is meant.

        Raises:
            NotFound: none; names the nearest.
            BadInput: several; names them.
        """
        return self.device(find_device(self.store, text))

    def device(self, device_id: int) -> DeviceDetail:
        """All that is known of a device.

        Raises:
            NotFound: it is gone.
        """
        row = self.store.devices.row(device_id)
        if row is None:
            raise NotFound("This device is gone.", (), "It was removed from the fleet.")
        return DeviceDetail(
            id=device_id,
            facts=facts_of(row),
            ring=row["ring"],
            track=Track(row["track"]),
            protected=bool(row["protected"]),
            state=DeviceState(row["state"]),
            installs=self.store.installs.of_device(device_id),
            holds=self.holds_on(device_id),
            as_of=next((each for each in self.ages() if each.provider == row["provider"]), None),
            restarts_untold=RESTARTS_UNTOLD if self.store.tenant_inventory.is_tenants(device_id) else "",
        )

    def readiness(self, device_id: int) -> Readiness:
        """Readiness check by check, worked out from the facts as they stand now, with what a tenant says about them."""
        facts = self.device(device_id).facts
        situation = self._situation()
        levels = situation.levels(facts.platform) if facts.platform else None
        found = assess(facts, levels, situation.now)
        told = self.store.tenant_inventory.told_of_device(device_id)
        if told is None:
            return found
        from engine.providers.graph.facts import notes_on

        return with_notes(found, notes_on(told))

    # --- releases and calendar ----------------------------------------------------------------------

    def releases(self, *, companions: bool = False) -> tuple[ReleaseRow, ...]:
        """Every published release on every platform, newest first."""
        situation = self._situation()
        return self._release_rows(
            situation,
            [r for r in situation.releases if companions or r.kind is not ReleaseKind.COMPANION],
        )

    def release(self, kb: int) -> tuple[ReleaseRow, ...]:
        """One release, a row a platform.

        Raises:
            NotFound: it is not published; names the nearest.
        """
        situation = self._situation()
        return self._release_rows(situation, list(situation.known(kb)), kb)

    def _release_rows(
        self, situation: Situation, releases: list[Release], kb: int | None = None
    ) -> tuple[ReleaseRow, ...]:
        summary = self.store.releases.cve_summary(last_document_month(situation.now))
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
                    installed=states.get("succeeded", 0),
                    failed=states.get("failed", 0),
                    active=sum(states.get(state, 0) for state in _ACTIVE_STATES),
                )
            )
        return tuple(rows)

    def catalog(self) -> Catalog:
        """The whole catalog as it is known now, with vulnerabilities."""
        return self.store.releases.catalog().known_at(self.clock.now())

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

    # --- rollout ------------------------------------------------------------------------------------

    def rings(self) -> tuple[RingRow, ...]:
        """Rings with their members, whatever the release."""
        counts, tenancies = self.counts(), self._situation().tenancies
        rows = []
        for ring in self.store.rollout.rings():
            mine = [each for each in counts if each.ring == ring.name]
            rows.append(
                RingRow(
                    ring=ring,
                    devices=sum(each.devices for each in mine),
                    ready=sum(each.devices for each in mine if each.verdict == "ready"),
                    protected=sum(each.devices for each in mine if each.protected),
                    failed=sum(each.devices for each in mine if each.state == "failed"),
                    active=sum(
                        each.devices
                        for each in mine
                        if each.state in ("queued", "installing", "uninstalling", "restart-pending")
                    ),
                    tenant=tenancies.side(ring.id) if tenancies is not None else None,
                )
            )
        return tuple(rows)

    def approvals(self, kb: int | None = None) -> tuple[Approval, ...]:
        return self.store.rollout.approvals(kb)

    def stops(self) -> tuple[StopRow, ...]:
        """Pauses and halts that have not been lifted."""
        return self.store.rollout.stops()

    def active(self, limit: int = 200) -> tuple[ActiveInstall, ...]:
        """Installs that are under way."""
        return self.store.installs.active(limit)

    # --- evidence -----------------------------------------------------------------------------------

    def audit(self, limit: int = 200, before: int | None = None) -> tuple[AuditRow, ...]:
        """Decisions, newest first."""
        return self.store.audit.page(limit, before)

    def audit_check(self, outside: Head | None = None, on_progress: Callable[[int], None] | None = None) -> AuditCheck:
        """Follow the chain of the whole audit; `outside` is a head that was kept elsewhere."""
        with self.store.snapshot():
            return self.store.audit.check(outside, on_progress)

    def audit_lines(
        self, since: datetime | None = None, on_progress: Callable[[int], None] | None = None
    ) -> AuditExport:
        """The audit, or its part from a time on, as lines that can be verified without this program.

        Raises:
            NotFound: there is no record from that time on.
        """
        from engine.safekeeping.audit_lines import AuditExport

        return AuditExport(self.store, since, on_progress)

    def last_backup(self) -> datetime | None:
        """When a backup of this state was last made."""
        kept = self.store.state.setting("last-backup")
        return None if kept is None else datetime.fromisoformat(kept)

    def setting(self, name: str) -> str | None:
        """What the console remembered under this name."""
        return self.store.state.setting(f"console:{name}")

    def attention(self) -> tuple[Attention, ...]:
        """What waits for a person, the most urgent first."""
        situation = self._situation()
        counts = self.counts()
        found = [
            Attention(Urgency.NOW, f"{_scope(kb, ring)} is {words}", "rings") for kb, ring, words in situation.own_stops
        ]
        for progress in self.ring_progress():
            failing = next((c for c in progress.gate if not c.holds and c.name in ("failed", "health")), None)
            if failing is not None and progress.opened_at is not None:
                told = f"{failing.name} {failing.value}"
                text = f"Gate of ring {progress.ring.name} fails for {kb_text(progress.kb)}: {told}"
                found.append(Attention(Urgency.NOW, text, "rings"))
        found += tenant_attention(self.store, situation)
        found += self._failures().attention()
        found += self._waiting_releases(situation, {each.platform for each in counts if each.devices})
        found += waiting_for_people(self.store, situation)
        for state, urgency, words in (
            ("failed", Urgency.TODAY, "with a failed install"),
            ("restart-pending", Urgency.SOON, "waiting for a restart"),
        ):
            devices = sum(each.devices for each in counts if each.state == state)
            if devices:
                screen = "failures" if state == "failed" else "devices"
                found.append(Attention(urgency, f"{_devices(devices)} {words}", screen, f"state:{state}"))
        for verdict, words in (("not-ready", "not ready"), ("unknown", "with unknown readiness")):
            devices = sum(each.devices for each in counts if each.verdict == verdict)
            if devices:
                found.append(
                    Attention(
                        Urgency.SOON,
                        f"{_devices(devices)} {words}: they will restart for the LCU",
                        "devices",
                        f"readiness:{verdict}",
                    )
                )
        order = list(Urgency)
        return tuple(sorted(found, key=lambda each: order.index(each.urgency)))

    def _waiting_releases(self, situation: Situation, present: Collection[Platform | None]) -> list[Attention]:
        """The newest release of each platform that has devices; of every platform while there are none at all."""
        decided = {each.kb for each in situation.approvals if each.withdrawn_at is None}
        waiting: dict[int, list[str]] = {}
        for levels in situation.all_levels().values():
            newest = levels.current_hotpatch() or levels.baseline
            if present and levels.platform not in present:
                continue
            if newest is not None and newest.kb not in decided:
                waiting.setdefault(newest.kb, []).append(newest.platform.label)
        return [
            Attention(
                Urgency.TODAY, f"{kb_text(kb)} for {', '.join(labels)} waits for approval", "releases", kb_text(kb)
            )
            for kb, labels in waiting.items()
        ]


def _scope(kb: int | None, ring: str | None) -> str:
    parts = [*([kb_text(kb)] if kb else []), *([f"ring {ring}"] if ring else [])]
    return " in ".join(parts) or "Everything"


def _devices(count: int) -> str:
    return f"{count:,} device" if count == 1 else f"{count:,} devices"
