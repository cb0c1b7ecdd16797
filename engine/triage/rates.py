"""Base rates from counted combinations of traits, for populations of any size. Pure.

The store counts the combinations in one pass; a million devices have some thousands of them, so that any pair of
values can be answered without asking the store again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from engine.triage.factors import BaseRates, Part


def counted_rates(traits: Sequence[str], combinations: Mapping[tuple[str, ...], int]) -> BaseRates:
    """Base rates from how many devices have each combination of values, given in the order of `traits`.

    "" is a value that is not known: the device counts in the population, but not for the trait.
    """
    values: dict[str, Counter[str]] = {trait: Counter() for trait in traits}
    for combination, devices in combinations.items():
        for trait, value in zip(traits, combination, strict=True):
            if value:
                values[trait][value] += devices
    population = sum(combinations.values())
    return BaseRates(population, values, _Together(traits, combinations).count)


class _Together:
    """How many devices have two values, worked out for all partners of a value when the first of them is asked for."""

    def __init__(self, traits: Sequence[str], combinations: Mapping[tuple[str, ...], int]) -> None:
        self._place = {trait: place for place, trait in enumerate(traits)}
        self._traits = tuple(traits)
        self._combinations = combinations
        self._partners: dict[Part, Counter[Part]] = {}

    def count(self, one: Part, other: Part) -> int:
        if one not in self._partners:
            self._partners[one] = self._meet(one)
        return self._partners[one][other]

    def _meet(self, one: Part) -> Counter[Part]:
        trait, value = one
        place = self._place[trait]
        found: Counter[Part] = Counter()
        for combination, devices in self._combinations.items():
            if combination[place] == value:
                for part in zip(self._traits, combination, strict=True):
                    found[part] += devices
        return found
