"""Commands about failed installs: the groups by cause, and the runbook of a cause."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from console import data_ages, text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.filtering import FilterCommand, filter_text
from console.cli.session import Command, Session, configuration_file, session_of
from console.cli.work_lists import FAILURE_GROUPS

if TYPE_CHECKING:
    from engine.rules.failures import FailureGroupView


@click.command(cls=FilterCommand)
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@session_of
def failures(session: Session, words: tuple[str, ...]) -> int:
    """Open failures grouped by cause and code: what their devices share, the next step, by when, who has it."""
    with session.engine() as engine:
        views, now = engine.reads.failures.views(filter_text(words)), engine.now()
        if session.as_json:
            as_of = documents.as_of(engine.reads.tenants.ages())
            output.document([documents.document(each, now) | {"as_of": as_of} for each in views])
            return ExitCode.DONE
        if not views:
            diagnostics.note("No open failure matches.")
            return ExitCode.DONE
        output.table(FAILURE_GROUPS, views, now, session.style)
        ages = engine.reads.tenants.ages()
        diagnostics.notes(data_ages.notes(ages, (each.provider for each in ages), now))
        for view in views:
            output.line()
            _show(session, view, now)
    return ExitCode.DONE


def _show(session: Session, view: FailureGroupView, now: datetime) -> None:
    group, style = view.group, session.style
    title = f"{view.code} {group.symbol or group.cause.label}: {text.plural(group.devices, 'device')}"
    output.heading(title, style)
    output.line(f"    {group.meaning}")
    for factor in group.common:
        output.line(f"    In common: {factor.sentence}")
    for problem in view.known_problems:
        held = f", which holds {text.kb(problem.kb)} back" if problem.holds else ""
        output.line(f"    Known problem {problem.id}: {problem.title}{held}. {problem.note}".rstrip())
    output.line(f"    To do: {group.remedy}")
    output.line(f"    Retry: {_retry(view, now)}")
    if view.excluded:
        output.line(f"    Excluded: {text.plural(view.excluded, 'failure')}")
    for each in view.escalations:
        late = ", overdue" if each.is_overdue(now) else ""
        output.line(f"    Escalated to {each.owner}, due {text.moment_long(each.due_at)}{late} (escalation {each.id})")
    more = group.devices - len(group.sample)
    output.line(f"    Devices: {', '.join(group.sample)}{f' and {more:,} more' if more > 0 else ''}")


def _retry(view: FailureGroupView, now: datetime) -> str:
    """Whether to, and for how many devices when."""
    from engine.rules.failures.errorcodes import explain

    outlook, words = view.retry, explain(view.group.code).retry_text
    parts = [f"{outlook.now:,} now"] if outlook.now else []
    parts += [f"{outlook.waiting:,} from {text.moment(outlook.next_at, now)}"] if outlook.waiting else []
    parts += [f"{outlook.refused:,} not again"] if outlook.refused else []
    return f"{words} ({', '.join(parts)})" if parts else words


@click.command(cls=Command)
@click.argument("cause", metavar="[CAUSE]", required=False)
@session_of
def runbook(session: Session, cause: str | None) -> int:
    """The checklist for a cause of failures; without one, the names. Your own: runbooks/ beside the configuration."""
    from engine.rules.failures import runbooks

    own = configuration_file().parent / "runbooks"
    if cause is None:
        names = runbooks.names(own)
        if session.as_json:
            output.document(list(names))
        else:
            for name in names:
                output.line(name)
        return ExitCode.DONE
    found = runbooks.runbook(cause, own)
    if session.as_json:
        output.document({"cause": found.cause, "title": found.title, "text": found.text, "origin": found.origin})
    else:
        for line in text.clean_lines(found.text):
            output.line(line)
    return ExitCode.DONE
