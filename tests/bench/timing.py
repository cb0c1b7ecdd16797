"""How times are taken: several repetitions, what is compared turn by turn, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Timed = Callable[[], float]
"""Does something and tells how many seconds the measured part of it took."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same thing at full size and at the size or of the kind it is compared with, in seconds."""

    full: float
    base: float

    @property
    def ratio(self) -> float:
        return self.full / self.base if self.base else 0.0


def timed(action: Callable[[], object]) -> Timed:
    """The same action, telling the seconds it takes."""

    def run() -> float:
        begin = time.perf_counter()
        action()
        return time.perf_counter() - begin

    return run


def compare(full: Timed, base: Timed, repetitions: int, *, warm: bool = True) -> Pair:
    """Medians of both. They take turns, so that whatever else the machine does hits both alike."""
    if warm:
        base()
        full()
    bases, fulls = [], []
    for _ in range(repetitions):
        bases.append(base())
        fulls.append(full())
    return Pair(statistics.median(fulls), statistics.median(bases))
