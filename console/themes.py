"""The four looks: dark, light, high contrast in blue and orange, and the terminal's own sixteen colours.

Severities and the table's cursor are variables of each theme, so that styles name a meaning and never a colour.
Every colour is one of the 240 that 256-colour terminals have too: the look is the same there, and short to send.
"""

from __future__ import annotations

from textual.css.stylesheet import Stylesheet
from textual.theme import BUILTIN_THEMES, Theme

_DARK = Theme(
    name="dark",
    primary="#87afd7",
    secondary="#5f87af",
    accent="#87d7ff",
    warning="#d7af5f",
    error="#ff8787",
    success="#87af87",
    foreground="#d0d0d0",
    background="#1c1c1c",
    surface="#262626",
    panel="#303030",
    dark=True,
    variables={
        "ok": "#87af87",
        "due": "#87afd7",
        "at-risk": "#d7af5f",
        "failed": "#ff8787",
        "unknown": "#af87d7",
        "muted": "#949494",
        "key": "#87d7ff",
        "mark": "#ffd787",
        "cursor": "#005f87",
        "cursor-text": "#ffffff",
        "cursor-away": "#3a3a3a",
        "rule": "#4e4e4e",
    },
)
_LIGHT = Theme(
    name="light",
    primary="#005faf",
    secondary="#5f87af",
    accent="#005f87",
    warning="#875f00",
    error="#af0000",
    success="#005f00",
    foreground="#262626",
    background="#eeeeee",
    surface="#e4e4e4",
    panel="#dadada",
    dark=False,
    variables={
        "ok": "#005f00",
        "due": "#005faf",
        "at-risk": "#875f00",
        "failed": "#af0000",
        "unknown": "#5f00af",
        "muted": "#585858",
        "key": "#005f87",
        "mark": "#870000",
        "cursor": "#005f87",
        "cursor-text": "#ffffff",
        "cursor-away": "#c6c6c6",
        "rule": "#a8a8a8",
    },
)
_CONTRAST = Theme(
    name="contrast",
    primary="#5fafff",
    secondary="#5fafff",
    accent="#ffd75f",
    warning="#ffd75f",
    error="#ff8700",
    success="#87d7ff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    dark=True,
    variables={
        "ok": "#87d7ff",
        "due": "#5fafff",
        "at-risk": "#ffd75f",
        "failed": "#ff8700",
        "unknown": "#e4e4e4",
        "muted": "#c6c6c6",
        "key": "#ffd75f",
        "mark": "#ffd75f",
        "cursor": "#ffd75f",
        "cursor-text": "#000000",
        "cursor-away": "#3a3a3a",
        "rule": "#8a8a8a",
    },
)
_ANSI = Theme(
    name="ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        "ok": "ansi_green",
        "due": "ansi_cyan",
        "at-risk": "ansi_yellow",
        "failed": "ansi_bright_red",
        "unknown": "ansi_magenta",
        "muted": "ansi_default",
        "key": "ansi_cyan",
        "mark": "ansi_yellow",
        "cursor": "ansi_white",
        "cursor-text": "ansi_black",
        "cursor-away": "ansi_bright_black",
        "rule": "ansi_bright_black",
    },
)


class SteadyStylesheet(Stylesheet):
    """Styles that are read anew when another look has changed their variables, not for every screen that comes first.

    Textual reads all of them again each time that a screen is shown for the first time: a sixth of the start.
    """

    _is_stale = False

    def set_variables(self, variables: dict[str, str]) -> None:
        if variables != self._variables:
            super().set_variables(variables)
            self._is_stale = True

    def reparse(self) -> None:
        if self._is_stale:
            super().reparse()
            self._is_stale = False


THEMES = (_DARK, _LIGHT, _CONTRAST, _ANSI)
NAMES = tuple(theme.name for theme in THEMES)
DEFAULTS = dict(_DARK.variables)
"""For styles that are read before a theme is chosen."""
