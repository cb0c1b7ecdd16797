"""The one way of a changing command: intent → plan → shown and confirmed → carried out → said.

Every command that changes the fleet ends in `change`. It decides nothing: refusals come from the engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from console import text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.session import Session
from console.text import Tone
from engine.model.build import parse_kb
from engine.model.errors import BadInput, Refused
from engine.model.intents import Intent, Plan, Refusal, Target

if TYPE_CHECKING:
    from engine import Engine
    from engine.changes.changes import Outcome
    from engine.model.tenants import Receipt

RESTARTS_UNASKED = 1_000
"""A change with more restarts than this is not carried out without a person or --yes."""
_NAMED = 5
"""Answers of tenants that are told one by one."""


def change(session: Session, intent: Intent) -> ExitCode:
    """Plan an intent, show it, ask where somebody can answer, and carry it out.

    Raises:
        Refused: policy or state forbids it, or it is too large to go unasked.
        NotFound, BadInput: it names something that does not exist.
        PlanOutdated: the fleet changed between showing and doing.
    """
    with session.engine() as engine:
        plan = engine.plan(intent)
        if session.dry_run:
            return _show_only(session, plan)
        if plan.refusal is not None:
            raise Refused(plan.refusal.what, plan.refusal.why, plan.refusal.instead)
        if not _agreed(session, plan):
            diagnostics.note("Nothing was changed.")
            return ExitCode.FAILED
        done = engine.carry_out(plan)
        receipts = _delivered(engine, done)
        if session.as_json:
            output.document(_outcome(plan, done, receipts))
        else:
            _tell(session, plan, done.summary)
            _say_what_drives(engine, plan)
    return _told(receipts)


def _delivered(engine: Engine, done: Outcome) -> tuple[Receipt, ...]:
    """Send what the change asks of tenants; what became of it."""
    if not done.requests:
        return ()
    import asyncio

    asyncio.run(engine.deliver())
    return engine.reads.tenants.these_requests(done.requests)


def _told(receipts: Sequence[Receipt]) -> ExitCode:
    """Say what tenants answered. Nothing is installed by their taking it: devices act at their next scan."""
    if not receipts:
        return ExitCode.DONE
    provider = receipts[0].request.provider
    refused = [each for each in receipts if each.state == "refused"]
    waiting = [each for each in receipts if each.state.is_open]
    taken = len(receipts) - len(refused) - len(waiting)
    if taken:
        shown = "; devices act at their next scan, hours to days later."
        diagnostics.note(f"{provider} took {text.plural(taken, 'request')}{shown}")
    for each in waiting[:_NAMED]:
        said = f" {each.said}" if each.said else ""
        diagnostics.note(f"Not sent yet: {each.request.why}. An open console or hotpatch run sends it later.{said}")
    for each in refused[:_NAMED]:
        diagnostics.problem(f"{provider} refused: {each.request.why}.", each.said, _again(each))
    if refused:
        return ExitCode.FAILED
    return ExitCode.ATTENTION if waiting else ExitCode.DONE


def _again(receipt: Receipt) -> str:
    return f"When it is put right: hotpatch requests again {receipt.id}"


def _outcome(plan: Plan, done: Outcome | None = None, receipts: Sequence[Receipt] = ()) -> documents.Document:
    """A change with what came of it; ``done`` is false for a dry run. `receipts`: what tenants answered."""
    return {
        "done": done is not None,
        "plan": plan,
        "change_number": done.change_number if done else None,
        "installs": done.installs if done else 0,
        "requests": receipts,
    }


def _show_only(session: Session, plan: Plan) -> ExitCode:
    if session.as_json:
        output.document(_outcome(plan))
    else:
        for words in plan_lines(plan):
            output.line(words)
    if plan.refusal is None:
        return ExitCode.DONE
    diagnostics.problem(plan.refusal.what, plan.refusal.why, plan.refusal.instead)
    return ExitCode.REFUSED


def _tell(session: Session, plan: Plan, summary: str) -> None:
    if plan.requests:
        # A tenant's devices act at their next scan: what was asked for is not done yet.
        output.line(f"Requested: {summary}.", Tone.DUE, session.style)
    else:
        output.line(f"Done: {summary}.", Tone.OK, session.style)
    for each in plan.left_out:
        output.line(f"Left out: {_left_out(each)}")
        if each.instead:
            output.line(f"  {each.instead}")
    for warning in plan.warnings:
        output.line(warning, Tone.AT_RISK, session.style)


def _say_what_drives(engine: Engine, plan: Plan) -> None:
    """Work moves only while something drives it; nobody must wait for it in vain. A tenant drives its own."""
    if plan.intent.is_driven and not plan.requests and not engine.info().driver:
        diagnostics.note("Nothing drives the work now. Let it happen with: hotpatch run --until-idle")


def _agreed(session: Session, plan: Plan) -> bool:
    if session.yes:
        return True
    if not diagnostics.can_ask():
        if plan.restarts > RESTARTS_UNASKED:
            raise Refused(
                "The change is not carried out.",
                f"It restarts devices {plan.restarts:,} times, and there is nobody to ask.",
                "Look at it with --dry-run, then say --yes.",
            )
        return True
    diagnostics.notes(plan_lines(plan))
    if not plan.reaches_far:
        return diagnostics.ask("Go on? [y/N]").casefold() in ("y", "yes")
    typed = diagnostics.ask(f"Type the number of devices, {plan.devices}, to go on:")
    return typed.replace(",", "") == str(plan.devices)


def plan_lines(plan: Plan) -> list[str]:
    """What a plan says, line by line, for people who are about to decide."""
    lines = [plan.title, *(f"  - {step}" for step in plan.steps)]
    touched = text.plural(plan.devices, "device")
    restarts = text.plural(plan.restarts, "restart") if plan.restarts else "no restart"
    lines.append(f"  Touches {touched}, {restarts}." + (f" {_sample(plan)}" if plan.sample else ""))
    for each in plan.left_out:
        lines.append(f"  Leaves out {_left_out(each)} {each.instead}".rstrip())
    lines += [f"  Mind: {warning}" for warning in plan.warnings]
    lines += request_lines(plan)
    if plan.command:
        lines.append(f"  The same as: {plan.command}")
    return lines


def request_lines(plan: Plan) -> list[str]:
    """Exactly what is sent to tenants."""
    lines = []
    for each in plan.requests:
        lines.append(f"  Sends to {each.provider}: {each.method} {each.address}")
        if each.body is not None:
            lines.append(f"    {json.dumps(each.body, ensure_ascii=True)}")
    return lines


def _left_out(each: Refusal) -> str:
    """Which devices, and why; a ring or another whole is named without a count."""
    if each.devices == 0:
        return f"{each.what}: {each.why}"
    more = f" and {each.devices - 1:,} more" if each.devices > 1 else ""
    return f"{each.what}{more}: {each.why}"


def _sample(plan: Plan) -> str:
    more = plan.devices - len(plan.sample)
    return ", ".join(plan.sample) + (f" and {more:,} more." if more > 0 else ".")


# --- what several commands take ---------------------------------------------------------------------


def kb_number(words: str) -> int:
    """``KB5089466`` or ``5089466`` as a number, for click.

    Raises:
        BadInput: it is no KB.
    """
    try:
        return parse_kb(words)
    except ValueError as error:
        raise BadInput(f"{error}.", "", "List the releases with: hotpatch releases") from error


def utc_moment(words: str) -> datetime:
    """A day or a moment, ``2026-05-20`` or ``2026-05-20T18:00``, for click; UTC where no zone is given.

    Raises:
        BadInput: it is none.
    """
    try:
        found = datetime.fromisoformat(words.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{words!r} is no time.", "", "Write it like 2026-05-20, 2026-05-20T18:00 or 2026-05-20T18:00+02:00"
        ) from error


def targets(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name devices; together they narrow."""
    for option in (
        click.option("--ids", default="", metavar="N,N", hidden=True, help="Devices by number, as plans name them."),
        click.option("--filter", "filter_text", default="", metavar="FILTER", help="Devices that a filter matches."),
        click.option("--ring", "rings", multiple=True, metavar="NAME", help="Devices of a ring; repeatable."),
        click.option("--device", "devices", multiple=True, metavar="NAME", help="A device; repeatable."),
    ):
        command = option(command)
    return command


def target(devices: tuple[str, ...], rings: tuple[str, ...], filter_text: str, ids: str) -> Target:
    """The target that these options name.

    Raises:
        BadInput: --ids holds something that is no number.
    """
    try:
        numbers = tuple(int(each) for each in ids.split(",") if each.strip())
    except ValueError as error:
        raise BadInput("--ids takes numbers.", "", "For example: --ids 12,15") from error
    if any(not 0 < each < 2**62 for each in numbers):
        raise BadInput("--ids takes numbers of devices.", "", "For example: --ids 12,15")
    return Target(names=devices, ids=numbers, rings=rings, filter=filter_text)
