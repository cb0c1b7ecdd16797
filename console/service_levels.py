"""The configuration's service levels of failures, ``[sla]``, as documented types; `settings` holds them.

Times are written like ``90m``, ``4h``, ``5d``, ``3w``, and run around the clock. `engine.rules.failures` judges by
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.model.errors import BadInput

if TYPE_CHECKING:
    from engine.rules.failures import SlaTargets


@dataclass(frozen=True, slots=True)
class SlaTimes:
    """The time allowed for failures of one severity: ``4h``, ``5d``, ``90m``; "" leaves a time as it comes."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    detect: str = ""
    """From the failure until the console knows of it."""
    act: str = ""
    """From then until somebody has retried, excluded, escalated or planned a recovery."""
    fix: str = ""
    """From then until the device is protected after all, or excluded."""

    def __str__(self) -> str:
        return ", ".join(f"{each.name} {getattr(self, each.name)}" for each in fields(self) if getattr(self, each.name))

    def __post_init__(self) -> None:
        for each in fields(self):
            if value := getattr(self, each.name):
                span_of(value)


@dataclass(frozen=True, slots=True)
class SlaSettings:
    """Service levels of failures: ``[sla.critical]`` and so on with detect, act and fix."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    critical: SlaTimes = field(default_factory=SlaTimes)
    """Of releases that close a critical or an exploited vulnerability: detect, act and fix, like ``4h`` or ``5d``."""
    important: SlaTimes = field(default_factory=SlaTimes)
    """The same for important ones."""
    moderate: SlaTimes = field(default_factory=SlaTimes)
    """The same for moderate ones."""
    low: SlaTimes = field(default_factory=SlaTimes)
    """The same for low ones."""
    unrated: SlaTimes = field(default_factory=SlaTimes)
    """The same where Microsoft has told no severity."""
    pace: Mapping[str, float] | None = None
    """Ring → factor on its time to act: ``test = 0.5``. Rings that are not named have none."""
    due_soon: float = 0.25
    """A stage is due soon in this last part of its time."""

    def __post_init__(self) -> None:
        if not 0 <= self.due_soon <= 1:
            raise ValueError("due_soon is a part of the time, from 0 to 1")
        if any(not 0 < factor <= 100 for factor in (self.pace or {}).values()):
            raise ValueError("a pace is a factor above 0, at most 100")
        if any(each != SlaTimes() for each in (self.critical, self.important, self.moderate, self.low, self.unrated)):
            self.targets()  # they must fit together; checked only where some are given, since it loads triage

    def targets(self) -> SlaTargets:
        """The program's service levels with what this configuration changes.

        Raises:
            ValueError: they do not fit together.
        """
        # Loaded on use: service levels are no part of starting up.
        from engine.rules.failures import DEFAULT_TARGETS, SlaTarget, SlaTargets

        severities = {}
        for severity, shipped in DEFAULT_TARGETS.severities.items():
            own = getattr(self, severity.value.lower())
            times = {each.name: getattr(own, each.name) for each in fields(own)}
            spans = {name: span_of(text) if text else getattr(shipped, name) for name, text in times.items()}
            try:
                severities[severity] = SlaTarget(**spans)
            except BadInput as error:
                raise ValueError(f"{severity}: {error.why[:1].lower()}{error.why[1:]}".rstrip(".")) from error
        pace = (
            DEFAULT_TARGETS.act_pace
            if self.pace is None
            else {ring.strip().casefold(): factor for ring, factor in self.pace.items()}
        )
        return SlaTargets(severities, pace, self.due_soon)


def span_of(words: str) -> timedelta:
    """``90m``, ``4h``, ``5d`` or ``3w`` as a time.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,5})\s*([mhdw])\s*", words, re.IGNORECASE | re.ASCII)
    if found is None or int(found[1]) == 0:
        raise ValueError(f"{words!r} is no time; write it like 90m, 4h, 5d or 3w")
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2].lower()]
    return timedelta(**{unit: int(found[1])})
