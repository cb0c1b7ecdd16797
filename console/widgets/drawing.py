"""How cleaned text and severities become Textual content. The only way text from data reaches a widget.

Called by widgets, dialogs and screens; never parses markup.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from console.columns import Cell
from console.text import Tone, clean, fit, is_ascii, sign

Part = str | tuple[str, str] | Content

STYLES = {
    Tone.NONE: "",
    Tone.OK: "$ok",
    Tone.DUE: "$due",
    Tone.AT_RISK: "$at-risk",
    Tone.FAILED: "$failed",
    Tone.UNKNOWN: "$unknown",
}
"""Severity → a style of the theme."""
MUTED = "$muted"
STRONG = "bold"
KEY = "$key bold"


def plain(value: object, style: str = "") -> Content:
    """Cleaned text as content; nothing in it is markup."""
    return Content.styled(clean(value), style) if style else Content(clean(value))


def line(*parts: Part) -> Content:
    """Texts, (text, style) pairs and contents in one line."""
    return Content.assemble(
        *(
            part
            if isinstance(part, Content)
            else (clean(part[0]), part[1])
            if isinstance(part, tuple)
            else Content(clean(part))
            for part in parts
        )
    )


def lines(rows: Iterable[Content]) -> Content:
    """Contents one under the other."""
    return Content("\n").join(list(rows))


def severity_text(severity: Tone, words: str) -> Content:
    """Sign, words and colour together: ``▲ not ready``."""
    mark = sign(severity)
    return plain(f"{mark} {clean(words)}" if mark else words, STYLES[severity])


def cell_text(cell: Cell) -> str:
    """A cell as cleaned text with its sign, for where there is no colour."""
    mark = sign(cell.severity)
    shown = clean(cell.text)
    return f"{mark} {shown}" if mark else shown


def cell(value: Cell, width: int = 0, align: str = "left") -> Content:
    """A cell as content, fitted to `width` cells when that is given."""
    shown = cell_text(value)
    return Content.styled(fit(shown, width, align) if width else shown, STYLES[value.severity])


def pairs(rows: Iterable[tuple[str, Part]], width: int = 0) -> Content:
    """Names and values one under the other, the names muted and equally wide."""
    listed = list(rows)
    name_width = width or max((len(name) for name, _ in listed), default=0) + 2
    return lines(line((fit(name, name_width), MUTED), value) for name, value in listed)


def fitted(content: Content, width: int) -> Content:
    """Exactly `width` cells of one line: padded, or cut with a sign that something was cut."""
    if content.cell_length > width > 0 and is_ascii():
        return line(content.truncate(width - 1), "…")
    return content.truncate(max(width, 0), ellipsis=True, pad=True)
