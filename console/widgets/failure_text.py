"""A cause, an error code or one failed install in words: what it means, what to do, whether to try again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from console.columns import FailureLine, retry_cell
from console.text import NOTHING, Severity, age, build, count, error_code, kb, moment, person, plural
from console.widgets.drawing import MUTED, STRONG, cell, severity_text
from console.widgets.paragraphs import BLANK, Para, field, hung, para, title
from engine.model import InstallAction
from engine.records import FailureRow

if TYPE_CHECKING:
    from engine.errorcodes import ErrorKnowledge
    from engine.triage import FailureGroup, RetryDecision

_NAMES_SHOWN = 5


def line_text(shown: FailureLine, now: datetime) -> list[Para]:
    """A line of the tree in full."""
    return cause_text(shown, now) if shown.is_cause else group_text(shown.group, now)


def cause_text(shown: FailureLine, now: datetime) -> list[Para]:
    """A cause over all its codes."""
    rows = [
        title(
            shown.cause.label,
            "  ",
            severity_text(Severity.FAILED, f"{plural(len(shown.device_ids), 'device')} failed"),
            (f"  {plural(len(shown.groups), 'code')}", MUTED),
        ),
        field("to do", shown.cause.advice.remedy),
        _span(shown.groups, now),
        BLANK,
    ]
    for group in shown.groups:
        name = f"{error_code(group.code)} {group.symbol}".rstrip()
        rows.append(para(name, (f"  {plural(group.devices, 'device')}", MUTED)))
        rows += [hung("  ", (factor.sentence, STRONG)) for factor in group.common]
    return rows


def group_text(group: FailureGroup, now: datetime) -> list[Para]:
    """One error code: what its devices share goes before the remedy, because it is what nobody sees elsewhere."""
    shown = group.sample[:_NAMES_SHOWN]
    more = group.devices - len(shown)
    return [
        title(
            f"{error_code(group.code)} {group.symbol}".rstrip(),
            "  ",
            severity_text(Severity.FAILED, f"{plural(group.devices, 'device')} failed"),
        ),
        *_guess(known=group.known),
        field("meaning", group.meaning),
        *(field("in common", (factor.sentence, STRONG)) for factor in group.common),
        field("to do", group.remedy),
        field("retry", cell(retry_cell(group)), (f"   tried up to {plural(group.attempts, 'time')}", MUTED)),
        _span((group,), now),
        field("releases", ", ".join(kb(each) for each in group.kbs)),
        field("devices", ", ".join(shown) + (f" and {count(more)} more" if more > 0 else "")),
    ]


def _guess(*, known: bool) -> list[Para]:
    words = "not in the table of codes: its cause is a guess"
    return [] if known else [para(severity_text(Severity.UNKNOWN, words))]


def _span(groups: Iterable[FailureGroup], now: datetime) -> Para:
    listed = tuple(groups)
    first = min(group.first_failed_at for group in listed)
    last = max(group.last_failed_at for group in listed)
    when = moment(first, now) if first == last else f"{moment(first, now)} to {moment(last, now)}"
    return field("failed", when, (f"   {_ago(last, now)}", MUTED))


def _ago(at: datetime, now: datetime) -> str:
    shown = age(at, now)
    return shown if shown == "now" else f"{shown} ago"


def install_text(row: FailureRow, knowledge: ErrorKnowledge, decision: RetryDecision, now: datetime) -> list[Para]:
    """One failed install, for the person who has the device's user on the line."""
    allowed = severity_text(
        Severity.OK if decision.allowed else Severity.AT_RISK, "may be tried now" if decision.allowed else "not now"
    )
    while_words = f"   while {row.stage}" if row.stage and row.stage != "failed" else ""
    what = "uninstall" if row.action is InstallAction.UNINSTALL else "install"
    return [
        title(row.device_name, f"  {person(row.user) or NOTHING}", (f"  ring {row.ring or NOTHING}", MUTED)),
        para(
            severity_text(Severity.FAILED, f"{what} of {kb(row.kb)} failed"),
            f" {_ago(row.failed_at, now)}, try {count(row.attempt)}",
        ),
        *_guess(known=knowledge.known),
        field("error", (f"{error_code(row.error_code)} {knowledge.symbol}".rstrip(), STRONG)),
        field("meaning", knowledge.meaning),
        field("to do", knowledge.remedy),
        field("retry", allowed, (f"   {decision.why}", MUTED)),
        field("failed", moment(row.failed_at, now), (while_words, MUTED)),
        field("device", "  ".join(part for part in (row.model, row.site, row.platform.label) if part)),
        field("build", build(row.build)),
        field("driver", row.driver or NOTHING),
    ]
