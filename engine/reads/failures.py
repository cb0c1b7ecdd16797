"""The questions about failures: what has failed, why, who deals with it and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.model.records.fleet import FailureRow
from engine.reads.room import Room
from engine.situation.failures import Failures
from engine.store.filter_sql import compile_text

if TYPE_CHECKING:
    from engine.rules.failures import (
        CauseStanding,
        CauseSummary,
        Escalation,
        FailureCase,
        FailureGroup,
        FailureGroupView,
        KnownProblem,
        SlaSummary,
    )
    from engine.situation.failures import Failures


class FailureReads(Room, frozen=True):
    """What has failed, what is done about it, and by when."""

    def open(self, filter: str = "") -> tuple[FailureRow, ...]:
        """Open failures of the devices that a filter matches, newest first.

        Raises:
            BadInput: the filter cannot be read.
        """
        condition = compile_text(filter, self.clock.now())
        return self.store.installs.failures(condition.where, tuple(condition.params))

    def groups(self, filter: str = "", *, common: bool = True) -> tuple[FailureGroup, ...]:
        """Open failures grouped by cause and code, with what their devices share.

        Without `common` it is quick in any fleet: what devices share is found by counting everybody who attempted
        the same releases.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().groups(filter, common=common)

    def views(self, filter: str = "", *, common: bool = True) -> tuple[FailureGroupView, ...]:
        """The groups with service level, what a retry would do, owners and known problems.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().views(filter, common=common)

    def standings(self, *, common: bool = True) -> tuple[CauseStanding, ...]:
        """All open failures by cause, as the overview shows them; quick in any fleet that somebody drives.

        Without `common` nothing is said about what their devices share, which is quick in any fleet.
        """
        return self._failures().standings(common=common)

    def causes(self, filter: str = "") -> tuple[CauseSummary, ...]:
        """Open failures by cause alone, with what their devices share whatever the code.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().causes(filter)

    def cases(self, filter: str = "") -> tuple[FailureCase, ...]:
        """Open failures one by one, with their times and service levels, the latest first.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._failures().cases(filter)

    def of_device(self, device_id: int) -> tuple[FailureCase, ...]:
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

    def _failures(self) -> Failures:
        return Failures(self.store, self.clock.now())
