"""A newcomer connects a tenant and works in it, command by command; no secret is left behind anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.console.cli_kit import Called, spawn
from tests.tenant import quality_policies, update_rings
from tests.tenant.fixtures import READ_TOKEN, TOKEN
from tests.tenant.fleet import moment
from tests.tenant.server import Tenant

RINGS = ("--ring", "Corp Test", "--ring", "Corp First")


@dataclass
class Newcomer:
    """Someone at a terminal with folders of their own."""

    tenant: Tenant
    home: Path
    token: str = TOKEN
    heard: list[str] = field(default_factory=list)

    def hotpatch(self, *words: str, code: int | None = 0) -> Called:
        more = {"HOME": str(self.home), "CORP_TOKEN": self.token, "NO_PROXY": "127.0.0.1"}
        more |= {
            name: str(self.home / name.lower()) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
        }
        done = spawn("--debug", *words, more=more)
        self.heard += [done.out, done.err]
        assert code is None or done.code == code, (words, done)
        assert "Traceback" not in done.err
        return done

    def add(self, *more: str) -> Called:
        words = ("provider", "add", "graph", "--name", "corp", "--base-url", self.tenant.base_url)
        return self.hotpatch(*words, "--token-env", "CORP_TOKEN", *more)


@pytest.fixture
def newcomer(tenant: Tenant, tmp_path: Path) -> Iterator[Newcomer]:
    found = Newcomer(tenant, tmp_path)
    yield found
    secrets = (TOKEN, READ_TOKEN, "key-of-the-file")
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [each for each in secrets if each.encode() in content], path
    assert not [each for each in secrets if each in "".join(found.heard)]
    assert "uthorization" not in "".join(found.heard)


def _released(row: dict[str, Any]) -> str:
    return str(row["released"])


def prepared(newcomer: Newcomer) -> tuple[str, dict[str, Any]]:
    """The current release, put into the tenant's catalog; a device there that lacks it."""
    rows = newcomer.hotpatch("releases", "--json").document
    known = [row for row in rows if row["platform"] == "win11-24h2" and row["build"]]
    newest = max((row for row in known if "hotpatch" in row["kind"] or "baseline" in row["kind"]), key=_released)
    base = max(
        (row for row in known if "baseline" in row["kind"] and _released(row) < _released(newest)), key=_released
    )
    state = newcomer.tenant.state
    number = int(newest["kb"].removeprefix("KB"))
    quality_policies.add_item(state, f"3c1e9a62-0000-4000-8000-{number:012d}", newest["released"][:10], number)
    state.devices.change(0, osVersion=f"10.0.{base['build']}", lastSyncDateTime=moment(datetime.now(UTC)))
    state.devices.change_hardware(0, deviceGuardVirtualizationBasedSecurityState="running")
    return newest["kb"], newest


def test_from_connecting_to_resuming(newcomer: Newcomer) -> None:
    newcomer.add()
    kb, release = prepared(newcomer)
    check = newcomer.hotpatch("provider", "check", "corp", "--json", code=None)
    assert {step["state"] for step in check.document["steps"]} <= {"ok", "note", "skipped"}, check.out
    imported = newcomer.hotpatch("import", "--from", "corp", "--json").document
    assert (imported["added"]["devices"], imported["faults"]) == (25, [])

    devices = {row["name"]: row for row in newcomer.hotpatch("devices", "--json").document}
    assert (len(devices), devices["PC-000000"]["tenant"], devices["PC-000000"]["ring"]) == (25, "corp", "Corp Test")
    assert devices["PC-000000"]["as_of"] is not None
    assert "corp: as of" in newcomer.hotpatch("devices").err
    rings = newcomer.hotpatch("rings", "--json", code=None).document
    assert {row["ring"] for row in rings} >= {"Corp Test", "Corp First", "Corp Broad"}
    assert all(row["as_of"] for row in rings if row["tenant"])
    assert newcomer.hotpatch("failures", "--json").document == []

    before = len(newcomer.tenant.writes)
    tried = newcomer.hotpatch("approve", kb, *RINGS, "--reason", "board 7", "--dry-run")
    assert "bulkAction" in tried.out
    assert len(newcomer.tenant.writes) == before
    newcomer.hotpatch("approve", kb, *RINGS, "--reason", "board 7", "--yes")
    item = f"3c1e9a62-0000-4000-8000-{int(kb.removeprefix('KB')):012d}"
    assert quality_policies.status_of(newcomer.tenant.state, quality_policies.HOTPATCH, item) == "approved"

    status = newcomer.hotpatch("status", "--json", code=None).document
    assert (status["requested"], status["active"]) == (1, 0)
    assert list(status["as_of"]) == ["corp"]
    answer = newcomer.hotpatch("device", "PC-000000")
    assert "installing" not in answer.out
    assert "acts at its next scan" in " ".join(answer.out.split())

    newcomer.hotpatch("pause", "--ring", "Corp Test", "--reason", "month end", "--yes")
    assert update_rings.rings(newcomer.tenant.state)[update_rings.ring_id(1)]["qualityUpdatesPaused"] is True
    newcomer.hotpatch("resume", "--ring", "Corp Test", "--reason", "over", "--yes")
    assert update_rings.rings(newcomer.tenant.state)[update_rings.ring_id(1)]["qualityUpdatesPaused"] is False

    newcomer.tenant.state.devices.change(
        0, osVersion=f"10.0.{release['build']}", lastSyncDateTime=moment(datetime.now(UTC))
    )
    newcomer.hotpatch("import", "--from", "corp")
    status = newcomer.hotpatch("status", "--json", code=None).document
    assert status["requested"] == 0
    history = newcomer.hotpatch("device", "PC-000000", "--json").document["installs"]
    assert [each["state"] for each in history if each["kb"] == kb] == ["succeeded"]
    newcomer.hotpatch("audit", "verify")


def test_read_only_nothing_is_ever_sent(newcomer: Newcomer) -> None:
    newcomer.token = READ_TOKEN
    newcomer.add("--no-writes")
    kb, _ = prepared(newcomer)
    newcomer.hotpatch("import", "--from", "corp")
    refused = newcomer.hotpatch("approve", kb, *RINGS, "--reason", "board 7", "--yes", code=4)
    assert "writes" in refused.err
    newcomer.hotpatch("pause", "--ring", "Corp Test", "--reason", "x", "--yes", code=4)
    newcomer.hotpatch("run", "--until-idle")
    assert not newcomer.tenant.writes
