"""What the screen of one device asks in one question, and what comes next for the device, in words.

Called by the devices screen; the words are made of records that the engine returned, and decide nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from console.text import Tone, kb, moment, plural, until, words
from engine.catalog import open_on
from engine.model.model import Cve, DeviceState, Install, Track, Verdict

if TYPE_CHECKING:
    from engine import Engine
    from engine.catalog import Levels
    from engine.model.records.fleet import DeviceDetail, RingProgress
    from engine.rules.helpdesk import HelpDeskAnswer
    from engine.rules.readiness import Readiness


_AT_ITS_SCAN = "acts at its next scan"


class DeviceReport(Struct, frozen=True):
    """Everything that is shown of one device, but for its open CVEs, which take longer to find."""

    detail: DeviceDetail
    answer: HelpDeskAnswer
    """What a person with its user on the line says."""
    readiness: Readiness
    levels: Levels | None
    """None where the device's platform has no hotpatch calendar."""
    progress: RingProgress | None
    """How far the current hotpatch has come in its ring."""
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
    hotpatch = levels.current_hotpatch() if levels is not None else None
    standings = reads.rollout.ring_progress(hotpatch.kb) if hotpatch is not None else ()
    return DeviceReport(
        detail=detail,
        answer=reads.devices.answer(device_id),
        readiness=reads.devices.readiness(device_id),
        levels=levels,
        progress=next((each for each in standings if each.ring.name == detail.ring), None),
        next_baseline=reads.releases.next_baseline(platform) if platform is not None else None,
        now=engine.now(),
    )


def read_open_cves(engine: Engine, detail: DeviceDetail) -> tuple[Cve, ...]:
    """The CVEs that are open on a device, worst first; takes some 50 ms."""
    facts = detail.facts
    if facts.platform is None or facts.architecture is None:
        return ()
    catalog = engine.reads.releases.catalog()
    return open_on(catalog, facts.platform, facts.architecture, facts.build, engine.now())


def what_next(report: DeviceReport) -> list[Next]:
    """What comes next for a device, the nearest first."""
    detail, levels = report.detail, report.levels
    steps = [
        Next(_under_way(install, report.now), Tone.DUE) for install in detail.installs if not install.state.is_final
    ]
    if detail.facts.restart_pending:
        steps.append(Next("It restarts to finish what was installed.", Tone.AT_RISK))
    if detail.state is DeviceState.FAILED and detail.as_of is not None:
        steps.append(Next("It tries again by itself; what failed stays listed until its build is seen.", Tone.FAILED))
    elif detail.state is DeviceState.FAILED:
        steps.append(Next("The failed install stays listed until it is retried (r) or put right.", Tone.FAILED))
    if levels is not None and not detail.protected and not steps:
        steps.append(_offer(report, levels))
    if report.next_baseline is not None and detail.track is not Track.UNKNOWN:
        steps.append(Next(f"The next baseline is due {moment(report.next_baseline, report.now)} UTC, with a restart."))
    return steps


def _under_way(install: Install, now: datetime) -> str:
    """What goes on; of what a tenant was asked for, only since when: nobody sees the device at work."""
    if install.is_requested:
        stage = install.stage.removeprefix("requested; ").replace(
            _AT_ITS_SCAN, f"it {_AT_ITS_SCAN}, hours to days later"
        )
        return f"{kb(install.kb)} was requested {until(install.requested_at, now)}; {stage}."
    return f"{kb(install.kb)} is {words(install.state)}: {install.stage or 'waiting'}, {install.progress} %."


def _offer(report: DeviceReport, levels: Levels) -> Next:
    """Which release a device that is behind gets, and what it waits for."""
    hotpatch, lcu, progress = levels.current_hotpatch(), levels.current_lcu(), report.progress
    if report.readiness.verdict is not Verdict.READY or hotpatch is None:
        name = kb(lcu.kb) if lcu is not None else "the LCU"
        why = ", ".join(report.readiness.reasons)
        because = f" It takes no hotpatches: {why}." if why else ""
        return Next(f"It takes {name}, with a restart.{because}", Tone.AT_RISK)
    name = kb(hotpatch.kb)
    if progress is None:
        return Next(f"It is in no ring, so {name} reaches it only by apply (i).", Tone.AT_RISK)
    ring = f"ring {progress.ring.name}"
    if progress.stopped:
        return Next(f"{name} waits: {ring} is {progress.stopped}.", Tone.AT_RISK)
    if not progress.approved:
        return Next(f"{name} waits for approval for {ring}.", Tone.DUE)
    if progress.opened_at is None:
        opens = f" It may open {moment(progress.opens_at, report.now)} UTC." if progress.opens_at else ""
        waits = f": {progress.waits_for}" if progress.waits_for else ""
        return Next(f"{name} waits for {ring} to open{waits}.{opens}", Tone.DUE)
    if report.detail.as_of is not None:
        return Next(f"{name} is taken at its next scan, hours to days later, without a restart.", Tone.OK)
    return Next(f"{name} is offered at its next check-in, without a restart.", Tone.OK)


def cves_in_words(cves: tuple[Cve, ...]) -> Next:
    """``60 open, 2 of them exploited``."""
    if not cves:
        return Next("none that Microsoft has published", Tone.OK)
    exploited = sum(each.exploited for each in cves)
    told = f"{plural(len(cves), 'CVE')} open"
    if exploited:
        return Next(f"{told}, {exploited} of them exploited", Tone.FAILED)
    return Next(told, Tone.DUE)
