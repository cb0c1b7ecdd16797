"""Chance that repeats itself: numbers drawn from a hash of what they are for.

Everything simulated draws here, so that the same seed gives the same fleet and the same lives in every process,
whatever PYTHONHASHSEED or the order of calls. Never use `random` or `hash` beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

WORD = 1 << 32
"""Words are whole numbers from 0 up to this, all equally likely."""

_unpack = struct.Struct("<16I").unpack


def words(key: str) -> tuple[int, ...]:
    """The sixteen words that belong to this key."""
    return _unpack(blake2b(key.encode(), digest_size=64).digest())


def stream(key: str) -> Iterator[int]:
    """As many words as one wants for this key."""
    part = 0
    while True:
        yield from words(f"{key}/{part}")
        part += 1


def share(word: int) -> float:
    """The word as a share, 0.0 up to but without 1.0."""
    return word / WORD


def between(low: int, high: int, word: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + (word * (high - low + 1) >> 32)


def pick(table: Sequence[T], word: int) -> T:
    """One entry of the table."""
    return table[word * len(table) >> 32]


def spread(weights: Iterable[tuple[T, int]]) -> tuple[T, ...]:
    """A table for `pick` that holds each entry as often as its weight says."""
    return tuple(entry for entry, weight in weights for _ in range(weight))


GOLDEN_STEP = 2_654_435_769
ROOT_STEP = 1_779_033_703
"""Fractions of the golden ratio and of the square root of two: two sequences that do not follow each other."""


def even_word(count: int, start: int, step: int) -> int:
    """The `count`-th word of a sequence that covers the range evenly, so that small fleets keep their shares.

    A Weyl sequence: any stretch of n words falls into nearly equal parts. Two properties of one device need two steps.
    """
    return (start + count * step) & (WORD - 1)
