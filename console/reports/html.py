"""Writes a report as one HTML file that needs nothing else: style and drawings inside, no script, no request.

Jinja2 is loaded here alone, when a page is made. Every text is made safe and escaped by the environment.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from console.reports.charts import draw, severity_style
from console.reports.model import Report
from console.reports.phrases import heading_facts, more_words, sign_of
from console.text import safe

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = "templates"
_LONGEST_WORD = 26
_PAGE, _STYLE = "report.html.jinja", "report.css"


def pieces(report: Report) -> Iterator[str]:
    """The page, piece by piece."""
    from markupsafe import Markup

    style = (files(__package__) / _TEMPLATES / _STYLE).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    page = _environment().get_template(_PAGE)
    # A browser allows the one style whose hash is named, and nothing else at all.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield from page.generate(
        report=report, style=Markup(style), policy=policy, facts=heading_facts(report), program=report.origin.program
    )


def _is_long(words: str) -> bool:
    """Whether a word of it is too long for a column, so that it must be broken anywhere."""
    return any(len(word) > _LONGEST_WORD for word in words.split())


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def made_safe(value: object) -> object:
        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        return safe(value).replace(" %", "\N{NO-BREAK SPACE}%")

    environment = Environment(
        loader=PackageLoader("console.reports", _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=made_safe,
    )
    environment.tests["long"] = _is_long
    environment.filters |= {"drawn": draw, "sign": sign_of, "style": severity_style, "more": more_words}
    return environment
