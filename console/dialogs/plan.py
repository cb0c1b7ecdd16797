"""The one confirmation for everything that changes: what will happen, to how many devices, with how many restarts.

Opened by `ConsoleScreen.confirm`. Enter alone never confirms: `y` does, or the typed number of devices when a plan
reaches far. It carries nothing out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from console.clipboard import copy_text
from console.dialogs.base import Dialog
from console.text import Tone, count, plural
from console.widgets.drawing import MUTED, STRONG, line, lines, plain, severity_text
from engine.model.intents import Plan, Refusal

_NAMES_SHOWN = 6
_REQUESTS_SHOWN = 12


class PlanDialog(Dialog[bool]):
    """Shows a plan; its result is True when it was confirmed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "do it"),
        Binding("n", "back", "back"),
        Binding("c", "copy_command", "copy the command"),
        Binding("down,j", "scroll_body('down')", "down"),
        Binding("up,k", "scroll_body('up')", "up"),
        Binding("pagedown", "scroll_body('page_down')", "page down"),
        Binding("pageup", "scroll_body('page_up')", "page up"),
    ]
    DEFAULT_CSS = """
    PlanDialog #typed { margin-top: 1; }
    PlanDialog #wrong { height: auto; }
    """

    def __init__(self, plan: Plan, note: str = "") -> None:
        super().__init__(plan.title)
        self.plan = plan
        self._note = note
        self._typed = plan.reaches_far

    def compose_body(self) -> Iterable[Widget]:
        yield Static(plan_text(self.plan, self._note), id="plan")
        if self.plan.refusal is None and self._typed:
            yield Static(
                line("Type the number of devices, ", (count(self.plan.devices), STRONG), ", to go on:"), id="typed"
            )
            yield Input(type="integer", compact=True, id="number")
            yield Static("", id="wrong")

    def hints(self) -> Iterable[tuple[str, str]]:
        if self.plan.refusal is not None:
            return (("esc", "back"),)
        confirm = ("enter", "go on, once the number is typed") if self._typed else ("y", "do it")
        return (
            (confirm, ("esc", "back"), ("c", "copy the command")) if self.plan.command else (confirm, ("esc", "back"))
        )

    def on_mount(self) -> None:
        if self.plan.refusal is None and self._typed:
            self.query_one("#number", Input).focus()

    def action_confirm(self) -> None:
        if self.plan.refusal is None and not self._typed:
            self.dismiss(True)

    @on(Input.Submitted, "#number")
    def _compare(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.replace(",", "").strip() == str(self.plan.devices):
            self.dismiss(True)
        else:
            words = f"That is not {count(self.plan.devices)}."
            self.query_one("#wrong", Static).update(severity_text(Tone.AT_RISK, words))

    def action_copy_command(self) -> None:
        if self.plan.command:
            copy_text(self.app, self.plan.command, "the command")


def plan_text(plan: Plan, note: str = "") -> Content:
    """A plan in words."""
    if plan.refusal is not None:
        told = len(plan.left_out) == 1 and plan.left_out[0].why == plan.refusal.why
        return lines([*_note(note), *refusal_lines(plan.refusal), *([] if told else _left_out(plan))])
    rows = [*_note(note), _consequences(plan)]
    if plan.sample:
        more = plan.devices - min(len(plan.sample), _NAMES_SHOWN)
        names = ", ".join(plan.sample[:_NAMES_SHOWN]) + (f" and {count(more)} more" if more > 0 else "")
        rows.append(plain(names, MUTED))
    rows.append(plain(""))
    rows += [line((f"{number}. ", MUTED), step) for number, step in enumerate(plan.steps, 1)]
    rows += [severity_text(Tone.AT_RISK, warning) for warning in plan.warnings]
    rows += _left_out(plan)
    rows += _requests(plan)
    if plan.command:
        rows += [plain(""), line(("as a command  ", MUTED), plan.command)]
    return lines(rows)


def _requests(plan: Plan) -> list[Content]:
    """Exactly what is sent to tenants."""
    if not plan.requests:
        return []
    rows = [plain(""), plain(f"Sent to {', '.join(dict.fromkeys(each.provider for each in plan.requests))}", STRONG)]
    for each in plan.requests[:_REQUESTS_SHOWN]:
        rows.append(line((f"{each.method} ", STRONG), each.address))
        if each.body is not None:
            rows.append(plain(f"  {json.dumps(each.body, ensure_ascii=True)}", MUTED))
    more = len(plan.requests) - _REQUESTS_SHOWN
    return [*rows, plain(f"and {plural(more, 'request')} more", MUTED)] if more > 0 else rows


def _consequences(plan: Plan) -> Content:
    restarts = (
        severity_text(Tone.AT_RISK, plural(plan.restarts, "restart"))
        if plan.restarts
        else severity_text(Tone.OK, "no restart")
    )
    return line((plural(plan.devices, "device"), STRONG), "   ", restarts)


def _note(note: str) -> list[Content]:
    return [severity_text(Tone.DUE, note), plain("")] if note else []


def _left_out(plan: Plan) -> list[Content]:
    if not plan.left_out:
        return []
    rows = [plain(""), plain("Left out", STRONG)]
    for refusal in plan.left_out:
        amount = f"{plural(refusal.devices, 'device')}: " if refusal.devices else ""
        rows.append(line(amount, refusal.what, " ", refusal.why))
        if refusal.instead:
            rows.append(plain(f"  {refusal.instead}", MUTED))
    return rows


def refusal_lines(refusal: Refusal) -> list[Content]:
    """What is refused, why, and what would make it possible."""
    return [
        severity_text(Tone.FAILED, refusal.what),
        *([plain(refusal.why)] if refusal.why else []),
        *([line(("To make it possible: ", MUTED), refusal.instead)] if refusal.instead else []),
    ]
