"""Commands about failed installs: the groups by cause, and the runbook of a cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.filtering import FilterCommand, filter_text
from console.cli.lists import FAILURE_GROUPS
from console.cli.session import Command, Session, configuration_file, session_of
from console.text import Severity

if TYPE_CHECKING:
    from engine import Engine
    from engine.triage import FailureGroup, Sla


@click.command(cls=FilterCommand)
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@session_of
def failures(session: Session, words: tuple[str, ...]) -> int:
    """Open failures grouped by cause and code, with what their devices share and the next step."""
    with session.engine() as engine:
        groups = engine.reads.failure_groups(filter_text(words))
        if session.as_json:
            output.document([documents.failure_group(each, _sla(engine, each)) for each in groups])
            return ExitCode.DONE
        if not groups:
            diagnostics.note("No open failure matches.")
            return ExitCode.DONE
        output.table(FAILURE_GROUPS, groups, engine.now(), session.style)
        for group in groups:
            output.line()
            _show(session, group)
    return ExitCode.DONE


def _show(session: Session, group: FailureGroup) -> None:
    from engine.errorcodes import explain

    title = f"{text.error_code(group.code)} {group.symbol or group.cause.label}: {text.plural(group.devices, 'device')}"
    output.heading(title, session.style)
    output.line(f"    {group.meaning}")
    for factor in group.common:
        output.line(f"    In common: {factor.sentence}", Severity.NONE)
    output.line(f"    To do: {group.remedy}")
    output.line(f"    Retry: {explain(group.code).retry_text}")
    more = group.devices - len(group.sample)
    output.line(f"    Devices: {', '.join(group.sample)}{f' and {more:,} more' if more > 0 else ''}")


def _sla(engine: Engine, group: FailureGroup) -> Sla:
    """How the group stands against the targets of its worst release, counted from its first failure."""
    from engine.model import Severity as Rating
    from engine.triage import FailureTimes, judge, severity_for

    rows = [row for kb in group.kbs for row in engine.reads.release(kb)]
    order = list(Rating)
    worst = min((Rating(row.worst) for row in rows if row.worst), key=order.index, default=Rating.UNRATED)
    rating = severity_for(worst, exploited=any(row.exploited for row in rows))
    times = FailureTimes(group.first_failed_at, detected_at=group.first_failed_at)
    return judge(times, rating, "", engine.now())


@click.command(cls=Command)
@click.argument("cause", metavar="[CAUSE]", required=False)
@session_of
def runbook(session: Session, cause: str | None) -> int:
    """The checklist for a cause of failures; without one, the names. Your own: runbooks/ beside the configuration."""
    from engine import runbooks

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
