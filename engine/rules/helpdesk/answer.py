"""What a person with a caller on the line says: is it protected, why the restart, what to do, what comes next. Pure.

Everything is worked out from facts that are handed in; it promises no more than the engine knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from engine.catalog import Levels
from engine.catalog.calendar import MonthPlan
from engine.model.build import kb_text
from engine.model.causes import Cause
from engine.model.model import STALE_REASON, FormFactor, Install, InstallState, Release, ReleaseKind
from engine.model.records.fleet import DeviceDetail
from engine.rules.failures import Escalation, FailureCase, KnownProblem
from engine.rules.failures.errorcodes import code_text, explain
from engine.rules.helpdesk.facts import device_facts
from engine.rules.helpdesk.restarts import (
    RestartNotice,
    RestartReason,
    why_install_restarts,
    why_not_hotpatched,
    why_release_restarts,
)
from engine.rules.helpdesk.words import day, install_words, month, plain, release_words, sentence, time
from engine.rules.readiness import Readiness, age_words
from engine.rules.rollout.offers import next_release, releases_for, takes


class RestartNeed(StrEnum):
    """Whether there is a restart to talk about."""

    NONE = "none"
    WAITING = "waiting"
    """The device waits for it now."""
    COMING = "coming"
    """The update that is due restarts it."""


class Offer(Struct, frozen=True):
    """How far the rollout is with the release that is due on the device."""

    kb: int
    ring: str
    is_open: bool
    opens_at: datetime | None
    """When the ring opens by deferral and approval; None where nothing is approved."""
    waits_for: str
    """Why the ring has not opened, in words."""
    stopped: str = ""
    """Why the release is paused or halted there."""
    is_approved: bool = True
    """Whether an approval covers the ring, now or from a time on."""


class NextKind(StrEnum):
    """What comes next for a device."""

    RESTART = "restart"
    """It waits for one."""
    INSTALL = "install"
    """One is under way."""
    FAILURE = "failure"
    """An install has failed and is not put right."""
    WITHHELD = "withheld"
    """The release that would protect it is kept from it."""
    OFFER = "offer"
    """The release that would protect it."""
    REPORT = "report"
    """What it needs is known when it reports."""
    CALENDAR = "calendar"
    """The next release."""


class NextStep(Struct, frozen=True):
    """What comes next for a device; everything that tells of it is worded from this."""

    kind: NextKind
    release: Release | None
    """The release that would protect it; None when it is protected, or nobody knows."""
    offer: Offer | None
    """How far that has come in its ring; None for a device in no ring."""


class HelpDeskAnswer(Struct, frozen=True):
    """The answer, each part one or two plain sentences; "" where there is nothing to say."""

    device: str
    protected: bool | None
    """None where nobody can know: not seen lately, or facts missing."""
    headline: str
    restart: RestartNeed
    restart_reason: RestartReason | None
    restart_why: str
    do_now: str
    """What the caller should do now."""
    what_next: str
    """What happens next, and when."""
    problem: str
    """What stands in the way: a failure, a hold; "" for nothing."""
    facts: tuple[tuple[str, str], ...]
    """Label and value, in the order in which they are read out."""
    next: NextStep
    """What `what_next` says in words."""


class _Standing(Struct, frozen=True):
    """Everything about the device, with what follows from it."""

    detail: DeviceDetail
    readiness: Readiness
    levels: Levels | None
    months: Sequence[MonthPlan]
    now: datetime
    case: FailureCase | None
    escalations: Sequence[Escalation]
    known_problems: Sequence[KnownProblem]
    offer: Offer | None
    deadline_at: datetime | None
    active: Install | None
    due: Release | None
    """The release that would protect it; None when it is protected, or nobody knows."""
    protected: bool | None
    need: RestartNeed
    restart: RestartNotice | None
    next: NextStep


def answer(
    detail: DeviceDetail,
    readiness: Readiness,
    levels: Levels | None,
    months: Sequence[MonthPlan],
    now: datetime,
    *,
    case: FailureCase | None = None,
    escalations: Sequence[Escalation] = (),
    known_problems: Sequence[KnownProblem] = (),
    offer: Offer | None = None,
    deadline_at: datetime | None = None,
) -> HelpDeskAnswer:
    """The answer about one device.

    `months` are the platform's month plans from this year on; `case` its open failure with who has it and what is
    known about it; `offer` how far the rollout is with what is due on it; `deadline_at` by when it must be installed.
    """
    active = next((each for each in detail.installs if not each.state.is_final), None)
    protected = _protected(detail, readiness, levels)
    due = None if protected is not False else due_release(detail, readiness, levels, offer)
    need, restart = _restart(detail, readiness, levels, months, active, due)
    kind = _next_kind(detail, need, active, case, due, protected=protected, has_calendar=levels is not None)
    step = NextStep(kind, due, offer if due is not None and offer is not None and offer.kb == due.kb else None)
    standing = _Standing(
        detail,
        readiness,
        levels,
        months,
        now,
        case,
        escalations,
        known_problems,
        offer,
        deadline_at,
        active,
        due,
        protected,
        need,
        restart,
        step,
    )
    return HelpDeskAnswer(
        device=plain(detail.facts.name),
        protected=protected,
        headline=_headline(standing),
        restart=need,
        restart_reason=restart.reason if restart else None,
        restart_why=restart.why if restart else "",
        do_now=_do_now(standing),
        what_next=_what_next(standing),
        problem=_problem(standing),
        facts=device_facts(detail, readiness, levels, with_driver=case is not None),
        next=step,
    )


def due_release(
    detail: DeviceDetail, readiness: Readiness, levels: Levels | None, offer: Offer | None
) -> Release | None:
    """The release that would protect a device that is not protected: the one that `offer` is about, else the best."""
    if levels is None:
        return None
    return next_release(
        wanted_releases(detail, readiness, levels), lambda release: offer is not None and offer.kb == release.kb
    )


def wanted_releases(detail: DeviceDetail, readiness: Readiness, levels: Levels) -> tuple[Release, ...]:
    """The releases that would protect a device which is not, the best first."""
    told = detail.facts.architecture
    architectures = (told,) if told is not None else ()
    return releases_for(levels, readiness.verdict, detail.track, architectures, held_off=detail.held_off)


def is_withheld(detail: DeviceDetail, release: Release) -> bool:
    """Whether an exclusion or a safeguard hold keeps a release from a device."""
    return None in detail.withheld or release.kb in detail.withheld


def _next_kind(
    detail: DeviceDetail,
    need: RestartNeed,
    active: Install | None,
    case: FailureCase | None,
    due: Release | None,
    *,
    protected: bool | None,
    has_calendar: bool,
) -> NextKind:
    if need is RestartNeed.WAITING:
        return NextKind.RESTART
    if active is not None:
        return NextKind.INSTALL
    if case is not None:
        return NextKind.FAILURE
    if has_calendar and (protected is None or (not protected and due is None)):
        return NextKind.REPORT
    if due is None:
        return NextKind.CALENDAR
    return NextKind.WITHHELD if is_withheld(detail, due) else NextKind.OFFER


def _protected(detail: DeviceDetail, readiness: Readiness, levels: Levels | None) -> bool | None:
    if levels is None or levels.baseline is None or detail.facts.build is None:
        return None
    if STALE_REASON in readiness.reason_ids:
        return None
    return detail.protected


def _restart(
    detail: DeviceDetail,
    readiness: Readiness,
    levels: Levels | None,
    months: Sequence[MonthPlan],
    active: Install | None,
    due: Release | None,
) -> tuple[RestartNeed, RestartNotice | None]:
    if active is not None and active.state is InstallState.RESTART_PENDING:
        return RestartNeed.WAITING, why_install_restarts(active, detail, readiness, levels, months)
    if detail.facts.restart_pending:
        if due is not None and due.restart_required:
            return RestartNeed.WAITING, why_release_restarts(due, detail, readiness, levels, months)
        return RestartNeed.WAITING, RestartNotice(
            RestartReason.OTHER,
            "Windows asks for a restart, but not for an update of this console: another installation may need it.",
        )
    if active is not None and active.state is InstallState.UNINSTALLING:
        return RestartNeed.COMING, why_install_restarts(active, detail, readiness, levels, months)
    if due is not None and due.restart_required:
        return RestartNeed.COMING, why_release_restarts(due, detail, readiness, levels, months)
    return RestartNeed.NONE, None


# --- the headline -------------------------------------------------------------------------------------


def _headline(it: _Standing) -> str:
    if it.protected is None:
        return _not_known(it)
    if it.protected:
        what = f"Protected: {_runs(it)}."
        if it.need is RestartNeed.WAITING:
            return f"{what} Windows waits for a restart."
        return f"{what} No restart is needed."
    if it.need is RestartNeed.WAITING:
        return "Not protected yet: it waits for a restart."
    if it.active is not None and it.active.is_requested:
        asked = f"{kb_text(it.active.kb)} was requested {age_words(it.now - it.active.requested_at)}"
        return f"Not protected yet: {asked}; the device acts at its next scan, hours to days later."
    if it.active is not None:
        return f"Not protected yet: the {install_words(it.active)} is under way ({it.active.progress} %)."
    if it.case is not None:
        return f"Not protected: the {_what_failed(it.case)} failed."
    if it.next.kind is NextKind.WITHHELD:
        return "Not protected: releases are withheld from it."
    if it.due is not None:
        return f"Not protected yet: {release_words(it.due)} is still to come."
    return "Not protected: the current release is not on it."


def _runs(it: _Standing) -> str:
    build, levels = it.detail.facts.build, it.levels
    if levels is not None and (running := levels.release_of(build)) is not None:
        return f"it has {release_words(running)}"
    if levels is not None and levels.is_beyond(build):
        return "its build is newer than every release that the catalog knows"
    return "it is up to date"


def _not_known(it: _Standing) -> str:
    facts = it.detail.facts
    if it.levels is None or it.levels.baseline is None:
        return "Not known: there is no hotpatch calendar for its version of Windows."
    if facts.last_seen_at is None:
        return "Not known whether it is protected: it has never reported."
    if STALE_REASON in it.readiness.reason_ids:
        return f"Not known whether it is protected: it last reported {age_words(it.now - facts.last_seen_at)}."
    return "Not known whether it is protected: it has not told its build."


def _what_failed(case: FailureCase) -> str:
    return f"{'uninstall' if case.action == 'uninstall' else 'install'} of {kb_text(case.kb)}"


# --- what to do now -----------------------------------------------------------------------------------


def _do_now(it: _Standing) -> str:
    is_server = it.detail.facts.form is FormFactor.SERVER
    if it.need is RestartNeed.WAITING:
        if is_server:
            return "Restart it, in its maintenance window."
        return "Save all work and restart now."
    if it.protected is None and it.levels is not None and it.levels.baseline is not None:
        return "Switch it on, connect it to the internet and leave it on for a few hours; then it reports."
    if it.active is not None:
        return "Leave it switched on and connected. Work can go on."
    if it.case is not None:
        return _do_about_failure(it.case)
    if it.next.kind is NextKind.OFFER and it.next.offer is not None and it.next.offer.is_open:
        return "Leave it switched on and connected. Work can go on."
    return "Nothing."


_USER_CAN: dict[Cause, str] = {
    Cause.RESTART_PENDING: "Save all work and restart once.",
    Cause.DISK_SPACE: "Make room on the system drive: empty the recycle bin and the downloads folder.",
    Cause.NETWORK: "Connect it to the company network or a good line, without a captive portal.",
}


def _do_about_failure(case: FailureCase) -> str:
    mine = _USER_CAN.get(case.cause)
    if mine is not None:
        return mine
    return f"Nothing for the user. For whoever repairs it: {explain(case.code).remedy}"


# --- what happens next --------------------------------------------------------------------------------


def _what_next(it: _Standing) -> str:
    match it.next.kind:
        case NextKind.RESTART:
            return _after_the_restart(it)
        case NextKind.INSTALL if it.active is not None:
            return _of_the_install(it, it.active)
        case NextKind.FAILURE if it.case is not None:
            return _of_the_failure(it, it.case)
        case NextKind.WITHHELD:
            return sentence(f"Releases are withheld: {plain(it.detail.holds[0])}")
        case NextKind.OFFER:
            return _of_the_offer(it)
        case NextKind.REPORT:
            return "When it reports, the console works out what it needs."
        case _:
            return _of_the_calendar(it)


def _after_the_restart(it: _Standing) -> str:
    if it.restart is not None and it.restart.reason is RestartReason.OTHER:
        return "After the restart the request is gone; if it comes back, look at what else was installed."
    ends = "After the restart Windows finishes in about ten minutes, and the device reports."
    if it.deadline_at is not None and it.deadline_at > it.now:
        ends += f" If nobody restarts it, it does so by itself after {time(it.deadline_at)}."
    return ends


def _of_the_install(it: _Standing, install: Install) -> str:
    if install.is_requested:
        begins = "Nothing can start it from here: the device acts at its next scan, hours to days later."
        told = install.told_of_request
        begins += f" {sentence(plain(told))}" if told else ""
    elif install.state in (InstallState.QUEUED, InstallState.OFFERED):
        begins = "It begins at the device's next scan, within hours."
    else:
        begins = "It goes on by itself."
    restarts = it.need is RestartNeed.COMING
    return f"{begins} {'At its end it asks for a restart.' if restarts else 'No restart follows.'}"


def _of_the_failure(it: _Standing, case: FailureCase) -> str:
    parts = []
    for problem in it.known_problems[:1]:
        parts.append(sentence(f"It is a known problem: {plain(problem.title)}"))
    decision = case.retry(it.now)
    if it.detail.as_of is not None:
        parts.append("When that is done, the device tries again by itself, at a scan hours to days later.")
    elif decision.allowed:
        parts.append("When that is done, it can be tried again at once.")
    elif decision.not_before is not None:
        parts.append(f"It can be tried again from {time(decision.not_before)}.")
    else:
        parts.append(sentence(decision.why))
    for escalation in it.escalations[:1]:
        parts.append(f"{plain(escalation.owner)} has it, until {time(escalation.due_at)}.")
    return " ".join(parts)


def _of_the_offer(it: _Standing) -> str:
    offer = it.next.offer
    if offer is None:
        return "It is offered the update when it is in a ring that is open."
    name = kb_text(offer.kb)
    comes = f" It comes {'with' if it.need is RestartNeed.COMING else 'without'} a restart."
    if offer.stopped:
        return f"{name} is stopped in ring {plain(offer.ring)}: {plain(offer.stopped)}."
    if offer.is_open and it.detail.as_of is not None:
        return f"{name} is taken at the device's next scan, hours to days later.{comes}"
    if offer.is_open:
        return f"{name} is offered at the device's next scan, within hours.{comes}"
    if offer.opens_at is not None and offer.opens_at > it.now:
        return f"{name} reaches ring {plain(offer.ring)} on {time(offer.opens_at)} at the earliest.{comes}"
    waits = f"; it waits for {plain(offer.waits_for)}" if offer.waits_for else ""
    return f"{name} has not reached ring {plain(offer.ring)} yet{waits}.{comes}"


def _of_the_calendar(it: _Standing) -> str:
    """The next update, and where that takes no restart the next one that does; a plan, and said to be one."""
    coming = [plan for plan in it.months if plan.is_forecast and plan.patch_tuesday >= it.now.date()]
    if not coming:
        return ""
    first = coming[0]
    when = f"{day(first.patch_tuesday)} (planned)"
    if first.kind.is_baseline:
        return f"The next update comes {when}: a baseline, with a restart."
    if it.levels is None or not takes(ReleaseKind.HOTPATCH, it.readiness.verdict, held_off=it.detail.held_off):
        why = why_not_hotpatched(it.detail, it.readiness, it.months)
        short = "because a hotpatch was uninstalled" if it.detail.held_off else ""
        words = short or f"as long as this stands: {', '.join(it.readiness.reasons) or why.reason}"
        return f"The next update comes {when}, with a restart {words}."
    baseline = next((plan for plan in coming if plan.kind.is_baseline), None)
    restart = f" The next restart is for the baseline of {month(baseline.month)}." if baseline else ""
    return f"The next update comes {when}: a hotpatch, without a restart.{restart}"


# --- what stands in the way ------------------------------------------------------------------------


def _problem(it: _Standing) -> str:
    parts = []
    if it.case is not None:
        known = explain(it.case.code)
        symbol = f" {known.symbol}" if known.symbol else ""
        tries = "once" if it.case.attempts == 1 else f"{it.case.attempts} times"
        parts.append(
            f"The {_what_failed(it.case)} failed {tries}, last on {time(it.case.failed_at)}, with "
            f"{code_text(it.case.code)}{symbol}: {known.meaning}"
        )
    parts += [sentence(f"Withheld: {plain(hold)}") for hold in it.detail.holds]
    return " ".join(sentence(part) for part in parts)
