"""A cause, an error code or one failed install in words: what it means, what to do, whether to try again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from console.columns import FailureLine, retry_cell
from console.text import NOTHING, Severity, age, build, count, error_code, kb, moment, person, plural, words
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, lines, pairs, plain, severity_text
from engine.records import FailureRow

if TYPE_CHECKING:
    from engine.errorcodes import ErrorKnowledge
    from engine.triage import FailureGroup, RetryDecision

_NAME = 11
_NAMES_SHOWN = 5


def line_text(shown: FailureLine, now: datetime) -> Content:
    """A line of the tree in full."""
    return cause_text(shown, now) if shown.is_cause else group_text(shown.group, now)


def cause_text(shown: FailureLine, now: datetime) -> Content:
    """A cause over all its codes."""
    devices, codes = len(shown.device_ids), len(shown.groups)
    rows: list[Content] = [
        line(
            (shown.cause.label, STRONG),
            "  ",
            severity_text(Severity.FAILED, f"{plural(devices, 'device')} failed"),
            (f"  {plural(codes, 'code')}", MUTED),
        ),
        pairs([("to do", shown.cause.advice.remedy), *_span(shown.groups, now)], _NAME),
        plain(""),
    ]
    for group in shown.groups:
        rows.append(line(f"{error_code(group.code)} {group.symbol}  ", (plural(group.devices, "device"), MUTED)))
        rows += [line("  ", (factor.sentence, STRONG)) for factor in group.common]
    return lines(rows)


def group_text(group: FailureGroup, now: datetime) -> Content:
    """One error code: what its devices share goes before the remedy, because it is what nobody sees elsewhere."""
    rows: list[Content] = [
        line(
            (f"{error_code(group.code)} {group.symbol}".rstrip(), STRONG),
            "  ",
            severity_text(Severity.FAILED, f"{plural(group.devices, 'device')} failed"),
        ),
    ]
    rows += _guess(known=group.known)
    facts: list[tuple[str, Part]] = [("meaning", group.meaning)]
    facts += [("in common", line((factor.sentence, STRONG))) for factor in group.common]
    facts += [("to do", group.remedy), ("retry", line(cell(retry_cell(group)), (_tries(group), MUTED)))]
    facts += _span((group,), now)
    facts.append(("releases", ", ".join(kb(each) for each in group.kbs)))
    more = group.devices - len(group.sample[:_NAMES_SHOWN])
    names = ", ".join(group.sample[:_NAMES_SHOWN]) + (f" and {count(more)} more" if more > 0 else "")
    return lines([*rows, pairs([*facts, ("devices", names)], _NAME)])


def _tries(group: FailureGroup) -> str:
    return f"   tried up to {plural(group.attempts, 'time')}"


def _guess(*, known: bool) -> list[Content]:
    return [] if known else [severity_text(Severity.UNKNOWN, "not in the table of codes: its cause is a guess")]


def _span(groups: Iterable[FailureGroup], now: datetime) -> list[tuple[str, Part]]:
    listed = tuple(groups)
    first = min(group.first_failed_at for group in listed)
    last = max(group.last_failed_at for group in listed)
    when = moment(first, now) if first == last else f"{moment(first, now)} to {moment(last, now)}"
    return [("failed", line(when, (f"   {_ago(last, now)}", MUTED)))]


def _ago(at: datetime, now: datetime) -> str:
    shown = age(at, now)
    return shown if shown == "now" else f"{shown} ago"


def install_text(row: FailureRow, knowledge: ErrorKnowledge, decision: RetryDecision, now: datetime) -> Content:
    """One failed install, for the person who has the device's user on the line."""
    severity = Severity.OK if decision.allowed else Severity.AT_RISK
    said = "may be tried again" if decision.allowed else "not now"
    user = person(row.user) or NOTHING
    rows: list[Content] = [
        line((row.device_name, STRONG), f"  {user}", (f"  ring {row.ring}" if row.ring else "  in no ring", MUTED)),
        line(
            severity_text(Severity.FAILED, f"{kb(row.kb)} {_action(row)} failed"),
            f" {_ago(row.failed_at, now)}, try {count(row.attempt)}",
        ),
        *_guess(known=knowledge.known),
        pairs(
            [
                ("error", line((f"{error_code(row.error_code)} {knowledge.symbol}".rstrip(), STRONG))),
                ("meaning", knowledge.meaning),
                ("to do", knowledge.remedy),
                ("retry", line(severity_text(severity, said), (f"   {decision.why}", MUTED))),
                ("failed", line(moment(row.failed_at, now), (f"   while {row.stage}" if _while(row) else "", MUTED))),
                ("device", "  ".join(part for part in (row.model, row.site, row.platform.label) if part)),
                ("build", build(row.build)),
                ("driver", row.driver or NOTHING),
            ],
            _NAME,
        ),
    ]
    return lines(rows)


def _action(row: FailureRow) -> str:
    return "uninstall" if words(row.action) == "uninstall" else "install"


def _while(row: FailureRow) -> bool:
    return bool(row.stage) and row.stage != "failed"
