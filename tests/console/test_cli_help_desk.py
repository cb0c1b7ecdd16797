"""Commands of the help desk: one device in plain words, tickets, and what people do about failures."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.console.cli_kit import call

KB = "KB5089466"
CODE = "0x800F0922"
OF_CODE = f"error:{CODE}"


def group_of(path: Path, code: str = CODE) -> dict[str, Any]:
    groups = call("--db", path, "failures", "--json").document
    found: dict[str, Any] = next(each for each in groups if each["code"] == code)
    return found


def failed_device(path: Path) -> str:
    name: str = group_of(path)["sample"][0]
    return name


# --- finding a device -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["LON-LT-0042", "lon-lt-42", "CONTOSO\\alice", "alice@contoso.com", "CT-100000", "LON-LT-0042.contoso.com"]
)
def test_a_device_is_found_as_people_call_it(prepared_demo: Path, words: str) -> None:
    called = call("--db", prepared_demo, "device", words, "--json")

    assert called.code == 0, called.err
    assert called.document["name"] == "LON-LT-0042"
    assert called.document["user"] == "alice@contoso.com"


def test_several_that_match_are_counted(prepared_demo: Path) -> None:
    matching = call("--db", prepared_demo, "devices", "lon-lt", "--json").document
    called = call("--db", prepared_demo, "device", "lon-lt")

    assert called.code == 2
    assert called.out == ""
    assert f"'lon-lt' matches {len(matching)} devices." in called.err
    assert "Among them LON-LT-" in called.err


def test_a_device_that_does_not_exist_names_the_nearest(prepared_demo: Path) -> None:
    called = call("--db", prepared_demo, "device", "LON-LT-0O42")

    assert called.code == 2
    assert "There is no device" in called.err


# --- the answer -------------------------------------------------------------------------------------


def test_the_answer_comes_first_in_plain_words(prepared_demo: Path) -> None:
    called = call("--db", prepared_demo, "device", "LON-LT-0042")
    told = call("--db", prepared_demo, "device", "LON-LT-0042", "--json").document["answer"]
    lines = called.out.splitlines()

    assert lines[0] == "LON-LT-0042"
    assert told["headline"] in lines[1]
    assert any(line.startswith("To do now") for line in lines[:6])
    assert told["protected"] is False
    assert told["do_now"]
    assert told["what_next"] in called.out


def test_the_answer_says_why_the_restart(prepared_demo: Path) -> None:
    rows = call("--db", prepared_demo, "devices", "reason:vbs", "--json").document
    answers = [call("--db", prepared_demo, "device", row["name"], "--json").document["answer"] for row in rows[:12]]

    because = [each for each in answers if each["restart_reason"] == "not-ready"]
    assert because
    assert all("VBS off" in each["restart_why"] for each in because)


def test_the_answer_tells_the_failure_and_the_next_step(prepared_demo: Path) -> None:
    found = call("--db", prepared_demo, "device", failed_device(prepared_demo), "--json").document

    assert CODE in found["answer"]["problem"]
    assert found["failures"][0]["code"] == CODE
    assert found["failures"][0]["sla"]["state"] == "overdue"
    assert found["failures"][0]["excluded"] is False


# --- tickets ----------------------------------------------------------------------------------------


def test_a_ticket_as_text_markdown_and_json(prepared_demo: Path) -> None:
    name = failed_device(prepared_demo)
    plain = call("--db", prepared_demo, "device", name, "--ticket").out
    named = call("--db", prepared_demo, "device", name, "--ticket", "text").out
    marked = call("--db", prepared_demo, "device", name, "--ticket=markdown").out
    found = call("--db", prepared_demo, "device", name, "--ticket", "json").out
    both = call("--db", prepared_demo, "device", name, "--ticket", "--json").document

    assert plain == named
    assert plain.startswith(f"{name}: install of KB5083769 failed with {CODE}")
    for part in ("To do now:", "\nError\n", "\nNext step\n", "\nFacts\n", "\nWhat happened\n"):
        assert part in plain
    assert marked.startswith("## ")
    assert json.loads(found) == both
    assert both["device"] == name
    assert both["timeline"]


def test_a_ticket_in_an_unknown_form_is_told(prepared_demo: Path) -> None:
    for words in (("LON-LT-0042", "--ticket", "pdf"), ("--ticket", "LON-LT-0042")):
        called = call("--db", prepared_demo, "device", *words)
        assert called.code == 2
        assert "hotpatch device NAME --ticket" in called.err


def test_hostile_text_stays_text_in_tickets_and_lists(demo_state: Path) -> None:
    hostile = "LON\x1b[2J\u202e`rm -rf`<b>|\x9b31m"
    name = failed_device(demo_state)
    with closing(sqlite3.connect(demo_state)) as connection, connection:
        connection.execute("UPDATE device SET site = ?, model = ?, driver = ?, user_name = ?", (hostile,) * 4)
    assert call("--db", demo_state, "escalate", CODE, "--owner", hostile, "--reason", hostile).code == 0
    assert call("--db", demo_state, "known-problem", "mark", CODE, "--title", hostile, "--note", hostile).code == 0
    assert call("--db", demo_state, "hold", KB, "--reason", hostile).code == 0
    for words in (
        ("device", name),
        ("device", name, "--ticket"),
        ("device", name, "--ticket", "markdown"),
        ("device", name, "--ticket", "json"),
        *(("failures",), ("escalations",), ("known-problem",), ("holds",), ("rings",)),
    ):
        called = call("--db", demo_state, *words)
        kept = (called.out + called.err).replace("\n", "")
        assert called.code in (0, 3), words
        assert kept.isprintable(), (words, kept)
    assert "<b>" not in call("--db", demo_state, "device", name, "--ticket", "markdown").out


# --- failures ---------------------------------------------------------------------------------------


def test_groups_tell_everything_that_is_done_about_them(prepared_demo: Path) -> None:
    groups = call("--db", prepared_demo, "failures", "--json").document

    for group in groups:
        assert {"cause", "code", "symbol", "devices", "common", "remedy", "retry", "sla"} <= set(group)
        assert {"escalations", "known_problems", "excluded"} <= set(group)
        retry = group["retry"]
        assert retry["now"] + retry["waiting"] + retry["refused"] == group["devices"]
    planted = group_of(prepared_demo)
    assert planted["common"][0]["share_text"] == "10 of 11"
    assert planted["common"][0]["lift"] > 1.5
    assert "31.0.101" in planted["common"][0]["value"]
    assert all(not group["common"] for group in groups if group["devices"] < 5), "nothing is read into tiny samples"


def test_an_escalation_has_an_owner_a_due_time_and_an_end(demo_state: Path) -> None:
    done = call("--db", demo_state, "escalate", CODE, "--owner", "mia", "--reason", "driver team")
    same = call("--db", demo_state, "escalate", CODE, "--owner", "mia")
    listed = call("--db", demo_state, "escalations", "--json")
    group = group_of(demo_state)

    assert done.code == 0
    assert same.code == 4
    assert listed.code == 0
    assert (listed.document[0]["owner"], listed.document[0]["devices"]) == ("mia", group["devices"])
    assert listed.document[0]["due"] > "2026-05-13T09:00:00Z"
    assert group["escalations"][0]["reason"] == "driver team"
    assert "Escalated to mia" in call("--db", demo_state, "failures", OF_CODE).out
    call("--db", demo_state, "clock", "step", "5d")
    late = call("--db", demo_state, "escalations")
    assert late.code == 3
    assert "overdue" in late.out
    assert any(
        "Escalation to mia" in each["text"]
        for each in call("--db", demo_state, "status", "--json").document["attention"]
    )
    assert call("--db", demo_state, "end-escalation", "1", "--taken-back").code == 0
    assert call("--db", demo_state, "escalations", "--json").document == []
    assert call("--db", demo_state, "escalations", "--all", "--json").document[0]["outcome"] == "taken-back"


def test_escalating_one_device_until_a_time(demo_state: Path) -> None:
    name = failed_device(demo_state)
    words = ("escalate", "--device", name, "--owner", "ben", "--due", "2026-05-20")

    assert call("--db", demo_state, *words).code == 0
    found = call("--db", demo_state, "escalations", "--json").document[0]
    assert (found["devices"], found["due"], found["group"]) == (1, "2026-05-20T00:00:00Z", None)
    assert call("--db", demo_state, "escalate", "--owner", "ben").code == 2
    assert call("--db", demo_state, "escalate", "0x80070005", "--owner", "ben").code == 2


def test_a_known_problem_becomes_a_hold_and_is_lifted(demo_state: Path) -> None:
    words = ("known-problem", "mark", CODE, "--title", "Intel driver", "--filter", "model:latitude", "--note", "Update")
    marked = call("--db", demo_state, *words)
    before = call("--db", demo_state, "known-problem", "--json").document[0]
    held = call("--db", demo_state, "known-problem", "hold", "1", "--reason", "too many")
    during = call("--db", demo_state, "known-problem", "--json").document[0]
    holds = call("--db", demo_state, "holds", "--json").document
    only = call("--db", demo_state, "known-problem", "lift", "1", "--only-hold")
    kept = group_of(demo_state)["known_problems"]
    lifted = call("--db", demo_state, "known-problem", "lift", "1")

    assert [each.code for each in (marked, held, only, lifted)] == [0, 0, 0, 0]
    assert (before["title"], before["note"], before["holds"], before["hold_id"]) == (
        "Intel driver",
        "Update",
        False,
        None,
    )
    assert during["holds"] is True
    assert [each["id"] for each in holds] == [during["hold_id"]]
    assert holds[0]["filter"] == "model:latitude"
    assert [each["title"] for each in kept] == ["Intel driver"]
    assert call("--db", demo_state, "holds", "--json").document == []
    assert call("--db", demo_state, "known-problem", "--json").document == []
    assert call("--db", demo_state, "known-problem", "lift", "1").code == 2


def test_devices_are_excluded_until_a_time_and_readmitted(demo_state: Path) -> None:
    name = failed_device(demo_state)
    words = ("exclude", "--device", name, "--release", KB, "--reason", "printer trouble", "--until", "2026-06-01")
    done = call("--db", demo_state, *words)
    holds = call("--db", demo_state, "device", name, "--json").document["holds"]
    back = call("--db", demo_state, "readmit", "--device", name)

    assert done.code == 0
    assert any("printer trouble" in each and "2026-06-01" in each for each in holds)
    assert back.code == 0
    assert call("--db", demo_state, "device", name, "--json").document["holds"] == []
    assert call("--db", demo_state, "readmit", "--device", name).code == 4
    assert call("--db", demo_state, "exclude", "--device", name, "--reason", "x", "--until", "2026-05-01").code == 4
    assert call("--db", demo_state, "exclude", "--device", name).code == 2


def test_a_retry_is_taken_back_while_nothing_has_started(demo_state: Path) -> None:
    retried = call("--db", demo_state, "retry", "--filter", OF_CODE, "--json").document
    back = call("--db", demo_state, "take-back", "--filter", OF_CODE, "--json").document

    assert retried["installs"] == back["installs"] > 0
    assert call("--db", demo_state, "take-back", "--filter", OF_CODE).code == 4


def test_the_help_desk_may_retry_and_escalate_but_not_approve(demo_state: Path, own_folders: Path) -> None:
    folder = own_folders / "config" / "hotpatch"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[roles]\ndefault = "help-desk"\n')
    name = failed_device(demo_state)

    assert call("--db", demo_state, "escalate", "--device", name, "--owner", "mia").code == 0
    assert call("--db", demo_state, "retry", "--device", name).code == 0
    assert call("--db", demo_state, "take-back", "--device", name).code == 0
    for words in (
        ("approve", KB, "--ring", "Test", "--reason", "x"),
        ("uninstall", KB, "--ring", "Test", "--reason", "x"),
        ("recover", KB, "--reason", "x"),
        ("exclude", "--device", name, "--reason", "x"),
        ("hold", KB, "--reason", "x"),
        ("policy", "set", "--second-person"),
        ("known-problem", "mark", CODE, "--title", "x"),
    ):
        refused = call("--db", demo_state, *words)
        assert refused.code == 4, words
        assert "help-desk" in refused.err, words


@pytest.mark.parametrize(
    "words",
    [
        ("escalate", CODE, "--owner", "mia", "--reason", "it's urgent"),
        ("escalate", "--filter", OF_CODE, "--owner", "mia", "--due", "2026-05-20"),
        ("known-problem", "mark", CODE, "--title", "Intel", "--hold", "--filter", "model:latitude", "--note", "n"),
        ("exclude", "--filter", OF_CODE, "--reason", "x"),
        ("retry", "--filter", OF_CODE),
    ],
    ids=" ".join,
)
def test_the_command_of_a_plan_does_the_same(demo_state: Path, words: tuple[str, ...]) -> None:
    first = call("--db", demo_state, *words, "--dry-run", "--json").document["plan"]
    _, *rest = shlex.split(first["command"])

    assert first["refusal"] is None
    assert call("--db", demo_state, *rest, "--dry-run", "--json").document["plan"] == first


@pytest.mark.parametrize("words", [("escalations",), ("known-problem",), ("holds",), ("recovery",), ("policy",)])
def test_facts_for_people_and_for_scripts(prepared_demo: Path, words: tuple[str, ...]) -> None:
    people = call("--db", prepared_demo, *words)
    scripts = call("--db", prepared_demo, *words, "--json")

    assert (people.code, scripts.code) == (0, 0)
    assert people.out or people.err
    assert isinstance(json.loads(scripts.out), dict | list)
    assert scripts.err == ""


def test_read_only_refuses(demo_state: Path) -> None:
    for words in (
        ("escalate", CODE, "--owner", "mia"),
        ("exclude", "--ring", "Test", "--reason", "x"),
        ("readmit", "--ring", "Test"),
        ("take-back", "--ring", "Test"),
        ("hold", KB, "--reason", "x"),
        ("recover", KB, "--reason", "x"),
        ("policy", "set", "--second-person"),
        ("known-problem", "mark", CODE, "--title", "x"),
    ):
        called = call("--db", demo_state, "--read-only", *words)
        assert called.code == 4, words
        assert "read-only" in called.err, words
