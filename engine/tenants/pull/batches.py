"""The stages that ask for many small things at once: details of devices, licences of users.

`machine` calls one of them a step. Only what has changed or grown old is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from engine.model.errors import Gone, ProviderError, SignInNeeded, Throttled, Unreachable
from engine.providers.graph.details import details as details_of
from engine.providers.graph.licences import user_licences
from engine.rules.readiness import licence_by_plans
from engine.rules.tenants.inventory import Cursor, Pull
from engine.tenants.pull.reading import NOT_FOR_US, PullWork, without_stage

AT_ONCE = 200
"""Devices or users a step: ten batches, which travel side by side."""
LICENCES_HOLD = timedelta(hours=24)
_LATER = (Throttled, Unreachable, SignInNeeded)
"""What may be different in a while: what it met is asked for again by the next step."""
_TOO_MANY = 5
"""From so many on, "not there" for every single one means that the service does not offer this."""


class _Came(Struct):
    """What came of one step's requests."""

    found: dict[str, Any] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    refused: list[ProviderError] = field(default_factory=list)
    later: ProviderError | None = None

    def note(self, key: str, error: ProviderError) -> None:
        if isinstance(error, Gone):
            self.gone.append(key)
        elif isinstance(error, _LATER):
            self.later = self.later or error
        else:
            self.refused.append(error)

    def fail(self, error: ProviderError) -> None:
        """A whole batch failed."""
        if isinstance(error, _LATER):
            self.later = self.later or error
        else:
            self.refused.append(error)

    def nothing_for_us(self, asked: Collection[object]) -> ProviderError | None:
        """The refusal that stands for the whole stage; None while some are answered."""
        if self.found or self.later:
            return None
        if self.refused and isinstance(self.refused[0], NOT_FOR_US) and not self.gone:
            return self.refused[0]
        if len(self.gone) == len(asked) >= _TOO_MANY:
            return Gone("Microsoft Graph has this for none of those that it lists.")
        return None


async def details(work: PullWork) -> Pull:
    """Details of devices that have synced since theirs were read."""
    pull, inventory = work.pull, work.store.tenant_inventory
    pull = _counted(pull, lambda: inventory.count_wanting_details(work.provider, pull.number))
    wanted = inventory.wanting_details(work.provider, pull.number, int(pull.cursor.after or 0), AT_ONCE)
    if not wanted:
        return _end(work, pull)
    came = _Came()
    try:
        async for answer in details_of(work.client, [intune_id for _, intune_id in wanted]):
            if answer.detail is not None:
                came.found[answer.intune_id] = answer.detail
            elif answer.error is not None:
                came.note(answer.intune_id, answer.error)
    except ProviderError as error:
        came.fail(error)
    refusal = came.nothing_for_us(wanted)
    if refusal is not None:
        return _end(work, pull, refusal)
    moved = _behind(pull, came, str(wanted[-1][0]))
    with work.keeping(moved):
        inventory.keep_details(work.provider, came.found, work.now)
        inventory.not_listed(work.provider, came.gone)
    if came.later is not None:
        raise came.later
    return moved


async def licences(work: PullWork) -> Pull:
    """Licences of primary users, each user once, where those that are known have grown old."""
    pull, inventory = work.pull, work.store.tenant_inventory
    since = pull.begun_at - LICENCES_HOLD
    pull = _counted(pull, lambda: inventory.count_wanting_licences(work.provider, pull.number, since))
    wanted = inventory.wanting_licences(work.provider, pull.number, pull.cursor.after, AT_ONCE, since)
    if not wanted:
        return _end(work, pull)
    came = _Came()
    try:
        async for answer in user_licences(work.client, wanted):
            if answer.error is None:
                came.found[answer.user_id] = licence_by_plans(answer.assigned)
            else:
                came.note(answer.user_id, answer.error)
    except ProviderError as error:
        came.fail(error)
    refusal = came.nothing_for_us(wanted)
    if refusal is not None:
        return _end(work, pull, refusal)
    moved = _behind(pull, came, wanted[-1])
    kept = [(user_id, key, note) for user_id, (key, note) in came.found.items()]
    kept += [(user_id, "", "not known: its primary user is gone from the directory") for user_id in came.gone]
    with work.keeping(moved):
        inventory.keep_licences(work.provider, kept, work.now)
    if came.later is not None:
        raise came.later
    return moved


def _counted(pull: Pull, count: Callable[[], int]) -> Pull:
    """At the beginning of the stage: how many there are to ask for."""
    begins = pull.cursor == Cursor() and not pull.tally.total
    return replace(pull, tally=replace(pull.tally, total=count())) if begins else pull


def _behind(pull: Pull, came: _Came, after: str) -> Pull:
    """Behind this step's requests. Where some must be asked for again, the next step begins where this one did."""
    done = pull.tally.done + len(came.found) + len(came.gone) + len(came.refused)
    tally = replace(pull.tally, done=done)
    if came.refused:
        words = f"{came.refused[0].what} {came.refused[0].why}".strip()
        tally = tally.with_fault(pull.stage, words)
    cursor = pull.cursor if came.later is not None else replace(pull.cursor, after=after)
    return replace(pull, cursor=cursor, tally=tally)


def _end(work: PullWork, pull: Pull, refusal: ProviderError | None = None) -> Pull:
    moved = pull.at_next() if refusal is None else without_stage(pull, refusal)
    with work.keeping(moved):
        pass
    return moved
