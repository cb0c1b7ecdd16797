"""Commands of the rollout in depth: forecast, second person, ring rules, holds, recovery; scenarios of the demo."""

from __future__ import annotations

import shlex
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from console.cli.demo import SCENARIOS
from engine.fleet.demo import prepare_demo
from engine.providers.simulated.faults import SCENARIOS as KNOWN_SCENARIOS
from tests.console.cli_kit import Called, call
from tests.states import prepared

KB = "KB5089466"
RINGS = ["Test", "First", "Fast", "Broad", "Last"]


def audit(path: Path) -> list[dict[str, Any]]:
    """What was decided, the first first."""
    records: list[dict[str, Any]] = call("--db", path, "activity", "--limit", "1000", "--json").document["audit"]
    return records[::-1]


def rings_of(path: Path, kb: str = KB) -> dict[str, dict[str, Any]]:
    return {row["ring"]: row for row in call("--db", path, "rings", "--release", kb, "--json").document}


def approve(path: Path, *more: str) -> Called:
    return call("--db", path, "approve", KB, "--all-rings", "--reason", "May", *more)


@pytest.fixture(scope="module")
def small() -> Path:
    """A fleet that a forecast is quick for. Do not write to it."""
    return prepared("demo-80", partial(prepare_demo, size=80))


@pytest.fixture(scope="module")
def rolled_out(prepared_demo: Path) -> Path:
    """The sample fleet after May has gone through every ring. Do not write to it."""

    def make(path: Path) -> None:
        shutil.copy(prepared_demo, path)
        assert approve(path).code == 0
        assert call("--db", path, "run", "--until-idle").code in (0, 3)

    return prepared("rolled-out", make)


@pytest.fixture(scope="module")
def halted() -> Path:
    """The scenario bad-patch, driven until the engine has halted it. Do not write to it."""

    def make(path: Path) -> None:
        assert call("demo", "--db", path, "--prepare", "--scenario", "bad-patch").code == 0
        assert approve(path).code == 0
        assert call("--db", path, "run", "--until-idle").code == 3

    return prepared("bad-patch-halted", make)


@pytest.fixture
def bad_patch(halted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(halted, tmp_path / "bad.db"))


# --- from approval to the last ring -----------------------------------------------------------------


def test_rings_open_in_order_each_after_its_gate(rolled_out: Path) -> None:
    opened = [record for record in audit(rolled_out) if record["action"] == "ring-opened"]
    rows = rings_of(rolled_out)

    assert [record["rings"][0] for record in opened] == RINGS
    assert [record["at"] for record in opened] == sorted(record["at"] for record in opened)
    for name, before in zip(RINGS[1:], RINGS, strict=False):
        assert rows[name]["opened"] > rows[before]["opened"]
        assert rows[before]["gate"]["holds"] is True
    assert call("--db", rolled_out, "audit", "verify").code == 0


def test_rings_tell_counts_gate_and_who_is_overdue(rolled_out: Path) -> None:
    rows = rings_of(rolled_out)
    late = call("--db", rolled_out, "rings", "overdue", "--release", KB, "--json")

    for row in rows.values():
        assert row["reachable"] == sum(row[name] for name in ("installed", "failed", "active", "not_ready", "pending"))
        assert {each["name"] for each in row["gate"]["conditions"]} >= {"installed", "failed", "soak"}
        assert all({"name", "needed", "value", "holds"} == set(each) for each in row["gate"]["conditions"])
    assert late.code == 3
    assert sum(row["overdue"] for row in rows.values()) == len(late.document) > 0
    assert {each["device"] for each in late.document} >= set(rows["Broad"]["overdue_sample"])
    assert all(each["why"] and each["deadline"] and each["ring"] for each in late.document)
    assert "past the deadline" in call("--db", rolled_out, "rings").err
    every = call("--db", rolled_out, "rings", "overdue", "--all", "--json").document
    assert len(every) >= len(late.document)


def test_nobody_is_overdue_before_a_ring_has_opened(prepared_demo: Path) -> None:
    assert call("--db", prepared_demo, "rings", "overdue").err == "No ring has opened for a release.\n"
    assert call("--db", prepared_demo, "rings", "overdue", "--json").document == []


# --- forecast ---------------------------------------------------------------------------------------


def test_a_forecast_tells_when_rings_open_and_changes_nothing(small: Path) -> None:
    before = small.read_bytes()
    found = call("--db", small, "forecast", KB, "--all-rings", "--json").document
    shown = call("--db", small, "forecast", KB, "--ring", "Test")

    assert [ring["ring"] for ring in found["rings"]] == RINGS
    opens = [ring["opens"] for ring in found["rings"]]
    assert opens == sorted(opens)
    assert [each["mark"] for each in found["compliance"]] == ["24 hours", "5 days", "3 weeks"]
    assert all(each["devices"] >= each["protected"] for each in found["compliance"])
    assert sum(each["devices"] for each in found["misses"]) == sum(ring["misses"] for ring in found["rings"]) > 0
    assert all(each["why"] and each["sample"] for each in found["misses"])
    assert found["restarts"] == 0, "a hotpatch restarts nobody"
    assert shown.code == 0
    assert "Test  13 May 09:00" in shown.out
    assert "First " not in shown.out
    assert "No random failures" in shown.err
    assert small.read_bytes() == before


def test_a_forecast_needs_rings_and_a_release(small: Path) -> None:
    assert call("--db", small, "forecast", KB).code == 2
    assert call("--db", small, "forecast", "KB1", "--all-rings").code == 2
    assert call("--db", small, "forecast", KB, "--ring", "Tset").code == 2


# --- the second person and the rules for approvals --------------------------------------------------


def test_a_second_person_must_sign(demo_state: Path) -> None:
    assert call("--db", demo_state, "policy", "set", "--second-person", "--reason", "audit finding").code == 0
    assert call("--db", demo_state, "policy", "--json").document["second_person"] is True
    approve(demo_state, "--actor", "anna")
    call("--db", demo_state, "run", "--until", "2026-05-14")
    waiting = call("--db", demo_state, "approvals", "--json").document[0]
    shown = call("--db", demo_state, "approvals").out
    same = call("--db", demo_state, "countersign", "1", "--actor", "Anna")
    other = call("--db", demo_state, "countersign", "1", "--actor", "ben", "--reason", "read it")
    signed = call("--db", demo_state, "approvals", "--json").document[0]

    assert (waiting["needs_second"], waiting["seconded"], waiting["valid"]) == (True, None, False)
    assert "needs a second signature" in shown
    assert rings_of(demo_state)["Test"]["opened"] is None
    assert same.code == 4
    assert "two persons" in same.err
    assert other.code == 0
    assert (signed["seconded_by"], signed["valid"]) == ("ben", True)
    call("--db", demo_state, "run", "--until", "2026-05-15")
    assert rings_of(demo_state)["Test"]["opened"] is not None


def test_the_rules_for_approvals(demo_state: Path) -> None:
    rules = ("--confirmed-only", "--auto-approve", "test", "--auto-approve", "First")
    assert call("--db", demo_state, "policy", "set", *rules).code == 0
    found = call("--db", demo_state, "policy", "--json").document
    again = call("--db", demo_state, "policy", "set", *rules)

    assert found["confirmed_only"] is True
    assert [name.casefold() for name in found["auto_approve"]] == ["test", "first"]
    assert "for " in call("--db", demo_state, "policy").out
    assert again.code == 4
    assert call("--db", demo_state, "policy", "set", "--no-auto-approve").code == 0
    assert call("--db", demo_state, "policy", "--json").document["auto_approve"] == []
    assert [record["action"] for record in audit(demo_state)] == ["set-policy", "set-policy"]


# --- ring rules -------------------------------------------------------------------------------------


def test_every_rule_of_a_ring_can_be_set(demo_state: Path) -> None:
    window = "sat,sun 22:00-04:00 Europe/Berlin"
    called = call(
        *("--db", demo_state, "rings", "set", "Fast", "--deferral", "4", "--deadline", "3", "--grace", "1"),
        *("--max-in-flight", "20", "--max-share-in-flight", "25%", "--waves", "1%,10%,50%,100%"),
        *("--wave-soak-hours", "6", "--window", window, "--members", "site:Berlin", "--min-installed", "85.5"),
        *("--max-failed", "5%", "--min-sample", "8", "--soak", "12", "--no-health", "--reason", "pilot site"),
    )
    assert called.code == 0, called.err
    ring = rings_of(demo_state)["Fast"]
    shown = call("--db", demo_state, "rings").out

    assert {name: ring[name] for name in ("deferral_days", "deadline_days", "grace_days")} == {
        "deferral_days": 4,
        "deadline_days": 3,
        "grace_days": 1,
    }
    assert (ring["max_in_flight"], ring["max_share_in_flight"]) == (20, 0.25)
    assert (ring["waves"], ring["wave_soak_hours"]) == ([0.01, 0.1, 0.5, 1.0], 6)
    assert (ring["window"], ring["members"]) == (window, "site:Berlin")
    assert ring["gate_rule"] == {
        "min_installed_share": 0.855,
        "max_failed_share": 0.05,
        "min_sample": 8,
        "soak_hours": 12,
        "judge_health": False,
    }
    assert "Ring Fast: waves of 1, 10, 50, 100 %, each watched for 6 h" in shown
    rows = call("--db", demo_state, "devices", "site:Berlin", "--json").document
    assert {row["ring"] for row in rows} == {"Fast"}
    assert audit(demo_state)[-1]["reason"] == "pilot site"
    back = ("rings", "set", "Fast", "--waves", "none", "--window", "none", "--members", "", "--health")
    assert call("--db", demo_state, *back).code == 0
    after = rings_of(demo_state)["Fast"]
    assert (after["waves"], after["window"], after["members"]) == ([1.0], None, None)


def test_a_device_that_two_rings_claim_is_shown(demo_state: Path) -> None:
    call("--db", demo_state, "rings", "set", "Fast", "--members", "site:Berlin")
    assert call("--db", demo_state, "rings", "conflicts", "--json").document == []
    moved = call("--db", demo_state, "devices", "site:Berlin", "--json").document[0]["name"]
    call("--db", demo_state, "assign", "--to", "Broad", "--device", moved)

    assert call("--db", demo_state, "rings", "conflicts", "--json").document == [
        {"device": moved, "ring": "Broad", "claimed_by": ["Fast"], "by_hand": True}
    ]
    assert "hotpatch rings conflicts" in call("--db", demo_state, "rings").err


# --- holds ------------------------------------------------------------------------------------------


def test_a_hold_withholds_and_is_lifted(demo_state: Path) -> None:
    held = call(
        "--db", demo_state, "hold", "--release", KB, "--filter", "model:latitude", "--reason", "screen flickers"
    )
    listed = call("--db", demo_state, "holds", "--json").document
    name = call("--db", demo_state, "devices", "model:latitude ring:fast", "--json").document[0]["name"]
    on_device = call("--db", demo_state, "device", name, "--json").document["holds"]
    lifted = call("--db", demo_state, "unhold", str(listed[0]["id"]))

    assert held.code == 0
    assert (listed[0]["kb"], listed[0]["filter"], listed[0]["reason"]) == (KB, "model:latitude", "screen flickers")
    assert any("screen flickers" in words for words in on_device)
    assert lifted.code == 0
    assert call("--db", demo_state, "holds", "--json").document == []
    assert call("--db", demo_state, "unhold", "1").code == 2
    assert call("--db", demo_state, "hold", "--reason", "x").code == 2
    assert call("--db", demo_state, "hold", KB, "--release", "KB5087423", "--reason", "x").code == 2


# --- a bad patch ------------------------------------------------------------------------------------


def test_a_bad_patch_halts_by_itself_before_broad(halted: Path) -> None:
    rows = rings_of(halted)
    records = audit(halted)

    assert rows["Test"]["opened"] is not None
    assert rows["Broad"]["opened"] is None
    assert rows["Broad"]["installed"] == 0
    assert "halted by engine" in rows["Broad"]["stopped"]
    assert any(row["health"] and row["health"]["anomalies"] for row in rows.values())
    assert any(record["action"] == "halt" for record in records)
    assert all(record["rings"] != ["Broad"] for record in records if record["action"] == "ring-opened")
    shown = call("--db", halted, "rings")
    assert shown.code == 3
    assert "Health of ring" in shown.err


def test_recovery_leads_every_device_back(bad_patch: Path) -> None:
    fleet = len(call("--db", bad_patch, "devices", "--json").document)
    plan = call("--db", bad_patch, "recover", KB, "--reason", "crashes", "--dry-run", "--json").document["plan"]
    assert plan["restarts"] == 2 * plan["devices"] > 0
    assert call("--db", bad_patch, "recovery", "--json").document == []

    begun = call("--db", bad_patch, "recover", KB, "--reason", "crashes", "--json")
    twice = call("--db", bad_patch, "recover", KB, "--reason", "crashes")
    first = call("--db", bad_patch, "recovery", KB, "--json").document[0]
    call("--db", bad_patch, "run", "--until-idle")
    ended = call("--db", bad_patch, "recovery", KB, "--json")
    last = ended.document[0]

    assert begun.document["done"] is True
    assert twice.code == 4
    assert (first["devices"], first["restarts_left"]) == (plan["devices"], plan["restarts"])
    for found in (first, last):
        parts = ("waiting", "uninstalling", "restart_pending", "getting_lcu", "done", "needs_hands")
        assert found["devices"] == sum(found[name] for name in parts), "no device is lost on the way"
    assert last["done"] + last["needs_hands"] == last["devices"]
    assert len(last["hands"]) == last["needs_hands"]
    assert ended.code == (3 if last["hands"] and not last["ended"] else 0)
    assert len(call("--db", bad_patch, "devices", "--json").document) == fleet
    assert sum(row["installed"] for row in rings_of(bad_patch, "KB5089549").values()) >= last["done"]
    assert "Needs hands" in call("--db", bad_patch, "recovery").out


def test_recovery_of_one_ring_that_stays(bad_patch: Path) -> None:
    words = ("recover", KB, "--ring", "Test", "--then", "stay", "--reason", "crashes", "--dry-run", "--json")
    plan = call("--db", bad_patch, *words).document["plan"]

    assert plan["restarts"] == plan["devices"] > 0
    assert call("--db", bad_patch, "recover", KB, "--ring", "Test").code == 2


# --- scenarios --------------------------------------------------------------------------------------


def test_every_scenario_of_the_engine_can_be_asked_for() -> None:
    assert SCENARIOS == KNOWN_SCENARIOS
    assert all(name in call("demo", "--help").out for name in KNOWN_SCENARIOS)


@pytest.mark.parametrize("name", KNOWN_SCENARIOS)
def test_a_demo_of_each_scenario(tmp_path: Path, name: str) -> None:
    path = tmp_path / "demo.db"
    made = call("demo", "--db", path, "--prepare", "--devices", "40", "--scenario", name, "--json")
    status = call("--db", path, "status", "--json").document

    assert made.code == 0
    assert made.document["demo"]["scenario"] == name
    begins = {"baseline-month": "2026-06-10T09:00:00Z", "oob": "2026-03-11T09:00:00Z"}
    assert status["now"] == begins.get(name, "2026-05-13T09:00:00Z")
    assert any("waits for approval" in each["text"] for each in status["attention"])


# --- plans and refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("policy", "set", "--second-person", "--auto-approve", "Test", "--reason", "it's a rule"),
        ("hold", KB, "--filter", "site:berlin form:laptop", "--reason", "it's broken"),
        ("rings", "set", "Fast", "--waves", "1%,10%,100%", "--wave-soak-hours", "6", "--window", "daily 20:00-06:00"),
        ("rings", "set", "Fast", "--max-share-in-flight", "25%", "--members", "site:Berlin"),
        ("exclude", "--ring", "Test", "--release", KB, "--reason", "x", "--until", "2026-06-01"),
    ],
    ids=" ".join,
)
def test_the_command_of_a_plan_does_the_same(demo_state: Path, words: tuple[str, ...]) -> None:
    first = call("--db", demo_state, *words, "--dry-run", "--json").document["plan"]
    _, *rest = shlex.split(first["command"])

    assert first["refusal"] is None
    assert call("--db", demo_state, *rest, "--dry-run", "--json").document["plan"] == first
    assert audit(demo_state) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("recover", KB, "--reason", "x"), 4),
        (("recover", KB), 2),
        (("countersign", "7"), 2),
        (("policy", "set"), 2),
        (("policy", "set", "--auto-approve", "Nowhere"), 2),
        (("policy", "set", "--auto-approve", "Test", "--no-auto-approve"), 2),
        (("rings", "set", "Fast", "--waves", "50%,10%,100%"), 4),
        (("rings", "set", "Fast", "--waves", "ten"), 2),
        (("rings", "set", "Fast", "--window", "whenever"), 2),
        (("rings", "set", "Fast", "--members", "rnig:x"), 2),
        (("rings", "set", "Fast", "--members", "ring:fast"), 4),
        (("rings", "set", "Fast", "--max-share-in-flight", "250%"), 2),
        (("recovery", "KB1"), 2),
        (("unhold", "0"), 2),
    ],
)
def test_what_cannot_be_is_told(demo_state: Path, words: tuple[str, ...], code: int) -> None:
    called = call("--db", demo_state, *words)

    assert called.code == code, called
    assert called.out == ""
    assert called.err.startswith("hotpatch: ")
    assert audit(demo_state) == []
