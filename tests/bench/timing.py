"""How times are taken: several repetitions, what is compared turn by turn, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Action = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Pair:
    """The same thing at full size and at the size or of the kind it is compared with, in seconds."""

    full: float
    base: float

    @property
    def ratio(self) -> float:
        return self.full / self.base if self.base else 0.0


def once(action: Action) -> float:
    """Seconds that one call takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def compare(full: Action, base: Action, repetitions: int) -> Pair:
    """Medians of both. They take turns, so that whatever else the machine does hits both alike."""
    once(base)
    once(full)
    bases, fulls = [], []
    for _ in range(repetitions):
        bases.append(once(base))
        fulls.append(once(full))
    return Pair(statistics.median(fulls), statistics.median(bases))
