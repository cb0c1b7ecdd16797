"""Everything of one device in paragraphs: what comes next, what to do, readiness check by check, identity, history.

Shown in a `TextPane` beside or below the table of devices. Pure; draws what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from console.columns import Cell, device_state_cell, install_state_cell, readiness_cell
from console.data_ages import age_severity, as_of_words
from console.device_reads import DeviceReport, cves_in_words, what_next
from console.text import NOTHING, Tone, age, build, clean, error_code, fit, kb, moment, person, words
from console.widgets.drawing import MUTED, STRONG, Part, cell, plain, severity_text
from console.widgets.paragraphs import BLANK, Para, field, hung, para, title
from engine.model.model import Cve, DeviceState, Install, InstallAction, InstallState
from engine.model.model import Severity as CveSeverity
from engine.rules.readiness import Readiness
from engine.rules.readiness.model import Check, CheckResult

if TYPE_CHECKING:
    from engine.rules.helpdesk import HelpDeskAnswer

_CHECKS = {
    CheckResult.MET: Tone.OK,
    CheckResult.NOT_MET: Tone.FAILED,
    CheckResult.UNKNOWN: Tone.UNKNOWN,
    CheckResult.NOT_APPLICABLE: Tone.NONE,
}
_INSTALLS_SHOWN = 30
_CVES_SHOWN = 5


def device_paras(report: DeviceReport, cves: tuple[Cve, ...] | None) -> list[Para]:
    """The whole of a device: first the answer, then why, then who it is. `cves` None: not found out yet."""
    sections = (
        _answer(report.answer),
        _head(report),
        _next(report),
        _todo(report.readiness, report.now),
        _checks(report.readiness),
        _builds(report, cves),
        _identity(report),
        _history(report.detail.installs, report.now, by_policy=report.detail.as_of is not None),
    )
    paras: list[Para] = []
    for section in sections:
        rows = list(section)
        if rows:
            paras += [BLANK, *rows] if paras else rows
    return paras


def _ago(at: datetime | None, now: datetime) -> str:
    shown = age(at, now)
    return shown if shown in ("now", NOTHING) else f"{shown} ago"


def _answer(answer: HelpDeskAnswer) -> Iterator[Para]:
    yield para((clean(answer.headline), STRONG))
    for name, told in (("do now", answer.do_now), ("what next", answer.what_next)):
        if told:
            yield field(name, clean(told))


def _head(report: DeviceReport) -> Iterator[Para]:
    detail, facts = report.detail, report.detail.facts
    yield para((facts.name, STRONG), "  ", (facts.user_name or person(facts.user), MUTED))
    yield para(
        cell(readiness_cell(report.readiness.verdict)),
        "   ",
        cell(_state(report)),
        (f"   seen {_ago(facts.last_seen_at, report.now)}", MUTED),
    )
    if detail.as_of is not None:
        told = f"as {detail.as_of.provider} told: {as_of_words(detail.as_of, report.now)}"
        yield para(severity_text(age_severity(detail.as_of, report.now), told))
    for hold in detail.holds:
        yield para(severity_text(Tone.AT_RISK, hold))


def _state(report: DeviceReport) -> Cell:
    """As in the list of devices; of one that has been silent for too long nobody can say whether it is protected."""
    detail = report.detail
    if detail.state is DeviceState.IDLE and report.answer.protected is None:
        return Cell("protection not known", Tone.UNKNOWN)
    return device_state_cell(detail.state, protected=detail.protected, by_policy=detail.as_of is not None)


def _next(report: DeviceReport) -> Iterator[Para]:
    steps = what_next(report)
    if steps:
        yield title("Next")
    for step in steps:
        yield para(severity_text(step.severity, step.words))


def _todo(readiness: Readiness, now: datetime) -> Iterator[Para]:
    open_checks = [each for each in readiness.checks if each.result in (CheckResult.NOT_MET, CheckResult.UNKNOWN)]
    if open_checks:
        yield title("To do")
    for check in open_checks:
        told = f", told {_ago(check.observed_at, now)}" if check.result is CheckResult.UNKNOWN else ""
        yield para(severity_text(_CHECKS[check.result], f"{check.title}: {check.found}{told}"))
        yield field("  needed", check.needed)
        if check.fix:
            yield field("  fix", check.fix)
        yield field("  source", (check.source, MUTED))


def _checks(readiness: Readiness) -> Iterator[Para]:
    yield title("Readiness")
    for check in readiness.checks:
        yield _check(check)


def _check(check: Check) -> Para:
    if check.result is CheckResult.NOT_APPLICABLE:
        return para((f"  {check.title}: not applicable", MUTED))
    return para(severity_text(_CHECKS[check.result], check.title), (f"  {check.found}", MUTED))


def _builds(report: DeviceReport, cves: tuple[Cve, ...] | None) -> Iterator[Para]:
    detail, levels = report.detail, report.levels
    yield title("Build")
    yield field("runs", build(detail.facts.build), (f"  {words(detail.track)} track", MUTED))
    if levels is not None:
        for name, release in (("hotpatch", levels.current_hotpatch()), ("LCU", levels.current_lcu())):
            if release is not None:
                yield field(name, build(release.build), (f"  {kb(release.kb)}, the current one", MUTED))
    if cves is None:
        yield field("CVEs", ("…", MUTED))
        return
    told = cves_in_words(cves)
    yield field("CVEs", severity_text(told.severity, told.words))
    for each in cves[:_CVES_SHOWN]:
        exploited = ("  exploited", "$failed") if each.exploited else ""
        critical = "$failed" if each.severity is CveSeverity.CRITICAL else MUTED
        yield field(
            "", each.id, (f"  {each.severity} {each.cvss or ''}", critical), exploited, (f"  {each.title}", MUTED)
        )


def _identity(report: DeviceReport) -> Iterator[Para]:
    detail, facts = report.detail, report.detail.facts
    rows: list[tuple[str, Part]] = [
        ("user", "  ".join(part for part in (facts.user_name, facts.user) if part) or NOTHING),
        ("ring", detail.ring or NOTHING),
        ("platform", f"{facts.platform.label if facts.platform else NOTHING}  {facts.edition}".strip()),
        (
            "hardware",
            "  ".join(part for part in (facts.model, str(facts.architecture or ""), words(facts.form)) if part),
        ),
        ("driver", facts.driver or NOTHING),
        ("site", facts.site or NOTHING),
        ("serial", f"{facts.serial or NOTHING}   asset tag {facts.asset_tag or NOTHING}"),
        (
            "started",
            detail.restarts_untold
            if facts.boot_at is None and detail.restarts_untold
            else moment(facts.boot_at, report.now),
        ),
        ("managed by", words(facts.management)),
    ]
    yield title("Device")
    for name, value in rows:
        yield field(name, value)


def _history(installs: tuple[Install, ...], now: datetime, *, by_policy: bool) -> Iterator[Para]:
    yield title("History")
    if not installs:
        yield para(("Nothing has been installed yet.", MUTED))
    for install in installs[:_INSTALLS_SHOWN]:
        yield _install(install, now, by_policy=by_policy)
    if len(installs) > _INSTALLS_SHOWN:
        yield para((f"and {len(installs) - _INSTALLS_SHOWN} older ones", MUTED))


def _install(install: Install, now: datetime, *, by_policy: bool) -> Para:
    at = install.finished_at or install.started_at or install.requested_at
    parts: list[Part] = [
        f"{kb(install.kb)} ",
        "uninstall " if install.action is InstallAction.UNINSTALL else "",
        cell(Cell("requested", Tone.DUE) if install.is_requested else install_state_cell(install.state)),
    ]
    if install.state is InstallState.FAILED:
        parts.append((f" {error_code(install.error_code)}", "$failed"))
    elif install.is_requested:
        parts.append((f" {install.request_words}", MUTED))
    elif not install.state.is_final:
        parts.append((f" {install.stage} {install.progress}%", MUTED))
    elif by_policy:  # how it is known: the build that was seen, what the tenant said
        parts.append((f" {install.stage}", MUTED))
    if install.build_after is not None and install.state.is_final:
        parts.append(plain(f" → {build(install.build_after)}", MUTED))
    if install.restarted:
        parts.append((" restarted", MUTED))
    return hung((fit(moment(at, now), 18), MUTED), *parts)
