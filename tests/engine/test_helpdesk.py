"""The help desk's answer and the ticket: plain words from facts, and never a promise that nobody can keep."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.build import OsBuild
from engine.model.model import FormFactor, InstallAction, InstallState, Track, VbsState
from engine.rules.failures import Escalation, KnownProblem
from engine.rules.helpdesk import Offer, RestartNeed, RestartReason, answer, ticket
from engine.rules.helpdesk.words import plain
from engine.rules.readiness import assess
from tests.engine.failure_states import APRIL, MAY
from tests.engine.helpdesk_devices import (
    APRIL_BUILD,
    DAY,
    HOUR,
    JANUARY,
    JULY_15,
    JUNE_10,
    MAY_13,
    MAY_BUILD,
    MAY_LCU_BUILD,
    detail_of,
    facts,
    failure,
    install,
    surroundings,
    told,
)

# --- is it protected ----------------------------------------------------------------------------------


def test_a_protected_device_needs_nothing_and_hears_of_the_next_restart() -> None:
    found = told(facts(MAY_BUILD))
    assert found.protected is True
    assert found.headline == "Protected: it has the May 2026 hotpatch (KB5089466). No restart is needed."
    assert (found.restart, found.restart_reason, found.restart_why) == (RestartNeed.NONE, None, "")
    assert found.do_now == "Nothing."
    assert found.what_next == (
        "The next update comes 9 June 2026 (planned): a hotpatch, without a restart. "
        "The next restart is for the baseline of July 2026."
    )


def test_a_ready_device_waits_for_the_hotpatch_without_a_restart() -> None:
    found = told(facts(APRIL_BUILD), offer=Offer(MAY, "Broad", True, MAY_13, ""))
    assert found.protected is False
    assert found.headline == "Not protected yet: the May 2026 hotpatch (KB5089466) is still to come."
    assert found.restart is RestartNeed.NONE
    assert (
        found.what_next == "KB5089466 is offered at the device's next scan, within hours. It comes without a restart."
    )
    assert "switched on" in found.do_now


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (Offer(MAY, "Broad", False, None, "approval"), "has not reached ring Broad yet; it waits for approval."),
        (Offer(MAY, "Broad", False, MAY_13 + 2 * DAY, "deferral"), "reaches ring Broad on 2026-05-15 09:00 UTC at the"),
        (Offer(MAY, "Broad", True, MAY_13, "", "halted by mia: printers"), "is stopped in ring Broad: halted by mia"),
    ],
)
def test_what_the_rollout_waits_for_is_told(offer: Offer, words: str) -> None:
    assert words in told(facts(APRIL_BUILD), offer=offer).what_next


def test_nobody_knows_about_a_device_that_does_not_report() -> None:
    found = told(facts(MAY_BUILD, last_seen_at=MAY_13 - 23 * DAY))
    assert found.protected is None
    assert found.headline == "Not known whether it is protected: it last reported 23 days ago."
    assert "Switch it on" in found.do_now
    assert told(facts(None)).headline.endswith("it has not told its build.")
    assert told(facts(MAY_BUILD, last_seen_at=None)).headline.endswith("it has never reported.")
    other = facts(OsBuild(19045, 5000), platform=None)
    detail = replace(detail_of(facts(MAY_BUILD), MAY_13), facts=other, protected=False, track=Track.UNKNOWN)
    unknown = answer(detail, assess(other, None, MAY_13), None, (), MAY_13)
    assert unknown.protected is None
    assert "no hotpatch calendar" in unknown.headline


# --- why the restart ----------------------------------------------------------------------------------


def test_this_is_a_baseline_month() -> None:
    found = told(facts(MAY_BUILD, JULY_15, last_seen_at=JULY_15 - HOUR), JULY_15)
    levels, _ = surroundings(JULY_15)
    assert levels.baseline is not None
    assert (found.restart, found.restart_reason) == (RestartNeed.COMING, RestartReason.BASELINE_MONTH)
    assert found.restart_why == (
        "This is a baseline month: the update of July 2026 restarts every device, hotpatched ones too."
    )
    waiting = install(levels.baseline.kb, InstallState.RESTART_PENDING, JULY_15 - HOUR)
    device = facts(MAY_BUILD, JULY_15, restart_pending=True, last_seen_at=JULY_15 - HOUR)
    pending = told(device, JULY_15, waiting, deadline_at=JULY_15 + 2 * DAY)
    assert (pending.restart, pending.restart_reason) == (RestartNeed.WAITING, RestartReason.BASELINE_MONTH)
    assert pending.headline == "Not protected yet: it waits for a restart."
    assert pending.do_now == "Save all work and restart now."
    assert "by itself after 2026-07-17 09:00 UTC" in pending.what_next


def test_a_hotpatch_month_without_a_hotpatch_says_so() -> None:
    found = told(facts(MAY_BUILD, JUNE_10, last_seen_at=JUNE_10 - HOUR), JUNE_10)
    assert found.restart_reason is RestartReason.UNPLANNED_BASELINE
    assert found.restart_why.startswith("No hotpatch was published for June 2026")


def test_it_missed_the_baseline() -> None:
    found = told(facts(JANUARY))
    assert (found.restart, found.restart_reason) == (RestartNeed.COMING, RestartReason.MISSED_BASELINE)
    assert found.restart_why == "It missed the April 2026 baseline (KB5083769), and catches up with a restart."
    assert "April 2026 baseline" in found.headline


def test_hotpatch_was_uninstalled() -> None:
    removed = install(
        MAY, InstallState.UNINSTALLED, action=InstallAction.UNINSTALL, reason="label printer", requested_by="mia"
    )
    found = told(facts(APRIL_BUILD), MAY_13, removed, holds=("KB5089466 was uninstalled: label printer, by mia",))
    assert found.restart_reason is RestartReason.UNINSTALLED
    assert found.restart_why == (
        "The hotpatch KB5089466 was uninstalled (label printer). It takes ordinary updates with restarts until the "
        "next baseline, planned for 14 July 2026."
    )
    assert found.headline == "Not protected: releases are withheld from it."
    under_way = replace(removed, state=InstallState.UNINSTALLING, finished_at=None)
    during = told(facts(MAY_BUILD), MAY_13, under_way)
    assert during.restart_why == "KB5089466 is being uninstalled (label printer), and that takes a restart."
    back = install(APRIL, InstallState.SUCCEEDED, MAY_13 - HOUR)
    assert told(facts(APRIL_BUILD), MAY_13, back, removed).restart_reason is None, "it has taken the baseline since"


def test_not_ready_vbs_off() -> None:
    found = told(facts(APRIL_BUILD, vbs=VbsState.OFF))
    assert (found.restart, found.restart_reason) == (RestartNeed.COMING, RestartReason.NOT_READY)
    assert found.restart_why == (
        "It is not ready for hotpatches: VBS off. So it takes the ordinary update, with a restart."
    )
    protected = told(facts(MAY_LCU_BUILD, vbs=VbsState.OFF))
    assert protected.protected is True
    assert protected.what_next == (
        "The next update comes 9 June 2026 (planned), with a restart as long as this stands: "
        "VBS off, off the hotpatch track."
    )


def test_unknown_readiness_is_not_called_not_ready() -> None:
    found = told(facts(APRIL_BUILD, vbs=VbsState.UNKNOWN))
    assert found.restart_reason is RestartReason.READINESS_UNKNOWN
    assert "is not known (VBS unknown)" in found.restart_why


def test_off_the_track_by_a_cumulative_update() -> None:
    device = facts(MAY_LCU_BUILD)
    levels, months = surroundings(MAY_13)
    detail = replace(detail_of(device, MAY_13), protected=False)
    found = answer(detail, assess(device, levels, MAY_13), levels, months, MAY_13)
    assert found.restart_reason is RestartReason.OFF_TRACK


def test_a_build_newer_than_the_catalog_is_on_no_known_track() -> None:
    found = told(facts(OsBuild(26100, 8500)))
    assert (found.protected, found.restart) == (True, RestartNeed.NONE)
    assert found.headline == (
        "Protected: its build is newer than every release that the catalog knows. No restart is needed."
    )
    assert dict(found.facts)["Ready for hotpatches"] == "not known: track unknown"
    assert "track unknown" in found.what_next
    assert "off the hotpatch track" not in str(found)


def test_a_restart_that_is_none_of_ours_is_called_so() -> None:
    found = told(facts(MAY_BUILD, restart_pending=True))
    assert (found.protected, found.restart, found.restart_reason) == (True, RestartNeed.WAITING, RestartReason.OTHER)
    assert found.headline.endswith("Windows waits for a restart.")
    assert "another installation" in found.restart_why
    server = told(facts(MAY_BUILD, restart_pending=True, form=FormFactor.SERVER))
    assert server.do_now == "Restart it, in its maintenance window."


# --- failures, holds, work under way ------------------------------------------------------------------


def test_a_failure_says_what_helps_and_when_it_can_be_tried_again() -> None:
    case = failure()
    found = told(facts(APRIL_BUILD), case=case)
    assert found.headline == "Not protected: the install of KB5089466 failed."
    assert "0x800F0831 CBS_E_STORE_CORRUPTION" in found.problem
    assert "failed once, last on 2026-05-13 04:00 UTC" in found.problem
    assert found.do_now.startswith("Nothing for the user. For whoever repairs it:")
    assert found.what_next == "When that is done, it can be tried again at once."
    spent = told(facts(APRIL_BUILD), case=failure(attempts=3))
    assert "3 is the limit" in spent.what_next
    early = told(facts(APRIL_BUILD), case=failure(0x80240438, failed_at=MAY_13 - timedelta(minutes=1)))
    assert "can be tried again from 2026-05-13" in early.what_next
    disk = told(facts(APRIL_BUILD), case=failure(0x80070070))
    assert disk.do_now.startswith("Make room")


def test_who_has_it_and_what_is_known_is_told() -> None:
    escalation = Escalation(4, None, "ngozi", "", MAY_13 + DAY, "mia", MAY_13, 1, 1)
    problem = KnownProblem(2, "Licensing folder", 0x800F0831, MAY, "", "", False, None, "mia", MAY_13)
    found = told(facts(APRIL_BUILD), case=failure(), escalations=(escalation,), known_problems=(problem,))
    assert "It is a known problem: Licensing folder." in found.what_next
    assert "ngozi has it, until 2026-05-14 09:00 UTC." in found.what_next


def test_work_under_way_and_holds() -> None:
    queued = told(facts(APRIL_BUILD), MAY_13, install(MAY, InstallState.QUEUED, progress=0))
    assert queued.headline == "Not protected yet: the install of KB5089466 is under way (0 %)."
    assert queued.what_next == "It begins at the device's next scan, within hours. No restart follows."
    lcu = told(facts(APRIL_BUILD, vbs=VbsState.OFF), MAY_13, install(5089549, InstallState.INSTALLING))
    assert lcu.what_next == "It goes on by itself. At its end it asks for a restart."
    held = told(facts(APRIL_BUILD), holds=("KB5089466: audit week, by mia, until 2026-05-18 09:00 UTC",))
    assert held.what_next == "Releases are withheld: KB5089466: audit week, by mia, until 2026-05-18 09:00 UTC."


# --- the ticket ---------------------------------------------------------------------------------------


def test_a_ticket_holds_facts_error_next_step_and_timeline() -> None:
    device = facts(APRIL_BUILD, serial="PF3K7Q2", asset_tag="CT-1", model="Latitude 7450", driver="Intel 31")
    history = (
        install(MAY, InstallState.FAILED, MAY_13 - 5 * HOUR, error_code=0x800F0831, attempt=2),
        install(APRIL, InstallState.SUCCEEDED, MAY_13 - 20 * DAY, restarted=True, build_after=APRIL_BUILD),
    )
    detail = detail_of(device, MAY_13, *history)
    case = failure(attempts=2)
    written = ticket(told(device, MAY_13, *history, case=case), detail, MAY_13, case=case)
    text = written.text()
    assert text.startswith("LON-LT-0042: install of KB5089466 failed with 0x800F0831 CBS_E_STORE_CORRUPTION\n")
    for part in (
        "Code: 0x800F0831 CBS_E_STORE_CORRUPTION",
        "Serial number: PF3K7Q2",
        "User: Alice Hartley (alice@contoso.com)",
        "Driver: Intel 31",
        "Then retry: hotpatch retry --device LON-LT-0042",
        "2026-05-13 04:00 UTC  install of KB5089466 failed with 0x800F0831, try 2 (asked for by engine)",
        "2026-04-23 09:00 UTC  install of KB5083769 succeeded with a restart, build 26100.8246",
        "As of 2026-05-13 09:00 UTC, Hotpatch Console.",
    ):
        assert part in text
    markdown = written.markdown()
    assert markdown.startswith("## LON-LT-0042: install of KB5089466 failed with 0x800F0831 CBS\\_E\\_STORE")
    assert "- **Serial number:** PF3K7Q2" in markdown
    document = json.loads(json.dumps(written.document()))
    assert document["device"] == "LON-LT-0042"
    assert document["protected"] is False
    assert document["error"]["code"] == "0x800F0831 CBS_E_STORE_CORRUPTION"
    assert document["facts"]["asset_tag"] == "CT-1"
    assert [each["at"] for each in document["timeline"]] == ["2026-05-13T04:00:00.000Z", "2026-04-23T09:00:00.000Z"]


def test_a_ticket_without_a_failure_says_what_the_call_is_about() -> None:
    protected = facts(MAY_BUILD)
    written = ticket(told(protected), detail_of(protected, MAY_13), MAY_13)
    assert written.title == "LON-LT-0042: protected: it has the May 2026 hotpatch (KB5089466). No restart is needed"
    assert written.document()["error"] is None
    assert "Error" not in written.text()
    pending = facts(MAY_BUILD, restart_pending=True)
    assert ticket(told(pending), detail_of(pending, MAY_13), MAY_13).title == "LON-LT-0042: waits for a restart"


def test_text_from_devices_cannot_act_in_a_ticket() -> None:
    evil = "\x1b[2J[x](http://evil)\n# h\u202e|`a`<b>*"
    device = facts(APRIL_BUILD, name=evil, user=evil, user_name=evil, serial=evil, model=evil, edition=evil)
    history = (install(MAY, InstallState.INSTALLING, stage=evil, requested_by=evil, reason=evil),)
    detail = detail_of(device, MAY_13, *history, holds=(evil,))
    written = ticket(told(device, MAY_13, *history, holds=(evil,)), detail, MAY_13)
    for shown in (written.text(), written.markdown(), json.dumps(written.document(), ensure_ascii=False)):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\n# h" not in shown
    assert "[x](" not in written.markdown().replace("\\[x\\](", "")
    assert "<b>" not in written.markdown().replace("\\<b\\>", "")


@given(
    build=st.sampled_from([None, JANUARY, APRIL_BUILD, MAY_BUILD, MAY_LCU_BUILD, OsBuild(26100, 9999)]),
    vbs=st.sampled_from(VbsState),
    pending=st.sampled_from([True, False, None]),
    seen_days=st.sampled_from([None, 0, 3, 40]),
    state=st.none() | st.sampled_from(InstallState),
    action=st.sampled_from(InstallAction),
    kb=st.sampled_from([APRIL, MAY, 5089549, 4711]),
    code=st.none() | st.sampled_from([0, 0x800F0831, 0x80070070, 0xDEADBEEF]),
    now=st.sampled_from([MAY_13, JUNE_10, JULY_15]),
    held=st.booleans(),
)
@settings(max_examples=250)
def test_every_device_gets_an_answer_that_does_not_contradict_itself(
    build: OsBuild | None,
    vbs: VbsState,
    pending: bool | None,
    seen_days: int | None,
    state: InstallState | None,
    action: InstallAction,
    kb: int,
    code: int | None,
    now: datetime,
    held: bool,
) -> None:
    seen = None if seen_days is None else now - seen_days * DAY
    device = facts(build, now, vbs=vbs, restart_pending=pending, last_seen_at=seen)
    installs = () if state is None else (install(kb, state, now - HOUR, action=action),)
    case = None if code is None else failure(code, failed_at=now - 5 * HOUR)
    detail = detail_of(device, now, *installs, holds=("held",) if held else ())
    found = told(device, now, *installs, holds=detail.holds, case=case)
    assert found.headline
    assert found.do_now
    assert bool(found.restart_why) == (found.restart is not RestartNeed.NONE) == (found.restart_reason is not None)
    if found.protected is True:
        assert found.headline.startswith("Protected")
    elif found.protected is False:
        assert found.headline.startswith("Not protected")
    else:
        assert found.headline.startswith("Not known")
    if pending and found.protected is not None:
        assert "restart" in found.do_now.casefold()
    written = ticket(found, detail, now, case=case)
    assert written.title.startswith("LON-LT-0042: ")
    assert json.loads(json.dumps(written.document()))["headline"] == found.headline
    assert all(line.isprintable() for line in written.text().split("\n"))


@pytest.mark.parametrize(("longest", "shown"), [(5, "a b c"), (4, "a b…"), (200, "a b c")])
def test_a_line_that_just_fits_a_ticket_is_not_cut(longest: int, shown: str) -> None:
    assert plain(" a\tb\nc ", longest) == shown
