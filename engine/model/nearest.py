"""The names closest to a mistyped one, for "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(wrong: str, names: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """At most `limit` names that are close to `wrong`, the closest first."""
    from difflib import get_close_matches  # only needed once something is wrong

    known = {name.casefold(): name for name in names}
    return tuple(known[each] for each in get_close_matches(wrong.casefold(), known, limit, 0.6))
