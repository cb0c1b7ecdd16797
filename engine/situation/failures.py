"""Failures as people work on them: groups with what their devices share, service levels, owners, what waits for whom.

Reads, plans and upkeep ask it. It brings rows of the store together for the pure triage and never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from engine.catalog.calendar import last_document_month
from engine.model.build import Platform
from engine.model.causes import Cause
from engine.model.errors import BadInput, NotFound, nearest
from engine.model.filters import BareWord, Filter, parse
from engine.model.model import Severity
from engine.model.records.fleet import Attention, Urgency
from engine.rules.failures import (
    DEFAULT_TARGETS,
    BaseRates,
    CauseStanding,
    CauseSummary,
    Escalation,
    FailureCase,
    FailureGroup,
    FailureGroupView,
    KnownProblem,
    SlaStage,
    SlaSum,
    SlaSummary,
    cause_standings,
    group_failures,
    group_key,
    severity_for,
    standings_of,
    sum_spans,
    summarise_causes,
    summarise_sla,
    view_groups,
)
from engine.rules.failures.errorcodes import code_text, explain, parse_code
from engine.store import Store
from engine.store.filter_sql import SqlCondition, compile_filter, compile_text

_STANDING_FIELDS = frozenset(
    "name user ring platform arch edition licence management policy subscription site form model driver serial asset "
    "domain provider".split()
)
"""Fields that say what a device is, not how it fares. Only these narrow the population that failures stand against:
a population of failed devices alone would have everything in common with the failures."""

SLA_WINDOW = timedelta(days=30)
"""How far back typical times look."""


class Failures:
    """The failures of one store at one time."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self.now = now
        self.targets = store.sla_targets or DEFAULT_TARGETS
        self._severities: dict[tuple[int, Platform], Severity] = {}

    # --- groups -------------------------------------------------------------------------------------

    def groups(self, filter_text: str = "", *, common: bool = True) -> tuple[FailureGroup, ...]:
        """Open failures of the devices that a filter matches, by cause and code.

        Without `common` nothing is said about what they share, and no population is counted.

        Raises:
            BadInput: the filter cannot be read.
        """
        failed = self._store.traits.failed(compile_text(filter_text, self.now))
        return group_failures(failed, self._base_for(filter_text) if common else None)

    def causes(self, filter_text: str = "") -> tuple[CauseSummary, ...]:
        """The same by cause alone: finds what is shared where each single code has too few devices.

        Raises:
            BadInput: the filter cannot be read.
        """
        failed = self._store.traits.failed(compile_text(filter_text, self.now))
        return summarise_causes(failed, self._base_for(filter_text))

    def standings(self, *, common: bool = True) -> tuple[CauseStanding, ...]:
        """All open failures by cause, for an overview. Devices are counted now; what they share may have been judged
        some minutes ago where there are very many, and is not told without `common`."""
        traits = self._store.traits
        shared = traits.shared(self.now) if common else {}
        if shared is None:
            return cause_standings(self.groups())
        by_code = traits.devices_by_code()
        codes: dict[Cause, list[int]] = {}
        for code in by_code:
            codes.setdefault(explain(code).cause, []).append(code)
        # A failed device has an open failure at least: as many as codes have devices, so none has two.
        one_each = sum(by_code.values()) == self._store.devices.failed()
        devices = {
            cause: sum(map(by_code.__getitem__, each)) if one_each or len(each) == 1 else traits.devices_with(each)
            for cause, each in codes.items()
        }
        return standings_of(by_code, devices, shared)

    def views(self, filter_text: str = "", *, common: bool = True) -> tuple[FailureGroupView, ...]:
        """Groups with service level, retry, escalations and known problems.

        Raises:
            BadInput: the filter cannot be read.
        """
        return view_groups(
            self.groups(filter_text, common=common),
            self.cases(filter_text),
            self._store.escalations.open(),
            self._store.problems.in_force(),
            self.now,
            self.targets,
        )

    def _base_for(self, filter_text: str) -> _BaseFor:
        return _BaseFor(self._store, self.now, compile_filter(standing_part(parse(filter_text)), self.now))

    # --- cases --------------------------------------------------------------------------------------

    def cases(self, filter_text: str = "") -> tuple[FailureCase, ...]:
        """Open failures with their times, the latest first.

        Raises:
            BadInput: the filter cannot be read.
        """
        return self._store.cases.open(self._severity, self.now, self.targets, compile_text(filter_text, self.now))

    def of_device(self, device_id: int) -> tuple[FailureCase, ...]:
        """The open failures of one device, the latest first."""
        return self._store.cases.open(self._severity, self.now, self.targets, SqlCondition("d.id = ?", (device_id,)))

    def of_group(self, text: str) -> tuple[int, tuple[FailureCase, ...]]:
        """The code and the open failures of the group that a key or a code names.

        Raises:
            BadInput: it is neither.
            NotFound: no open failure has this code; names the groups that there are.
        """
        try:
            code = parse_code(text.rpartition("/")[2])
        except BadInput as error:
            raise BadInput(
                f"{text!r} is not a group of failures.", "", "Name it like 0x80070643; see: hotpatch failures"
            ) from error
        every = self.cases()
        found = tuple(case for case in every if case.code == code)
        if not found:
            keys = sorted({group_key(case.code) for case in every})
            raise NotFound(
                f"No open failure has the code {code_text(code)}.",
                nearest(text, keys),
                f"There are: {', '.join(keys[:8])}." if keys else "Nothing has failed.",
            )
        return code, found

    def sla(self) -> SlaSummary:
        """How failures stand against their service levels, open ones and those of the last 30 days."""
        opened = [(case.times, case.severity, case.ring) for case in self.cases()]
        settled = self._store.cases.settled(self._severity, self.now - SLA_WINDOW)
        return summarise_sla([*opened, *settled], self.now, self.targets)

    def _severity(self, kb: int, platform: Platform) -> Severity:
        if (kb, platform) not in self._severities:
            summary = self._store.releases.cve_summary(last_document_month(self.now), kb)
            _, worst, exploited = summary.get((kb, platform), (0, "", 0))
            found = severity_for(Severity(worst) if worst else Severity.UNRATED, exploited=exploited > 0)
            self._severities[kb, platform] = found
        return self._severities[kb, platform]

    # --- what people have decided -------------------------------------------------------------------

    def escalation(self, escalation_id: int) -> Escalation:
        """One escalation, ended or not.

        Raises:
            NotFound: there is none with this number.
        """
        found = self._store.escalations.find(escalation_id)
        if found is None:
            raise NotFound(f"There is no escalation {escalation_id}.", (), "List them with: hotpatch escalations")
        return found

    def problem(self, problem_id: int) -> KnownProblem:
        """One known problem in force.

        Raises:
            NotFound: there is none with this number.
        """
        for each in self._store.problems.in_force():
            if each.id == problem_id:
                return each
        raise NotFound(f"There is no known problem {problem_id}.", (), "List them with: hotpatch known-problem")

    # --- what waits for a person --------------------------------------------------------------------

    def overall(self) -> SlaSum | None:
        """How all open failures stand together; None without any."""
        with self._store.snapshot():
            spans = self._store.cases.spans(self._severity, self.now, self.targets)
            return sum_spans(spans, self.now, self.targets.due_soon_share)

    def attention(self) -> tuple[Attention, ...]:
        """What is overdue, for the overview."""
        found = []
        sla = self.overall()
        if sla is not None and sla.overdue:
            untouched = sla.missed[SlaStage.ACT]
            text = f"{_failures(sla.overdue)} past the service level, the worst since {_day(sla.due_at)}"
            if untouched:
                text += f"; {untouched:,} had no action in time"
            found.append(Attention(Urgency.NOW, text, "failures", "state:failed"))
        elif sla is not None and sla.due_soon:
            text = f"{_failures(sla.due_soon)} due soon, the first on {_day(sla.due_at)}"
            found.append(Attention(Urgency.TODAY, text, "failures", "state:failed"))
        for escalation, _ in self._store.escalations.open():
            if escalation.is_overdue(self.now):
                what = code_text(escalation.code) if escalation.code is not None else escalation.reason
                text = f"Escalation to {escalation.owner} was due {_day(escalation.due_at)}: {_still(escalation)}"
                text += f" ({what})" if what else ""
                shown = f"error:{code_text(escalation.code)}" if escalation.code is not None else "state:failed"
                found.append(Attention(Urgency.NOW, text, "failures", shown))
        return tuple(found)


class _BaseFor:
    """Base rates for a group of failures, of the devices that a condition covers."""

    def __init__(self, store: Store, now: datetime, devices: SqlCondition) -> None:
        self._store = store
        self._now = now
        self._devices = devices

    def __call__(self, failed: Mapping[int, int]) -> BaseRates | None:
        return self._store.traits.base_rates(failed, self._now, self._devices)


def standing_part(wanted: Filter) -> Filter:
    """The terms of a filter that say what a device is; the population of its failures is narrowed by these alone."""
    terms = tuple(term for term in wanted.terms if isinstance(term, BareWord) or term.field in _STANDING_FIELDS)
    return replace(wanted, terms=terms)


def _failures(count: int) -> str:
    return f"{count:,} failed install" if count == 1 else f"{count:,} failed installs"


def _still(escalation: Escalation) -> str:
    return f"{escalation.open_devices:,} of {escalation.devices:,} devices still fail"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %H:%M} UTC"
