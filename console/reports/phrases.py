"""Words that every format of a report says alike: where it comes from, signs of severity, what was left away. Pure."""

from __future__ import annotations

from console import text
from console.reports.model import Report, ReportTable
from console.text import Tone

_SIGNS = {
    Tone.NONE: "",
    Tone.OK: "●",
    Tone.DUE: "◐",
    Tone.AT_RISK: "▲",
    Tone.FAILED: "✗",
    Tone.UNKNOWN: "?",
}


def sign_of(severity: Tone) -> str:
    """The sign of a severity in a file, where every sign can be shown; "" for none."""
    return _SIGNS[severity]


def signed(words: str, severity: Tone) -> str:
    """A text with the sign of its severity before it."""
    sign = sign_of(severity)
    return f"{sign} {words}" if sign else words


def heading_facts(report: Report) -> list[tuple[str, str]]:
    """Period, filter and where it comes from, as names with values."""
    origin = report.origin
    state = f"{origin.state}, change {text.count(origin.change_number)}"
    if origin.is_demo:
        state += "; a sample fleet, no real devices"
    return [
        ("Period", report.period),
        ("Filter", report.filter or "none, the whole fleet"),
        ("Made", f"{text.moment_long(origin.made_at)} by {origin.made_by}"),
        ("State file", state),
        *(("Facts", each) for each in origin.freshness),
    ]


def more_words(table: ReportTable) -> str:
    """What a shortened table says of the rest."""
    whole = len(table.rows) + table.more
    rest = table.rest or f"--table {table.id}"
    return f"{text.count(len(table.rows))} of {text.count(whole)} shown. All of them: {rest}"
