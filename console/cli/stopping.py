"""Commands that stop and resume the rollout."""

from __future__ import annotations

import click

from console.cli.changing import change, kb_number
from console.cli.session import ChangeCommand, Session, session_of
from engine.model.errors import BadInput
from engine.model.intents import Resume, Scope, Stop, StopKind


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
