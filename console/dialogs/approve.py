"""Drafts an approval: rings to tick, the reason, and optionally not before when. It plans and decides nothing.

Opened by screens that show releases or rings; what it returns goes to `ConsoleScreen.confirm`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from console.dialogs.base import Dialog
from console.text import Tone, fit, kb, plural
from console.widgets.drawing import MUTED, line, plain, severity_text
from console.widgets.tick_list import TickList
from engine.model.intents import Approve


class RingOffer(Struct, frozen=True):
    """A ring that may be ticked."""

    name: str
    devices: int
    note: str = ""
    """Why it may not need it: ``approved already``."""
    ticked: bool = False


class ApproveDialog(Dialog[Approve]):
    """Its result is the approval as an intent."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "finish", "go on")]
    DEFAULT_CSS = """
    ApproveDialog SelectionList { height: auto; max-height: 8; background: $surface; }
    ApproveDialog .label { margin-top: 1; height: 1; }
    ApproveDialog #wrong { height: auto; }
    """

    def __init__(self, number: int, about: str, rings: Sequence[RingOffer], *, reason: str = "") -> None:
        super().__init__(f"Approve {kb(number)}")
        self._number, self._about = number, about
        self._rings, self._reason = tuple(rings), reason

    def compose_body(self) -> Iterable[Widget]:
        if self._about:
            yield Static(plain(self._about, MUTED))
        yield Static(plain("Rings"), classes="label")
        yield TickList[str](
            *(
                Selection(
                    line(fit(each.name, 8), plural(each.devices, "device"), (f"  {each.note}", MUTED)),
                    each.name,
                    each.ticked,
                )
                for each in self._rings
            )
        )
        yield Static(line("Reason", ("  for the audit", MUTED)), classes="label")
        yield Input(value=self._reason, compact=True, id="reason")
        yield Static(line("Not before", ("  UTC, like 2026-05-14 18:00; empty: at once", MUTED)), classes="label")
        yield Input(compact=True, id="not-before")
        yield Static("", id="wrong")

    def hints(self) -> Iterable[tuple[str, str]]:
        return (("space", "tick"), ("tab", "next field"), ("enter", "in a field: go on"), ("esc", "back"))

    def on_mount(self) -> None:
        self.query_one(SelectionList).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_finish()

    def action_finish(self) -> None:
        """Check what was written and return the intent."""
        ticked = set(self.query_one(SelectionList).selected)
        rings = tuple(each.name for each in self._rings if each.name in ticked)
        reason = self.query_one("#reason", Input).value.strip()
        moment_text = self.query_one("#not-before", Input).value.strip()
        if not rings:
            self._wrong("Tick at least one ring with space.", "SelectionList")
        elif not reason:
            self._wrong("An approval needs a reason.", "#reason")
        else:
            try:
                not_before = parse_moment(moment_text)
            except ValueError:
                self._wrong("Write the time like 2026-05-14 18:00, or leave it empty.", "#not-before")
            else:
                self.dismiss(Approve(self._number, rings, reason, not_before))

    def _wrong(self, words: str, at: str) -> None:
        self.query_one("#wrong", Static).update(severity_text(Tone.AT_RISK, words))
        self.query_one(at).focus()


def parse_moment(text: str) -> datetime | None:
    """A day or a time as people write it, taken as UTC where it names no zone; None for nothing.

    Raises:
        ValueError: it is no time.
    """
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
