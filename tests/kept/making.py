"""How the states of 0.1 were made, through the command line alone, and what is tried on a copy of each."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.engine.scan_exports import Row, nessus
from tests.kept.surroundings import STATE, played, said
from tests.tenant.server import Tenant

KB = "KB5089466"
"""The hotpatch of May 2026 for Windows 11."""
DAY = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
"""The machine's moment: that of the played tenant."""


@dataclass(frozen=True)
class Kept:
    """One state and what is tried on it."""

    name: str
    about: str
    make: Callable[[], list[dict[str, str]]]
    """Makes `STATE` in the present folder; returns the requests that changed something in its tenant."""
    words: dict[str, str]
    """What stands for the placeholders of `lines`."""
    scripts: dict[str, tuple[str, ...]]
    """Name → command lines, carried out one after another on a copy."""
    files: dict[str, str] = field(default_factory=dict)
    """Files beside the state that command lines name."""
    tenant: bool = False
    later: timedelta = timedelta(0)
    """How long after its making its scripts are carried out."""
    more: tuple[str, ...] = ()
    """What is asked of this state only, since it takes long."""


def _do(*lines: str, allow: tuple[int, ...] = (0, 3)) -> None:
    for line in lines:
        told = said(line)
        assert told["code"] in allow, (line, told)


# --- demos ------------------------------------------------------------------------------------------


def _mid_rollout() -> list[dict[str, str]]:
    _do(
        "demo --prepare --devices 60 --seed 4",
        "policy set --auto-approve Test",
        f"approve {KB} --all-rings --reason pilot",
        "hold KB5089549 --filter site:Berlin --reason 'audio driver'",
        "exclude --device LON-LT-0001 --reason 'on stage' --until 2026-06-30",
        "run --until 2026-05-21T18:20",
        "escalate --owner alice --filter state:failed --reason 'by hand'",
        f"known-problem mark --title 'audio crackles' --release {KB}",
    )
    return []


def _two_signatures() -> list[dict[str, str]]:
    _do(
        "demo --prepare --devices 30 --seed 9",
        "policy set --second-person",
        f"approve {KB} --all-rings --reason 'board 12' --not-before 2026-05-14 --expires 2026-07-01",
        "run --until 2026-05-14T09:00",
    )
    return []


def _paused_recovery() -> list[dict[str, str]]:
    _do(
        "demo --prepare --devices 60 --scenario bad-patch",
        f"approve {KB} --all-rings --reason pilot",
        "run --until 2026-05-28T05:00",
        f"recover {KB} --reason 'crashes since the hotpatch' --yes",
        "run --until 2026-05-28T10:00",
        "pause --all --reason 'audit of the plant'",
        "run --until 2026-05-28T11:00",
    )
    return []


# --- a real import ----------------------------------------------------------------------------------

_FORM = "name platform architecture build edition site user licence management policy vbs boot_at last_seen_at".split()


def _devices_csv(number: int, *, revision: int = 8246) -> str:
    """A list of devices in the program's own columns; every seventh is not as it should be."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _FORM, lineterminator="\n")
    writer.writeheader()
    for place in range(number):
        odd = place % 7 == 3
        writer.writerow(
            {
                "name": f"PLANT-LT-{place:04}",
                "platform": "win11-24h2" if place % 3 else "win11-25h2",
                "architecture": "arm64" if place % 5 == 4 else "x64",
                "build": f"{26100 if place % 3 else 26200}.{revision if place % 4 else 8390}",
                "edition": "Pro" if place % 11 == 10 else "Enterprise",
                "site": ("Lyon", "Zürich", "Berlin")[place % 3],
                "user": f"user{place}@contoso.com",
                "licence": "" if place % 13 == 12 else "m365-e3",
                "management": "intune",
                "policy": "allow" if not odd else "deny",
                "vbs": "running" if place % 6 else "off",
                "boot_at": f"2026-05-{10 + place % 8:02}T07:12:00Z",
                "last_seen_at": f"2026-{'05' if place % 9 else '03'}-19T16:40:00Z",
            }
        )
    return out.getvalue()


_INTUNE = (
    "Device name,Serial number,Manufacturer,Model,OS version,Last check-in,Primary user UPN,Compliance,Managed by,OS,"
    "SkuFamily,JoinType,ProcessorArchitecture"
)


def _intune_csv(number: int) -> str:
    """As Intune exports its devices."""
    rows = [
        f"HQ-PC-{place:03},PF{place:05},LENOVO,ThinkPad T14,"
        f"10.0.{26100 if place % 2 else 26200}.{8390 if place % 3 else 8246},"
        f"2026-05-{10 + place % 9:02} 09:14:00.0000000,hq{place}@contoso.com,Compliant,Intune,Windows,Enterprise,"
        "Azure AD joined,X64"
        for place in range(number)
    ]
    return "\n".join([_INTUNE, *rows]) + "\n"


def _real_import() -> list[dict[str, str]]:
    Path("first.csv").write_text(_devices_csv(30), encoding="utf-8")
    Path("intune.csv").write_text(_intune_csv(15), encoding="utf-8")
    _do(
        "import first.csv",
        "import intune.csv",
        "assign --to Test --device PLANT-LT-0001 --device HQ-PC-003 --reason 'pilot users'",
        f"approve {KB} --ring Test --reason tested",
        "policy set --keep-history '13 months'",
    )
    return []


# --- a tenant ---------------------------------------------------------------------------------------


def _writes(tenant: Tenant) -> list[dict[str, str]]:
    return [{"method": each.method, "path": each.path, "body": each.body.decode()} for each in tenant.writes]


def _tenant_requests() -> list[dict[str, str]]:
    with played([]) as tenant:
        _do(
            f"provider add graph --name corp --base-url {tenant.base_url} --token-env CORP_TOKEN --writes",
            "import --from corp",
            f"approve {KB} --ring 'Corp Test' --ring 'Corp First' --reason 'board 12'",
            "sync --device PC-000001 --reason 'asked by phone'",
        )
        done = _writes(tenant)
        # A service that asks for a long wait: the request is under way, and is sent by whoever drives the work later.
        tenant.faults.throttle("/v1.0/deviceManagement/deviceConfigurations", method="PATCH", retry_after="7200")
        _do("pause --ring 'Corp Broad' --reason freeze", "rings set 'Corp Broad' --deferral 7 --reason slower")
    # The wait that the service asks for is counted by the client's clock, which nothing holds still.
    with closing(sqlite3.connect(STATE)) as connection, connection:
        at = int((DAY + timedelta(hours=2)).timestamp())
        connection.execute(
            "UPDATE tenant_request SET next_at = ? WHERE state = 'waiting' AND next_at IS NOT NULL", (at,)
        )
    return done


@contextmanager
def tenant_of(kept: Kept, writes: list[dict[str, str]]) -> Iterator[None]:
    """The state's tenant while its scripts are carried out."""
    if not kept.tenant:
        yield
        return
    with played(writes):
        yield


# --- all --------------------------------------------------------------------------------------------


def scan(names: Sequence[str]) -> str:
    """A scanner's export about these devices: what the hotpatch and a cumulative update fix, and what none does."""
    fixed = (json.dumps(said(f"release {kb}")["document"]) for kb in (KB, "KB5089549"))
    cves = [cve for text in fixed for cve in sorted(set(re.findall(r"CVE-\d+-\d+", text)))[-4:]]
    rows = [Row(name, tuple(cves), id=str(240_001 + at)) for at, name in enumerate(names)]
    return nessus([*rows, Row("GHOST", tuple(cves)), Row(names[0], ("CVE-2021-44228",), id="156002", title="Log4j")])


_OPERATOR = (
    "rings set {ring} --deferral 3 --reason slower",
    "assign --to {ring} --device {other} --reason 'with the others'",
    "policy set --confirmed-only",
    "exclude --device {device} --reason 'on stage' --until 2026-09-01",
    "readmit --device {device}",
    "hold KB5089549 --filter ring:{ring} --reason 'print driver'",
    "pause --ring {ring} --reason freeze",
    "resume --ring {ring}",
    "known-problem mark --title 'no sound' --release {kb} --hold --note 'restart the service'",
    "apply {kb} --device {device} --reason 'asked for'",
    "retry --filter state:failed --reason 'once more'",
    "halt --release {kb} --reason worse",
    "audit verify",
    "audit export",
    "activity",
    "holds",
    "rings",
    "status",
)
"""A day's changes, whatever the state says to each, and what is told of them."""
_AFTERWARDS = ("status", "devices", "rings --release {kb}", "failures", "recovery", "activity", "audit verify")


def _scripts(words: dict[str, str], **scripts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(line.format(**words) for line in script) for name, script in scripts.items()}


_DEMO = {"kb": KB, "device": "LON-LT-0042", "other": "LON-DT-0001", "ring": "Broad"}
_SMALL = {**_DEMO, "device": "LON-LT-0042", "other": "MAN-LT-0011"}
_REAL = {"kb": KB, "device": "PLANT-LT-0002", "other": "HQ-PC-001", "ring": "Broad"}
_TENANT = {"kb": KB, "device": "PC-000001", "other": "PC-000003", "ring": "'Corp Broad'"}

STATES = (
    Kept(
        "mid-rollout",
        "A demo whose release is on its way to Broad: installs under way, done and failed, a hold, an escalation",
        _mid_rollout,
        _DEMO,
        _scripts(
            _DEMO,
            changes=_OPERATOR,
            onward=("run --until 2026-05-22T15:00", *_AFTERWARDS),
            uninstalls=(
                "uninstall {kb} --ring Test --reason bad --yes",
                "take-back --filter platform:win11-24h2 --reason 'not yet'",
                "end-escalation 1 --reason 'put right'",
                "known-problem hold 1 --reason 'more of them'",
                "known-problem lift 1 --reason better",
                "unhold 1 --reason 'new driver'",
                "clock step 6h",
                "run --until 2026-05-21T21:00",
                "policy set --keep-history '3 months'",
                "prune",
                *_AFTERWARDS,
            ),
        ),
    ),
    Kept(
        "real-import",
        "A fleet by the machine's clock, from a device list and Intune's export",
        _real_import,
        _REAL,
        _scripts(
            _REAL,
            changes=(*_OPERATOR, "import devices.csv", "devices", "activity"),
            onward=("run --until-idle --until 2026-05-22T08:00", *_AFTERWARDS),
        ),
        files={"devices.csv": _devices_csv(32, revision=8390)},
        later=timedelta(days=2),
        more=(f"forecast {KB} --all-rings",),
    ),
    Kept(
        "tenant-requests",
        "A tenant's devices and rings; requests confirmed, and two that the tenant has not taken yet",
        _tenant_requests,
        _TENANT,
        _scripts(
            _TENANT,
            changes=(
                "rings set {ring} --hotpatch on --reason 'all of them'",
                "pause --ring 'Corp Test' --ring 'Corp First' --reason freeze",
                "approve KB5089549 --ring 'Corp Test' --ring 'Corp First' --reason tested",
                "expedite {kb} --ring 'Corp Test' --ring 'Corp First' --reason 'in the wild' --yes",
                "provider writes corp off",
                "requests --bodies",
                "activity",
                "audit export",
            ),
            onward=(
                "requests --bodies",
                "run --until-idle --until 2026-05-20T11:00",
                "requests",
                "import --from corp",
                *_AFTERWARDS,
            ),
        ),
        tenant=True,
        later=timedelta(hours=3),
    ),
    Kept(
        "two-signatures",
        "A demo with an approval that awaits its second signature",
        _two_signatures,
        _SMALL,
        _scripts(
            _SMALL,
            changes=_OPERATOR,
            onward=(
                "countersign 1 --reason alone",
                "approvals",
                "ben: countersign 1 --reason 'read it'",
                "approvals",
                "run --until 2026-05-15T12:00",
                *_AFTERWARDS,
            ),
            withdrawn=("withdraw 1 --reason 'not now'", "approvals", "activity"),
        ),
    ),
    Kept(
        "paused-recovery",
        "A demo of a bad patch that halted itself; its recovery has begun and is paused",
        _paused_recovery,
        _DEMO,
        _scripts(
            _DEMO,
            changes=_OPERATOR,
            onward=(
                "resume --all --reason 'audit is over'",
                "run --until 2026-05-29T12:00",
                "recovery {kb}",
                *_AFTERWARDS,
            ),
        ),
    ),
)
