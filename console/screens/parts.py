"""A screen made of titled lists between which the cursor runs: the overview, and what opens over it.

A subclass composes the lists and gives them lines; where a line leads is its own affair.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.widget import Widget

from console.screens.steady import SteadyScreen
from console.widgets.lead_list import LeadList


class PartsScreen(SteadyScreen):
    """Arrows run from list to list, tab goes round."""

    MOVING: ClassVar[tuple[str, ...]] = ("next_part", "previous_part")

    @property
    def _panels(self) -> list[LeadList]:
        return list(self.query(LeadList))

    def _panel(self, name: str) -> LeadList:
        return self.query_one(f"#{name}", LeadList)

    def _neighbour(self, panel: Widget | None, step: int, *, around: bool) -> LeadList | None:
        panels = [each for each in self._panels if each.has_stops and each.display]
        if not panels:
            return None
        if not isinstance(panel, LeadList) or panel not in panels:
            return panels[0]
        index = panels.index(panel) + step
        if around:
            return panels[index % len(panels)]
        return panels[index] if 0 <= index < len(panels) else None

    @on(LeadList.Passed)
    def _go_on(self, message: LeadList.Passed) -> None:
        message.stop()
        neighbour = self._neighbour(message.panel, message.step, around=False)
        if neighbour is not None:
            neighbour.enter_from(message.step)

    def _go_to_part(self, step: int) -> None:
        neighbour = self._neighbour(self.focused, step, around=True)
        if neighbour is not None:
            neighbour.focus()

    def verb_next_part(self) -> None:
        self._go_to_part(1)

    def verb_previous_part(self) -> None:
        self._go_to_part(-1)
