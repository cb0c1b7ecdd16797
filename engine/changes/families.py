"""The one table of the families of changes: which module plans a kind of intent, writes it and tells how it stands.

A family is a module with the functions of `Family`. It is loaded when a change of it is planned: to start, and to
approve, nobody has to load what is known about errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast, get_args

from engine.changes.before_after import Standing
from engine.changes.desk import Desk
from engine.model.intents import (
    ApprovalIntent,
    FailureIntent,
    HoldIntent,
    InstallIntent,
    Intent,
    Plan,
    RecoveryIntent,
    RingIntent,
    StopIntent,
    TenantIntent,
)
from engine.store import Store


class Family(Protocol):
    """What a family of changes can do. Each takes its own kinds of intent only."""

    def plan(self, intent: Any, desk: Desk, /) -> Plan:
        """What the intent would do, tenants included; reads only.

        Raises:
            NotFound, BadInput: it names something that does not exist.
        """

    def write(self, plan: Plan, intent: Any, desk: Desk, /) -> int:
        """Do it, inside the transaction of the change; returns how many installs were queued or cancelled."""

    def standing(self, plan: Plan, intent: Any, store: Store, /) -> Standing:
        """How the decisions that the intent can alter stand now; the devices of the plan are told for it."""


_MODULES: tuple[tuple[Any, str], ...] = (
    (ApprovalIntent, "approvals"),
    (InstallIntent, "installs"),
    (StopIntent, "stops"),
    (RingIntent, "rings"),
    (HoldIntent, "holds"),
    (RecoveryIntent, "recoveries"),
    (FailureIntent, "failures"),
    (TenantIntent, "tenants"),
)
MODULE_OF: Mapping[type[Intent], str] = {kind: name for kinds, name in _MODULES for kind in get_args(kinds) or (kinds,)}
"""Kind of intent → module of its family, beside this one."""


def family_of(kind: type[Intent]) -> Family:
    """The family that carries a kind of intent."""
    return cast(Family, import_module(f"engine.changes.{MODULE_OF[kind]}"))
