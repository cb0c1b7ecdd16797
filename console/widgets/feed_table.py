"""A table of what goes on: looks and moves like the others, but nothing in it can be marked, for no verb acts on it."""

from __future__ import annotations

from typing import TypeVar

from console.widgets.small_table import SmallTable

Row = TypeVar("Row")


class FeedTable(SmallTable[Row]):
    """Rows to look at and to open."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action not in ("mark", "range")
