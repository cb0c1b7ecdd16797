"""The licences that carry hotpatch rights, from data/licences.json. Rules, imports and providers read them here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

NO_LICENCE = "none"
"""The key of a known lack; "" is "not known"."""


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence as an administrator knows it."""

    key: str
    title: str
    eligible: bool | None
    """None where Microsoft's pages do not say."""
    skus: tuple[str, ...]
    """Part numbers (Graph ``skuPartNumber``); a trailing ``*`` stands for any ending."""


@cache
def licences() -> Mapping[str, Licence]:
    """Every known licence by its key, the eligible ones first."""
    import json
    from importlib.resources import files

    document = json.loads((files("data") / "licences.json").read_text("utf-8"))
    return {
        key: Licence(key, row["title"], row["eligible"], tuple(row["skus"]))
        for key, row in document["licences"].items()
    }


@cache
def eligible_titles() -> str:
    """The titles of the eligible licences, as a list in one sentence."""
    titles = [each.title for each in licences().values() if each.eligible]
    return f"{', '.join(titles[:-1])}, or {titles[-1]}"


def licence_of_sku(part_number: str) -> str:
    """The licence key for a part number such as ``SPE_E3``; "" for one that says nothing about Windows."""
    wanted = part_number.replace("\N{NO-BREAK SPACE}", " ").strip()
    for licence in licences().values():
        for sku in licence.skus:
            if wanted == sku or (sku.endswith("*") and fnmatchcase(wanted, sku)):
                return licence.key
    return ""


def best_licence(keys: Iterable[str]) -> str:
    """The most useful of several licences of one user: an eligible one, else any known one, else ""."""
    known = [licences()[key] for key in keys if key in licences()]
    for wanted in (True, None, False):
        for licence in known:
            if licence.eligible is wanted:
                return licence.key
    return ""
