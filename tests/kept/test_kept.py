"""States of released versions open, say what they said, go on with their work, and write as before."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.kept.asking import copied, read_record, script_of
from tests.kept.lines import UNASKED, command_of, commands
from tests.kept.making import STATES
from tests.kept.surroundings import STATE, audit_bytes, installs, kept_json, said

_FEWER = "- `approve --json`: `plan.steps`, `plan.devices` and `plan.restarts` of a cumulative update"
_HELD_OFF = "- `report readiness --json`: `restarts`, `restarting` and `next_releases`"
CHANGED: dict[tuple[str, str], str] = {
    ("doctor", "document.checks.*.found"): "- `doctor --json`: a state file is some 0.1 MB larger",
    ("approve", "document.plan.steps.*"): _FEWER,
    ("approve", "document.plan.devices"): _FEWER,
    ("approve", "document.plan.restarts"): _FEWER,
    ("report", "document.restarts"): _HELD_OFF,
    ("report", "document.restarting"): _HELD_OFF,
    ("report", "document.next_releases.*.restarts"): _HELD_OFF,
    ("report", "document.next_releases.*.share"): _HELD_OFF,
}
"""(command, path of keys like ``devices.*.ring``; * for any place in a list) → the beginning of the line under *For
scripts* in CHANGELOG.md that tells of the difference. The value at that path is not compared, nor whether it is there.
"""
DECIDED_OTHERWISE: dict[tuple[str, str], str] = {("tenant-requests", each): _FEWER for each in ("changes", "onward")}
"""State and script whose decisions count other devices now → such a line. The numbers in their audit, and the hashes
that follow from them, are not compared; who did what with which release, and the keys of every record, are."""
GONE_OR_NEW_JSON: dict[str, str] = {}
"""Table and column whose JSON is not compared → why it is still read by every version that may have the file open."""

_PARTS = 4
"""In how many tests a state is asked, so that they run side by side."""
_ACTIVE_ENDS = {"succeeded", "failed", "uninstalled", "cancelled"}
_NAMED = {kept.name: kept for kept in STATES}
_SCRIPTS = [(kept.name, script) for kept in STATES for script in kept.scripts]


def differences(before: Any, now: Any, command: str, path: str = "") -> list[str]:
    """Where two documents differ, without what `CHANGED` names; a key is part of a document as its value is."""
    if (command, path) in CHANGED:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        below = [(key, before.get(key, "(not there)"), now.get(key, "(not there)")) for key in {**before, **now}]
        return [each for key, one, two in below for each in differences(one, two, command, f"{path}.{key}".lstrip("."))]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [
            each
            for one, two in zip(before, now, strict=True)
            for each in differences(one, two, command, f"{path}.*".lstrip("."))
        ]
    return [] if before == now and type(before) is type(now) else [f"{command}: {path}: {before!r} -> {now!r}"]


def compared(line: str, before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [f"{line}: {each}" for each in differences(before, now, command_of(line.partition(": ")[2] or line, _ALL))]


_ALL = tuple(commands())


@pytest.mark.parametrize("part", range(_PARTS))
@pytest.mark.parametrize("name", _NAMED)
def test_every_command_says_what_it_said(name: str, part: int, tmp_path: Path) -> None:
    kept = _NAMED[name]
    record = read_record(kept)
    with copied(kept, record, tmp_path):
        found = [
            each
            for place, (line, before) in enumerate(record["said"].items())
            if place % _PARTS == part
            for each in compared(line, before, said(line))
        ]
        assert found == []
        assert [each for each in audit_bytes() if each not in record["audit"]] == [], "asking writes nothing"


@pytest.mark.parametrize("name", _NAMED)
def test_the_audit_and_the_json_in_the_file_are_as_they_were(name: str, tmp_path: Path) -> None:
    kept = _NAMED[name]
    record = read_record(kept)
    with copied(kept, record, tmp_path):
        assert said("status")["code"] in (0, 3)
        assert audit_bytes() == record["audit"]
        assert said("audit verify")["document"]["holds"] is True
        now = kept_json()
        assert {place: now.get(place) for place in record["json"] if place not in GONE_OR_NEW_JSON} == {
            place: texts for place, texts in record["json"].items() if place not in GONE_OR_NEW_JSON
        }


@pytest.mark.parametrize(("name", "script"), _SCRIPTS)
def test_work_goes_on_and_writes_what_it_wrote(name: str, script: str, tmp_path: Path) -> None:
    kept = _NAMED[name]
    record = read_record(kept)
    before = record["scripts"][script]
    with copied(kept, record, tmp_path, later=True):
        now = script_of(kept, record, script)
        assert said("audit verify")["document"]["holds"] is True
    lines = zip(before["said"], now["said"], strict=True)
    told = [(line, one, two) for (line, one), (_, two) in lines if not _counts_otherwise(name, script, line)]
    assert [each for line, one, two in told for each in compared(line, one, two)] == []
    if (name, script) in DECIDED_OTHERWISE:
        assert list(map(_decision, now["audit"])) == list(map(_decision, before["audit"]))
    else:
        assert now["audit"] == before["audit"]
        wanted = {place: texts for place, texts in before["json"].items() if place not in GONE_OR_NEW_JSON}
        assert {place: now["json"].get(place) for place in wanted} == wanted
    columns = list(before["installs"][0]) if before["installs"] else []
    assert [{key: each[key] for key in columns} for each in now["installs"]] == before["installs"]


def _counts_otherwise(name: str, script: str, line: str) -> bool:
    return (name, script) in DECIDED_OTHERWISE and line.partition(" ")[0] in ("activity", "audit")


def _decision(record: dict[str, Any]) -> tuple[Any, ...]:
    body = json.loads(record["body"])
    return (
        record["seq"],
        record["at"],
        record["actor"],
        record["action"],
        record["kb"],
        sorted(body),
        sorted(body["details"]),
    )


# --- what the records themselves show: the program of 0.1 did go on ----------------------------------


def _script(name: str, script: str) -> dict[str, Any]:
    found: dict[str, Any] = read_record(_NAMED[name])["scripts"][script]
    return found


def _told(script: dict[str, Any], line: str) -> Any:
    return [told for each, told in script["said"] if each == line][-1]


@pytest.mark.parametrize("name", ["mid-rollout", "paused-recovery"])
def test_what_was_under_way_is_finished_and_none_is_lost_or_doubled(name: str, tmp_path: Path) -> None:
    kept = _NAMED[name]
    with copied(kept, read_record(kept), tmp_path):
        under_way = {each["id"] for each in installs() if each["state"] not in _ACTIVE_ENDS}
    script = _script(name, "onward")
    after = {each["id"]: each for each in script["installs"]}
    assert len(under_way) >= 10
    assert set(script["installs before"]) <= set(after), "none is lost"
    ended = [each for each in under_way if after[each]["state"] in _ACTIVE_ENDS]
    assert len(ended) >= 0.9 * len(under_way), "but for a device that has not come back yet"
    active = Counter(each["device_id"] for each in after.values() if each["state"] not in _ACTIVE_ENDS)
    assert max(active.values(), default=1) == 1
    doubled = Counter(
        (each["device_id"], each["kb"], each["action"], each["finished_at"])
        for each in after.values()
        if each["state"] == "succeeded"
    )
    assert max(doubled.values()) == 1


def test_the_second_person_signs_and_the_release_goes_out() -> None:
    script = _script("two-signatures", "onward")
    assert _told(script, "countersign 1 --reason alone")["code"] == 4
    (approval,) = [each for each in _told(script, "approvals")["document"] if each["kb"] == "KB5089466"]
    assert approval["seconded_by"] == "ben"
    assert approval["valid"] is True
    assert len(script["installs"]) > len(script["installs before"])


def test_the_recovery_goes_on_when_it_is_resumed() -> None:
    record = read_record(_NAMED["paused-recovery"])
    (before,) = record["said"]["recovery"]["document"]
    (after,) = _told(_script("paused-recovery", "onward"), "recovery")["document"]
    assert before["done"] < after["done"]


def test_the_requests_are_sent_and_followed() -> None:
    record = read_record(_NAMED["tenant-requests"])
    before = {each["id"]: each["state"] for each in record["said"]["requests"]["document"]}
    after = {each["id"]: each["state"] for each in _told(_script("tenant-requests", "onward"), "requests")["document"]}
    waiting = [each for each, state in before.items() if state == "waiting"]
    assert waiting
    assert {after[each] for each in waiting} == {"confirmed"}


# --- nothing is forgotten ---------------------------------------------------------------------------


def test_every_command_is_asked_or_said_why_not() -> None:
    asked = {command_of(line, _ALL) for kept in STATES for line in read_record(kept)["said"]}
    assert sorted(set(_ALL) - asked - set(UNASKED)) == [], "name it in lines.py; versions to come record it"
    assert sorted(set(UNASKED) - set(_ALL)) == []


def test_each_difference_is_told_to_scripts() -> None:
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    told = "".join(part.partition("\n## ")[0].partition("\n### ")[0] for part in changelog.split("### For scripts")[1:])
    assert [line for line in (*CHANGED.values(), *DECIDED_OTHERWISE.values()) if line not in told] == []


def test_no_path_of_a_machine_and_no_token_stands_in_what_is_kept(tmp_path: Path) -> None:
    from tests.tenant.fixtures import READ_TOKEN, TOKEN

    for kept in STATES:
        record = read_record(kept)
        with copied(kept, record, tmp_path):
            held = (tmp_path / STATE).read_bytes() + str(record).encode()
        for word in (TOKEN, READ_TOKEN, "/tmp/", "/home/", "/root/", "/work/"):
            assert word.encode() not in held, (kept.name, word)
