"""What the screen of one device asks in one question, and what comes next for the device, in words.

Called by the devices screen; the words are made of records that the engine returned, and decide nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from console.text import Tone, kb, moment, plural, until, words
from engine.model.model import AT_ITS_SCAN, Cve, DeviceState, Install, Release, Track
from engine.rules.helpdesk import NextKind

if TYPE_CHECKING:
    from engine import Engine
    from engine.catalog import Levels
    from engine.model.records.fleet import DeviceDetail
    from engine.rules.helpdesk import HelpDeskAnswer, Offer
    from engine.rules.readiness import Readiness


class DeviceReport(Struct, frozen=True):
    """Everything that is shown of one device, but for its open CVEs, which take longer to find."""

    detail: DeviceDetail
    answer: HelpDeskAnswer
    """What a person with its user on the line says."""
    readiness: Readiness
    levels: Levels | None
    """None where the device's platform has no hotpatch calendar."""
    next_baseline: datetime | None
    now: datetime


class Next(Struct, frozen=True):
    """Something that comes next."""

    words: str
    severity: Tone = Tone.NONE


def read_device(engine: Engine, device_id: int) -> DeviceReport:
    """The report on one device.

    Raises:
        NotFound: it is gone.
    """
    reads = engine.reads
    detail = reads.devices.detail(device_id)
    platform = detail.facts.platform
    levels = reads.releases.levels().get(platform) if platform is not None else None
    return DeviceReport(
        detail=detail,
        answer=reads.devices.answer(device_id),
        readiness=reads.devices.readiness(device_id),
        levels=levels,
        next_baseline=reads.releases.next_baseline(platform) if platform is not None else None,
        now=engine.now(),
    )


def what_next(report: DeviceReport) -> list[Next]:
    """What comes next for a device, the nearest first."""
    detail, step = report.detail, report.answer.next
    steps = [
        Next(_under_way(install, report.now), Tone.DUE) for install in detail.installs if not install.state.is_final
    ]
    if detail.facts.restart_pending:
        steps.append(Next("It restarts to finish what was installed.", Tone.AT_RISK))
    if detail.state is DeviceState.FAILED and detail.as_of is not None:
        steps.append(Next("It tries again by itself; what failed stays listed until its build is seen.", Tone.FAILED))
    elif detail.state is DeviceState.FAILED:
        steps.append(Next("The failed install stays listed until it is retried (r) or put right.", Tone.FAILED))
    if step.kind is NextKind.REPORT and not steps:
        steps.append(Next("What it takes is worked out when it reports.", Tone.UNKNOWN))
    if step.kind is NextKind.WITHHELD and step.release is not None:
        steps.append(Next(f"{kb(step.release.kb)} is withheld from it.", Tone.AT_RISK))
    if step.kind is NextKind.OFFER and step.release is not None:
        steps.append(_offer(report, step.release, step.offer))
    if report.next_baseline is not None and detail.track is not Track.UNKNOWN:
        steps.append(Next(f"The next baseline is due {moment(report.next_baseline, report.now)} UTC, with a restart."))
    return steps


def _under_way(install: Install, now: datetime) -> str:
    """What goes on; of what a tenant was asked for, only since when: nobody sees the device at work."""
    if install.is_requested:
        stage = install.request_words.replace(AT_ITS_SCAN, f"it {AT_ITS_SCAN}, hours to days later")
        return f"{kb(install.kb)} was requested {until(install.requested_at, now)}; {stage}."
    return f"{kb(install.kb)} is {words(install.state)}: {install.stage or 'waiting'}, {install.progress} %."


def _offer(report: DeviceReport, release: Release, offer: Offer | None) -> Next:
    """The release that a device gets, what it waits for, and why it restarts."""
    told, tone = _waiting(release, offer, report)
    if not release.restart_required:
        return Next(told, tone)
    why = ", ".join(report.readiness.reasons)
    because = f" It takes no hotpatches: {why}." if why else ""
    return Next(f"{told} It comes with a restart.{because}", Tone.AT_RISK)


def _waiting(release: Release, offer: Offer | None, report: DeviceReport) -> tuple[str, Tone]:
    name = kb(release.kb)
    if offer is None:
        return f"It is in no ring, so {name} reaches it only by apply (i).", Tone.AT_RISK
    ring = f"ring {offer.ring}"
    if offer.stopped:
        return f"{name} waits: {ring} is {offer.stopped}.", Tone.AT_RISK
    if not offer.is_approved:
        return f"{name} waits for approval for {ring}.", Tone.DUE
    if not offer.is_open:
        opens = f" It may open {moment(offer.opens_at, report.now)} UTC." if offer.opens_at else ""
        waits = f": {offer.waits_for}" if offer.waits_for else ""
        return f"{name} waits for {ring} to open{waits}.{opens}", Tone.DUE
    how = "" if release.restart_required else ", without a restart"
    if report.detail.as_of is not None:
        return f"{name} is taken at its next scan, hours to days later{how}.", Tone.OK
    return f"{name} is offered at its next check-in{how}.", Tone.OK


def cves_in_words(cves: tuple[Cve, ...]) -> Next:
    """``60 open, 2 of them exploited``."""
    if not cves:
        return Next("none that Microsoft has published", Tone.OK)
    exploited = sum(each.exploited for each in cves)
    told = f"{plural(len(cves), 'CVE')} open"
    if exploited:
        return Next(f"{told}, {exploited} of them exploited", Tone.FAILED)
    return Next(told, Tone.DUE)
