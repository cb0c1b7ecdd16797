"""Commands that lead devices back from a bad release, and that withhold releases from devices."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, output
from console.cli.changing import change, kb_number, target, targets, utc_moment
from console.cli.diagnostics import ExitCode
from console.cli.session import ChangeCommand, Command, Session, session_of
from console.cli.work_lists import HANDS, HOLDS
from console.text import Tone
from engine.model.errors import BadInput
from engine.model.intents import After, Exclude, LiftHold, Readmit, Recover, SetHold

if TYPE_CHECKING:
    from engine.model.records.rollout import RecoveryProgress

# --- recovery ---------------------------------------------------------------------------------------


@click.command(cls=ChangeCommand)
@click.argument("kb", type=kb_number, metavar="KB")
@targets
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit and on the hold.")
@click.option(
    "--then",
    "after",
    type=click.Choice([each.value for each in After]),
    metavar="lcu|stay",
    default=After.LCU.value,
    show_default=True,
    help="lcu: that month's LCU follows, with a second restart. stay: stay on the baseline until the next one.",
)
@session_of
def recover(
    session: Session,
    kb: int,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    reason: str,
    after: str,
) -> int:
    """Halt a bad hotpatch and lead devices back from it: uninstall, then that month's LCU; each step restarts.

    Without devices named: every device that has it, those too that finish installing it or come back later. They are
    held off hotpatches until they have taken the next baseline. How far it is: hotpatch recovery
    """
    return change(session, Recover(kb, reason, target(devices, rings, filter_text, ids), After(after)))


@click.command(cls=Command)
@click.argument("kb", type=kb_number, metavar="[KB]", required=False)
@session_of
def recovery(session: Session, kb: int | None) -> int:
    """How far recoveries are, restarts so far and to come, and the devices that need hands.

    Ends with 3 while one is under way and devices need hands.
    """
    with session.engine() as engine:
        if kb is None:
            found = engine.reads.rollout.recoveries()
        else:
            latest = engine.reads.rollout.recovery(kb)
            found = () if latest is None else (latest,)
        now = engine.now()
    if session.as_json:
        output.document(found)
    elif not found:
        name = "any release" if kb is None else text.kb(kb)
        diagnostics.note(f'No recovery from {name}. Begin one with: hotpatch recover KB --reason "..."')
    else:
        for number, each in enumerate(found):
            if number:
                output.line()
            _show_recovery(session, each, now)
    return ExitCode.ATTENTION if any(each.ended_at is None and each.hands for each in found) else ExitCode.DONE


def _show_recovery(session: Session, each: RecoveryProgress, now: datetime) -> None:
    style = session.style
    after = "then that month's LCU" if each.then == After.LCU else "staying on the baseline"
    output.heading(f"Recovery {each.id} from {text.kb(each.kb)}, {after}", style)
    ended = f"ended {text.moment_long(each.ended_at)}" if each.ended_at else "under way"
    output.pairs(
        [
            ("Begun", f"{text.moment_long(each.begun_at)} by {each.begun_by}: {each.reason}"),
            ("State", f"{ended}; {text.count(each.done)} of {text.plural(each.devices, 'device')} done"),
            ("Waiting", text.count(each.waiting)),
            ("Uninstalling", text.count(each.uninstalling)),
            ("Restart pending", text.count(each.restart_pending)),
            ("Getting the LCU", text.count(each.protecting)),
            ("Needs hands", text.count(each.needs_hands)),
            ("Restarts", f"{text.count(each.restarts_done)} done, {text.count(each.restarts_left)} to come"),
        ],
        style,
    )
    if each.hands:
        output.line(f"To be looked at: {text.plural(len(each.hands), 'device')}", Tone.AT_RISK, style)
        output.table(HANDS, each.hands, now, style)


# --- safeguard holds --------------------------------------------------------------------------------


@click.command(cls=ChangeCommand)
@click.argument("kb", type=kb_number, metavar="[KB]", required=False)
@click.option("--release", "release", type=kb_number, metavar="KB", help="The release; the same as KB.")
@click.option("--filter", "filter_text", default="", metavar="FILTER", help="Only from devices that it matches.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown wherever it is withheld.")
@session_of
def hold(session: Session, kb: int | None, release: int | None, filter_text: str, reason: str) -> int:
    """Withhold a release from every device or from those a filter matches; without KB, every release from those.

    Devices that match later are covered too. It ends with: hotpatch unhold
    """
    if kb is not None and release is not None and kb != release:
        raise BadInput("Two releases are named.", "", "Name one; hold the other one by itself.")
    wanted = kb if kb is not None else release
    if wanted is None and not filter_text.strip():
        raise BadInput(
            "What is to be held back?", "", "Name a release, a filter or both. To stop everything: hotpatch halt --all"
        )
    return change(session, SetHold(wanted, filter_text, reason))


@click.command(cls=Command)
@session_of
def holds(session: Session) -> int:
    """Safeguard holds in force: what is withheld from which devices, since when and why."""
    with session.engine() as engine:
        rows = engine.reads.rollout.safeguards()
        if session.as_json:
            output.document(rows)
        elif rows:
            output.table(HOLDS, rows, engine.now(), session.style)
        else:
            diagnostics.note("Nothing is held back.")
    return ExitCode.DONE


@click.command(cls=ChangeCommand)
@click.argument("hold_id", metavar="ID", type=click.IntRange(1, 2**62))
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def unhold(session: Session, hold_id: int, reason: str) -> int:
    """End a safeguard hold; its devices join the rollout where their ring is open. IDs: hotpatch holds."""
    return change(session, LiftHold(hold_id, reason))


# --- exclusions -------------------------------------------------------------------------------------


@click.command(cls=ChangeCommand)
@targets
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release; else all, baselines too.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; shown with the device.")
@click.option("--until", type=utc_moment, metavar="TIME", help="It ends then; else with: hotpatch readmit")
@session_of
def exclude(
    session: Session,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    kb: int | None,
    reason: str,
    until: datetime | None,
) -> int:
    """Keep one release or all of them from devices; what waits on them is cancelled."""
    return change(session, Exclude(target(devices, rings, filter_text, ids), reason, kb, until))


@click.command(cls=ChangeCommand)
@targets
@click.option("--release", "kb", type=kb_number, metavar="KB", help="Only this release.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def readmit(
    session: Session,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    kb: int | None,
    reason: str,
) -> int:
    """End the exclusion of devices; they are offered releases again where their ring is open."""
    return change(session, Readmit(target(devices, rings, filter_text, ids), reason, kb))
