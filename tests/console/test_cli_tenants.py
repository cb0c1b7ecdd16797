"""Deciding for a tenant from the command line: what would be sent, what was, and what the tenant said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.model.clock import SystemClock
from tests.console.cli_kit import Called, call
from tests.tenant.fixtures import TOKEN
from tests.tenant.fleet import NOW
from tests.tenant.quality_policies import HOTPATCH, MAY_ITEM, status_of
from tests.tenant.server import Tenant
from tests.tenant.update_rings import ring_id, rings

PAIR = ("--ring", "Corp Test", "--ring", "Corp First")
BULK = f"/beta/deviceManagement/windowsQualityUpdatePolicies/{HOTPATCH}/bulkAction"
BROAD = f"/v1.0/deviceManagement/deviceConfigurations/{ring_id(3)}"


class Hotpatch:
    """`hotpatch` on one state file whose fleet is a tenant's."""

    def __init__(self, db: Path) -> None:
        self.db = db

    def __call__(self, *words: str) -> Called:
        return call("--db", self.db, *words)


@pytest.fixture
def hotpatch(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hotpatch:
    """A fleet imported from the tenant, at the tenant's moment."""
    monkeypatch.setenv("CORP_TOKEN", TOKEN)
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW)
    made = Hotpatch(tmp_path / "fleet.db")
    added = made(
        "provider", "add", "graph", "--name", "corp", "--base-url", tenant.base_url, "--token-env", "CORP_TOKEN"
    )
    assert added.code == 0
    assert made("import", "--from", "corp").code == 0
    return made


def test_a_dry_run_prints_exactly_what_would_be_sent_and_sends_nothing(hotpatch: Hotpatch, tenant: Tenant) -> None:
    called = hotpatch("approve", "KB5089466", *PAIR, "--reason", "tested", "--dry-run")
    assert called.code == 0
    assert f"Sends to corp: POST {BULK}" in called.out
    assert json.dumps({"action": "approve", "ids": [MAY_ITEM]}) in called.out
    told = hotpatch("approve", "KB5089466", *PAIR, "--reason", "tested", "--dry-run", "--json").document
    (request,) = told["plan"]["requests"]
    assert (request["method"], request["path"]) == ("POST", BULK)
    assert request["body"] == {"action": "approve", "ids": [MAY_ITEM]}
    assert (told["done"], told["requests"]) == (False, [])
    assert tenant.writes == []


def test_approve_pause_resume_and_set_are_requested_and_told(hotpatch: Hotpatch, tenant: Tenant) -> None:
    approved = hotpatch("approve", "KB5089466", *PAIR, "--reason", "tested")
    assert approved.code == 0
    assert "Requested: Approve KB5089466" in approved.out
    assert "corp took 1 request; devices act at their next scan" in approved.err
    assert "Nothing drives the work" not in approved.err
    assert status_of(tenant.state, HOTPATCH, MAY_ITEM) == "approved"

    paused = hotpatch("pause", "--ring", "Corp Broad", "--reason", "freeze", "--json").document
    assert [(each["state"], each["path"], each["status"]) for each in paused["requests"]] == [("confirmed", BROAD, 200)]
    assert paused["requests"][0]["request_id"]
    assert hotpatch("resume", "--ring", "Corp Broad").code == 0
    assert rings(tenant.state)[ring_id(3)]["qualityUpdatesPaused"] is False

    changed = hotpatch(
        "rings", "set", "Corp Broad", "--deferral", "7", "--hotpatch", "on", "--dry-run", "--json"
    ).document
    assert [sorted(each["body"]) for each in changed["plan"]["requests"]] == [
        ["@odata.type", "qualityUpdatesDeferralPeriodInDays"],
        ["@odata.type", "hotpatchEnabled"],
    ]
    assert "--deferral 7 --hotpatch on" in changed["plan"]["command"]
    assert hotpatch("rings", "set", "Corp Broad", "--deferral", "7").code == 0
    assert rings(tenant.state)[ring_id(3)]["qualityUpdatesDeferralPeriodInDays"] == 7


def test_rings_show_whose_they_are_and_what_was_changed_there(hotpatch: Hotpatch, tenant: Tenant) -> None:
    rings(tenant.state)[ring_id(3)]["qualityUpdatesDeferralPeriodInDays"] = 9
    assert hotpatch("import", "--from", "corp").code == 0
    shown = hotpatch("rings").out
    assert "Ring Corp Test: corp's update ring; deferral 0 d; deadline 1 d; grace 0 d; hotpatches allowed" in shown
    assert "which reaches Corp First too" in shown
    assert "Changed there, seen now: deferral 5 → 9." in shown
    told = {each["ring"]: each["tenant"] for each in hotpatch("rings", "--json").document}
    assert told["Corp Broad"]["deferral_days"] == 9
    assert told["Corp Broad"]["changed"] == "deferral 5 → 9"


def test_what_the_tenant_refuses_ends_with_1_and_its_own_words(hotpatch: Hotpatch, tenant: Tenant) -> None:
    tenant.state.denied.append(("PATCH", "/deviceManagement/deviceConfigurations"))
    called = hotpatch("pause", "--ring", "Corp Broad", "--reason", "freeze")
    assert called.code == 1
    assert "corp refused: ring Corp Broad is paused." in called.err
    assert "HTTP 403" in called.err
    assert "When it is put right: hotpatch requests again 1" in called.err
    listed = hotpatch("requests")
    assert listed.code == 3
    assert "refused" in listed.out
    assert "corp refused" in hotpatch("status").out
    tenant.state.denied.clear()
    assert hotpatch("requests", "again", "1").code == 0
    again = hotpatch("requests", "--json").document
    assert [(each["id"], each["state"]) for each in again] == [(2, "confirmed"), (1, "refused")]


def test_a_tenant_that_does_not_answer_gets_it_later(hotpatch: Hotpatch, tenant: Tenant) -> None:
    # A service that is down for good would be waited for: one that asks for a long wait is told at once.
    tenant.faults.throttle("/v1.0/deviceManagement/deviceConfigurations", method="PATCH", retry_after="7200")
    called = hotpatch("pause", "--ring", "Corp Broad", "--reason", "freeze")
    assert called.code == 3
    assert "Not sent yet: ring Corp Broad is paused. An open console or hotpatch run sends it later." in called.err
    (request,) = hotpatch("requests", "--json").document
    assert (request["state"], request["attempts"]) == ("waiting", 1)
    assert "Requested now: ring Corp Broad is paused." in hotpatch("rings").out


def test_refusals_say_what_would_make_it_possible(hotpatch: Hotpatch, tenant: Tenant) -> None:
    one = hotpatch("approve", "KB5089466", "--ring", "Corp Test", "--reason", "tested")
    assert one.code == 4
    assert "--ring 'Corp Test' --ring 'Corp First'" in one.err
    applied = hotpatch("apply", "KB5089466", "--ring", "Corp Test")
    assert applied.code == 4
    assert "nothing is installed or removed there on demand" in applied.err
    assert hotpatch("provider", "writes", "corp", "off").code == 0
    closed = hotpatch("approve", "KB5089466", *PAIR, "--reason", "tested")
    assert closed.code == 4
    assert "hotpatch provider writes corp on" in closed.err
    assert hotpatch("approve", "KB5089466", *PAIR, "--reason", "tested", "--read-only").code == 4
    assert tenant.writes == []


def test_sync_takes_a_device_or_a_filter(hotpatch: Hotpatch, tenant: Tenant) -> None:
    assert hotpatch("sync", "PC-000003").code == 0
    assert hotpatch("sync", 'ring:"Corp Test"').code == 0
    assert len([seen for seen in tenant.writes if seen.path.endswith("/syncDevice")]) == 3
    assert hotpatch("sync", "PC-000003", "--json").document["plan"]["devices"] == 1
    everybody = hotpatch("sync", "name:PC", "--dry-run", "--json").document
    assert everybody["plan"]["devices"] == 25


def test_an_expedite_counts_its_restarts_before_anyone_confirms(hotpatch: Hotpatch, tenant: Tenant) -> None:
    planned = hotpatch("expedite", "KB5089466", "--ring", "Corp First", "--reason", "exploited", "--dry-run")
    assert planned.code == 0
    assert "Touches 5 devices" in planned.out
    assert "forces a restart" in planned.out
    assert "{created}/assign" in planned.out
    assert hotpatch("expedite", "KB5089466", "--ring", "Corp First", "--reason", "exploited", "--days", "3").code == 4
    assert hotpatch("expedite", "KB5089466", "--ring", "Corp First", "--reason", "exploited", "--yes").code == 0
    assert len(tenant.state.tables["profiles"]) == 1


def test_requests_in_full_are_word_for_word(hotpatch: Hotpatch) -> None:
    assert hotpatch("requests").err.startswith("No tenant was asked for anything.")
    hotpatch("pause", "--ring", "Corp Broad", "--reason", "freeze")
    shown = hotpatch("requests", "--bodies").out
    assert f"PATCH {BROAD}" in shown
    assert '"qualityUpdatesPaused": true' in shown


def test_debug_tells_each_request_and_no_header_or_body(hotpatch: Hotpatch, tenant: Tenant) -> None:
    done = hotpatch("pause", "--ring", "Corp Broad", "--reason", "freeze", "--debug")
    (sent,) = (each for each in tenant.requests if each.method == "PATCH")
    (told,) = (line for line in done.err.splitlines() if f"PATCH {BROAD}" in line)
    assert told.startswith(f"debug: PATCH {BROAD} -> 200 in ")
    assert sent.headers["client-request-id"] in told
    assert "qualityUpdatesPaused" not in done.err
    assert "debug: " not in hotpatch("resume", "--ring", "Corp Broad").err


def test_no_token_shows_anywhere(hotpatch: Hotpatch) -> None:
    told = [
        hotpatch("approve", "KB5089466", *PAIR, "--reason", "tested", "--debug"),
        hotpatch("requests", "--bodies"),
        hotpatch("requests", "--json"),
    ]
    assert not any(TOKEN in each.out + each.err for each in told)
    assert TOKEN.encode() not in hotpatch.db.read_bytes()
