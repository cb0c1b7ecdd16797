"""Brings together what the help desk's answer about a device stands on; `reads.devices` calls it. Never writes."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from engine.catalog import Levels
from engine.catalog.calendar import MonthPlan, year_plan
from engine.model.records.fleet import DeviceDetail
from engine.rules.failures import CommonFactor, Escalation, FailureCase, KnownProblem
from engine.rules.failures.errorcodes import code_text
from engine.rules.helpdesk import HelpDeskAnswer, Offer, Ticket, answer, ticket, wanted_releases
from engine.rules.readiness import Readiness
from engine.rules.rollout.deadlines import deadline_of
from engine.rules.rollout.offers import next_release
from engine.situation.failures import Failures
from engine.situation.situation import Situation
from engine.store import Store

_QUICKLY_COUNTED = 200_000
"""Attempts of a release up to which a ticket counts what the failing devices share; a caller does not wait for it."""


class _Known(Struct, frozen=True):
    """What is known about a device's failure."""

    case: FailureCase | None
    escalations: tuple[Escalation, ...]
    problems: tuple[KnownProblem, ...]


class Answers:
    """Answers and tickets from one store at one time."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self._now = now
        self._situation = Situation(store, now)
        self._failures = Failures(store, now)

    def answer(self, detail: DeviceDetail, readiness: Readiness) -> HelpDeskAnswer:
        """The answer about one device."""
        return self._answer(detail, readiness, self._known(detail.id))

    def ticket(self, detail: DeviceDetail, readiness: Readiness) -> Ticket:
        """The ticket about one device."""
        known = self._known(detail.id)
        return ticket(
            self._answer(detail, readiness, known),
            detail,
            self._now,
            case=known.case,
            common=self._common(known.case),
            escalations=known.escalations,
            known_problems=known.problems,
        )

    def _answer(self, detail: DeviceDetail, readiness: Readiness, known: _Known) -> HelpDeskAnswer:
        levels = self._situation.levels(detail.facts.platform) if detail.facts.platform else None
        return answer(
            detail,
            readiness,
            levels,
            self._months(detail),
            self._now,
            case=known.case,
            escalations=known.escalations,
            known_problems=known.problems,
            offer=self._offer(detail, readiness, levels),
            deadline_at=self._deadline_at(detail),
        )

    def _known(self, device_id: int) -> _Known:
        case = next(iter(self._failures.of_device(device_id)), None)
        if case is None:
            return _Known(None, (), ())
        problems = tuple(each for each in self._store.problems.in_force() if each.is_about(case.code, (case.kb,)))
        return _Known(case, self._store.escalations.of_device(device_id), problems)

    def _months(self, detail: DeviceDetail) -> tuple[MonthPlan, ...]:
        platform = detail.facts.platform
        if platform is None:
            return ()
        releases = self._situation.releases
        years = (self._now.year, self._now.year + 1)
        return tuple(plan for year in years for plan in year_plan(platform, year, releases, self._now))

    def _offer(self, detail: DeviceDetail, readiness: Readiness, levels: Levels | None) -> Offer | None:
        if detail.protected or levels is None or not detail.ring:
            return None
        wanted = wanted_releases(detail, readiness, levels)
        is_open = self._situation.open_in(self._situation.ring(detail.ring))
        due = next_release(wanted, lambda release: release.kb in is_open)
        if due is None:
            return None
        for standing in self._situation.standings(due.kb):
            facts = standing.facts
            if facts.ring.name == detail.ring:
                return Offer(
                    kb=due.kb,
                    ring=detail.ring,
                    is_open=due.kb in is_open,
                    is_approved=facts.approval is not None,
                    opens_at=standing.opens_at,
                    waits_for=standing.waits_for or ("" if facts.approval is not None else "approval"),
                    stopped=facts.stopped,
                )
        return None

    def _deadline_at(self, detail: DeviceDetail) -> datetime | None:
        """By when the install that is under way must be through, by the rules of the device's ring."""
        active = next((each for each in detail.installs if not each.state.is_final), None)
        if active is None or not detail.ring:
            return None
        ring = self._situation.ring(detail.ring)
        opened_at = self._store.rollout.openings().get((active.kb, ring.id))
        return deadline_of(ring, opened_at).deadline_at if opened_at is not None else None

    def _common(self, case: FailureCase | None) -> tuple[CommonFactor, ...]:
        if case is None or not case.code:
            return ()
        wanted = f"error:{code_text(case.code)}"
        kbs = {kb for group in self._failures.groups(wanted, common=False) for kb in group.kbs}
        if sum(self._store.traits.attempts(kb) for kb in kbs) > _QUICKLY_COUNTED:
            return ()
        return next((group.common for group in self._failures.groups(wanted) if group.code == case.code), ())
