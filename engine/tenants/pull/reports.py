"""The stage that reads reports: alerts policy by policy, then exports, which the service takes its time for.

`machine` calls it a step at a time. An export is asked for only while something is waited for, only where the provider
may be written to, and never twice because a process ended: it is kept that it was asked for before it is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import IO

from msgspec.structs import replace

from engine.model.errors import Denied, NotOffered, ProviderError, SignInNeeded, Throttled, Unreachable
from engine.model.tenants import PolicyKind
from engine.providers.graph.alerts import ALERTS, ALERTS_AT_ONCE, EXPORTS, ExportedReport, read_alert, read_exported
from engine.providers.graph.answers import GraphError
from engine.providers.graph.exported import exported_rows
from engine.providers.graph.reports import ExportJob, begin_export, fetch, find_export, look_at, of_policy, table
from engine.rules.tenants.inventory import Cursor, Pull, PullStage, PullTally
from engine.rules.tenants.outcomes import RequestOutcome
from engine.store import Store
from engine.store.tenants.outcomes import Export, ExportState
from engine.tenants.pull.lists import PICTURE
from engine.tenants.pull.reading import PullWork, words_of

LOOKS = 12
"""So often a pull looks for each export whether it is ready; what takes longer is fetched by the next one."""
_WAITS = (2, 5, 10, 15, 30, 45)
"""Seconds between looks, by their number; then a minute."""
_HOLDS = timedelta(hours=4)
"""So long an export is as good as a new one: Intune renews these reports no oftener."""
_LOST_ANSWER = timedelta(minutes=2)
"""The service's clock may be so far behind ours."""
_MOST_POLICIES = 50
_MOST_ROWS = 5_000_000
_LATER = (Throttled, Unreachable, SignInNeeded)
_NEVER = (Denied, NotOffered)
"""No other export would fare better."""
_CHUNK = 2_000
_ASKED = "asked"
"""Stands in the cursor's `after` once all exports are asked for and only waited for."""
_EXPORTS = "exports"
"""Stands in the cursor's `mark` once alerts have been read."""


async def reports(work: PullWork) -> Pull:
    """One bounded piece: a page of alerts, or one export asked for, looked at or fetched.

    Where the service, or the storage that holds a file, does not answer, the inventory is taken over without reports.
    """
    try:
        return await _piece(work)
    except (Throttled, Unreachable) as error:
        return _kept(work, replace(work.pull, tally=_noted(work.pull, error)).at_next())


async def _piece(work: PullWork) -> Pull:
    policies = policies_of(work)
    if not asks_for_exports(work.pull):
        policy = next((each for each in policies if each >= work.pull.cursor.group), "")
        if policy:
            return await _alerts(work, policy, policies)
        return _kept(work, replace(work.pull, cursor=Cursor(mark=_EXPORTS)))
    if not work.client.writes or not work.store.tenant_status.open_counts(work.provider):
        return _over(work)
    return await _exports(work, policies)


def policies_of(work: PullWork) -> list[str]:
    """Ids of the tenant's policies that reports are about, in order."""
    kept = work.store.tenant_pulls.picture(work.provider)
    if not kept:
        return []
    picture = PICTURE.decode(kept)
    return sorted(each.id for each in picture.policies if each.kind is PolicyKind.QUALITY)[:_MOST_POLICIES]


def asks_for_exports(pull: Pull) -> bool:
    """Whether alerts have been read and exports come next."""
    return pull.stage is PullStage.REPORTS and pull.cursor.mark == _EXPORTS


def waits_until(store: Store, pull: Pull, now: datetime) -> datetime | None:
    """When the stage has something to do again; None when it has now."""
    is_waiting = asks_for_exports(pull) and pull.cursor.after == _ASKED
    next_at = store.tenant_outcomes.next_look(pull.provider) if is_waiting else None
    return next_at if next_at is not None and next_at > now else None


# --- alerts -----------------------------------------------------------------------------------------


async def _alerts(work: PullWork, policy: str, policies: list[str]) -> Pull:
    """One page of a policy's alerts. A report that the tenant will not give costs itself alone."""
    pull, store = work.pull, work.store.tenant_outcomes
    skip = int(pull.cursor.after or 0) if pull.cursor.group == policy else 0
    try:
        found = await table(work.client, ALERTS, of_policy(policy), skip, ALERTS_AT_ONCE)
    except _LATER:
        raise
    except ProviderError as error:
        beyond = replace(pull, cursor=Cursor(mark=_EXPORTS), tally=_noted(pull, error))
        return _kept(work, beyond)
    outcomes = [each for row in found.rows if (each := read_alert(row, policy)) is not None]
    skip += len(found.rows)
    ended = not found.rows or skip >= min(found.total or 0, _MOST_ROWS)
    following = next((each for each in policies if each > policy), "")
    cursor = Cursor(group=policy, after=str(skip))
    if ended:
        cursor = Cursor(group=following) if following else Cursor(mark=_EXPORTS)
    moved = replace(pull, cursor=cursor, tally=replace(pull.tally, done=pull.tally.done + len(found.rows)))
    with work.keeping(moved):
        store.keep(work.provider, pull.number, outcomes)
        if ended:
            store.close(work.provider, policy, "alert", pull.number)
    return moved


# --- exports ----------------------------------------------------------------------------------------


async def _exports(work: PullWork, policies: list[str]) -> Pull:
    known = {(each.policy, each.report): each for each in work.store.tenant_outcomes.exports(work.provider)}
    for policy in policies:
        for report in EXPORTS.values():
            export = known.get((policy, report.name))
            if export is None or (not export.state.is_open and export.next_at + _HOLDS <= work.now):
                return await _ask(work, policy, report)
    opened = [each for each in known.values() if each.state.is_open and each.policy in policies]
    if work.pull.cursor.since_mark >= LOOKS * len(opened):
        return _over(work)
    first = min(opened, key=lambda each: (each.next_at, each.policy, each.report))
    if work.pull.cursor.after != _ASKED:
        return _kept(work, replace(work.pull, cursor=replace(work.pull.cursor, after=_ASKED)))
    if first.next_at > work.now and not work.waited:
        return work.pull
    return await _look(work, first)


async def _ask(work: PullWork, policy: str, report: ExportedReport) -> Pull:
    asking = Export(policy, report.name, ExportState.ASKING, work.now, work.now)
    with work.keeping(work.pull):
        work.store.tenant_outcomes.save_export(work.provider, asking)
    return await _begin(work, asking, report)


async def _begin(work: PullWork, export: Export, report: ExportedReport) -> Pull:
    try:
        job = await begin_export(work.client, report.name, of_policy(export.policy), report.columns)
    except _LATER as error:
        if not getattr(error, "outcome_unknown", False):
            _save(work, work.pull, replace(export, state=ExportState.FAILED, next_at=_long_ago(work)))
        raise
    except ProviderError as error:
        return _failed(work, export, error)
    return _save(work, work.pull, _begun(work, export, job))


async def _look(work: PullWork, export: Export) -> Pull:
    report = EXPORTS.get(export.report)
    if report is None:
        return _save(work, work.pull, replace(export, state=ExportState.FAILED, next_at=work.now))
    try:
        if export.state is ExportState.ASKING:
            filtered = of_policy(export.policy)
            found = await find_export(work.client, report.name, filtered, export.asked_at - _LOST_ANSWER)
            if found is None:
                return await _begin(work, export, report)
            return _save(work, work.pull, _begun(work, export, found))
        job = await look_at(work.client, export.job)
        if job.is_ready(work.now):
            return await _take(work, export, report, job)
    except _LATER:
        raise
    except ProviderError as error:
        return _failed(work, export, error)
    if job.is_lost(work.now):
        words = f"The export {report.name} ended as {job.status}."
        return _failed(work, export, GraphError(words))
    looked = replace(export, looks=export.looks + 1, next_at=work.now + _wait(export.looks + 1))
    cursor = replace(work.pull.cursor, since_mark=work.pull.cursor.since_mark + 1)
    return _save(work, replace(work.pull, cursor=cursor), looked)


async def _take(work: PullWork, export: Export, report: ExportedReport, job: ExportJob) -> Pull:
    """Fetch the file, read it, keep all of it at once."""
    store = work.store.tenant_outcomes
    done = replace(export, state=ExportState.DONE, next_at=work.now)
    with tempfile.TemporaryFile() as file:
        await fetch(work.client, job, file)
        for _ in _outcomes(file, report, export.policy):
            pass  # a file that breaks off in the middle must change nothing
        with work.keeping(work.pull):
            found = _outcomes(file, report, export.policy)
            while chunk := list(islice(found, _CHUNK)):
                store.keep(work.provider, work.pull.number, chunk)
            store.close(work.provider, export.policy, report.source, work.pull.number)
            store.save_export(work.provider, done)
    return work.pull


def _outcomes(file: IO[bytes], report: ExportedReport, policy: str) -> Iterator[RequestOutcome]:
    file.seek(0)
    for row in exported_rows(file):
        outcome = read_exported(report, row, policy)
        if outcome is not None:
            yield outcome


def _failed(work: PullWork, export: Export, error: ProviderError) -> Pull:
    moved = replace(work.pull, tally=_noted(work.pull, error))
    if isinstance(error, _NEVER):
        moved = moved.at_next()
    said = words_of(error)
    return _save(work, moved, replace(export, state=ExportState.FAILED, next_at=work.now, said=said))


def _begun(work: PullWork, export: Export, job: ExportJob) -> Export:
    return replace(export, state=ExportState.BEGUN, job=job.id, next_at=work.now + _wait(0))


def _wait(looks: int) -> timedelta:
    return timedelta(seconds=_WAITS[looks] if looks < len(_WAITS) else 60)


def _long_ago(work: PullWork) -> datetime:
    """So that it is asked for again at once."""
    return work.now - _HOLDS


# --- keeping ----------------------------------------------------------------------------------------


def _noted(pull: Pull, error: ProviderError) -> PullTally:
    return pull.tally.with_fault(PullStage.REPORTS, words_of(error))


def _save(work: PullWork, moved: Pull, export: Export) -> Pull:
    with work.keeping(moved):
        work.store.tenant_outcomes.save_export(work.provider, export)
    return moved


def _kept(work: PullWork, moved: Pull) -> Pull:
    with work.keeping(moved):
        pass
    return moved


def _over(work: PullWork) -> Pull:
    with work.keeping(moved := work.pull.at_next()):
        work.store.tenant_outcomes.keep_policies(work.provider, policies_of(work))
    return moved
