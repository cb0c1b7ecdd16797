"""A runbook's Markdown as paragraphs: headings, steps, commands. Pure; only what runbooks use is understood.

Organisations write runbooks of their own, so nothing in them is trusted to be more than text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from console.text import clean_lines
from console.widgets.drawing import KEY, MUTED, STRONG, Part
from console.widgets.paragraphs import BLANK, Para, hung, para, title
from engine.rules.failures.runbooks import BUILT_IN, Runbook

_HEADING = re.compile(r"#{1,6}[ \t].*")
_STEP = re.compile(r"(?P<indent>[ ]{0,3})(?P<mark>\d{1,2}[.)]|[-*+])[ ]+(?P<words>.*)")
_CODE = re.compile(r"[ ]{4,}(?P<command>\S.*)")
_EMPHASIS = re.compile(r"\*\*(?P<strong>[^*]+)\*\*|`(?P<code>[^`]+)`")


def runbook_text(runbook: Runbook) -> list[Para]:
    """The checklist; one that an organisation wrote says so."""
    rows: list[Para] = []
    if runbook.origin != BUILT_IN:
        rows.append(para(("Your organisation's runbook", MUTED)))
    for paragraph in _paragraphs(runbook.text):
        if paragraph or (rows and rows[-1].plain):
            rows.append(_paragraph(paragraph))
    while rows and not rows[-1].plain:
        rows.pop()
    return rows


def _paragraphs(text: str) -> Iterable[str]:
    """Lines, with those that only continue a sentence joined to it; commands keep their own lines."""
    open_line = ""
    for raw in clean_lines(text):
        is_own = not raw.strip() or _CODE.fullmatch(raw) or _HEADING.fullmatch(raw) or _STEP.fullmatch(raw)
        if not is_own and open_line and not _CODE.fullmatch(open_line) and not _HEADING.fullmatch(open_line):
            open_line = f"{open_line} {raw.strip()}"
            continue
        if open_line:
            yield open_line
        open_line = raw.rstrip()
        if not open_line:
            yield ""
    if open_line:
        yield open_line


def _paragraph(text: str) -> Para:
    if not text:
        return BLANK
    if _HEADING.fullmatch(text):
        return title(text.strip("# \t"))
    step = _STEP.fullmatch(text)
    if step is not None:
        return hung((f"{step['mark']} ", MUTED), *_emphasised(step["words"]))
    code = _CODE.fullmatch(text)
    if code is not None:
        return hung("     ", (code["command"], KEY))
    indent = "   " if text.startswith("  ") else ""
    return hung(indent, *_emphasised(text.strip()))


def _emphasised(text: str) -> list[Part]:
    parts: list[Part] = []
    at = 0
    for found in _EMPHASIS.finditer(text):
        parts.append(text[at : found.start()])
        parts.append((found["strong"], STRONG) if found["strong"] else (found["code"], KEY))
        at = found.end()
    return [*parts, text[at:]]
