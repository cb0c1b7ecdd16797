"""What goes wrong in a demo besides daily life: the scenarios, each as values that script, presence and health read.

A scenario is about the hotpatches that a demo begins with; nothing here draws chances or knows the time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from engine.model.errors import BadInput
from engine.providers.simulated.sample import DEMO_START

DEMO_HOTPATCHES = frozenset({5089466, 5087423, 5087424})
"""May 2026 for Windows 11, Server 2025 and Server 2022: what waits for approval when a demo begins."""
SCENARIOS = ("none", "failing-patch", "bad-patch", "offline-wave", "baseline-month", "oob")
BEGINS_AT = {
    "baseline-month": datetime(2026, 6, 10, 9, 0, tzinfo=UTC),
    "oob": datetime(2026, 3, 11, 9, 0, tzinfo=UTC),
}
"""Scenarios with a month of their own: June 2026 ships a baseline where a hotpatch was planned; in March 2026 the
out-of-band KB5084597 replaces KB5079420 three days after Patch Tuesday. The others begin in May 2026."""


class Faults(Struct, frozen=True):
    """How much goes wrong. Shares are 0.0 to 1.0."""

    failure_share: float = 0.03
    """Of first attempts, of any release."""
    retry_failure_share: float = 0.12
    """Of later attempts."""
    failing_kbs: frozenset[int] = frozenset()
    """Releases that fail on most devices, always with `failing_code`, however often they are tried."""
    failing_share: float = 0.8
    failing_code: int = 0x800F0922
    crashing_kbs: frozenset[int] = frozenset()
    """Releases that install well and then make devices crash."""
    crashing_share: float = 0.4
    wave_share: float = 0.0
    """Of all devices, those that go dark together."""
    wave_begins_at: datetime = DEMO_START + timedelta(hours=21)
    wave_days: tuple[int, int] = (2, 9)
    """The shortest and the longest absence."""


NO_FAILURES = Faults(failure_share=0.0, retry_failure_share=0.0)
"""Everything succeeds; for forecasts and for tests that compare them with a run."""


def begins_at(scenario: str) -> datetime:
    """When a demo of this scenario begins: the morning after a Patch Tuesday."""
    return BEGINS_AT.get(scenario, DEMO_START)


def faults_for(scenario: str) -> Faults:
    """The faults of a scenario by name; "" is "none".

    Raises:
        BadInput: there is no such scenario.
    """
    match scenario or "none":
        case "none" | "baseline-month" | "oob":
            return Faults()
        case "failing-patch":
            return Faults(failing_kbs=DEMO_HOTPATCHES)
        case "bad-patch":
            return Faults(crashing_kbs=DEMO_HOTPATCHES)
        case "offline-wave":
            return Faults(wave_share=0.35)
    raise BadInput(
        f"There is no scenario {scenario!r}.", "", f"Scenarios are: {', '.join(SCENARIOS)}.", field="scenario"
    )
