"""Plans for giving failures to somebody, and for closing that."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from engine.model.intents import EndEscalation, Escalate, EscalationEnd, Plan, Refusal
from engine.rules.failures import Escalation, FailureCase, SlaStage
from engine.rules.failures.errorcodes import code_text, explain
from engine.rules.plans.apply import target_words
from engine.rules.plans.candidates import SAMPLE, plural


class EscalateFacts(Struct, frozen=True):
    """What is known about the failures that are to be given over."""

    code: int | None
    """The group's; None where devices are named."""
    cases: Sequence[FailureCase]
    due_at: datetime | None
    """By the service level; None without a failure that is still open."""
    already: Sequence[tuple[Escalation, frozenset[int]]]
    """Escalations that are open for any of these failures, with the ids of their devices."""

    def with_owner(self, owner: str) -> Escalation | None:
        """The escalation by which somebody has all of these failures already."""
        devices = {case.device_id for case in self.cases}
        for each, members in self.already:
            covers = each.code == self.code if self.code is not None else members >= devices
            if covers and each.owner.casefold() == owner.casefold():
                return each
        return None


def plan_escalate(intent: Escalate, facts: EscalateFacts, now: datetime, change_number: int) -> Plan:
    """Who is given what until when. Nothing happens on any device."""
    devices = {case.device_id: case.device_name for case in facts.cases}
    due_at = intent.due_at or facts.due_at or now
    what = _what(facts.code, len(devices))
    return Plan(
        intent=intent,
        title=f"Escalate {what} to {intent.owner.strip() or 'nobody'}",
        steps=(
            f"{intent.owner.strip() or 'Nobody'} has until {_time(due_at)} to put {what} right.",
            "It counts as the first action; the overview shows it when it is overdue.",
            "Nothing happens on the devices.",
        ),
        devices=len(devices),
        restarts=0,
        sample=tuple(sorted(devices.values())[:SAMPLE]),
        refusal=_refusal(intent, facts, due_at, now),
        warnings=tuple(_warnings(facts, due_at, now)),
        command=_command(intent),
        change_number=change_number,
        device_ids=tuple(sorted(devices)),
    )


def _what(code: int | None, devices: int) -> str:
    if code is None:
        return plural(devices, "failed device")
    symbol = explain(code).symbol
    return f"{plural(devices, 'device')} with {code_text(code)}" + (f" {symbol}" if symbol else "")


def _refusal(intent: Escalate, facts: EscalateFacts, due_at: datetime, now: datetime) -> Refusal | None:
    what = "Nothing is escalated."
    owner = intent.owner.strip()
    if not owner:
        return Refusal(what, "An escalation needs an owner.", "Name one: --owner NAME")
    if not facts.cases:
        return Refusal(what, "None of these devices has an open failure.", "See what failed: hotpatch failures")
    if facts.due_at is None:
        return Refusal(what, "All of these devices are excluded.", "Readmit them first: hotpatch readmit")
    if due_at <= now:
        return Refusal(what, f"{_time(due_at)} has passed.", "Choose a later time, or leave it to the service level.")
    if (same := facts.with_owner(owner)) is not None:
        return Refusal(
            what,
            f"{same.owner} has it already, until {_time(same.due_at)}.",
            f"End that first: hotpatch end-escalation {same.id}",
        )
    return None


def _warnings(facts: EscalateFacts, due_at: datetime, now: datetime) -> list[str]:
    found = []
    open_cases = [case for case in facts.cases if case.times.fixed_at is None]
    earliest = min((case.due_at(SlaStage.FIX) for case in open_cases), default=None)
    if earliest is not None and earliest < now:
        found.append(f"By the service level the first of them was to be put right by {_time(earliest)}.")
    elif earliest is not None and due_at > earliest:
        found.append(f"That is later than the service level asks for, {_time(earliest)}.")
    for each, _ in facts.already:
        found.append(f"{each.owner} has it too, until {_time(each.due_at)} (escalation {each.id}).")
    return found


def _command(intent: Escalate) -> str:
    words = ["hotpatch", "escalate", *([intent.group] if intent.group else []), *target_words(intent.target)]
    words += ["--owner", intent.owner]
    words += ["--due", intent.due_at.isoformat()] if intent.due_at is not None else []
    words += ["--reason", intent.reason] if intent.reason else []
    return shlex.join(words)


def plan_end_escalation(intent: EndEscalation, escalation: Escalation, change_number: int) -> Plan:
    """What closing an escalation means."""
    what = _what(escalation.code, escalation.devices)
    undone = intent.outcome is EscalationEnd.TAKEN_BACK
    steps = [f"{escalation.owner} no longer has it."]
    if undone:
        steps.append("It does not count as an action: the service level runs as if it had never been.")
    elif escalation.open_devices:
        steps.append(f"Still failing, and listed on: {plural(escalation.open_devices, 'device')}.")
    refusal = None
    if escalation.ended_at is not None:
        refusal = Refusal(
            "Nothing changes.", f"{escalation.ended_by} has ended it before.", "Nothing needs to be done."
        )
    words = ["hotpatch", "end-escalation", str(escalation.id), *(["--taken-back"] if undone else [])]
    words += ["--reason", intent.reason] if intent.reason else []
    return Plan(
        intent=intent,
        title=f"{'Take back' if undone else 'End'} the escalation of {what} to {escalation.owner}",
        steps=tuple(steps),
        devices=0,
        restarts=0,
        refusal=refusal,
        command=shlex.join(words),
        change_number=change_number,
    )


def _time(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y %H:%M} UTC"
