"""The messages that travel inside the console: from the background to screens, from widgets to their screen.

They carry records and words, never a widget's internals and never an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from textual.message import Message
from textual.widget import Widget

from engine.model.errors import EngineError
from engine.model.intents import Intent, Refusal
from engine.model.records.fleet import Anchor, StateInfo

# --- from the background ----------------------------------------------------------------------------


class Answered(Message):
    """A question was answered; the screen's base class hands the value to whoever asked."""

    def __init__(self, kind: str, serial: int, value: Any, then: Callable[[Any], None]) -> None:
        super().__init__()
        self.kind = kind
        self.serial = serial
        self.value = value
        self.then = then


class ReadFailed(Message):
    """A question could not be answered."""

    def __init__(self, kind: str, serial: int, error: EngineError) -> None:
        super().__init__()
        self.kind = kind
        self.serial = serial
        self.error = error


class FleetChanged(Message):
    """Something that a screen may show has changed; `number` is the state file's change number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, FleetChanged)


class InfoRead(Message):
    """What the title line shows: present, speed, driver; with it, what this person may not do."""

    def __init__(self, info: StateInfo, refusals: Mapping[type[Intent], Refusal]) -> None:
        super().__init__()
        self.info = info
        self.refusals = refusals

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, InfoRead)


class Progressed(Message):
    """What a long question is at, in words; "" when it has ended."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Progressed)


class RunnerTrouble(Message):
    """The runner of this console could not do a turn; `error` None says that it does again."""

    def __init__(self, error: EngineError | None) -> None:
        super().__init__()
        self.error = error


# --- from tables ------------------------------------------------------------------------------------


class RowSpan(Struct, frozen=True):
    """A stretch of rows that a table asks for."""

    anchor: Anchor
    limit: int


class TableMessage(Message):
    """Comes from a table."""

    def __init__(self, table: Widget) -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> Widget:
        return self.table


class PageWanted(TableMessage):
    """A table needs rows. Its screen asks for each stretch and gives them all back at once, with the serial."""

    def __init__(self, table: Widget, serial: int, stretches: tuple[RowSpan, ...]) -> None:
        super().__init__(table)
        self.serial = serial
        self.stretches = stretches


class PositionWanted(TableMessage):
    """A table does not know how many rows stand before this one, nor how many there are."""

    def __init__(self, table: Widget, serial: int, row_id: int | None) -> None:
        super().__init__(table)
        self.serial = serial
        self.row_id = row_id


class CursorMoved(TableMessage):
    """The cursor stands on another row, or on none."""

    def __init__(self, table: Widget, row: Any | None) -> None:
        super().__init__(table)
        self.row = row

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, CursorMoved) and message.table is self.table


class RowOpened(TableMessage):
    """Enter, or a second click, on a row."""

    def __init__(self, table: Widget, row: Any) -> None:
        super().__init__(table)
        self.row = row


class SortWanted(TableMessage):
    """The list shall be ordered by this sort key."""

    def __init__(self, table: Widget, sort: str, descending: bool) -> None:
        super().__init__(table)
        self.sort = sort
        self.descending = descending


class MarksChanged(TableMessage):
    """Rows were marked, or lost their mark."""
