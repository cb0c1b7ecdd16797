"""The preset rings, read from data/rings.json."""

from __future__ import annotations

import json
from importlib import resources

from engine.model.model import Gate, Ring


def preset() -> tuple[Ring, ...]:
    """Test, First, Fast, Broad, Last with Windows Autopatch's deferral, deadline and grace.

    Source: Microsoft Learn, "Autopatch group policies" (03/2025). The gates are this project's own.
    """
    kept = json.loads(resources.files("data").joinpath("rings.json").read_text(encoding="utf-8"))
    return tuple(
        Ring(
            id=position,
            name=each["name"],
            position=position,
            deferral_days=each["deferral_days"],
            deadline_days=each["deadline_days"],
            grace_days=each["grace_days"],
            max_in_flight=each["max_in_flight"],
            gate=Gate(**each["gate"]),
        )
        for position, each in enumerate(kept["rings"], 1)
    )
