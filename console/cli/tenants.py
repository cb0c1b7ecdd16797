"""Commands about tenants: what was asked of them, asking devices to check in, expediting a release."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from console import text
from console.cli import diagnostics, output
from console.cli.changing import change, kb_number, target, targets
from console.cli.diagnostics import ExitCode
from console.cli.session import ChangeCommand, FactsGroup, Session, session_of
from console.columns import Cell, Column
from console.text import NOTHING, Tone
from engine.model.intents import AskAgain, Expedite, Sync

if TYPE_CHECKING:
    from engine.model.tenants import Receipt

_STATES = {
    "waiting": Tone.DUE,
    "sending": Tone.DUE,
    "accepted": Tone.OK,
    "confirmed": Tone.OK,
    "refused": Tone.FAILED,
}


def _answer(row: Receipt) -> Cell:
    status = f"HTTP {row.status}" if row.status else ""
    return Cell(" ".join(part for part in (status, row.said) if part) or NOTHING)


def _state(row: Receipt, now: datetime) -> Cell:
    word = str(row.state)
    if row.state == "waiting" and row.next_at is not None and row.next_at > now:
        word = f"waiting, again {text.moment(row.next_at, now)}"
    return Cell(word, _STATES.get(str(row.state), Tone.UNKNOWN))


REQUESTS: tuple[Column[Receipt], ...] = (
    Column("id", "ID", 5, lambda row, _: Cell(str(row.id)), "right"),
    Column("provider", "Tenant", 8, lambda row, _: Cell(row.request.provider)),
    Column("asked", "Asked", 12, lambda row, now: Cell(text.moment(row.asked_at, now))),
    Column("by", "By", 8, lambda row, _: Cell(row.asked_by), from_width=100),
    Column("state", "State", 11, _state),
    Column("what", "What", 24, lambda row, _: Cell(row.request.why), grow=3),
    Column("answer", "Answer", 12, lambda row, _: _answer(row), grow=2),
    Column("request_id", "request-id", 12, lambda row, _: Cell(row.request_id or NOTHING), from_width=120, grow=1),
)


@click.group(cls=FactsGroup, invoke_without_command=True)
@click.option("--last", "most", type=click.IntRange(1, 100_000), default=50, metavar="N", help="How many; 50.")
@click.option("--bodies", is_flag=True, help="Also what was sent, word for word.")
@session_of
@click.pass_context
def requests(context: click.Context, session: Session, most: int, bodies: bool) -> int | None:
    """What tenants were asked for, since when, and what they answered; the latest first.

    waiting: not sent yet; an open console or hotpatch run sends it. accepted: the tenant took it. confirmed: the
    tenant shows it. Devices act at their next scan in any case. Ends with 3 when one of them was refused.
    """
    if context.invoked_subcommand is not None:
        return None
    with session.engine() as engine:
        rows, now = engine.reads.tenants.requests(most), engine.now()
    if session.as_json:
        output.document(rows)
    elif not rows:
        diagnostics.note("No tenant was asked for anything.")
    elif bodies:
        _in_full(rows, now)
    else:
        output.table(REQUESTS, rows, now, session.style)
    return ExitCode.ATTENTION if any(each.state == "refused" for each in rows) else ExitCode.DONE


def _in_full(rows: Iterable[Receipt], now: datetime) -> None:
    for each in rows:
        output.line(f"{each.id}  {text.moment(each.asked_at, now)}  {each.asked_by}  {_state(each, now).text}")
        output.line(f"  {each.request.why}")
        output.line(f"  {each.request.method} {each.request.address}")
        if each.request.body is not None:
            output.line(f"  {json.dumps(each.request.body, ensure_ascii=True)}")
        if each.said or each.request_id:
            output.line(f"  {_answer(each).text}  {each.request_id}".rstrip())


@requests.command("again", cls=ChangeCommand)
@click.argument("request_id", metavar="ID", type=click.IntRange(1, 2**62))
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def again(session: Session, request_id: int, reason: str) -> int:
    """Send a refused request once more, after what it lacked has been put right."""
    return change(session, AskAgain(request_id, reason))


@click.command(cls=ChangeCommand)
@click.argument("words", metavar="[DEVICE|FILTER]", required=False, default="")
@targets
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit.")
@session_of
def sync(
    session: Session,
    words: str,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    reason: str,
) -> int:
    """Ask devices of a tenant to check in, so that they learn of changed policies soon.

    Nothing is installed by it: that happens at the device's next scan for updates.
    """
    if words and (":" in words or "<" in words or ">" in words or "=" in words):
        filter_text = f"{filter_text} {words}".strip()
    elif words:
        devices = (*devices, words)
    return change(session, Sync(target(devices, rings, filter_text, ids), reason))


@click.command(cls=ChangeCommand)
@click.argument("kb", type=kb_number, metavar="KB")
@targets
@click.option(
    "--days", type=int, default=1, show_default=True, metavar="DAYS", help="Until the restart is forced: 0-2."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit.")
@session_of
def expedite(
    session: Session,
    kb: int,
    devices: tuple[str, ...],
    rings: tuple[str, ...],
    filter_text: str,
    ids: str,
    days: int,
    reason: str,
) -> int:
    """An emergency: a tenant forces a release, and a restart, on the devices of rings.

    It overrides deferrals and approvals, and is the opposite of a hotpatch: each device without the release restarts.
    """
    return change(session, Expedite(kb, target(devices, rings, filter_text, ids), reason, days))
