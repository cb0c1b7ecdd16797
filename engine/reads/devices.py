"""The questions about devices: the list, one device, its readiness, and what the help desk says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.model.build import kb_text
from engine.model.errors import NotFound
from engine.model.model import Cve, DeviceState, Track
from engine.model.records.fleet import (
    Anchor,
    Count,
    DeviceDetail,
    DevicePage,
    DeviceQuery,
    DeviceRow,
    ProviderFreshness,
    ReasonCount,
)
from engine.reads.room import Room
from engine.reads.tenants import data_ages
from engine.rules.readiness import DEFAULT_SETTINGS, Readiness, assess, with_notes
from engine.rules.tenants.inventory import RESTARTS_UNTOLD
from engine.situation.situation import find_device
from engine.store.devices import facts_of

if TYPE_CHECKING:
    from engine.rules.failures import Exclusion
    from engine.rules.helpdesk import HelpDeskAnswer, Ticket
    from engine.rules.plans.holds import Hold


class DeviceReads(Room, frozen=True):
    """The fleet, device by device."""

    def counts(self) -> tuple[Count, ...]:
        """Kept totals by ring, platform, readiness and state; sums over them answer the overview."""
        return self.store.devices.counts({ring.id: ring.name for ring in self.store.rollout.rings()})

    def reasons(self) -> tuple[ReasonCount, ...]:
        """Why devices are not ready, the commonest first; from kept sums."""
        return self.store.devices.reasons()

    def page(self, query: DeviceQuery, at: Anchor, limit: int) -> DevicePage:
        """A stretch of the list.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self.store.devices.page(query, at, limit, self.clock.now())

    def total(self, query: DeviceQuery) -> int:
        return self.store.devices.total(query, self.clock.now())

    def position(self, query: DeviceQuery, device_id: int) -> int | None:
        """How many devices stand before this one; None when it is not in the list."""
        return self.store.devices.position(query, device_id, self.clock.now())

    def each(self, query: DeviceQuery) -> Iterator[DeviceRow]:
        """Every matching device, without holding them all."""
        return self.store.devices.each(query, self.clock.now())

    def search(self, text: str, limit: int = 20) -> tuple[DeviceRow, ...]:
        """Devices by name, user, serial or asset tag, forgiving."""
        return self.store.devices.search(text, limit)

    def find(self, text: str) -> DeviceDetail:
        """The one device that is meant.

        Raises:
            NotFound: none; names the nearest.
            BadInput: several; names them.
        """
        return self.detail(find_device(self.store, text))

    def detail(self, device_id: int) -> DeviceDetail:
        """All that is known of a device.

        Raises:
            NotFound: it is gone.
        """
        row = self.store.devices.row(device_id)
        if row is None:
            raise NotFound("This device is gone.", (), "It was removed from the fleet.")
        found = DeviceDetail(
            id=device_id,
            facts=facts_of(row),
            ring=row["ring"],
            track=Track(row["track"]),
            protected=bool(row["protected"]),
            state=DeviceState(row["state"]),
            installs=self.store.installs.of_device(device_id),
            holds=(),
            as_of=next((each for each in data_ages(self.store) if each.provider == row["provider"]), None),
            restarts_untold=RESTARTS_UNTOLD if self.store.tenant_inventory.is_tenants(device_id) else "",
        )
        return self._withholding(found)

    def readiness(self, device_id: int) -> Readiness:
        """Readiness check by check, worked out from the facts as they stand now, with what a tenant says about them."""
        facts = self.detail(device_id).facts
        situation = self._situation()
        levels = situation.levels(facts.platform) if facts.platform else None
        found = assess(facts, levels, situation.now)
        told = self.store.tenant_reach.told_of_device(device_id)
        if told is None:
            return found
        from engine.providers.graph.facts import notes_on

        return with_notes(found, notes_on(told))

    def freshness(self) -> tuple[ProviderFreshness, ...]:
        """The systems that devices were told by, the one with the most devices first."""
        from engine.store.summaries import freshness

        return freshness(self.store.connection, self.clock.now() - DEFAULT_SETTINGS.max_age)

    def exclusions(self, device_id: int) -> tuple[Exclusion, ...]:
        """What is kept from a device now."""
        return self.store.exclusions.of_device(device_id, self.clock.now())

    def answer(self, device_id: int) -> HelpDeskAnswer:
        """What a person with the device's user on the line says.

        Raises:
            NotFound: it is gone.
        """
        from engine.changes.helpdesk import Answers

        answers = Answers(self.store, self.clock.now())
        return answers.answer(self.detail(device_id), self.readiness(device_id))

    def ticket(self, device_id: int) -> Ticket:
        """The same with facts, error, next step and timeline, to be copied.

        Raises:
            NotFound: it is gone.
        """
        from engine.changes.helpdesk import Answers

        answers = Answers(self.store, self.clock.now())
        return answers.ticket(self.detail(device_id), self.readiness(device_id))

    def open_cves(self, device_id: int) -> tuple[Cve, ...]:
        """The CVEs that are open on a device, worst first; none where its platform has no hotpatch calendar.

        As reconciliation judges them: standalone packages that it has installed count.

        Raises:
            NotFound: it is gone.
        """
        from engine.rules.findings.device import open_cves
        from engine.store.scan_targets import ScanTargets

        device = ScanTargets(self.store.connection).read(device_id)
        if device is None:
            raise NotFound("This device is gone.", (), "It was removed from the fleet.")
        return open_cves(device, self.store.releases.closings(self.clock.now()))

    def _withholding(self, detail: DeviceDetail) -> DeviceDetail:
        """The same device with what is withheld from it: by exclusions, and by safeguard holds that cover it."""
        exclusions = self.exclusions(detail.id)
        covering = self.store.safeguards.covering(detail.id, self.clock.now())
        kept = [each.kb for each in exclusions if not each.until_baseline] + [each.kb for each in covering]
        return replace(
            detail,
            holds=_in_words(exclusions, covering),
            withheld=frozenset(kept),
            held_off=any(each.until_baseline for each in exclusions),
        )


def _in_words(exclusions: Iterable[Exclusion], covering: Iterable[Hold]) -> tuple[str, ...]:
    return (
        *(each.words for each in exclusions),
        *(
            f"{kb_text(each.kb) if each.kb else 'Every release'}: {each.reason}, "
            f"safeguard hold {each.id} by {each.held_by}"
            for each in covering
        ),
    )
