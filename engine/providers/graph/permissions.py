"""The permissions that the console asks for in a tenant, each with its reason; read from ``data``.

Sign-in asks for them, `checks` tells which is missing, and the documents list them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from msgspec import Struct

from data import packaged


class Permission(Struct, frozen=True):
    """One permission of Microsoft Graph."""

    name: str
    writes: bool
    """Asked for only when writing is switched on."""
    needed: bool
    """Without it the console is of little use; the others only leave something unknown."""
    title: str
    why: str
    without: str
    """What is lost where it is not granted."""
    role: str
    """What a person needs besides, where the service looks at roles; "" where it does not."""
    also: tuple[str, ...]
    """Wider permissions that do as well."""
    operations: tuple[str, ...]
    """Method and path of what it is for."""

    def is_in(self, granted: Iterable[str]) -> bool:
        """Whether one of the granted permissions does."""
        return not {self.name, *self.also}.isdisjoint(granted)


class Granting(Struct, frozen=True):
    """Who can grant what."""

    delegated: str
    application: str
    role: str


@cache
def permissions() -> tuple[Permission, ...]:
    """All of them, those for reading first."""
    return tuple(
        Permission(
            name=each["name"],
            writes=each["access"] == "write",
            needed=each["needed"],
            title=each["title"],
            why=each["why"],
            without=each["without"],
            role=each["role"],
            also=tuple(each["also"]),
            operations=tuple(each["operations"]),
        )
        for each in _document()["permissions"]
    )


@cache
def granting() -> Granting:
    return Granting(**_document()["grants"])


def permission(name: str) -> Permission:
    """The permission of that name, which must be one of ours."""
    return next(each for each in permissions() if each.name == name)


def read_scopes() -> tuple[str, ...]:
    """The names to ask for at sign-in."""
    return tuple(each.name for each in permissions() if not each.writes)


def write_scopes() -> tuple[str, ...]:
    """The names to ask for besides when writing is wanted."""
    return tuple(each.name for each in permissions() if each.writes)


@cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packaged("graph_permissions.json"))
    return found
