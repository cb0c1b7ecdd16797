"""What the tenant holds. Families of resources keep their rows in `tables`; devices have a room of their own.

A test changes it directly; a handler changes it when a request does. Not thread-safe by itself: the server holds
`lock` around each request.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from tests.tenant.fleet import NOW, Fleet, moment

TENANT_ID = "72f98800-0000-4000-8000-00000000c0de"
ENTERPRISE_SKU = "05e9a617-0261-4cee-bb44-138d3ef5d965"
FRONTLINE_SKU = "66b55226-6b4f-492c-910c-a3b7a3c9d993"
WINDOWS_ENTERPRISE_PLAN = "e7c91390-7625-45be-94e0-e16907e03118"
UPDATE_SERVICE_PLAN = "7bf960f6-2cd9-443a-8046-5dbff9558365"
EXCHANGE_PLAN = "efb87545-963c-4e0d-99df-69c6916d9eb0"


@dataclass
class Group:
    """A group of devices, users and other groups."""

    id: str
    name: str
    devices: Sequence[int] = ()
    """Numbers of devices; a range costs nothing."""
    users: Sequence[int] = ()
    groups: Sequence[str] = ()
    """Ids of groups within it."""


def group_id(number: int) -> str:
    return f"{number:08x}-4444-4444-8444-{number:012x}"


@dataclass
class TenantState:
    """A tenant whose devices stand in three groups: Test (a tenth), First (a fifth), Broad (the rest)."""

    devices: Fleet = field(default_factory=Fleet)
    page_size: int = 10
    """Rows a page at the most, whatever `$top` says: it is a hint."""
    tokens: set[str] = field(default_factory=set)
    """Accepted for reading."""
    write_tokens: set[str] = field(default_factory=set)
    """Accepted for reading and writing."""
    denied: list[tuple[str, str]] = field(default_factory=list)
    """Methods and beginnings of paths (without the version) that are answered with 403; "" stands for any method."""
    groups: dict[str, Group] = field(default_factory=dict)
    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    """Rows by id, by the name that a family gives its table."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    """Files by their path below /blob/; served to whoever comes without a token."""
    now: str = moment(NOW)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        if not self.groups:
            self.divide()

    @property
    def is_untouched(self) -> bool:
        """Whether it holds what a new tenant holds; who may sign in is no part of that."""
        return self._contents() == TenantState()._contents()

    def _contents(self) -> dict[str, Any]:
        left_out = ("tokens", "write_tokens", "lock")
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in left_out}
        return found | {
            "devices": vars(self.devices),
            "tables": {name: rows for name, rows in self.tables.items() if rows},
        }

    def divide(self) -> None:
        """Put the devices into the three groups anew, after their number was changed."""
        count = self.devices.count
        test, first = count // 10, count * 3 // 10
        shares = (("Ring Test", range(test)), ("Ring First", range(test, first)), ("Ring Broad", range(first, count)))
        for number, (name, devices) in enumerate(shares, 1):
            self.groups[group_id(number)] = Group(group_id(number), name, devices)
        self.groups[group_id(9)] = Group(group_id(9), "All rings", groups=[group_id(number) for number in (1, 2, 3)])

    def devices_in(self, group: Group) -> Sequence[int]:
        """Numbers of the devices in a group and in the groups within it, each once."""
        if not group.groups:
            return group.devices
        found: dict[int, None] = dict.fromkeys(group.devices)
        open_groups, seen = list(group.groups), {group.id}
        while open_groups:
            inner = open_groups.pop()
            if inner in self.groups and inner not in seen:
                seen.add(inner)
                found.update(dict.fromkeys(self.groups[inner].devices))
                open_groups += self.groups[inner].groups
        return list(found)
