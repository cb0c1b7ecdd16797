"""Commands that change the fleet: plan, refusal, doing, audit; without a terminal and with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.cli import changing, diagnostics
from engine import open_engine
from engine.model.records.fleet import DeviceQuery
from tests.console.cli_kit import Called, call

KB = "KB5089466"
READY = "ring:test readiness:ready platform:win11-24h2,win11-25h2"


def ready_device(path: Path, filter_text: str = READY) -> str:
    with open_engine(path, read_only=True) as engine:
        return next(engine.reads.devices.each(DeviceQuery(filter_text))).name


def audit(path: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = call("--db", path, "activity", "--json").document["audit"]
    return records


def approve(path: Path, *more: str, ring: str = "Test") -> Called:
    return call("--db", path, "approve", KB, "--ring", ring, "--reason", "May pilot", *more)


def test_from_approval_to_installed(demo_state: Path) -> None:
    """The acceptance of the first milestone, by commands alone."""
    device = ready_device(demo_state)
    early = call("--db", demo_state, "apply", KB, "--device", device)
    assert early.code == 4
    assert "not approved" in early.err
    assert early.out == ""

    assert approve(demo_state, "--actor", "anna.meyer").code == 0
    ran = call("--db", demo_state, "run", "--until-idle", "--json")
    assert ran.code in (0, 3)
    assert ran.document["steps"] > 0
    assert ran.document["active"] == 0

    builds = {"win11-24h2": "26100.8390", "win11-25h2": "26200.8390"}
    rows = call("--db", demo_state, "devices", READY, "--json").document
    failed = {row["name"] for row in rows if row["state"] == "failed"}
    assert len(failed) < len(rows)
    assert all(row["build"] == builds[row["platform"]] for row in rows if row["name"] not in failed)

    approval = next(record for record in audit(demo_state) if record["action"] == "approve")
    assert approval["actor"] == "anna.meyer"
    assert " command of " in approval["origin"], "the system user stands beside the name given"
    assert approval["reason"] == "May pilot"
    assert approval["rings"] == ["Test"]
    assert approval["at"] == "2026-05-13T09:00:00Z"
    assert call("--db", demo_state, "audit", "verify").code == 0


def test_apply_and_uninstall_one_device(demo_state: Path) -> None:
    device = ready_device(demo_state)
    approve(demo_state)
    applied = call("--db", demo_state, "apply", KB, "--device", device, "--json")
    call("--db", demo_state, "run", "--until-idle")
    again = call("--db", demo_state, "apply", KB, "--device", device)

    assert applied.code == 0
    assert applied.document["done"] is True
    assert applied.document["plan"]["devices"] == 1
    assert applied.document["installs"] == 1
    assert again.code == 4
    assert "already" in again.err

    removed = call("--db", demo_state, "uninstall", KB, "--device", device, "--reason", "crashes", "--then", "stay")
    assert removed.code == 0, removed.err
    call("--db", demo_state, "run", "--until-idle")
    after = call("--db", demo_state, "device", device, "--json").document
    assert after["build"] != "26100.8390"
    assert after["holds"]


def test_dry_run_shows_and_does_nothing(demo_state: Path) -> None:
    shown = approve(demo_state, "--dry-run")
    asked = approve(demo_state, "--dry-run", "--json")
    refused = call("--db", demo_state, "apply", KB, "--ring", "Test", "--dry-run", "--json")

    assert shown.code == 0
    assert "Approve KB5089466 for ring Test" in shown.out
    assert asked.document["done"] is False
    assert asked.document["plan"]["refusal"] is None
    assert refused.code == 4
    assert refused.document["plan"]["refusal"]["instead"]
    assert "hotpatch: KB5089466 is not applied." in refused.err
    assert audit(demo_state) == []


def test_read_only_refuses_every_change(demo_state: Path) -> None:
    changes = [
        ("approve", KB, "--ring", "Test", "--reason", "x"),
        ("apply", KB, "--ring", "Test"),
        ("uninstall", KB, "--ring", "Test", "--reason", "x"),
        ("retry", "--ring", "Broad"),
        ("pause", "--all", "--reason", "x"),
        ("halt", "--all", "--reason", "x"),
        ("resume", "--all"),
        ("assign", "--to", "First", "--ring", "Test"),
        ("rings", "set", "Test", "--deferral", "2"),
        ("run", "--until-idle"),
        ("clock", "step", "1d"),
        ("catalog", "import", "."),
    ]
    for words in changes:
        called = call("--db", demo_state, "--read-only", *words)
        assert called.code == 4, words
        assert "read-only" in called.err, words
    assert audit(demo_state) == []


def test_roles_come_from_the_settings(demo_state: Path, own_folders: Path) -> None:
    folder = own_folders / "config" / "hotpatch"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[roles]\ndefault = "help-desk"\n')

    refused = approve(demo_state)

    assert refused.code == 4
    assert "help-desk" in refused.err
    assert "role" not in call("--db", demo_state, "retry", "--ring", "Broad", "--dry-run").err


def test_approvals_are_listed_and_withdrawn(demo_state: Path) -> None:
    approve(demo_state, "--not-before", "2026-05-14", "--expires", "2026-05-20T18:00+02:00")
    found = call("--db", demo_state, "approvals", "--json").document
    withdrawn = call("--db", demo_state, "withdraw", "1", "--reason", "mistake")
    after = call("--db", demo_state, "approvals", KB, "--json").document

    assert found[0] | {"approved_by": "x"} == {
        "id": 1,
        "kb": KB,
        "rings": ["Test"],
        "reason": "May pilot",
        "approved_by": "x",
        "approved": "2026-05-13T09:00:00Z",
        "not_before": "2026-05-14T00:00:00Z",
        "expires": "2026-05-20T16:00:00Z",
        "withdrawn": None,
        "withdrawn_by": None,
        "needs_second": False,
        "seconded_by": None,
        "seconded": None,
        "valid": False,
    }
    assert withdrawn.code == 0
    assert after[0]["withdrawn"] == "2026-05-13T09:00:00Z"
    assert call("--db", demo_state, "withdraw", "1", "--reason", "again").code == 4
    assert call("--db", demo_state, "withdraw", "7", "--reason", "none").code == 2


def test_pause_halt_resume(demo_state: Path) -> None:
    call("--db", demo_state, "approve", KB, "--all-rings", "--reason", "May")
    paused = call("--db", demo_state, "pause", "--release", KB, "--ring", "Test", "--reason", "ticket 4711")
    held = call("--db", demo_state, "run", "--until-idle", "--json")
    status = call("--db", demo_state, "status", "--json")
    rings = call("--db", demo_state, "rings")

    assert paused.code == 0
    assert held.document["active"] == 0
    assert (status.code, rings.code) == (3, 3)
    assert any("ticket 4711" in each["text"] for each in status.document["attention"])
    assert "ticket 4711" in rings.err
    test_ring = call("--db", demo_state, "rings", "--release", KB, "--json").document[0]
    assert "ticket 4711" in test_ring["stopped"]
    assert test_ring["opened"] is None

    assert call("--db", demo_state, "resume", "--all").code == 0
    assert call("--db", demo_state, "resume", "--all").code == 4
    assert call("--db", demo_state, "halt", "--all", "--reason", "stop").code == 0
    assert [record["action"] for record in audit(demo_state)] == ["halt", "resume", "pause", "approve"]


def test_ring_rules_are_changed_and_audited(demo_state: Path) -> None:
    called = call(
        "--db", demo_state, "rings", "set", "first", "--deferral", "3", "--soak", "6", "--min-installed", "90"
    )
    ring = next(row for row in call("--db", demo_state, "rings", "--json").document if row["ring"] == "First")

    assert called.code == 0, called.err
    assert ring["deferral_days"] == 3
    assert ring["gate_rule"]["soak_hours"] == 6
    assert ring["gate_rule"]["min_installed_share"] == 0.9
    assert audit(demo_state)[0]["action"] == "set-ring"
    assert call("--db", demo_state, "rings", "set", "first", "--deferral", "3").code == 4
    assert call("--db", demo_state, "rings", "set", "Frist", "--soak", "3").code == 2


def test_devices_move_to_another_ring(demo_state: Path) -> None:
    device = ready_device(demo_state)

    assert call("--db", demo_state, "assign", "--to", "Last", "--device", device).code == 0
    assert call("--db", demo_state, "device", device, "--json").document["ring"] == "Last"


def test_retry_what_failed(demo_state: Path) -> None:
    shown = call("--db", demo_state, "retry", "--filter", "state:failed", "--dry-run", "--json")

    assert shown.code in (0, 4)
    plan = shown.document["plan"]
    assert plan["devices"] + sum(each["devices"] for each in plan["left_out"]) > 0


def test_the_command_of_a_plan_does_the_same(demo_state: Path) -> None:
    """What a plan offers for copying is a command line that works."""
    import shlex

    for words in (
        ("approve", KB, "--ring", "Test", "--reason", "it's time", "--not-before", "2026-05-14"),
        ("pause", "--ring", "Broad", "--reason", "x"),
        ("rings", "set", "Test", "--deferral", "2", "--max-in-flight", "4"),
        ("assign", "--to", "First", "--filter", "ring:test form:laptop"),
    ):
        first = call("--db", demo_state, *words, "--dry-run", "--json").document["plan"]
        program, *rest = shlex.split(first["command"])
        second = call("--db", demo_state, *rest, "--dry-run", "--json").document["plan"]
        assert program == "hotpatch"
        assert second == first


@pytest.mark.parametrize(
    "words",
    [
        ("approve", KB, "--reason", "x"),
        ("approve", KB, "--ring", "Test", "--all-rings", "--reason", "x"),
        ("approve", KB, "--ring", "Test"),
        ("approve", KB, "--ring", "Tset", "--reason", "x"),
        ("approve", "KB5099999", "--ring", "Test", "--reason", "x"),
        ("approve", KB, "--ring", "Test", "--reason", "x", "--not-before", "soon"),
        ("approve", KB, "--ring", "Test", "--reason", "x", "--expires", "9999-12-31T23:59-14:00"),
        ("apply", KB),
        ("apply", KB, "--device", "NOBODY-77"),
        ("apply", KB, "--filter", "rnig:test"),
        ("apply", KB, "--ids", "one"),
        ("apply", KB, "--ids", "99999999999999999999999999"),
        ("uninstall", KB, "--ring", "Test"),
        ("pause", "--reason", "x"),
        ("pause", "--all", "--ring", "Test", "--reason", "x"),
        ("rings", "set", "Test", "--min-installed", "120"),
        ("withdraw", "first", "--reason", "x"),
        ("assign", "--to", "Nowhere", "--ring", "Test"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told(demo_state: Path, words: tuple[str, ...]) -> None:
    called = call("--db", demo_state, *words)

    assert called.code == 2, called
    assert called.out == ""
    assert called.err.startswith("hotpatch: ")
    assert "Traceback" not in called.err


# --- with a person at the terminal ------------------------------------------------------------------


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody who answers questions; the list holds the answers, first to last."""
    answers: list[str] = []
    monkeypatch.setattr(diagnostics, "can_ask", lambda: True)
    monkeypatch.setattr(diagnostics, "ask", lambda _: answers.pop(0))
    return answers


@pytest.mark.parametrize(("answer", "done"), [("y", True), ("Yes", True), ("", False), ("n", False), ("4", False)])
def test_a_small_change_is_confirmed_with_y(demo_state: Path, person: list[str], answer: str, done: bool) -> None:
    person.append(answer)
    called = approve(demo_state)

    assert "Approve KB5089466 for ring Test" in called.err
    assert "Touches 4 devices, no restart." in called.err
    assert called.code == (0 if done else 1)
    assert bool(audit(demo_state)) is done


def test_a_wide_change_wants_the_number_of_devices(demo_state: Path, person: list[str]) -> None:
    plan = call("--db", demo_state, "approve", KB, "--all-rings", "--reason", "x", "--dry-run", "--json").document[
        "plan"
    ]
    person.append("y")
    refused = call("--db", demo_state, "approve", KB, "--all-rings", "--reason", "x")
    person.append(str(plan["devices"]))
    done = call("--db", demo_state, "approve", KB, "--all-rings", "--reason", "x")

    assert refused.code == 1
    assert "Nothing was changed." in refused.err
    assert done.code == 0


def test_yes_asks_nobody(demo_state: Path, person: list[str]) -> None:
    assert approve(demo_state, "--yes").code == 0
    assert person == []


def test_many_restarts_do_not_go_unasked(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "RESTARTS_UNASKED", 0)
    words = ("--db", demo_state, "approve", "KB5083769", "--all-rings", "--reason", "x")
    plan = call(*words, "--dry-run", "--json").document["plan"]
    refused = call(*words)

    assert plan["restarts"] > 0
    assert refused.code == 4
    assert "--yes" in refused.err
    assert call(*words, "--yes").code == 0
