"""Base rates of those who attempted the same releases, from counted combinations of traits. Pure.

The store counts each release once; a million devices have some thousands of combinations, so that any pair of values
can be answered without asking the store again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from engine.rules.failures.factors import BaseRates, Part


class Population(Struct):
    """The devices that attempted one release to its end, by their traits; "" is a value that is not known."""

    traits: Sequence[str]
    devices: int
    values: Mapping[str, Mapping[str, int]]
    """Trait → value → devices."""
    combinations: Mapping[tuple[str, ...], int] | None
    """Values in the order of `traits` → devices; None where there were too many to keep."""
    _partners: dict[Part, Counter[Part]] = field(default_factory=dict)

    def both(self, one: Part, other: Part) -> int:
        """How many devices have both values, or the most there can be."""
        if self.combinations is None:
            return min(self.values.get(trait, {}).get(value, 0) for trait, value in (one, other))
        if one not in self._partners:
            self._partners[one] = self._meet(one, self.combinations)
        return self._partners[one][other]

    def _meet(self, one: Part, combinations: Mapping[tuple[str, ...], int]) -> Counter[Part]:
        """Everything that devices with this value have besides: the partners of one value are asked for together."""
        trait, value = one
        place = self.traits.index(trait)
        found: Counter[Part] = Counter()
        for combination, devices in combinations.items():
            if combination[place] == value:
                for part in zip(self.traits, combination, strict=True):
                    found[part] += devices
        return found


def population_of(traits: Sequence[str], combinations: Mapping[tuple[str, ...], int]) -> Population:
    """The population whose devices were counted by combination."""
    values: dict[str, Counter[str]] = {trait: Counter() for trait in traits}
    for combination, devices in combinations.items():
        for trait, value in zip(traits, combination, strict=True):
            if value:
                values[trait][value] += devices
    return Population(traits, sum(combinations.values()), values, combinations)


def rates_for(failed: Mapping[int, int], populations: Mapping[int, Population]) -> BaseRates | None:
    """Base rates for a group with `failed` devices of each release (KB), held against who attempted that release.

    Each release counts as much as it does in the group. Simply added up, a ring or build that only one release has
    reached so far would look like a cause. None where nobody attempted any of them.
    """
    known = {kb: populations[kb] for kb in failed if kb in populations and populations[kb].devices and failed[kb] > 0}
    if not known:
        return None
    attempts = sum(population.devices for population in known.values())
    share = attempts / sum(failed[kb] for kb in known)
    weighted = [(population, failed[kb] * share / population.devices) for kb, population in known.items()]
    sums: dict[str, dict[str, float]] = {}
    for population, weight in weighted:
        for trait, values in population.values.items():
            of_trait = sums.setdefault(trait, {})
            for value, devices in values.items():
                of_trait[value] = of_trait.get(value, 0.0) + weight * devices
    return BaseRates(
        population=attempts,
        values={trait: {value: round(devices) for value, devices in values.items()} for trait, values in sums.items()},
        together=lambda one, other: round(sum(weight * each.both(one, other) for each, weight in weighted)),
    )
