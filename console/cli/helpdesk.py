"""The help desk's command: one device in plain words first, then its facts; or a ticket about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from console import text
from console.cli import documents, output
from console.cli.diagnostics import ExitCode
from console.cli.lists import INSTALLS
from console.cli.session import Command, Session, session_of
from console.text import NOTHING, Tone
from engine.model.errors import BadInput
from engine.model.records.fleet import DeviceDetail

if TYPE_CHECKING:
    from datetime import datetime

    from engine.model.model import Cve
    from engine.rules.failures import FailureCase
    from engine.rules.helpdesk import HelpDeskAnswer, Ticket
    from engine.rules.readiness import Check, Readiness

_FORMS = ("text", "markdown", "json")


def ticket_form(words: str) -> str:
    """How a ticket is written, for click.

    Raises:
        BadInput: there is no such form.
    """
    if words.casefold() not in _FORMS:
        raise BadInput(
            f"There is no ticket as {words!r}.",
            "",
            f"Write the device first: hotpatch device NAME --ticket, or --ticket {'|'.join(_FORMS)}",
        )
    return words.casefold()


class _Told(Struct, frozen=True):
    """All that is said about one device."""

    detail: DeviceDetail
    readiness: Readiness
    answer: HelpDeskAnswer
    cases: tuple[FailureCase, ...]
    open_cves: tuple[Cve, ...]


@click.command(cls=Command)
@click.argument("name", metavar="NAME")
@click.option(
    "--ticket",
    "form",
    type=ticket_form,
    is_flag=False,
    flag_value="text",
    metavar="[text|markdown|json]",
    help="Print a ticket about it instead: facts, error, next step, what happened.",
)
@session_of
def device(session: Session, name: str, form: str | None) -> int:
    """One device in plain words: is it protected, why the restart, what to do now, what comes next.

    Found by name, user, serial or asset tag: LON-LT-0042, lon-lt-42, 'CONTOSO\\alice', alice@contoso.com. Below the
    answer: readiness check by check, and its history.
    """
    with session.engine() as engine:
        detail = engine.reads.devices.find(name)
        if form is not None:
            _print_ticket(engine.reads.devices.ticket(detail.id), "json" if session.as_json else form)
            return ExitCode.DONE
        told = _Told(
            detail,
            engine.reads.devices.readiness(detail.id),
            engine.reads.devices.answer(detail.id),
            engine.reads.failures.of_device(detail.id),
            engine.reads.devices.open_cves(detail.id),
        )
        if session.as_json:
            found = documents.document(detail) | {"readiness": told.readiness, "open_cves": told.open_cves}
            output.document(found | {"answer": told.answer, "failures": told.cases}, engine.now())
        else:
            _show_device(session, told, engine.now())
    return ExitCode.DONE


def _print_ticket(ticket: Ticket, form: str) -> None:
    if form == "json":
        output.document(ticket.document())
        return
    for line in text.clean_lines(ticket.markdown() if form == "markdown" else ticket.text()):
        output.line(line)


def _show_device(session: Session, told: _Told, now: datetime) -> None:
    detail, answer, style = told.detail, told.answer, session.style
    facts = detail.facts
    output.heading(facts.name, style)
    output.line(answer.headline, _standing(answer), style)
    parts = (
        ("Why the restart", answer.restart_why),
        ("Problem", answer.problem),
        ("To do now", answer.do_now),
        ("What happens next", answer.what_next),
    )
    output.pairs([(label, words) for label, words in parts if words], style)
    output.line()
    for words, severity in _readiness(detail, told.readiness):
        output.line(words, severity, style)
    exploited = sum(each.exploited for each in told.open_cves)
    output.pairs(
        [
            ("User", " ".join(part for part in (facts.user_name, f"<{facts.user}>" if facts.user else "") if part)),
            ("Device", ", ".join(part for part in (text.words(facts.form), facts.model, facts.site) if part)),
            ("Serial, tag", f"{facts.serial or NOTHING}, {facts.asset_tag or NOTHING}"),
            ("Windows", _windows(detail)),
            ("Ring, track", f"{detail.ring or NOTHING}, {text.words(detail.track)}"),
            ("Managed by", ", ".join(part for part in (text.words(facts.management), facts.policy_name) if part)),
            ("Last seen", f"{text.moment_long(facts.last_seen_at)} ({text.age(facts.last_seen_at, now)})"),
            ("Started", _started(detail, now)),
            ("Open CVEs", f"{len(told.open_cves)}, {exploited} of them exploited"),
        ],
        style,
    )
    output.line()
    output.heading("Readiness", style)
    for check in told.readiness.checks:
        _show_check(session, check)
    if detail.installs:
        output.line()
        output.heading("History", style)
        output.table(INSTALLS, detail.installs, now, style)


def _windows(detail: DeviceDetail) -> str:
    facts = detail.facts
    label = facts.platform.label if facts.platform else "a Windows version without hotpatches"
    parts = (label, facts.edition, str(facts.architecture or ""), f"build {text.build(facts.build)}")
    return ", ".join(part for part in parts if part)


def _started(detail: DeviceDetail, now: datetime) -> str:
    at = detail.facts.boot_at
    if at is None and detail.restarts_untold:
        return f"{NOTHING} ({detail.restarts_untold})"
    return f"{text.moment_long(at)} ({text.age(at, now)})"


def _standing(answer: HelpDeskAnswer) -> Tone:
    if answer.protected is None:
        return Tone.UNKNOWN
    if answer.problem:
        return Tone.FAILED if not answer.protected else Tone.AT_RISK
    return Tone.OK if answer.protected and answer.restart != "waiting" else Tone.DUE


def _readiness(detail: DeviceDetail, readiness: Readiness) -> Iterator[tuple[str, Tone]]:
    """Whether it takes hotpatches, and what is withheld from it."""
    if readiness.verdict == "ready":
        yield "Ready for hotpatches: it takes them without a restart.", Tone.OK
    elif readiness.verdict == "not-ready":
        yield f"Not ready for hotpatches ({', '.join(readiness.reasons)}): LCUs restart it.", Tone.AT_RISK
    else:
        yield f"Readiness is not known ({', '.join(readiness.reasons)}).", Tone.UNKNOWN
    for hold in detail.holds:
        yield f"Held off hotpatches: {hold}", Tone.AT_RISK


_CHECKS = {"met": Tone.OK, "not-met": Tone.AT_RISK, "unknown": Tone.UNKNOWN}


def _show_check(session: Session, check: Check) -> None:
    if check.result == "not-applicable":
        return
    severity = _CHECKS[check.result]
    output.line(f"{check.title}: {check.found or text.words(check.result)}", severity, session.style)
    if check.result != "met":
        output.line(f"    Needed: {check.needed}")
        if check.fix:
            output.line(f"    To do: {check.fix}")
        output.line(f"    Source: {check.source}")
