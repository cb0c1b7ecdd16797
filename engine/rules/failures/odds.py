"""How likely a coincidence is: the exact upper tail of the hypergeometric distribution, as a logarithm.

`factors` alone calls it. It works for populations of millions because it never forms a large number.
"""

from __future__ import annotations

from math import exp, expm1, inf, lgamma, log, log1p

_NEGLIGIBLE = 1e-18


def log_tail(seen: int, drawn: int, marked: int, population: int) -> float:
    """ln P(X >= seen), where X counts the marked among `drawn` devices taken at random from `population`.

    Exact up to rounding (about 1e-8 relative for a million devices). 0.0 is certainty, -inf is impossible.

    Raises:
        ValueError: more are drawn or marked than there are.
    """
    if not (0 <= drawn <= population and 0 <= marked <= population):
        raise ValueError(f"{drawn} drawn and {marked} marked do not fit into a population of {population}")
    lowest, highest = max(0, drawn + marked - population), min(drawn, marked)
    if seen <= lowest:
        return 0.0
    if seen > highest:
        return -inf
    mode = (drawn + 1) * (marked + 1) // (population + 2)
    if seen > mode:
        return min(0.0, _log_term(seen, drawn, marked, population) + log(_upwards(seen, drawn, marked, population)))
    # Below the mode the terms grow, so the other tail is summed and subtracted.
    below = _log_term(seen - 1, drawn, marked, population) + log(_downwards(seen - 1, drawn, marked, population))
    return log1p(-exp(below)) if below < -1e-3 else log(-expm1(min(below, -_NEGLIGIBLE)))


def _log_term(count: int, drawn: int, marked: int, population: int) -> float:
    return _log_choose(marked, count) + _log_choose(population - marked, drawn - count) - _log_choose(population, drawn)


def _log_choose(total: int, taken: int) -> float:
    return lgamma(total + 1) - lgamma(taken + 1) - lgamma(total - taken + 1)


def _upwards(start: int, drawn: int, marked: int, population: int) -> float:
    """The sum of all terms from `start` up, as a multiple of the first; the terms shrink."""
    term = total = 1.0
    unmarked = population - marked
    for count in range(start, min(drawn, marked)):
        term *= (marked - count) * (drawn - count) / ((count + 1) * (unmarked - drawn + count + 1))
        total += term
        if term < _NEGLIGIBLE * total:
            break
    return total


def _downwards(start: int, drawn: int, marked: int, population: int) -> float:
    """The sum of all terms from `start` down, as a multiple of the first; the terms shrink."""
    term = total = 1.0
    unmarked = population - marked
    for count in range(start, max(0, drawn - unmarked), -1):
        term *= count * (unmarked - drawn + count) / ((marked - count + 1) * (drawn - count + 1))
        total += term
        if term < _NEGLIGIBLE * total:
            break
    return total
