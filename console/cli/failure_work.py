"""Commands for what people do about failures: hand them over, note what is behind them, take a retry back."""

from __future__ import annotations

from datetime import datetime

import click

from console.cli import diagnostics, output
from console.cli.changing import change, kb_number, target, targets, utc_moment
from console.cli.diagnostics import ExitCode
from console.cli.session import ChangeCommand, Command, FactsGroup, Session, session_of
from console.cli.work_lists import ESCALATIONS, KNOWN_PROBLEMS
from engine.model.errors import BadInput
from engine.model.intents import (
    EndEscalation,
    Escalate,
    EscalationEnd,
    HoldForProblem,
    LiftKnownProblem,
    MarkKnownProblem,
    TakeBack,
)

_ID = click.IntRange(1, 2**62)


@click.command("take-back", cls=ChangeCommand)
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@targets
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def take_back(
    session: Session,
    kb: int | None,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    reason: str,
) -> int:
    """Cancel what was asked for by hand, with retry or apply, and has not started on its devices."""
    return change(session, TakeBack(target(devices, rings, filter_text, ids), kb, reason))


# --- escalations ------------------------------------------------------------------------------------


@click.command(cls=ChangeCommand)
@click.argument("group", metavar="[CODE]", required=False, default="")
@targets
@click.option("--owner", required=True, metavar="NAME", help="Who is to put it right.")
@click.option("--due", type=utc_moment, metavar="TIME", help="By when; else by the service level.")
@click.option("--reason", default="", metavar="TEXT", help="Why; shown with the escalation.")
@session_of
def escalate(
    session: Session,
    group: str,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    owner: str,
    due: datetime | None,
    reason: str,
) -> int:
    """Give failed devices an owner and a due time: a group of failures by its code, devices, or both together."""
    wanted = target(devices, rings, filter_text, ids)
    if not group.strip() and wanted.is_empty:
        raise BadInput(
            "What is to be escalated?", "", "Name a code, as in 0x80070643, or devices. Codes: hotpatch failures"
        )
    return change(session, Escalate(owner, group, wanted, due, reason))


@click.command(cls=Command)
@click.option("--all", "every", is_flag=True, help="Those too that have ended.")
@session_of
def escalations(session: Session, every: bool) -> int:
    """Who has been given which failures, and until when. Ends with 3 when one is overdue."""
    with session.engine() as engine:
        rows, now = engine.reads.failures.escalations(open_only=not every), engine.now()
        if session.as_json:
            output.document(rows, now)
        elif rows:
            output.table(ESCALATIONS, rows, now, session.style)
        else:
            diagnostics.note("Nothing is escalated.")
    return ExitCode.ATTENTION if any(each.is_overdue(now) for each in rows) else ExitCode.DONE


@click.command("end-escalation", cls=ChangeCommand)
@click.argument("escalation_id", metavar="ID", type=_ID)
@click.option("--taken-back", is_flag=True, help="It was not meant, and does not count as an action.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def end_escalation(session: Session, escalation_id: int, taken_back: bool, reason: str) -> int:
    """Close an escalation. IDs: hotpatch escalations."""
    outcome = EscalationEnd.TAKEN_BACK if taken_back else EscalationEnd.DONE
    return change(session, EndEscalation(escalation_id, outcome, reason))


# --- known problems ---------------------------------------------------------------------------------


@click.group("known-problem", cls=FactsGroup, invoke_without_command=True)
@session_of
@click.pass_context
def known_problem(context: click.Context, session: Session) -> int | None:
    """Known problems in force: what is behind failures, and which of them hold a release back."""
    if context.invoked_subcommand is not None:
        return None
    with session.engine() as engine:
        rows = engine.reads.failures.known_problems()
        if session.as_json:
            output.document(rows)
        elif rows:
            output.table(KNOWN_PROBLEMS, rows, engine.now(), session.style)
        else:
            diagnostics.note('No problem is known. Note one with: hotpatch known-problem mark CODE --title "..."')
    return ExitCode.DONE


@known_problem.command("mark", cls=ChangeCommand)
@click.argument("group", metavar="[CODE]", required=False, default="")
@click.option("--title", required=True, metavar="TEXT", help="What it is, in a few words.")
@click.option("--release", "kb", type=kb_number, metavar="KB", help="The release; else the group's newest.")
@click.option("--filter", "filter_text", default="", metavar="FILTER", help="The devices that it concerns.")
@click.option("--hold", is_flag=True, help="Withhold the release from devices that do not have it.")
@click.option("--note", default="", metavar="TEXT", help="What is known, and what helps.")
@session_of
def mark(session: Session, group: str, title: str, kb: int | None, filter_text: str, hold: bool, note: str) -> int:
    """Note what is behind a group of failures, named by its code, or behind a release's failures."""
    return change(session, MarkKnownProblem(title, group, kb, filter_text, hold, note))


@known_problem.command("hold", cls=ChangeCommand)
@click.argument("problem_id", metavar="ID", type=_ID)
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def hold_for_problem(session: Session, problem_id: int, reason: str) -> int:
    """Withhold the release of a known problem from the devices that it concerns. IDs: hotpatch known-problem."""
    return change(session, HoldForProblem(problem_id, reason))


@known_problem.command("lift", cls=ChangeCommand)
@click.argument("problem_id", metavar="ID", type=_ID)
@click.option("--only-hold", is_flag=True, help="End the hold, keep the mark.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def lift(session: Session, problem_id: int, only_hold: bool, reason: str) -> int:
    """A known problem is solved, or was none: take the mark away and end its hold. IDs: hotpatch known-problem."""
    return change(session, LiftKnownProblem(problem_id, reason, only_hold))
