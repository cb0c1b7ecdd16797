"""Commands about everything at once: status and activity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console import columns, data_ages, text
from console.cli import diagnostics, documents, output
from console.cli.diagnostics import ExitCode
from console.cli.lists import COMPLIANCE
from console.cli.session import Command, Session, session_of
from console.cli.sums import FleetTotals, totals
from console.text import Tone
from engine.model.build import Platform
from engine.model.model import DeviceState
from engine.model.records.fleet import Attention, Urgency

if TYPE_CHECKING:
    from engine import Engine

_UNDER_WAY = (DeviceState.QUEUED, DeviceState.INSTALLING, DeviceState.UNINSTALLING)
_URGENCIES = {Urgency.NOW: Tone.FAILED, Urgency.TODAY: Tone.AT_RISK, Urgency.SOON: Tone.DUE}


def attention_code(attention: tuple[Attention, ...]) -> ExitCode:
    """ATTENTION when the rollout cannot go on without a person: a gate fails, something is paused or halted.

    Failures past their service level are told, but do not make every call of a script end with 3 for weeks.
    """
    stuck = any(each.urgency is Urgency.NOW and each.screen == "rings" for each in attention)
    return ExitCode.ATTENTION if stuck else ExitCode.DONE


@click.command(cls=Command)
@session_of
def status(session: Session) -> int:
    """The state of the fleet at a glance. Ends with 3 when a gate fails or something is paused or halted."""
    with session.engine() as engine:
        attention = engine.reads.attention()
        found = _status(engine, attention)
        if session.as_json:
            output.document(found)
        else:
            _show(session, engine, attention)
    return attention_code(attention)


def _status(engine: Engine, attention: tuple[Attention, ...]) -> documents.Document:
    found = totals(engine.reads.devices.counts())
    restarts = _next_restarts(engine)
    providers = engine.reads.tenants.providers()
    waiting = sum(each.waiting for each in providers)
    return {
        **documents.document(engine.info()),
        "totals": {"devices": found.devices, "protected": found.protected},
        "funnel": found.funnel,
        "verdicts": found.verdicts,
        "platforms": found.platforms,
        "states": found.states,
        "tracks": found.tracks,
        "compliance": engine.reads.evidence.compliance(),
        "active": _active(found) - waiting,
        "requested": waiting,
        "providers": providers,
        "failures": found.states.get(DeviceState.FAILED, 0),
        "attention": attention,
        "next_restart": [
            {"platform": platform, "at": engine.reads.releases.next_baseline(platform)} for platform in restarts
        ],
    }


def _active(found: FleetTotals) -> int:
    """Devices with an install that waits or runs."""
    return sum(found.states.get(each, 0) for each in _UNDER_WAY)


def _next_restarts(engine: Engine) -> list[Platform]:
    """The platforms that the fleet has, in their order."""
    present = {each.platform for each in engine.reads.devices.counts()}
    return [platform for platform in Platform if platform in present]


def _show(session: Session, engine: Engine, attention: tuple[Attention, ...]) -> None:
    info, now, style = engine.info(), engine.now(), session.style
    found = totals(engine.reads.devices.counts())
    providers = engine.reads.tenants.providers()
    waiting = sum(each.waiting for each in providers)
    requested = [("Requested", f"{text.plural(waiting, 'device')}, each acts at its next scan")] if waiting else []
    demo = ""
    if info.demo is not None:
        demo = f" (demo, {'paused' if info.demo.paused else f'{info.demo.speed:g} times life'})"
    output.heading(f"{text.plural(info.devices, 'device')}, {text.moment_long(now)}{demo}", style)
    output.pairs(
        [
            ("Readiness", ", ".join(f"{count:,} {text.words(word)}" for word, count in found.verdicts.items())),
            ("Funnel", " > ".join(f"{text.words(word)} {count:,}" for word, count in found.funnel.items())),
            ("Under way", text.count(_active(found) - waiting)),
            *requested,
            ("Failed", text.count(found.states.get(DeviceState.FAILED, 0))),
            ("Next baseline", ", ".join(_restart_words(engine))),
            ("Driven by", info.driver or "nobody; hotpatch run, or an open console"),
            *((f"As of, {each.provider}", data_ages.as_of_words(each, now)) for each in info.tenants),
        ],
        style,
    )
    output.line()
    output.table(COMPLIANCE, engine.reads.evidence.compliance(), now, style)
    output.line()
    for each in attention:
        output.line(f"{each.text}", _URGENCIES[each.urgency], style)
    if not attention:
        output.line("Nothing waits for a person.", Tone.OK, style)


def _restart_words(engine: Engine) -> list[str]:
    by_moment: dict[str, list[str]] = {}
    for platform in _next_restarts(engine):
        at = text.moment_long(engine.reads.releases.next_baseline(platform))
        by_moment.setdefault(at, []).append(text.platform_short(platform))
    if len(by_moment) == 1:
        return list(by_moment)
    return [f"{at} ({', '.join(names)})" for at, names in by_moment.items()]


@click.command(cls=Command)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, metavar="N", show_default=True, help="Audit records."
)
@session_of
def activity(session: Session, limit: int) -> int:
    """What is under way, and who did what, when and why: the audit, newest first."""
    with session.engine() as engine:
        active = engine.reads.rollout.active(limit)
        audit = engine.reads.activity.audit(limit)
        if session.as_json:
            output.document(
                {
                    "now": engine.now(),
                    "active": active,
                    "audit": audit,
                }
            )
            return ExitCode.DONE
        now, style = engine.now(), session.style
        if active:
            output.table(columns.ACTIVE, active, now, style)
            output.line()
        if audit:
            output.table(columns.AUDIT, audit, now, style)
        if not active and not audit:
            diagnostics.note("Nothing is under way and nothing has been done yet.")
    return ExitCode.DONE
