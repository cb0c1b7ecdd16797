"""Paragraphs with a hanging indent: a name or a number stands at the left, what it says wraps beside it.

Details are made of them. Pure; widths are given by who draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from textual.content import Content

from console.text import fit
from console.widgets.drawing import MUTED, STRONG, Part, line

_LEAST_BODY = 16
"""Narrower than this a body goes below its head instead of beside it."""


class Para(Struct, frozen=True):
    """A head and the body that wraps beside it."""

    head: Content
    body: Content

    @property
    def plain(self) -> str:
        """Both in one line, without looks."""
        return f"{self.head.plain}{self.body.plain}".rstrip()


BLANK = Para(Content(""), Content(""))


def para(*parts: Part) -> Para:
    """A paragraph that begins at the left edge."""
    return Para(Content(""), line(*parts))


def hung(head: Part, *parts: Part) -> Para:
    """A paragraph beside its head."""
    return Para(line(head), line(*parts))


def title(words: str, *parts: Part) -> Para:
    """A heading."""
    return para((words, STRONG), *parts)


def field(name: str, *parts: Part, width: int = 11) -> Para:
    """A muted name and its value."""
    return hung((fit(name, width), MUTED), *parts)


def lay_out(paras: Iterable[Para], width: int) -> Content:
    """The paragraphs wrapped to a width."""
    rows: list[Content] = []
    for each in paras:
        rows += _wrap(each, max(width, 1))
    return Content("\n").join(rows)


def _wrap(paragraph: Para, width: int) -> Sequence[Content]:
    indent = paragraph.head.cell_length
    if width - indent < _LEAST_BODY:
        return Content.assemble(paragraph.head, paragraph.body).wrap(width)
    if not paragraph.body.plain:
        return [paragraph.head]
    first, *others = paragraph.body.wrap(width - indent)
    return [Content.assemble(paragraph.head, first), *(Content.assemble(" " * indent, each) for each in others)]


def unwrapped(paras: Iterable[Para]) -> str:
    """The paragraphs as plain text, one a line."""
    return "\n".join(each.plain for each in paras)
