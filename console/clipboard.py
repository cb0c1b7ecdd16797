"""Sends text to the terminal's clipboard with OSC 52, and says honestly what that means.

Called by screens and dialogs. Nobody can know whether a terminal obeyed: the words are "sent", never "copied".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.text import clean

if TYPE_CHECKING:
    from textual.app import App

LONGEST = 74_994
"""Bytes of base64-free text that terminals are known to take in one OSC 52; tmux and others drop longer ones."""


def fits_clipboard(text: str) -> bool:
    """Whether a text is short enough for one OSC 52."""
    return len(text.encode()) <= LONGEST


def copy_text(app: App[object], text: str, what: str) -> bool:
    """Send a text and tell the person; False when it is too long."""
    if not fits_clipboard(text):
        app.notify(
            f"{what.capitalize()} is too long for a terminal's clipboard. Use export (e) instead.",
            severity="warning",
            markup=False,
        )
        return False
    app.copy_to_clipboard(text)
    app.notify(f"Sent {clean(what)} to the terminal's clipboard.", timeout=3, markup=False)
    return True
