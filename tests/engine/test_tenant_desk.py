"""The prepared state of the tenant's tests: what one test changes in its tenant reaches no other test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.providers.graph.config import to_json
from tests.engine.tenant_desk import NAME, desk
from tests.tenant.fixtures import TOKEN, config_of
from tests.tenant.server import Tenant, running
from tests.tenant.state import group_id
from tests.tenant.update_rings import ring_id, rings


def _rename(tenant: Tenant) -> None:
    rings(tenant.state)[ring_id(1)]["displayName"] = "Another"


CHANGES: dict[str, Callable[[Tenant], object]] = {
    "another build": lambda tenant: tenant.state.devices.change(0, osVersion="10.0.26100.8246"),
    "other hardware": lambda tenant: tenant.state.devices.change_hardware(
        0, deviceGuardVirtualizationBasedSecurityState="notConfigured"
    ),
    "a device less": lambda tenant: tenant.state.devices.delete(3),
    "a device more": lambda tenant: tenant.state.devices.add(),
    "a group less": lambda tenant: tenant.state.groups.pop(group_id(3)),
    "a ring's name": _rename,
    "a fault": lambda tenant: tenant.faults.member("manufacturer", "Another", "/deviceManagement/managedDevices"),
}


async def pulled(folder: Path, change: Callable[[Tenant], object] | None = None) -> list[tuple[Any, ...]]:
    """What a test's desk knows of devices and rings."""
    folder.mkdir()
    played = Tenant(token=TOKEN)
    played.state.write_tokens.add(TOKEN)
    if change is not None:
        change(played)
    with running(played):
        found = await desk(played, folder)
        with closing(found.engine):
            query = "SELECT d.*, r.name FROM device d LEFT JOIN ring r ON r.id = d.ring_id ORDER BY d.external_id"
            (row,) = found.store.providers.all()
            assert (row.name, row.config) == (NAME, to_json(config_of(played)))
            return [tuple(each) for each in found.store.connection.execute(query)]


@pytest.mark.parametrize("name", CHANGES)
async def test_what_a_test_changes_is_pulled_for_it_and_for_no_other(tmp_path: Path, name: str) -> None:
    changed = await pulled(tmp_path / "1", CHANGES[name])
    plain = await pulled(tmp_path / "2")
    assert changed != plain
    assert await pulled(tmp_path / "3", CHANGES[name]) == changed
    assert await pulled(tmp_path / "4") == plain
