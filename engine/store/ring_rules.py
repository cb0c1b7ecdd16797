"""A ring's rules beyond its columns, as the JSON text that the ring table keeps; `rollout` alone uses it."""

from __future__ import annotations

import json
from datetime import time
from typing import Any

from engine.model.model import Ring, Window


def rules_to_text(ring: Ring) -> str:
    """Only what differs from a plain ring, so that a plain ring's text stays short."""
    kept: dict[str, Any] = {}
    if ring.waves != (1.0,):
        kept["waves"] = list(ring.waves)
    if ring.wave_soak_hours:
        kept["wave_soak_hours"] = ring.wave_soak_hours
    if ring.max_share_in_flight:
        kept["max_share_in_flight"] = ring.max_share_in_flight
    if ring.members:
        kept["members"] = ring.members
    if ring.window is not None:
        kept["window"] = {
            "days": list(ring.window.days),
            "begins": ring.window.begins.isoformat("minutes"),
            "minutes": ring.window.minutes,
            "zone": ring.window.zone,
        }
    return json.dumps(kept)


def rules_from_text(text: str) -> dict[str, Any]:
    """Keyword arguments for `Ring`."""
    kept: dict[str, Any] = json.loads(text)
    if "waves" in kept:
        kept["waves"] = tuple(kept["waves"])
    if (window := kept.get("window")) is not None:
        kept["window"] = Window(
            tuple(window["days"]), time.fromisoformat(window["begins"]), window["minutes"], window["zone"]
        )
    return kept
