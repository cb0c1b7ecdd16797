"""A cause, an error code or one failed install in words: what it means, what to do, whether to try again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from console.columns import FailureLine, due_cell, retry_cell
from console.text import NOTHING, Tone, age, build, count, error_code, kb, moment, person, plural, until, words
from console.widgets.drawing import MUTED, STRONG, cell, severity_text
from console.widgets.paragraphs import BLANK, Para, field, hung, para, title
from engine.model.model import InstallAction
from engine.model.records.fleet import ActiveInstall, FailureRow
from engine.rules.failures.sla import SlaStage

if TYPE_CHECKING:
    from engine.rules.failures import FailureGroup, FailureGroupView, RetryDecision
    from engine.rules.failures.errorcodes import ErrorKnowledge
    from engine.rules.failures.views import GroupSla, RetryOutlook

_NAMES_SHOWN = 5


_STAGES = {SlaStage.DETECT: "to notice it", SlaStage.ACT: "to act on it", SlaStage.FIX: "to put it right"}


def line_text(shown: FailureLine, now: datetime, under_way: int = 0) -> list[Para]:
    """A line of the tree in full; `under_way` of its devices are being tried again."""
    rows = cause_text(shown, now) if shown.is_cause else group_text(shown.view, now)
    if under_way:
        rows.insert(1, para(severity_text(Tone.DUE, f"{plural(under_way, 'device')} being tried again")))
    return rows


def cause_text(shown: FailureLine, now: datetime) -> list[Para]:
    """A cause over all its codes."""
    rows = [
        title(
            shown.cause.label,
            "  ",
            severity_text(Tone.FAILED, f"{plural(len(shown.device_ids), 'device')} failed"),
            (f"  {plural(len(shown.groups), 'code')}", MUTED),
        ),
        field("to do", shown.cause.advice.remedy),
        *_due(shown.sla, now),
        _span(shown.groups, now),
        BLANK,
    ]
    for group in shown.groups:
        name = f"{error_code(group.code)} {group.symbol}".rstrip()
        rows.append(para(name, (f"  {plural(group.devices, 'device')}", MUTED)))
        rows += [hung("  ", (factor.sentence, STRONG)) for factor in group.common]
    return rows


def group_text(view: FailureGroupView, now: datetime) -> list[Para]:
    """One error code: what its devices share goes before the remedy, because it is what nobody sees elsewhere."""
    group = view.group
    shown = group.sample[:_NAMES_SHOWN]
    more = group.devices - len(shown)
    return [
        title(
            f"{error_code(group.code)} {group.symbol}".rstrip(),
            "  ",
            severity_text(Tone.FAILED, f"{plural(group.devices, 'device')} failed"),
        ),
        *_guess(known=group.known),
        field("meaning", group.meaning),
        *(field("in common", (factor.sentence, STRONG)) for factor in group.common),
        field("to do", group.remedy),
        field("retry", cell(retry_cell(group)), (_outlook(view.retry, now), MUTED)),
        *_due(view.sla if view.sla.open else None, now),
        *_known(view, now),
        _span((group,), now),
        field("releases", ", ".join(kb(each) for each in group.kbs)),
        field("devices", ", ".join(shown) + (f" and {count(more)} more" if more > 0 else "")),
    ]


def _outlook(outlook: RetryOutlook, now: datetime) -> str:
    """``   4 may be tried now, 7 not: It failed 3 times.``"""
    parts = [f"{count(outlook.now)} may be tried now"]
    if outlook.waiting:
        when = f", the first {until(outlook.next_at, now)}" if outlook.next_at is not None else ""
        parts.append(f"{count(outlook.waiting)} later{when}")
    if outlook.refused:
        parts.append(f"{count(outlook.refused)} not")
    return f"   {', '.join(parts)}{f': {outlook.why}' if outlook.why else ''}"


def _due(sla: GroupSla | None, now: datetime) -> list[Para]:
    """By when somebody must do what."""
    if sla is None:
        return []
    late = f", {count(sla.overdue)} of {plural(sla.open, 'device')} overdue" if sla.overdue else ""
    return [
        field("due", cell(due_cell(sla, now)), (f"   {_STAGES[sla.stage]} by {moment(sla.due_at, now)}{late}", MUTED))
    ]


def _known(view: FailureGroupView, now: datetime) -> Iterable[Para]:
    """What has been done about it, and what is known of it."""
    for each in view.escalations:
        state = Tone.FAILED if each.is_overdue(now) else Tone.DUE
        yield field(
            "given to",
            severity_text(state, each.owner),
            f"   by {moment(each.due_at, now)}",
            (f"   {plural(each.open_devices, 'device')}, {each.reason}".rstrip(", "), MUTED),
        )
    for problem in view.known_problems:
        held = "   the release is withheld for it" if problem.holds else ""
        yield field("known", severity_text(Tone.AT_RISK, problem.title), f"   {problem.note}".rstrip(), (held, MUTED))
    if view.excluded:
        yield field("excluded", f"{plural(view.excluded, 'device')} of these")


def _guess(*, known: bool) -> list[Para]:
    words = "not in the table of codes: its cause is a guess"
    return [] if known else [para(severity_text(Tone.UNKNOWN, words))]


def _span(groups: Iterable[FailureGroup], now: datetime) -> Para:
    listed = tuple(groups)
    first = min(group.first_failed_at for group in listed)
    last = max(group.last_failed_at for group in listed)
    when = moment(first, now) if first == last else f"{moment(first, now)} to {moment(last, now)}"
    return field("failed", when, (f"   {_ago(last, now)}", MUTED))


def _ago(at: datetime, now: datetime) -> str:
    shown = age(at, now)
    return shown if shown == "now" else f"{shown} ago"


def install_text(
    row: FailureRow,
    knowledge: ErrorKnowledge,
    decision: RetryDecision,
    now: datetime,
    under_way: ActiveInstall | None = None,
) -> list[Para]:
    """One failed install, for the person who has the device's user on the line."""
    while_words = f"   while {row.stage}" if row.stage and row.stage != "failed" else ""
    what = "uninstall" if row.action is InstallAction.UNINSTALL else "install"
    return [
        title(row.device_name, f"  {person(row.user) or NOTHING}", (f"  ring {row.ring or NOTHING}", MUTED)),
        para(
            severity_text(Tone.FAILED, f"{what} of {kb(row.kb)} failed"),
            f" {_ago(row.failed_at, now)}, try {count(row.attempt)}",
        ),
        *_guess(known=knowledge.known),
        field("error", (f"{error_code(row.error_code)} {knowledge.symbol}".rstrip(), STRONG)),
        field("meaning", knowledge.meaning),
        field("to do", knowledge.remedy),
        _retry(decision, under_way),
        field("failed", moment(row.failed_at, now), (while_words, MUTED)),
        field("device", "  ".join(part for part in (row.model, row.site, row.platform.label) if part)),
        field("build", build(row.build)),
        field("driver", row.driver or NOTHING),
    ]


def _retry(decision: RetryDecision, under_way: ActiveInstall | None) -> Para:
    if under_way is not None:
        said = f"   {words(under_way.state)}, {under_way.progress} %, asked for by {under_way.requested_by}"
        return field("retry", severity_text(Tone.DUE, "being tried again"), (said, MUTED))
    if decision.allowed:
        return field("retry", severity_text(Tone.OK, "may be tried now"), (f"   {decision.why}", MUTED))
    return field("retry", severity_text(Tone.AT_RISK, "not now"), (f"   {decision.why}", MUTED))
