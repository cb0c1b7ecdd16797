"""The filter line of a screen whose list is narrowed by the filter language of devices. A part of such screens.

It keeps the filter and says what is wrong with one; the screen asks anew when it has changed.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on

from console.screens.base import ConsoleScreen
from console.widgets.ask_line import AskLine, Completion
from engine.model.errors import EngineError


class FilterLine(ConsoleScreen):
    """A screen with an AskLine for a filter of devices."""

    FILTER_HINT: ClassVar[str] = ""
    """Examples, shown while nothing is typed."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = ""

    def filter_changed(self) -> None:
        """The filter is another one: ask anew."""
        raise NotImplementedError

    def known_rings(self) -> tuple[str, ...]:
        """Names of rings to suggest."""
        return ()

    def verb_filter(self) -> None:
        self.query_one(AskLine).open("filter", "/", self.filter, suggest=self._suggest, hint=self.FILTER_HINT)

    def set_filter(self, text: str) -> None:
        """Narrow the list; nothing happens when it is the same filter."""
        text = " ".join(text.split())
        if text != self.filter:
            self.filter = text
            self.filter_changed()

    def take_filter_away(self) -> None:
        """Show everything again, now and at the next start."""
        self.set_filter("")
        self.remember({"filter": ""})

    def _suggest(self, text: str) -> list[Completion]:
        from engine.model.filters import suggest

        return [
            Completion(text[: each.start] + each.insert + text[each.end :], each.insert, each.help)
            for each in suggest(text, len(text), {"ring": self.known_rings()})
        ]

    @on(AskLine.Typed)
    def _typed(self, message: AskLine.Typed) -> None:
        wrong = filter_mistake(message.text)
        self.query_one(AskLine).say_wrong(wrong)
        if not wrong:
            self.set_filter(message.text)

    @on(AskLine.Entered)
    def _entered(self, message: AskLine.Entered) -> None:
        line = self.query_one(AskLine)
        wrong = filter_mistake(message.text)
        if wrong:
            line.say_wrong(wrong)
            return
        self.set_filter(message.text)
        line.close()
        self.focus_home()
        self.remember({"filter": self.filter})

    @on(AskLine.Left)
    def _left(self, message: AskLine.Left) -> None:
        self.set_filter(message.text)
        self.focus_home()


def filter_mistake(text: str) -> str:
    """What is wrong with a filter, "" when nothing is."""
    from engine.model.filters import parse

    try:
        parse(text)
    except EngineError as error:
        return str(error)
    return ""
