"""The licences that carry hotpatch rights, from data/licences.json. Rules, imports and providers read them here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from msgspec import Struct

from data import packaged

NO_LICENCE = "none"
"""The key of a known lack; "" is "not known"."""


class Licence(Struct, frozen=True):
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
    return {
        key: Licence(key, row["title"], row["eligible"], tuple(row["skus"]))
        for key, row in _document()["licences"].items()
    }


@cache
def _document() -> Any:
    import json

    return json.loads(packaged("licences.json"))


class LicencePlan(Struct, frozen=True):
    """A service plan inside a licence, as Microsoft Graph tells it."""

    title: str
    entitles: bool
    """Whether it carries hotpatch rights by itself; Intune alone does not."""


class Assigned(Struct, frozen=True):
    """One licence that is assigned to a user: its part number and its service plans."""

    part_number: str
    plans: tuple[tuple[str, str], ...]
    """Service plan id in lower case and its provisioning status."""


@cache
def plans() -> Mapping[str, LicencePlan]:
    """The service plans that matter here, by their id in lower case."""
    return {
        key.casefold(): LicencePlan(row["title"], row["carries"] in ("windows", "autopatch", "deployment"))
        for key, row in _document()["plans"].items()
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


def licence_by_plans(assigned: Iterable[Assigned]) -> tuple[str, str]:
    """The licence of a user by the service plans that are provisioned, and what is worth saying about it.

    Plans decide, part numbers only name: a licence whose Windows plan is switched off entitles to nothing. Windows 365
    goes by its part number, as its plans are not published (Microsoft: product names and service plan identifiers
    for licensing). `NO_LICENCE` where nothing entitles.
    """
    found: list[str] = []
    lacking: list[str] = []
    for each in assigned:
        key = licence_of_sku(each.part_number)
        named = licences().get(key)
        working = {plan for plan, status in each.plans if status.casefold() == "success"}
        if any(plans()[plan].entitles for plan in working & plans().keys()):
            found.append(key if named is not None and named.eligible else _BY_PLAN)
        elif named is not None and named.eligible and not (key.startswith("windows-365") and working):
            lacking.append(_why_not(named, each))
        elif key:
            found.append(key)
    best = best_licence(found)
    if best and licences()[best].eligible is not False:
        return best, ""
    return best or NO_LICENCE, "; ".join(dict.fromkeys(lacking))


_BY_PLAN = "autopatch"
"""Names a licence that no part number names, whose plans entitle."""


def _why_not(licence: Licence, assigned: Assigned) -> str:
    for plan, status in assigned.plans:
        known = plans().get(plan)
        if known is not None and known.entitles:
            return f"{licence.title} is assigned, but its plan {known.title} is {status or 'not provisioned'}"
    return f"{licence.title} is assigned without a plan that carries hotpatch rights"
