"""Words in place of a picture: what is being read, why there is nothing, or what failed and what helps.

Screens show it where their content would stand.
"""

from __future__ import annotations

from textual.widgets import Static

from console.text import Tone
from console.widgets.drawing import MUTED, line, lines, plain, severity_text
from engine.model.errors import EngineError


class Notice(Static):
    """Loading, empty and failed, each in its own words."""

    DEFAULT_CSS = """
    Notice { width: 1fr; height: auto; padding: 1 2; }
    """

    def reading(self, what: str) -> None:
        """``Reading the fleet …``"""
        self.display = True
        self.update(line((f"Reading {what} …", MUTED)))

    def empty(self, what: str, *next_steps: str) -> None:
        """What there is none of, and how to get some."""
        self.display = True
        self.update(lines([plain(what), *(plain(each, MUTED) for each in next_steps)]))

    def failed(self, error: EngineError) -> None:
        """What could not be read, why, and what helps."""
        self.display = True
        what = str(error.args[0]) if error.args else "It could not be read."
        self.update(
            lines(
                [
                    severity_text(Tone.FAILED, what),
                    *([plain(error.why)] if error.why else []),
                    *([plain(error.instead, MUTED)] if error.instead else []),
                ]
            )
        )

    def hide(self) -> None:
        """Make room for the content."""
        self.display = False
