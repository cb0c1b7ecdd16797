"""The same surroundings whenever and wherever a kept state is asked: moment, user, host, folder."""

from __future__ import annotations

import getpass
import json
import platform
import re
import shlex
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from console.cli.session import package_version
from engine import open_engine  # noqa: F401 - loads the clock that is held still
from tests.console.cli_kit import call
from tests.tenant.fixtures import TOKEN
from tests.tenant.server import Tenant, running

STATE = "state.db"
"""The state's name; commands are called in its folder, so that no path stands in what they say."""
NOWHERE = "http://127.0.0.1:1"
"""Where a kept state's tenant is said to be; while one plays, its address stands there instead."""
_WHO = re.compile(r"[a-z]+: ")
_CHANCE = re.compile(r"(?!0000)[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""Ids that a request got by chance; the played tenant's own begin with zeros."""


@contextmanager
def fixed(folder: Path, moment: datetime) -> Iterator[None]:
    """One user on one host at one moment, in that folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(socket, "gethostname", lambda: "jump01")
        patch.setenv("CORP_TOKEN", TOKEN)
        for name in ("HOTPATCH_DB", "HOTPATCH_CONFIG"):
            patch.delenv(name, raising=False)
        for name in ("STATE", "CONFIG", "CACHE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(folder / f".{name.lower()}"))
        patch.setattr(_system_clock(), "now", lambda _: moment)
        patch.setattr(time, "time", moment.timestamp)
        yield


def _system_clock() -> type[Any]:
    """The class of the machine's clock, in whichever room it is."""
    found = {
        clock
        for name, module in list(sys.modules.items())
        if name.startswith("engine.") and isinstance(clock := getattr(module, "SystemClock", None), type)
    }
    (clock,) = found
    return clock


def said(line: str) -> dict[str, Any]:
    """What one command line says with ``--json``: its exit code, and its document or its text. ``ben: …`` is Ben's."""
    who, _, rest = line.partition(": ") if _WHO.match(line) else ("mia", "", line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(getpass, "getuser", lambda: who)
        done = call("--db", STATE, *shlex.split(rest), "--json")
    told: dict[str, Any] = {"code": int(done.code)}
    try:
        told["document"] = done.document
    except ValueError:
        told["text"] = done.out
    if not done.out:
        told["error"] = done.err
    return plain(told)


def plain(told: Any) -> Any:
    """What was said without what chance, versions, the folder and the address of a played tenant put into it."""
    text = json.dumps(told)
    text = re.sub(r"http://127\.0\.0\.1:\d+", NOWHERE, text)
    text = _CHANCE.sub("(by chance)", text)
    text = text.replace(package_version(), "(version)").replace(f"{platform.python_version()}, hot", "(python), hot")
    text = text.replace(f"{Path.cwd()}/", "")
    return json.loads(text)


# --- what stands in the file ------------------------------------------------------------------------


def audit_bytes(after: int = 0) -> list[dict[str, Any]]:
    """The audit records as they stand in the file, column by column, none left out."""
    with closing(sqlite3.connect(STATE)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM audit WHERE seq > ? ORDER BY seq", (after,)).fetchall()
    return [
        {key: value.hex() if isinstance(value, bytes) else value for key, value in dict(row).items()} for row in rows
    ]


def kept_json() -> dict[str, list[str]]:
    """Every text in the file that is a JSON object or list, by table and column."""
    found: dict[str, list[str]] = {}
    with closing(sqlite3.connect(STATE)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table.startswith("sqlite_"):
                continue
            for column in [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]:
                values = connection.execute(
                    f'SELECT "{column}" FROM "{table}" WHERE typeof("{column}") = \'text\''
                    f" AND substr(\"{column}\", 1, 1) IN ('{{', '[')"
                )
                texts = [str(row[0]) for row in values if _is_json(row[0])]
                if texts:
                    found[f"{table}.{column}"] = texts
    return {place: sorted(texts) for place, texts in plain(found).items()}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def installs() -> list[dict[str, Any]]:
    """The installs as they stand in the file."""
    with closing(sqlite3.connect(STATE)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM install ORDER BY id")]


# --- the tenant -------------------------------------------------------------------------------------


@contextmanager
def played(writes: list[dict[str, str]]) -> Iterator[Tenant]:
    """A tenant in which these requests were carried out already, at the address that the state file says."""
    from urllib.request import Request, urlopen

    tenant = Tenant(token=TOKEN)
    tenant.state.tokens.add(TOKEN)
    tenant.state.write_tokens.add(TOKEN)
    with running(tenant):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        for each in writes:
            url = tenant.base_url + each["path"]
            with urlopen(Request(url, each["body"].encode(), headers, method=each["method"])):
                pass
        tenant.requests.clear()
        if Path(STATE).exists():
            move_tenant(NOWHERE, tenant.base_url)
        yield tenant
        if Path(STATE).exists():
            move_tenant(tenant.base_url, NOWHERE)
    assert tenant.violations == []


def move_tenant(before: str, after: str) -> None:
    """Let the state file's provider lead elsewhere."""
    with closing(sqlite3.connect(STATE)) as connection, connection:
        connection.execute("UPDATE provider SET config = replace(config, ?, ?)", (before, after))
