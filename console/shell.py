"""What screens and dialogs may use of the application: the background, the present, toasts, going elsewhere.

HotpatchApp is made of it. It knows no screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from textual.app import App

from console.background import Background
from console.text import clean

if TYPE_CHECKING:
    from textual.screen import Screen

    from console.keys import Verb
    from console.settings import Settings
    from engine.model.errors import EngineError
    from engine.model.intents import Intent, Refusal
    from engine.model.records.fleet import StateInfo

_ERROR_SECONDS = 12.0


class Shell(App[None]):
    """The application as its screens see it."""

    def __init__(self, background: Background, settings: Settings) -> None:
        super().__init__()
        self.background = background
        self.settings = settings
        self.refusals: Mapping[type[Intent], Refusal] = {}
        """The kinds of intent that this person may not have carried out."""
        self.change_number = 0
        """The newest change that was noticed."""
        self.doing = ""
        """What a long question is at; "" while there is none."""

    @property
    def info(self) -> StateInfo | None:
        """What was last read of the state file itself; None until it has been read once."""
        return self.background.info

    def present(self) -> datetime:
        """The present of the state file, as last read."""
        return self.info.now if self.info is not None else datetime.fromtimestamp(0, UTC)

    def say(
        self, words: str, title: str = "", severity: Literal["information", "warning", "error"] = "information"
    ) -> None:
        """A short notice in the corner; the words are cleaned and never read as markup."""
        timeout = _ERROR_SECONDS if severity == "error" else None
        self.notify(clean(words), title=clean(title), severity=severity, timeout=timeout, markup=False)

    def say_error(self, error: EngineError | Refusal) -> None:
        """What was wanted, why it did not happen, what would help."""
        what = error.what if not isinstance(error, Exception) else error.args[0]
        self.say(" ".join(part for part in (error.why, error.instead) if part), str(what), "error")

    def go(self, name: str, filter_text: str = "") -> None:
        """Show a screen by name, led by a filter or another word that the screen understands."""
        raise NotImplementedError

    def show_compliance(self) -> None:
        """Compliance in full, over the present screen."""
        raise NotImplementedError

    def action_reconcile(self) -> object:
        """Ask for scanner exports and show what is wrong with them, over the present screen."""
        raise NotImplementedError

    def live_verbs(self, screen: Screen[Any]) -> list[tuple[Verb, str]]:
        """The verbs that have a key on a screen, each with "" or why it cannot be used now."""
        raise NotImplementedError

    def theme_names(self) -> tuple[str, ...]:
        """The looks one can choose."""
        raise NotImplementedError

    def screen_classes(self) -> Mapping[str, type[Screen[Any]]]:
        """The seven screens by name, imported; for the key page and tests."""
        raise NotImplementedError
