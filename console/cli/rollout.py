"""Commands of the rollout: rings, approvals, and stopping and resuming."""

from __future__ import annotations

from datetime import datetime

import click

from console import columns
from console.cli import diagnostics, documents, output
from console.cli.changing import change, kb_number, utc_moment
from console.cli.diagnostics import ExitCode
from console.cli.lists import APPROVALS
from console.cli.session import ChangeCommand, Command, Session, session_of
from engine.errors import BadInput
from engine.intents import Approve, Resume, Scope, SetRing, Stop, StopKind, Withdraw
from engine.model import Gate
from engine.records import Urgency


class RingsGroup(click.Group, Command):
    """`rings` alone prints; `rings set` changes."""


@click.group(cls=RingsGroup, invoke_without_command=True)
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@session_of
@click.pass_context
def rings(context: click.Context, session: Session, kb: int | None) -> int | None:
    """How far releases have come, ring by ring, and what each gate says.

    Without --release: the current release of each platform and whatever is approved. Ends with 3 when a gate fails
    or something is halted.
    """
    if context.invoked_subcommand is not None:
        return None
    with session.engine() as engine:
        rows = engine.reads.rings()
        progress = engine.reads.ring_progress(kb)
        if session.as_json:
            output.document(documents.rings(rows, progress))
        else:
            now, style = engine.now(), session.style
            output.table(columns.RINGS, rows, now, style)
            output.line()
            output.table(columns.RING_PROGRESS, progress, now, style)
        urgent = [each for each in engine.reads.attention() if each.urgency is Urgency.NOW and each.screen == "rings"]
    if not session.as_json:
        diagnostics.notes(f"Now: {each.text}." for each in urgent)
    return ExitCode.ATTENTION if urgent else ExitCode.DONE


@rings.command("set", cls=ChangeCommand)
@click.argument("name", metavar="NAME")
@click.option("--deferral", "deferral_days", type=int, metavar="DAYS", help="Days after release before it is offered.")
@click.option("--deadline", "deadline_days", type=int, metavar="DAYS", help="Days until it must be installed.")
@click.option("--grace", "grace_days", type=int, metavar="DAYS", help="Days for devices that come back.")
@click.option("--max-in-flight", type=int, metavar="N", help="Installs at once; 0 is no limit.")
@click.option("--min-installed", type=click.IntRange(0, 100), metavar="PERCENT", help="Gate: least share installed.")
@click.option("--max-failed", type=click.IntRange(0, 100), metavar="PERCENT", help="Gate: largest share failed.")
@click.option("--min-sample", type=click.IntRange(0), metavar="N", help="Gate: installs before failures are judged.")
@click.option("--soak", "soak_hours", type=click.IntRange(0), metavar="HOURS", help="Gate: hours to wait after that.")
@session_of
def set_ring(
    session: Session,
    name: str,
    deferral_days: int | None,
    deadline_days: int | None,
    grace_days: int | None,
    max_in_flight: int | None,
    min_installed: int | None,
    max_failed: int | None,
    min_sample: int | None,
    soak_hours: int | None,
) -> int:
    """Change a ring's rules; what has opened goes on by the rules it opened with."""
    gate = None
    if any(each is not None for each in (min_installed, max_failed, min_sample, soak_hours)):
        gate = _changed_gate(session, name, min_installed, max_failed, min_sample, soak_hours)
    return change(session, SetRing(name, deferral_days, deadline_days, grace_days, max_in_flight, gate))


def _changed_gate(
    session: Session,
    name: str,
    min_installed: int | None,
    max_failed: int | None,
    min_sample: int | None,
    soak_hours: int | None,
) -> Gate | None:
    """The ring's gate with what was given; None for a ring that does not exist, which the plan then says."""
    with session.engine() as engine:
        found = [row.ring for row in engine.reads.rings() if row.ring.name.casefold() == name.strip().casefold()]
    if not found:
        return None
    old = found[0].gate
    return Gate(
        min_installed_share=old.min_installed_share if min_installed is None else min_installed / 100,
        max_failed_share=old.max_failed_share if max_failed is None else max_failed / 100,
        min_sample=old.min_sample if min_sample is None else min_sample,
        soak_hours=old.soak_hours if soak_hours is None else soak_hours,
    )


# --- approvals --------------------------------------------------------------------------------------


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
    """Let a release go to rings; it reaches each behind its deferral and the gate before it."""
    if bool(names) == all_rings:
        raise BadInput(
            "Which rings may it go to?" if not names else "Name rings, or all of them, not both.",
            "",
            "Say --ring NAME for each, or --all-rings.",
        )
    return change(session, Approve(kb, names, reason, not_before, expires))


@click.command(cls=Command)
@click.argument("kb", type=kb_number, metavar="[KB]", required=False)
@session_of
def approvals(session: Session, kb: int | None) -> int:
    """Who let which release go to which rings, and why."""
    with session.engine() as engine:
        now = engine.now()
        if kb is not None:
            engine.reads.release(kb)
        rows = engine.reads.approvals(kb)
        if session.as_json:
            output.document([documents.approval(each, now) for each in rows])
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


# --- stopping ---------------------------------------------------------------------------------------


def _scope(kb: int | None, ring: str | None, everything: bool) -> Scope:
    if (kb is not None or bool(ring)) == everything:
        raise BadInput(
            "What is meant, everything or a part?" if everything else "What is meant?",
            "",
            "Say --release KB, --ring NAME or both, or --all for everything.",
        )
    return Scope(kb, ring)


@click.command(cls=ChangeCommand)
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@click.option("--ring", metavar="NAME", help="Only this ring.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown wherever it is paused.")
@session_of
def pause(session: Session, kb: int | None, ring: str | None, everything: bool, reason: str) -> int:
    """Offer nothing new until it is resumed; what waits stays where it is."""
    return change(session, Stop(StopKind.PAUSE, _scope(kb, ring, everything), reason))


@click.command(cls=ChangeCommand)
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@click.option("--ring", metavar="NAME", help="Only this ring.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown wherever it is halted.")
@session_of
def halt(session: Session, kb: int | None, ring: str | None, everything: bool, reason: str) -> int:
    """Offer and start nothing new, and call off what waits; what runs is allowed to end."""
    return change(session, Stop(StopKind.HALT, _scope(kb, ring, everything), reason))


@click.command(cls=ChangeCommand)
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@click.option("--ring", metavar="NAME", help="Only this ring.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def resume(session: Session, kb: int | None, ring: str | None, everything: bool, reason: str) -> int:
    """Lift pauses and halts; rings go on where they stood, each behind its gate."""
    return change(session, Resume(_scope(kb, ring, everything), reason))
