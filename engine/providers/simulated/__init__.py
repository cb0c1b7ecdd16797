"""A company that exists only here: its fleet, and a provider whose devices live by scripts.

Demos, forecasts and tests use it; nothing in it reaches a real device.
"""

from engine.model.sample import PastInstall, SampleDevice
from engine.providers.simulated.faults import NO_FAILURES, SCENARIOS, Faults, begins_at, faults_for
from engine.providers.simulated.fleet import generate, load_bundled_fleet
from engine.providers.simulated.presence import check_in_at, is_dark
from engine.providers.simulated.provider import SimulatedProvider
from engine.providers.simulated.script import script

__all__ = [
    "NO_FAILURES",
    "SCENARIOS",
    "Faults",
    "PastInstall",
    "SampleDevice",
    "SimulatedProvider",
    "begins_at",
    "check_in_at",
    "faults_for",
    "generate",
    "is_dark",
    "load_bundled_fleet",
    "script",
]
