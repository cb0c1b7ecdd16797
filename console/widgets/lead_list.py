"""A titled list of lines, each of which leads somewhere: the overview is made of them.

Its screen gives it a function that draws the lines for a width, hears Led on enter, and Passed when the cursor runs
over an edge. Only lines that have changed are drawn again; it knows no records and no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.strip import Strip
from textual.visual import RenderOptions
from textual.widget import Widget

from console.keys import bindings
from console.text import is_ascii
from console.widgets.drawing import MUTED, STRONG, fitted, line, plain
from console.widgets.section import rule_line

PREFIX = 2
"""Cells before a line: the cursor's sign."""


class Lead(Struct, frozen=True):
    """One line, and the screen and filter that explain it; without a screen the cursor passes over it."""

    content: Content
    screen: str = ""
    filter: str = ""


Draw = Callable[[int], Sequence[Lead]]
"""The width of a line → the lines."""


class LeadList(Widget, can_focus=True):
    """A title with a rule, then lines. Shows what fits; the rest comes with the cursor."""

    # It has neither border nor padding: `outer_size` is its size, and does not lay the screen out to be told.
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lead--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(("down", "up", "top", "end", "open"))]
    virtual_size = Reactive(Size(0, 0), repaint=False)  # see `board`
    DEFAULT_CSS = """
    LeadList {
        height: auto; width: 1fr; background: $background; color: $foreground;
        & .lead--cursor { color: $cursor-text; background: $cursor; }
    }
    """

    class Led(Message):
        """Enter on a line."""

        def __init__(self, lead: Lead) -> None:
            super().__init__()
            self.lead = lead

    class Passed(Message):
        """The cursor wants to go on over the first or the last line."""

        def __init__(self, panel: LeadList, step: int) -> None:
            super().__init__()
            self.panel = panel
            self.step = step

    def __init__(self, title: str, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title: Content = plain(title, STRONG)
        self._remark = ""
        self._draw: Draw = lambda _: (Lead(plain("Reading …", MUTED)),)
        self._leads: tuple[Lead, ...] = ()
        self._drawn_for = -1
        self._cursor = 0
        self._offset = 0

    # --- for its screen -----------------------------------------------------------------------------

    def show(self, draw: Draw, *, title: Content | None = None, remark: str = "") -> None:
        """Other lines, or the same ones with other numbers; the cursor stays on the line that leads to the same."""
        if title is not None and title.plain != self._title.plain:
            self._title = title
            self._refresh_line(0)
        if remark != self._remark:
            self._remark = remark
            self._refresh_line(0)
        self._draw = draw
        if self.outer_size.width:
            self._tell_changes(*self._redraw(self.outer_size.width))

    def say(self, *sentences: Content) -> None:
        """Sentences in place of lines."""
        leads = tuple(Lead(sentence) for sentence in sentences)
        self.show(lambda _: leads)

    @property
    def leads(self) -> Sequence[Lead]:
        """The lines, those out of view included."""
        return self._leads

    @property
    def cursor_lead(self) -> Lead | None:
        """The line under the cursor; None when none leads anywhere."""
        return self._leads[self._cursor] if self._stops() else None

    @property
    def has_stops(self) -> bool:
        """Whether there is a line to stand on."""
        return bool(self._stops())

    def enter_from(self, step: int) -> None:
        """Take the focus with the cursor on the first line, or with a step of -1 on the last."""
        stops = self._stops()
        if stops:
            self.focus()
            self._move_to(stops[0] if step > 0 else stops[-1])

    # --- lines --------------------------------------------------------------------------------------

    def _stops(self) -> list[int]:
        return [index for index, lead in enumerate(self._leads) if lead.screen]

    def _redraw(self, width: int) -> tuple[tuple[Lead, ...], int, bool]:
        """Draw the lines anew; returns what stood there: the lines, the offset, and whether the width was another."""
        before, self._leads = self._leads, tuple(self._draw(max(width - PREFIX, 1)))
        other_width, self._drawn_for = width != self._drawn_for, width
        self._cursor = self._find(before[self._cursor] if self._cursor < len(before) else None)
        offset = self._offset
        self._bring_into_view()
        return before, offset, other_width

    def _tell_changes(self, before: tuple[Lead, ...], offset: int, other_width: bool) -> None:
        if other_width or len(before) != len(self._leads) or offset != self._offset:
            self.refresh(layout=len(before) != len(self._leads))
            return
        for index, (old, new) in enumerate(zip(before, self._leads, strict=True)):
            if old.content.plain != new.content.plain or old.content.spans != new.content.spans:
                self._refresh_line(1 + index - self._offset)

    def _find(self, kept: Lead | None) -> int:
        stops = self._stops()
        if not stops:
            return 0
        if kept is not None:
            for index in stops:
                if (self._leads[index].screen, self._leads[index].filter) == (kept.screen, kept.filter):
                    return index
        return min(stops, key=lambda index: abs(index - self._cursor))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        if width and width != self._drawn_for:
            self._redraw(width)
        return 1 + len(self._leads)

    def _on_resize(self, event: events.Resize) -> None:
        # Textual has painted it in its new size by now.
        offset = self._offset
        if event.size.width != self._drawn_for:
            self._redraw(event.size.width)
            self.refresh()
        self._bring_into_view()
        if offset != self._offset:
            self.refresh()

    @property
    def _room(self) -> int:
        return max(self.outer_size.height - 1, 1)

    def _bring_into_view(self) -> None:
        if not self.outer_size.height:
            return
        last = max(len(self._leads) - self._room, 0)
        self._offset = min(max(self._offset, self._cursor - self._room + 1), self._cursor, last)
        if self._stops() and self._cursor == self._stops()[0] and self._cursor < self._room:
            self._offset = 0

    # --- moving -------------------------------------------------------------------------------------

    def _move_to(self, index: int) -> None:
        before, offset = self._cursor, self._offset
        self._cursor = index
        self._bring_into_view()
        if offset != self._offset:
            self.refresh()
        else:
            self._refresh_line(1 + before - offset)
            self._refresh_line(1 + index - offset)
        self._scroll_to_cursor()

    def _scroll_to_cursor(self) -> None:
        """Where the whole does not fit on the screen, bring the line into view."""
        for parent in self.ancestors:
            if isinstance(parent, Widget) and parent.is_scrollable and parent is not self.screen:
                at = self.region.y + 1 + self._cursor - self._offset
                top, bottom = parent.content_region.y, parent.content_region.bottom
                if at - 1 < top:
                    parent.scroll_relative(y=at - 1 - top, animate=False)
                elif at >= bottom:
                    parent.scroll_relative(y=at - bottom + 1, animate=False)
                return

    def _step(self, by: int) -> None:
        stops = self._stops()
        further = [index for index in stops if (index > self._cursor if by > 0 else index < self._cursor)]
        if further:
            self._move_to(further[0] if by > 0 else further[-1])
        else:
            self.post_message(self.Passed(self, by))

    def action_cursor_down(self) -> None:
        self._step(1)

    def action_cursor_up(self) -> None:
        self._step(-1)

    def action_cursor_top(self) -> None:
        if stops := self._stops():
            self._move_to(stops[0])

    def action_cursor_end(self) -> None:
        if stops := self._stops():
            self._move_to(stops[-1])

    def action_open(self) -> None:
        if (lead := self.cursor_lead) is not None:
            self.post_message(self.Led(lead))

    def on_click(self, event: events.Click) -> None:
        index = self._offset + event.y - 1
        if event.y > 0 and index < len(self._leads) and self._leads[index].screen:
            self._move_to(index)
            if event.chain == 2:
                self.action_open()

    # --- drawing ------------------------------------------------------------------------------------

    def _refresh_line(self, y: int) -> None:
        if 0 <= y < self.outer_size.height:
            self.refresh(Region(0, y, self.outer_size.width, 1))

    def on_focus(self) -> None:
        self._refresh_line(0)
        self._refresh_line(1 + self._cursor - self._offset)
        self._scroll_to_cursor()

    def on_blur(self) -> None:
        self._refresh_line(0)
        self._refresh_line(1 + self._cursor - self._offset)

    def render_line(self, y: int) -> Strip:
        if self._drawn_for != self.outer_size.width:  # painted before the news of its size arrives
            self._redraw(self.outer_size.width)
        if y == 0:
            return self._strip(self._title_line())
        index = self._offset + y - 1
        if index >= len(self._leads):
            return self._strip(plain(""))
        lead = self._leads[index]
        if self.has_focus and lead.screen and index == self._cursor:
            pointer = ">" if is_ascii() else "›"
            return self._strip(line(f"{pointer} ", plain(lead.content.plain)), "lead--cursor")
        return self._strip(line("  ", lead.content))

    def _title_line(self) -> Content:
        width = self.outer_size.width
        hidden = len(self._leads) - self._room
        remark = self._remark
        if hidden > 0:
            first, last = self._offset + 1, self._offset + self._room
            shown = f"{first}-{last} of {len(self._leads)}" if last > first else f"{first} of {len(self._leads)}"
            remark = f"{remark}, {shown}" if remark else shown
        title = self._title.stylize_before("$key bold") if self.has_focus else self._title
        return rule_line(title, remark, width)

    def _strip(self, content: Content, component: str = "") -> Strip:
        width = self.outer_size.width
        style = self.get_visual_style(component) if component else self.visual_style
        options = RenderOptions(self._get_style, {})
        found = fitted(content, width).render_strips(width, 1, style, options)
        return found[0] if found else Strip.blank(width, style.rich_style)
