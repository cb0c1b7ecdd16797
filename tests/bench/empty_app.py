"""An application of Textual's that shows nothing: what the toolkit alone costs. Run by the bench as a process."""

from __future__ import annotations

from textual.app import App


class EmptyApp(App[None]):
    """Nothing."""


if __name__ == "__main__":
    EmptyApp().run()
