"""`import --from`: a tenant's devices as a script and as a person would pull them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import open_engine
from tests.console.cli_kit import Called, call, command, environment
from tests.console.test_cli_process import HEAVY
from tests.engine.tenant_pulls import USUAL, tells
from tests.tenant.fixtures import TOKEN
from tests.tenant.server import Tenant


@pytest.fixture
def db(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state file that knows the tenant."""
    monkeypatch.setenv("CORP_TOKEN", TOKEN)
    tells(monkeypatch, USUAL)
    path = tmp_path / "fleet.db"
    words = ("provider", "add", "graph", "--name", "corp", "--base-url", tenant.base_url, "--token-env", "CORP_TOKEN")
    assert call("--db", path, *words).code == 0
    yield path
    for each in tmp_path.iterdir():
        assert TOKEN.encode() not in each.read_bytes()


def pull(db: Path, *more: str) -> Called:
    return call("--db", db, "import", "--from", "corp", *more)


def test_a_dry_run_tells_and_the_pull_after_it_does(db: Path) -> None:
    tried = pull(db, "--dry-run")
    assert tried.code == 0
    assert "25 devices in Microsoft Graph" in tried.out
    assert "would be added: 25 devices (PC-000000," in tried.out
    assert call("--db", db, "devices", "--json").document == []
    done = pull(db, "--json").document
    assert (done["done"], done["form"], done["rows"], done["added"]["devices"]) == (True, "Microsoft Graph", 25, 25)
    assert (done["faults"], done["bad"], done["skipped"]) == ([], [], 0)


def test_a_device_says_what_graph_does_not_report(db: Path) -> None:
    pull(db)
    shown = call("--db", db, "device", "PC-000009")
    assert shown.code == 0
    words = " ".join(shown.out.split())
    assert "CHPE on Arm64: Graph does not report CHPE" in words
    assert "Started – (Graph does not report restarts)" in words
    checks = call("--db", db, "device", "PC-000008", "--json").document["readiness"]["checks"]
    licence = next(each for each in checks if each["check"] == "licence")
    assert (licence["result"], "no primary user" in licence["found"]) == ("unknown", True)


def test_what_the_tenant_denies_is_told_and_ends_with_attention(db: Path, tenant: Tenant) -> None:
    tenant.state.denied.append(("GET", "/users"))
    called = pull(db)
    assert called.code == 3
    assert "not told: licences: Microsoft Graph denied" in called.out


def test_a_tenant_that_falls_silent_keeps_what_was_read(db: Path, tenant: Tenant) -> None:
    tenant.faults.status(403, "/deviceManagement/managedDevices", nth=2, times=1)
    called = pull(db)
    assert called.code == 1
    assert "What has been read is kept" in called.err
    assert "Traceback" not in called.err
    tenant.requests.clear()
    assert pull(db).code == 0
    assert len([seen for seen in tenant.asked("/deviceManagement/managedDevices") if not seen.in_batch]) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("import",), 2, "Name a file, or a provider"),
        (("import", "devices.csv", "--from", "corp"), 2, "Name a file, or a provider"),
        (("import", "--from", "corp", "--strict"), 2, "about files"),
        (("import", "--from", "crop"), 2, "corp"),
        (("--read-only", "import", "--from", "corp"), 4, "read-only"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_asked(
    db: Path, tenant: Tenant, words: tuple[str, ...], code: int, said: str
) -> None:
    called = call("--db", db, *words)
    assert (called.code, called.out) == (code, "")
    assert said in called.err
    assert not tenant.requests


def test_looking_at_a_tenants_fleet_loads_no_network(db: Path) -> None:
    pull(db)
    for words in (("status",), ("devices",), ("device", "PC-000009")):
        code = (
            "import sys\nfrom console.cli import run\n"
            f"assert run({['--db', str(db), *words, '--json']!r}) in (0, 3)\n"
            f"print(*[name for name in {(*HEAVY, 'msal')!r} if name in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True, timeout=120
        )
        assert done.stderr.split() == []


def test_the_device_pane_says_it_too(db: Path) -> None:
    from console.device_reads import read_device
    from console.widgets.device_text import device_paras

    pull(db)
    with open_engine(db) as engine:
        report = read_device(engine, engine.reads.devices.find("PC-000009").id)
    shown = str(device_paras(report, None))
    assert "Graph does not report CHPE" in shown
    assert "Graph does not report restarts" in shown


def test_killed_for_good_in_the_middle_the_next_process_goes_on_there(db: Path, tenant: Tenant) -> None:
    arrived = threading.Event()
    tenant.faults.before(lambda _: arrived.set(), "/$batch")
    tenant.faults.stall("/$batch")
    words = command("--db", db, "import", "--from", "corp")
    with subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert arrived.wait(timeout=120)
        process.kill()
    tenant.requests.clear()
    called = pull(db, "--json")
    assert called.document["added"]["devices"] == 25
    assert not [seen for seen in tenant.asked("/deviceManagement/managedDevices") if not seen.in_batch]
