"""What failing devices share beyond what the fleet shares: "31 of 34 are Latitude 7450 with Intel driver 31.0.101".

`groups` alone calls it. Single traits and pairs are tested against the population at risk with the exact
hypergeometric tail, corrected for every comparison that could have been made. It names no cause by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from math import ceil, exp, inf, log

from msgspec import Struct

from engine.rules.failures.odds import log_tail

Part = tuple[str, str]
"""A trait and its value: ``("model", "Latitude 7450")``."""
Traits = Mapping[str, str]

_SAY = {"driver": "driver {}", "site": "site {}", "ring": "ring {}", "build": "build {}"}
# Between traits that describe the same devices, the one that says most to a person goes first.
_ORDER = {
    trait: rank
    for rank, trait in enumerate(("model", "driver", "build", "site", "ring", "", "platform", "architecture", "form"))
}
_COARSE = frozenset({"platform", "architecture", "form"})
_PAIRS_ASKED = 40
_PAIR_GAIN = 1.2
_SHARED = 0.9


class BaseRates(Struct, frozen=True):
    """How often each value occurs among the devices that could have failed.

    The population is every device that attempted the release, failed ones included. With the whole fleet instead,
    a ring that went first would look like a cause.
    """

    population: int
    values: Mapping[str, Mapping[str, int]]
    """Trait → value → devices. A trait that is missing here is not compared."""
    together: Callable[[Part, Part], int] | None = None
    """How many devices have both; asked for some dozens of pairs at most. None: pairs are judged by their parts."""

    def count(self, part: Part) -> int:
        """Devices with this value; 0 where it is not counted."""
        return self.values.get(part[0], {}).get(part[1], 0)

    def both(self, one: Part, other: Part) -> int:
        """Devices with both values, or the most there can be."""
        if self.together is None:
            return min(self.count(one), self.count(other))
        return self.together(one, other)


def base_rates(devices: Iterable[Traits]) -> BaseRates:
    """Base rates counted in memory, pairs included; for fleets up to some hundred thousand devices."""
    members: dict[str, dict[str, set[int]]] = {}
    population = 0
    for number, traits in enumerate(devices):
        population += 1
        for trait, value in traits.items():
            if value:
                members.setdefault(trait, {}).setdefault(value, set()).add(number)

    def together(one: Part, other: Part) -> int:
        return len(members[one[0]][one[1]] & members[other[0]][other[1]])

    counts = {trait: {value: len(found) for value, found in values.items()} for trait, values in members.items()}
    return BaseRates(population, counts, together)


class FactorRules(Struct, frozen=True):
    """When something shared is worth a word. Shares are 0.0 to 1.0."""

    min_devices: int = 6
    """Smaller groups are not judged at all."""
    min_count: int = 5
    min_share: float = 0.25
    """Of the whole group, so that a factor explains a good part of it."""
    min_lift: float = 1.5
    """How much more often than in the population."""
    alpha: float = 0.01
    """The chance, over all groups judged together, that anything is named where nothing is shared."""
    most: int = 3
    """Factors named for one group."""


class CommonFactor(Struct, frozen=True):
    """A trait value, or a pair of them, that failing devices have far more often than the population."""

    trait: str
    """``model``, for a pair ``model + driver``."""
    value: str
    """In words: ``Latitude 7450 with driver Intel Graphics 31.0.101``. From devices, so not to be trusted."""
    parts: tuple[Part, ...]
    """The same, to filter by."""
    share_text: str
    """``31 of 34``."""
    count: int
    of: int
    base_count: int
    base_share: float
    """Share of the population that has it, 0.0 to 1.0."""
    lift: float
    """Share among the failing devices through the share in the population."""
    p_value: float
    """Chance of such a coincidence, corrected for the number of comparisons."""

    @property
    def sentence(self) -> str:
        """``31 of 34 are Latitude 7450 (3 % of all, 30 times the base rate)``."""
        lift = f"{self.lift:.0f}" if self.lift >= 10 else f"{self.lift:.1f}"
        share = f"{self.base_share:.0%}".replace("%", " %") if self.base_share >= 0.01 else "under 1 %"
        return f"{self.share_text} are {self.value} ({share} of all, {lift} times the base rate)"


class _Candidate(Struct, frozen=True):
    parts: tuple[Part, ...]
    count: int
    base: int
    lift: float
    score: float
    """ln of the corrected chance."""


def common_factors(
    devices: Sequence[Traits], base: BaseRates, rules: FactorRules | None = None, groups: int = 1
) -> tuple[CommonFactor, ...]:
    """What the failing devices share, the strongest first; empty where nothing stands out.

    After a factor is found, the devices that have it are set aside and the rest is judged anew, so that what merely
    goes along with the first factor is not named as a second one. `groups` is how many groups are judged together.
    """
    rules = rules or FactorRules()
    if rules.most < 1 or len(devices) < rules.min_devices:
        return ()
    search = _Search(devices, base, rules, groups)
    found: list[CommonFactor] = []
    while len(found) < rules.most and (best := search.best()) is not None:
        found.append(search.describe(best))
        search.set_aside(best)
    return tuple(found)


class _Search:
    """One group under judgement: the devices not yet explained, and the population they stand against."""

    def __init__(self, devices: Sequence[Traits], base: BaseRates, rules: FactorRules, groups: int) -> None:
        self.rules = rules
        self.base = base
        self.devices = [
            frozenset(part for part in traits.items() if part[1] and part[0] in base.values) for traits in devices
        ]
        self.rest = self.devices
        self.population = max(base.population, len(devices))
        self.rest_population = self.population
        self.floor = max(rules.min_count, ceil(rules.min_share * len(devices)))
        sizes = [len(values) for values in base.values.values()]
        repeats = max(1, groups) * rules.most
        self.log_values = log(max(1, sum(sizes)))
        self.log_singles = self.log_values + log(repeats)
        self.log_pairs = log(max(1, sum(one * other for one, other in combinations(sizes, 2))) * repeats)
        self.limit = log(rules.alpha)

    def best(self) -> _Candidate | None:
        """The strongest factor among the devices not yet explained; None where none passes."""
        if len(self.rest) < self.rules.min_devices:
            return None
        counts = Counter(part for device in self.rest for part in device)
        singles = [
            self.weigh((part,), count, self.base.count(part), self.log_singles)
            for part, count in counts.items()
            if count >= self.floor
        ]
        passing = [each for each in singles if self.passes(each)]
        chosen = min([*passing, *self.pairs(singles)], key=_rank, default=None)
        if chosen is not None and len(chosen.parts) == 1:
            chosen = self.with_companion(chosen, passing)
        return chosen

    def weigh(self, parts: tuple[Part, ...], count: int, base: int, comparisons: float) -> _Candidate:
        # A base count may be older than the failures; it is never below what was seen.
        drawn, population = len(self.rest), self.rest_population
        base = min(population, max(base, count))
        lift = (count / drawn) / (base / population)
        score = log_tail(count, drawn, base, population) + comparisons if lift > 1 else inf
        return _Candidate(parts, count, base, lift, score)

    def passes(self, candidate: _Candidate) -> bool:
        return candidate.lift >= self.rules.min_lift and candidate.score <= self.limit

    def pairs(self, singles: Sequence[_Candidate]) -> list[_Candidate]:
        """Pairs that say clearly more than either part alone."""
        raised = {each.parts[0]: each for each in singles if each.lift >= 1.1}
        counts = Counter(
            pair
            for device in self.rest
            for pair in combinations(sorted(device & raised.keys()), 2)
            if pair[0][0] != pair[1][0]
        )
        likely = sorted(
            (pair for pair, count in counts.items() if count >= self.floor),
            key=lambda pair: (-counts[pair] * raised[pair[0]].lift * raised[pair[1]].lift, pair),
        )
        found = []
        for pair in likely[:_PAIRS_ASKED]:
            candidate = self.weigh(pair, counts[pair], self.base.both(*pair), self.log_pairs)
            if self.passes(candidate) and all(self.adds_to(candidate, raised[part]) for part in pair):
                found.append(candidate)
        return found

    def adds_to(self, pair: _Candidate, part: _Candidate) -> bool:
        """Whether the pair says more than this part of it: among devices with the part, the other is no chance."""
        base = max(part.base, pair.base)
        score = log_tail(pair.count, part.count, pair.base, base) + self.log_values
        return pair.lift >= _PAIR_GAIN * part.lift and score <= self.limit

    def with_companion(self, chosen: _Candidate, passing: Sequence[_Candidate]) -> _Candidate:
        """Add the trait that nearly all of them share besides, such as the model that alone carries a driver."""
        (part,) = chosen.parts
        named = []
        for other in passing:
            (second,) = other.parts
            if second[0] == part[0] or second[0] in _COARSE:
                continue
            count = sum(1 for device in self.rest if part in device and second in device)
            if count >= _SHARED * chosen.count:
                named.append((-other.lift, _place(second), second, count))
        if not named:
            return chosen
        *_, second, count = min(named)
        return self.weigh((part, second), count, self.base.both(part, second), self.log_singles)

    def describe(self, found: _Candidate) -> CommonFactor:
        """The factor in terms of the whole group and the whole population."""
        parts = tuple(sorted(found.parts, key=lambda part: (_place(part), part)))
        count = sum(1 for device in self.devices if device.issuperset(parts))
        base = self.base.count(parts[0]) if len(parts) == 1 else self.base.both(*parts)
        base = min(self.population, max(base, count))
        return CommonFactor(
            trait=" + ".join(trait for trait, _ in parts),
            value=" with ".join(_SAY.get(trait, "{}").format(value) for trait, value in parts),
            parts=parts,
            share_text=f"{count} of {len(self.devices)}",
            count=count,
            of=len(self.devices),
            base_count=base,
            base_share=base / self.population,
            lift=(count / len(self.devices)) / (base / self.population),
            p_value=exp(min(0.0, found.score)),
        )

    def set_aside(self, found: _Candidate) -> None:
        # The other values keep their full base counts: too high for the rest, so a second factor is judged strictly.
        self.rest = [device for device in self.rest if not device.issuperset(found.parts)]
        self.rest_population = max(len(self.rest), self.rest_population - found.base)


def _place(part: Part) -> int:
    return _ORDER.get(part[0], _ORDER[""])


def _rank(candidate: _Candidate) -> tuple[float, float, int, tuple[Part, ...]]:
    return (candidate.score, -candidate.lift, min(map(_place, candidate.parts)), candidate.parts)
