"""Commands about approvals: what would happen, letting a release go to rings, the second person, the rules."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, output
from console.cli.changing import change, kb_number, utc_moment
from console.cli.diagnostics import ExitCode
from console.cli.lists import APPROVALS
from console.cli.session import ChangeCommand, Command, FactsGroup, Session, session_of
from console.cli.work_lists import MILESTONES, MISSES, RING_FORECASTS
from engine.model.errors import BadInput
from engine.model.intents import Approve, Countersign, SetPolicy, Withdraw
from engine.rules.retention import parse_period, period_words

if TYPE_CHECKING:
    from engine.model.records.rollout import Forecast


def _check_rings(names: tuple[str, ...], all_rings: bool) -> None:
    if bool(names) == all_rings:
        raise BadInput(
            "Which rings may it go to?" if not names else "Name rings, or all of them, not both.",
            "",
            "Say --ring NAME for each, or --all-rings.",
        )


@click.command(cls=ChangeCommand)
@click.argument("kb", type=kb_number, metavar="KB")
@click.option("--ring", "names", multiple=True, metavar="NAME", help="A ring it may go to; repeatable.")
@click.option("--all-rings", is_flag=True, help="Every ring.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the approval.")
@click.option("--not-before", type=utc_moment, metavar="TIME", help="No ring opens earlier.")
@click.option("--expires", type=utc_moment, metavar="TIME", help="It ends then.")
@session_of
def approve(
    session: Session,
    kb: int,
    names: tuple[str, ...],
    all_rings: bool,
    reason: str,
    not_before: datetime | None,
    expires: datetime | None,
) -> int:
    """Let a release go to rings; it reaches each behind its deferral and the gate before it.

    What that leads to, and when, is told beforehand by: hotpatch forecast
    """
    _check_rings(names, all_rings)
    return change(session, Approve(kb, names, reason, not_before, expires))


@click.command(cls=Command)
@click.argument("kb", type=kb_number, metavar="[KB]", required=False)
@session_of
def approvals(session: Session, kb: int | None) -> int:
    """Who let which release go to which rings, and why."""
    with session.engine() as engine:
        now = engine.now()
        if kb is not None:
            engine.reads.releases.of_kb(kb)
        rows = engine.reads.rollout.approvals(kb)
        if session.as_json:
            output.document(rows, now)
        elif rows:
            output.table(APPROVALS, rows, now, session.style)
        else:
            diagnostics.note('Nothing is approved. Approve with: hotpatch approve KB --ring NAME --reason "..."')
    return ExitCode.DONE


@click.command(cls=ChangeCommand)
@click.argument("approval_id", metavar="ID", type=click.IntRange(1, 2**62))
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit.")
@session_of
def withdraw(session: Session, approval_id: int, reason: str) -> int:
    """Take an approval back; what has not started does not start. IDs: hotpatch approvals."""
    return change(session, Withdraw(approval_id, reason))


@click.command(cls=ChangeCommand)
@click.argument("approval_id", metavar="ID", type=click.IntRange(1, 2**62))
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def countersign(session: Session, approval_id: int, reason: str) -> int:
    """Sign an approval as the second person, where policy asks for one. IDs: hotpatch approvals."""
    return change(session, Countersign(approval_id, reason))


# --- forecast ---------------------------------------------------------------------------------------


@click.command(cls=Command)
@click.argument("kb", type=kb_number, metavar="KB")
@click.option("--ring", "names", multiple=True, metavar="NAME", help="A ring it may go to; repeatable.")
@click.option("--all-rings", is_flag=True, help="Every ring.")
@click.option("--not-before", type=utc_moment, metavar="TIME", help="No ring opens earlier.")
@click.option("--expires", type=utc_moment, metavar="TIME", help="It ends then.")
@session_of
def forecast(
    session: Session,
    kb: int,
    names: tuple[str, ...],
    all_rings: bool,
    not_before: datetime | None,
    expires: datetime | None,
) -> int:
    """What happens if a release is approved now: when rings open, compliance, restarts, who is late and why.

    Takes some seconds: the engine itself runs ahead on a copy of the state. Nothing is changed.
    """
    _check_rings(names, all_rings)
    with session.engine() as engine:
        found = engine.forecast(Approve(kb, names, "", not_before, expires))
        if session.as_json:
            output.document(found)
        else:
            _show_forecast(session, found, engine.now())
    return ExitCode.DONE


def _show_forecast(session: Session, found: Forecast, now: datetime) -> None:
    from engine.forecast import TARGET

    style = session.style
    output.heading(f"If {text.kb(found.kb)} is approved now, {text.moment_long(found.made_at)}", style)
    output.table(RING_FORECASTS, found.rings, now, style)
    output.line()
    output.heading("Protected after release", style)
    output.table(MILESTONES, found.milestones, now, style)
    reached = found.target_reached_at
    words = f"reached {text.moment_long(reached)}" if reached else f"not reached by {text.moment_long(found.until)}"
    output.line(f"{TARGET:.0%} of the devices that can take it: {words}.")
    output.line(f"Restarts: {text.count(found.restarts)}.")
    output.line()
    if found.misses:
        output.heading("Without it at the deadline of their ring", style)
        output.table(MISSES, found.misses, now, style)
    else:
        output.line("No device misses its deadline.")
    diagnostics.notes(found.notes)


# --- rules ------------------------------------------------------------------------------------------


@click.group(cls=FactsGroup, invoke_without_command=True)
@session_of
@click.pass_context
def policy(context: click.Context, session: Session) -> int | None:
    """The rules for approvals: who signs, what may be approved, what is by itself; and how long history is kept."""
    if context.invoked_subcommand is not None:
        return None
    with session.engine() as engine:
        found = engine.reads.rollout.policy()
    if session.as_json:
        output.document(found)
        return ExitCode.DONE
    output.pairs(
        [
            ("Second person", "signs every approval" if found.second_person else "not needed"),
            ("Releases", "only those a Microsoft document confirms" if found.confirmed_only else "all in the catalog"),
            ("Approved by itself", f"for {', '.join(found.auto_approve)}" if found.auto_approve else "nothing"),
            ("History is kept", period_words(found.keep_months)),
        ],
        session.style,
    )
    return ExitCode.DONE


@policy.command("set", cls=ChangeCommand)
@click.option("--second-person/--one-person", default=None, help="Whether somebody else must sign each approval.")
@click.option("--confirmed-only/--any-release", default=None, help="Whether only confirmed releases may be approved.")
@click.option("--auto-approve", "rings", multiple=True, metavar="RING", help="New releases are approved for it.")
@click.option("--no-auto-approve", "no_rings", is_flag=True, help="Nothing is approved by itself.")
@click.option("--keep-history", default="", metavar="PERIOD", help="How long installs are kept: 13 months, forever.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def set_policy(
    session: Session,
    second_person: bool | None,
    confirmed_only: bool | None,
    rings: tuple[str, ...],
    no_rings: bool,
    keep_history: str,
    reason: str,
) -> int:
    """Change the rules for approvals and for keeping history.

    Approvals that stand keep the rules they were given under. --auto-approve may be repeated; together they are all
    the rings for which new releases are approved. The audit is always kept, whatever --keep-history says.
    """
    keep_months = parse_period(keep_history) if keep_history else None
    if rings and no_rings:
        raise BadInput("--auto-approve and --no-auto-approve exclude each other.", "", "Choose one.")
    auto_approve = rings if rings or no_rings else None
    if all(rule is None for rule in (second_person, confirmed_only, auto_approve, keep_months)):
        raise BadInput("Which rule is to change?", "", "For example: hotpatch policy set --second-person")
    return change(session, SetPolicy(second_person, confirmed_only, auto_approve, reason, keep_months))
