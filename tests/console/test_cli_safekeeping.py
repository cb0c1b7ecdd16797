"""`hotpatch backup`, `restore` and `prune` as people and scripts call them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from console.cli import diagnostics
from engine import open_engine
from engine.model.intents import Approve, Scope, Stop, StopKind
from tests.console.cli_kit import call


@pytest.fixture
def backup(demo_state: Path, tmp_path: Path) -> Path:
    target = tmp_path / "one.backup"
    assert call("--db", demo_state, "backup", target).code == 0
    with open_engine(demo_state) as engine:
        engine.carry_out(engine.plan(Stop(StopKind.PAUSE, Scope(ring="Fast"), "later")))
    return target


def paused(state: Path) -> bool:
    with open_engine(state) as engine:
        return bool(engine.reads.rollout.stops())


def test_a_backup_as_json_and_what_doctor_says_of_it(demo_state: Path, tmp_path: Path) -> None:
    assert "none was made yet" in call("--db", demo_state, "doctor").out
    done = call("--db", demo_state, "backup", tmp_path / "one.backup", "--json")
    assert done.code == 0
    assert (done.document["devices"], done.document["audit"]["records"]) == (500, 0)
    assert done.document["file"] == str(tmp_path / "one.backup")
    checks = {each["check"]: each for each in call("--db", demo_state, "doctor", "--json").document["checks"]}
    assert checks["backup"]["result"] == "ok"


def test_a_backup_of_a_state_that_one_may_only_read(demo_state: Path, tmp_path: Path) -> None:
    assert call("--db", demo_state, "--read-only", "backup", tmp_path / "one.backup").code == 0
    assert call("--db", tmp_path / "one.backup", "audit", "verify").code == 0


def test_a_file_that_is_there_is_refused_and_forced(demo_state: Path, backup: Path) -> None:
    done = call("--db", demo_state, "backup", backup)
    assert done.code == 4
    assert "--force" in done.err
    assert call("--db", demo_state, "backup", backup, "--force").code == 0
    assert call("--db", demo_state, "backup", backup.parent / "none" / "x").code == 2
    assert call("--db", demo_state, "backup", backup.with_name("new"), "--dry-run").code == 4


def test_a_restore_asks_first_and_needs_a_yes_in_a_script(
    demo_state: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = call("--db", demo_state, "restore", backup)
    assert nobody.code == 4
    assert "--yes" in nobody.err
    monkeypatch.setattr(diagnostics, "can_ask", lambda: True)
    monkeypatch.setattr(diagnostics, "ask", lambda question: "n")
    said_no = call("--db", demo_state, "restore", backup)
    assert said_no.code == 1
    assert "before-restore" in said_no.err
    assert paused(demo_state)
    monkeypatch.setattr(diagnostics, "ask", lambda question: "y")
    assert call("--db", demo_state, "restore", backup, "--reason", "undo").code == 0
    assert not paused(demo_state)
    assert paused(Path(f"{demo_state}.before-restore"))


def test_a_dry_run_of_a_restore_and_its_json(demo_state: Path, backup: Path) -> None:
    told = call("--db", demo_state, "restore", backup, "--dry-run", "--json").document
    assert told["done"] is False
    assert paused(demo_state)
    done = call("--db", demo_state, "restore", backup, "--yes", "--json").document
    assert done["done"] is True
    assert done["kept_as"] == f"{demo_state}.before-restore"
    assert call("--db", demo_state, "audit", "verify").code == 0
    assert call("--db", demo_state, "activity", "--json").out.count("before-restore") == 1


def test_what_is_no_backup_ends_in_words(demo_state: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_text("no backup")
    for file, code in ((noise, 1), (tmp_path / "none", 2), (tmp_path, 2), (demo_state, 2)):
        done = call("--db", demo_state, "restore", file, "--yes")
        assert done.code == code, done.err
        assert len(done.err.splitlines()) >= 2
        assert "Traceback" not in done.err


def test_pruning_by_policy(demo_state: Path) -> None:
    refused = call("--db", demo_state, "prune")
    assert refused.code == 4
    assert "policy set --keep-history" in refused.err
    assert call("--db", demo_state, "policy", "set", "--keep-history", "soon").code == 2
    plan = call("--db", demo_state, "policy", "set", "--keep-history", "3 months", "--dry-run")
    assert "audit is always kept" in plan.out
    assert call("--db", demo_state, "policy", "set", "--keep-history", "3 months", "--reason", "rule").code == 0
    assert call("--db", demo_state, "policy", "--json").document["keep_history_months"] == 3
    told = call("--db", demo_state, "prune", "--dry-run", "--json").document
    assert (told["done"], told["deleted"]["installs"] > 100) == (False, True)
    done = call("--db", demo_state, "prune", "--json").document
    assert (done["done"], done["deleted"]) == (True, told["deleted"])
    assert "0 installs" in call("--db", demo_state, "prune", "--compact").out
    assert call("--db", demo_state, "--read-only", "prune").code == 4


def test_approvals_go_on_beside_a_backup(demo_state: Path, tmp_path: Path) -> None:
    """Somebody decides while the copy is being made: the decision is in the state and not half in the copy."""
    with open_engine(demo_state) as writing, open_engine(demo_state) as copying:
        decided = []

        def decide(what: str, _: int, __: int) -> None:
            if what == "copying" and not decided:
                decided.append(writing.carry_out(writing.plan(Approve(5089466, ("Test",), "pilot"))))

        found = copying.backup(tmp_path / "one.backup", on_progress=decide)
        assert decided
        assert found.audit.records == 0
        assert writing.reads.activity.audit_check().records == 1


def test_a_broken_audit_is_kept_as_evidence_and_restored_only_by_force(demo_state: Path, tmp_path: Path) -> None:
    with open_engine(demo_state) as engine:
        engine.carry_out(engine.plan(Stop(StopKind.PAUSE, Scope(), "a look")))
    with closing(sqlite3.connect(demo_state)) as connection, connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("UPDATE audit SET body = replace(body, 'look', 'book') WHERE seq = 1")
    copy = tmp_path / "evidence.backup"
    done = call("--db", demo_state, "backup", copy)
    assert (done.code, copy.exists()) == (3, True)
    assert "record 1 was changed" in done.out
    refused = call("--db", demo_state, "--yes", "restore", copy)
    assert refused.code == 4
    assert "--force" in refused.err
    forced = call("--db", demo_state, "--yes", "restore", copy, "--force")
    assert forced.code == 3
    assert call("--db", demo_state, "audit", "verify").code == 3
