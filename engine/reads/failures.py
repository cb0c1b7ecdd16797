"""The questions about failures and the help desk, as part of `Reads`; never writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine.model.build import kb_text
from engine.model.clock import Clock
from engine.model.records.fleet import DeviceDetail, FailureRow
from engine.store import Store

if TYPE_CHECKING:
    from engine.rules.failures import (
        CauseSummary,
        Escalation,
        Exclusion,
        FailureCase,
        FailureGroup,
        FailureGroupView,
        KnownProblem,
        SlaSummary,
    )
    from engine.rules.helpdesk import HelpDeskAnswer, Ticket
    from engine.rules.readiness import Readiness
    from engine.situation.failures import Failures


class _DeviceReads(Protocol):
    """What the questions here ask of the others."""

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    def device(self, device_id: int) -> DeviceDetail: ...

    def readiness(self, device_id: int) -> Readiness: ...


class FailureReads:
    """What has failed, what is done about it, and by when."""

    __slots__ = ()

    store: Store
    clock: Clock

    def failures(self, filter: str = "") -> tuple[FailureRow, ...]:
        """Open failures of the devices that a filter matches, newest first.

        Raises:
            BadInput: the filter cannot be read.
        """
        from engine.store.filter_sql import compile_text

        condition = compile_text(filter, self.clock.now())
        return self.store.installs.failures(condition.where, tuple(condition.params))

    def failure_groups(self, filter: str = "", *, common: bool = True) -> tuple[FailureGroup, ...]:
        """Open failures grouped by cause and code, with what their devices share.

        Without `common` it is quick in any fleet: what devices share is found by counting everybody who attempted
        the same releases.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().groups(filter, common=common)

    def failure_views(self, filter: str = "", *, common: bool = True) -> tuple[FailureGroupView, ...]:
        """The groups with service level, what a retry would do, owners and known problems.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().views(filter, common=common)

    def cause_summaries(self, filter: str = "") -> tuple[CauseSummary, ...]:
        """Open failures by cause alone, with what their devices share whatever the code.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().causes(filter)

    def failure_cases(self, filter: str = "") -> tuple[FailureCase, ...]:
        """Open failures one by one, with their times and service levels, the latest first.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().cases(filter)

    def cases_of(self, device_id: int) -> tuple[FailureCase, ...]:
        """The open failures of a device."""
        return self._failures().of_device(device_id)

    def sla(self) -> SlaSummary:
        """How failures stand against their service levels, with typical times of the last 30 days."""
        return self._failures().sla()

    def escalations(self, *, open_only: bool = True) -> tuple[Escalation, ...]:
        """Who has been given what until when: open ones, the first due first; or all, newest first."""
        if open_only:
            return tuple(each for each, _ in self.store.escalations.open())
        return self.store.escalations.all()

    def known_problems(self) -> tuple[KnownProblem, ...]:
        """Known problems in force, oldest first."""
        return self.store.problems.in_force()

    def holds_on(self, device_id: int) -> tuple[str, ...]:
        """Why releases are withheld from a device, in words: exclusions, and safeguard holds that cover it."""
        now = self.clock.now()
        covering = self.store.safeguards.covering(device_id, now)
        return (
            *(each.words for each in self.store.exclusions.of_device(device_id, now)),
            *(
                f"{kb_text(each.kb) if each.kb else 'Every release'}: {each.reason}, "
                f"safeguard hold {each.id} by {each.held_by}"
                for each in covering
            ),
        )

    def exclusions(self, device_id: int) -> tuple[Exclusion, ...]:
        """What is kept from a device now."""
        return self.store.exclusions.of_device(device_id, self.clock.now())

    def answer(self: _DeviceReads, device_id: int) -> HelpDeskAnswer:
        """What a person with the device's user on the line says.

        Raises:
            NotFound: it is gone.
        """
        from engine.changes.helpdesk import Answers

        answers = Answers(self.store, self.clock.now())
        return answers.answer(self.device(device_id), self.readiness(device_id))

    def ticket(self: _DeviceReads, device_id: int) -> Ticket:
        """The same with facts, error, next step and timeline, to be copied.

        Raises:
            NotFound: it is gone.
        """
        from engine.changes.helpdesk import Answers

        answers = Answers(self.store, self.clock.now())
        return answers.ticket(self.device(device_id), self.readiness(device_id))

    def _failures(self) -> Failures:
        # Loaded on use: error knowledge and triage are no part of starting up.
        from engine.situation.failures import Failures

        return Failures(self.store, self.clock.now())
