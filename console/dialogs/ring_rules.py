"""Asks for a ring's rules: days, how many at once, and the gate. Its result is the intent; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace
from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Static

from console.dialogs.base import Dialog
from console.text import Tone
from console.widgets.drawing import MUTED, STRONG, plain, severity_text
from engine.model.intents import SetRing
from engine.model.model import Ring


class RingNumber(Struct, frozen=True):
    """One number that can be changed."""

    id: str
    label: str
    unit: str
    least: int
    most: int


RULES = (
    RingNumber("deferral", "deferral", "days after release before it is offered", 0, 30),
    RingNumber("deadline", "deadline", "days by when it must be installed", 0, 365),
    RingNumber("grace", "grace", "days for devices that come back", 0, 365),
    RingNumber("at-once", "at once", "devices that may install at once; 0 is no limit", 0, 10_000_000),
    RingNumber("installed", "installed", "per cent at least, before the next ring opens", 0, 100),
    RingNumber("failed", "failed", "per cent of ended installs at most", 0, 100),
    RingNumber("sample", "sample", "ended installs before failures are judged", 0, 10_000_000),
    RingNumber("soak", "soak", "hours to wait once the share is installed", 0, 24 * 365),
)
_GATE_FROM = 4


def values_of(ring: Ring) -> tuple[int, ...]:
    """The numbers of a ring in the order of `RULES`."""
    gate = ring.gate
    return (
        ring.deferral_days,
        ring.deadline_days,
        ring.grace_days,
        ring.max_in_flight,
        round(gate.min_installed_share * 100),
        round(gate.max_failed_share * 100),
        gate.min_sample,
        gate.soak_hours,
    )


def intent_for(ring: Ring, values: tuple[int, ...]) -> SetRing:
    """The intent that changes what differs and leaves the rest as it is."""
    old = values_of(ring)
    deferral, deadline, grace, at_once = (
        new if new != before else None for new, before in zip(values[:_GATE_FROM], old, strict=False)
    )
    gate = None
    if values[_GATE_FROM:] != old[_GATE_FROM:]:
        installed, failed, sample, soak = values[_GATE_FROM:]
        gate = replace(
            ring.gate,
            min_installed_share=installed / 100,
            max_failed_share=failed / 100,
            min_sample=sample,
            soak_hours=soak,
        )
    return SetRing(
        ring.name,
        deferral_days=deferral,
        deadline_days=deadline,
        grace_days=grace,
        max_in_flight=at_once,
        gate=gate,
    )


def mistake(rule: RingNumber, text: str) -> str:
    """What is wrong with a number, "" when nothing is."""
    if not text.strip().isdecimal() or not rule.least <= int(text) <= rule.most:
        return f"{rule.label.capitalize()}: write a whole number from {rule.least} to {rule.most:,}."
    return ""


class RingRulesDialog(Dialog[SetRing]):
    """Eight numbers; Enter in any of them goes on to the plan, Tab or the arrows move between them."""

    DEFAULT_CSS = """
    RingRulesDialog .rule { height: 1; }
    RingRulesDialog .rule .name { width: 12; }
    RingRulesDialog .rule Input { width: 12; }
    RingRulesDialog .rule .unit { width: 1fr; padding-left: 2; }
    RingRulesDialog .part { margin-top: 1; }
    RingRulesDialog #wrong { height: auto; margin-top: 1; }
    """

    def __init__(self, ring: Ring) -> None:
        super().__init__(f"Rules of ring {ring.name}")
        self._ring = ring

    def compose_body(self) -> Iterable[Widget]:
        for index, (rule, value) in enumerate(zip(RULES, values_of(self._ring), strict=True)):
            if index == _GATE_FROM:
                yield Static(plain("Gate", STRONG), classes="part")
            yield Horizontal(
                Static(plain(rule.label), classes="name"),
                Input(str(value), compact=True, type="integer", id=rule.id),
                Static(plain(rule.unit, MUTED), classes="unit"),
                classes="rule",
            )
        yield Static("", id="wrong")

    def hints(self) -> Iterable[tuple[str, str]]:
        return (("tab ↓ ↑", "next, before"), ("enter", "show the plan"), ("esc", "back"))

    def on_mount(self) -> None:
        self.query_one(f"#{RULES[0].id}", Input).focus()

    def key_down(self) -> None:
        self.focus_next(Input)

    def key_up(self) -> None:
        self.focus_previous(Input)

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        event.stop()
        texts = [self.query_one(f"#{rule.id}", Input).value for rule in RULES]
        wrong = [(rule, words) for rule, text in zip(RULES, texts, strict=True) if (words := mistake(rule, text))]
        if wrong:
            rule, words = wrong[0]
            self.query_one("#wrong", Static).update(severity_text(Tone.AT_RISK, words))
            self.query_one(f"#{rule.id}", Input).focus()
        else:
            self.dismiss(intent_for(self._ring, tuple(int(text) for text in texts)))
