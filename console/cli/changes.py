"""Commands on devices: apply, uninstall, retry, assign."""

from __future__ import annotations

import click

from console.cli.changing import change, kb_number, target, targets
from console.cli.session import ChangeCommand, Session, session_of
from engine.model.intents import After, Apply, Assign, Retry, Uninstall


@click.command(cls=ChangeCommand)
@click.argument("kb", type=kb_number, metavar="KB")
@targets
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def apply(
    session: Session, kb: int, devices: tuple[str, ...], rings: tuple[str, ...], filter_text: str, ids: str, reason: str
) -> int:
    """Bring an approved release to devices now, ahead of the rollout.

    Refused where it is not approved for the device's ring, not offered to it, or installed already.
    """
    return change(session, Apply(kb, target(devices, rings, filter_text, ids), reason))


@click.command(cls=ChangeCommand)
@click.argument("kb", type=kb_number, metavar="KB")
@targets
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit and on the hold.")
@click.option(
    "--then",
    "after",
    type=click.Choice([each.value for each in After]),
    metavar="lcu|stay",
    default=After.STAY.value,
    show_default=True,
    help="lcu: that month's LCU follows, with a second restart. stay: stay on the baseline until the next one.",
)
@session_of
def uninstall(
    session: Session,
    kb: int,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    reason: str,
    after: str,
) -> int:
    """Remove a hotpatch from devices; each restarts.

    There is no automatic rollback: the device goes back to its baseline, and with --then lcu on to that month's LCU.
    It is held off hotpatches until it has taken the next baseline.
    """
    return change(session, Uninstall(kb, target(devices, rings, filter_text, ids), reason, After(after)))


@click.command(cls=ChangeCommand)
@click.argument("kb", type=kb_number, metavar="[KB]", required=False)
@targets
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def retry(
    session: Session,
    kb: int | None,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    reason: str,
) -> int:
    """Try failed installs again, of one release or of all."""
    return change(session, Retry(target(devices, rings, filter_text, ids), kb, reason))


@click.command(cls=ChangeCommand)
@click.option("--to", "ring", required=True, metavar="RING", help="The ring they move to.")
@targets
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def assign(
    session: Session,
    ring: str,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    reason: str,
) -> int:
    """Put devices into a ring; each leaves the one it was in."""
    return change(session, Assign(target(devices, rings, filter_text, ids), ring, reason))
