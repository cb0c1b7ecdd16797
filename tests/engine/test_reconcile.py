"""The decision on one finding: every verdict and reason, on the catalog as it really is, with proof and next step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.catalog import Catalog, load_bundled
from engine.catalog.closing import Closings, closings_known_at
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Track
from engine.rules.findings import (
    Failure,
    FindingVerdict,
    InstallStep,
    Judge,
    Judgement,
    LevelSource,
    Seen,
    TargetDevice,
    Why,
    history,
    next_step,
    reason,
)

A, P, V = Architecture, Platform, FindingVerdict
POWERSHELL = "CVE-2025-54100"
MAY = "CVE-2026-35423"
"""Filed under May 2026's hotpatch and LCU."""
APRIL = "CVE-2026-32159"


def day(text: str, hour: int = 9) -> datetime:
    return datetime.fromisoformat(text).replace(hour=hour, tzinfo=UTC)


@cache
def bundled() -> Catalog:
    return load_bundled()


@cache
def closings_of(text: str) -> Closings:
    return closings_known_at(bundled(), day(text, 20))


@cache
def judge_of(text: str) -> Judge:
    now = day(text, 20)
    levels = {platform: bundled().levels(platform, now) for platform in Platform}
    return Judge(closings_of(text), levels, now, known_until="2026-06")


def build(text: str) -> OsBuild:
    return OsBuild.parse(text)


def step(
    at: datetime, kb: int, after: str | None, before: str | None = None, *, id: int = 1, off: bool = False
) -> InstallStep:
    return InstallStep(
        id=id,
        kb=kb,
        is_uninstall=off,
        requested_at=at - timedelta(hours=2),
        finished_at=at,
        build_before=build(before) if before else None,
        build_after=build(after) if after else None,
    )


def device(
    runs: str | None,
    *steps: InstallStep,
    platform: Platform | None = P.WIN11_24H2,
    architecture: Architecture | None = A.X64,
    seen: tuple[Seen, ...] = (),
    failures: tuple[Failure, ...] = (),
    restart_pending: bool = False,
    last_seen_at: datetime | None = None,
) -> TargetDevice:
    return TargetDevice(
        id=1,
        name="LON-LT-0042",
        domain="",
        platform=platform,
        architecture=architecture,
        build=build(runs) if runs else None,
        restart_pending=restart_pending,
        last_seen_at=last_seen_at,
        steps=steps,
        seen=seen,
        failures=failures,
    )


def judged(now: str, target: TargetDevice, cve: str, scanned: str = "2030-01-01") -> Judgement:
    judge = judge_of(now)
    beside = judge.beside_servicing(cve, "")
    return beside or judge.judge(cve, judge.know(target), day(scanned))


# --- closed -----------------------------------------------------------------------------------------


def test_the_hotpatch_closes_it_with_kb_build_twin_and_date() -> None:
    installed = day("2026-05-12", 21)
    found = judged("2026-05-20", device("26100.8390", step(installed, 5089466, "26100.8390", "26100.8246", id=77)), MAY)
    assert (found.verdict, found.why) == (V.FALSE_POSITIVE, Why.HOTPATCH)
    proof = found.proof
    assert proof is not None
    assert (proof.kb, str(proof.build), proof.twin_kb, str(proof.twin_build)) == (
        5089466,
        "26100.8390",
        5089549,
        "26100.8457",
    )
    assert (proof.at, proof.evidence, proof.install_id, proof.fixed_by) == (installed, LevelSource.INSTALL, 77, 5089466)
    assert found.next_baseline_at is not None
    assert found.next_baseline_at.date().isoformat() == "2026-07-14"
    words = reason(found)
    assert "KB5089466 (26100.8390) closes it. Installed 2026-05-12 21:00 UTC, install record 77." in words
    assert "waits for KB5089549 (26100.8457)" in words
    assert "keeps it closed" not in words
    assert next_step(found) == ""


def test_an_earlier_hotpatch_of_the_chain_is_named() -> None:
    cve = "CVE-2026-26132"  # filed under March's hotpatch KB5079420
    target = device("26100.7982", step(day("2026-03-14"), 5084597, "26100.7982"))
    proof = judged("2026-03-20", target, cve).proof
    assert proof is not None
    assert (proof.kb, proof.fixed_by, proof.baseline_kb) == (5084597, 5079420, 5074109)
    assert "holds KB5079420" in reason(judged("2026-03-20", target, cve))


def test_the_baseline_under_the_hotpatch_closes_it() -> None:
    found = judged("2026-05-20", device("26100.8390", step(day("2026-05-13"), 5089466, "26100.8390")), APRIL)
    assert (found.verdict, found.why) == (V.FALSE_POSITIVE, Why.BASELINE)
    assert "sits on the baseline KB5083769" in reason(found)


def test_on_the_track_of_lcus_the_scanner_is_late_or_wrong() -> None:
    found = judged("2026-05-20", device("26100.8457", step(day("2026-05-13"), 5089549, "26100.8457")), MAY)
    assert (found.verdict, found.why, found.track) == (V.FALSE_POSITIVE, Why.CUMULATIVE, Track.LCU)
    assert "The scanner's data is older than that" in reason(found)


@pytest.mark.parametrize(
    ("evidence", "at", "verdict", "why"),
    [
        ("install", "2026-05-12", V.FALSE_POSITIVE, Why.HOTPATCH),
        ("install", "2026-05-15", V.FIXED_SINCE, Why.INSTALLED_SINCE),
        ("seen", "2026-05-12", V.FALSE_POSITIVE, Why.HOTPATCH),
        ("seen", "2026-05-15", V.FIXED_SINCE, Why.SEEN_SINCE),
        ("check-in", "2026-05-12", V.FALSE_POSITIVE, Why.HOTPATCH),
        ("check-in", "2026-05-15", V.FALSE_POSITIVE, Why.HOTPATCH),  # nothing says that it was open before
    ],
)
def test_what_came_after_the_scan_is_fixed_since(evidence: str, at: str, verdict: V, why: Why) -> None:
    moment = day(at, 12)
    target = {
        "install": device("26100.8390", step(moment, 5089466, "26100.8390", "26100.8246")),
        "seen": device(
            "26100.8390", seen=(Seen(day("2026-05-01"), build("26100.8246")), Seen(moment, build("26100.8390")))
        ),
        "check-in": device("26100.8390", last_seen_at=moment),
    }[evidence]
    found = judged("2026-05-20", target, MAY, scanned="2026-05-14")
    assert (found.verdict, found.why) == (verdict, why)
    assert found.proof is not None
    assert found.proof.at == moment
    assert ("Scan the device again" in next_step(found)) is (verdict is V.FIXED_SINCE)


@pytest.mark.parametrize(("late", "verdict"), [(0, V.FALSE_POSITIVE), (1, V.FIXED_SINCE)])
def test_what_came_in_the_second_of_the_scan_was_there(late: int, verdict: V) -> None:
    judge, moment = judge_of("2026-05-20"), day("2026-05-15")
    installed = device(
        "26100.8390", step(moment + timedelta(seconds=late), 5089466, "26100.8390", "26100.8246"), last_seen_at=moment
    )
    assert judge.judge(MAY, judge.know(installed), moment).verdict is verdict
    released = bundled().find(5089466)[0].released_at
    known = judge.know(device("26100.8390"))
    assert judge.judge(MAY, known, released - timedelta(seconds=late)).verdict is verdict


def test_a_scanner_that_waits_for_the_twin_is_named_only_while_the_device_is_below_it() -> None:
    hotpatched = step(day("2026-05-13"), 5089466, "26100.8390")
    higher = device("26100.8457", hotpatched, step(day("2026-05-15"), 5089549, "26100.8457", "26100.8390", id=2))
    words = reason(judged("2026-05-20", higher, MAY))
    assert "runs 26100.8457 now, which keeps it closed" in words
    assert "waits for" not in words


def test_what_was_released_after_the_scan_was_not_there_before_it() -> None:
    target = device("26100.8390", last_seen_at=day("2026-05-15"))
    assert judged("2026-05-20", target, MAY, scanned="2026-05-11").why is Why.SEEN_SINCE
    assert judged("2026-05-20", device("26100.8390"), MAY, scanned="2026-05-11").why is Why.SEEN_SINCE


def test_a_cve_closed_long_before_stays_closed_through_later_updates() -> None:
    """The date is when it was closed first, not when the newest update came."""
    target = device(
        "26100.8390",
        step(day("2026-04-16"), 5083769, "26100.8246", "26100.7982", id=1),
        step(day("2026-05-15"), 5089466, "26100.8390", "26100.8246", id=2),
    )
    found = judged("2026-05-20", target, APRIL, scanned="2026-05-01")
    assert found.verdict is V.FALSE_POSITIVE
    assert found.proof is not None
    assert (found.proof.kb, found.proof.at) == (5083769, day("2026-04-16"))
    assert "runs 26100.8390 now, which keeps it closed" in reason(found)


def test_what_an_install_found_was_there_before_it() -> None:
    target = device("26100.8390", step(day("2026-05-15"), 5089466, "26100.8390", "26100.8246"))
    proof = judged("2026-05-20", target, APRIL, scanned="2026-05-16").proof
    assert proof is not None
    assert proof.evidence is LevelSource.BEFORE_INSTALL
    assert proof.at == day("2026-05-15") - timedelta(hours=2)


def test_without_any_time_the_build_alone_is_the_proof() -> None:
    found = judged("2026-05-20", device("26100.8390"), MAY)
    assert found.verdict is V.FALSE_POSITIVE
    assert found.proof is not None
    assert found.proof.at is None
    assert "When it came is not known" in reason(found)


# --- open -------------------------------------------------------------------------------------------


def test_a_device_that_lacks_the_hotpatch_is_behind() -> None:
    found = judged("2026-05-20", device("26100.8246"), MAY)
    assert (found.verdict, found.why, found.next_kb, found.next_restarts) == (V.TRUE, Why.BEHIND, 5089466, False)
    assert next_step(found) == "Install KB5089466, without a restart."


def test_a_device_below_the_baseline_needs_that_with_a_restart() -> None:
    found = judged("2026-05-20", device("26100.7982"), APRIL)
    assert (found.why, found.next_kb, found.next_restarts, found.track) == (Why.BEHIND, 5083769, True, Track.BEHIND)


def test_a_hotpatch_that_was_uninstalled_proves_nothing() -> None:
    target = device(
        "26100.8246",
        step(day("2026-05-13"), 5089466, "26100.8390", "26100.8246", id=1),
        step(day("2026-05-14"), 5089466, "26100.8246", "26100.8390", id=2, off=True),
    )
    assert judged("2026-05-20", target, MAY).why is Why.BEHIND
    again = replace(
        target, build=build("26100.8390"), steps=(*target.steps, step(day("2026-05-18"), 5089466, "26100.8390", id=3))
    )
    found = judged("2026-05-20", again, MAY, scanned="2026-05-15")
    assert (found.verdict, found.proof and found.proof.at) == (V.FIXED_SINCE, day("2026-05-18"))


def test_a_failed_install_says_which_and_with_what_code() -> None:
    failure = Failure(5089466, 0x800F0922, day("2026-05-13"))
    found = judged("2026-05-20", device("26100.8246", failures=(failure,)), MAY)
    assert (found.verdict, found.why, found.next_kb) == (V.TRUE, Why.INSTALL_FAILED, 5089466)
    assert "0x800F0922" in reason(found)
    other = Failure(5077212, 0x800F0922, day("2026-02-13"))  # February's hotpatch would not close it
    assert judged("2026-05-20", device("26100.8246", failures=(other,)), MAY).why is Why.BEHIND
    unknown = Failure(1, 0x800F0922, day("2026-05-13"))
    assert judged("2026-05-20", device("26100.8246", failures=(unknown,)), MAY).why is Why.BEHIND
    later = Failure(5089549, 0x800F0922, day("2026-05-13"))  # May's LCU holds what April's closed
    found = judged("2026-05-20", device("26100.7982", failures=(later,)), APRIL)
    assert (found.why, found.next_kb) == (Why.INSTALL_FAILED, 5089549)


def test_a_pending_restart_is_told() -> None:
    found = judged("2026-05-20", device("26100.7982", restart_pending=True), APRIL)
    assert found.why is Why.RESTART_PENDING
    assert next_step(found).startswith("Restart the device")


@pytest.mark.parametrize(
    ("platform", "runs", "kb"),
    [
        (P.WIN11_24H2, "26100.7392", 5074204),
        (P.WIN11_25H2, "26200.7392", 5074204),
        (P.SERVER_2022, "20348.4467", 5074353),
    ],
)
def test_december_2025_needs_the_companion_beside_the_hotpatch(platform: Platform, runs: str, kb: int) -> None:
    """The build is the hotpatch's and the package's alike; only the installed KB tells."""
    alone = device(runs, step(day("2025-12-10"), 5072014, runs), platform=platform)
    found = judged("2025-12-20", alone, POWERSHELL)
    assert (found.verdict, found.why, found.next_kb) == (V.TRUE, Why.COMPANION_MISSING, kb)
    beside = replace(alone, steps=(*alone.steps, step(day("2025-12-11"), kb, runs, runs, id=9)))
    found = judged("2025-12-20", beside, POWERSHELL)
    assert (found.verdict, found.why) == (V.FALSE_POSITIVE, Why.COMPANION)
    assert found.proof is not None
    assert (found.proof.kb, found.proof.at, found.proof.install_id) == (kb, day("2025-12-11"), 9)
    gone = replace(beside, steps=(*beside.steps, step(day("2025-12-12"), kb, runs, runs, id=10, off=True)))
    assert judged("2025-12-20", gone, POWERSHELL).why is Why.COMPANION_MISSING


def test_march_2026_is_closed_by_the_out_of_band_hotpatch_three_days_later() -> None:
    cve = "CVE-2026-26111"
    before = judged("2026-03-12", device("26100.7979"), cve)
    assert (before.why, before.next_kb, before.next_restarts) == (Why.NOT_COVERED, 5079473, True)
    assert "leaves the hotpatch track until the next baseline, or wait for that: 2026-04-14" in next_step(before)
    after = judged("2026-03-20", device("26100.7979"), cve)
    assert (after.why, after.next_kb, after.next_restarts) == (Why.BEHIND, 5084597, False)
    assert judged("2026-03-20", device("26100.7982"), cve).why is Why.HOTPATCH


def test_may_2025_is_closed_by_its_out_of_band_hotpatch() -> None:
    cve = "CVE-2025-29971"
    assert judged("2025-05-15", device("26100.3981"), cve).why is Why.NOT_COVERED
    assert judged("2025-05-20", device("26100.3981"), cve).next_kb == 5061258
    found = judged("2025-05-20", device("26100.3983"), cve)
    assert (found.why, found.proof and found.proof.kb) == (Why.HOTPATCH, 5061258)


@pytest.mark.parametrize(
    ("platform", "runs", "lcu"),
    [
        (P.WIN11_24H2, "26100.3403", 5053598),
        (P.SERVER_2025, "26100.3403", 5053598),
        (P.SERVER_2022, "20348.3270", 5053603),
    ],
)
def test_march_2025_left_one_open_that_only_the_lcu_closes(platform: Platform, runs: str, lcu: int) -> None:
    found = judged("2025-03-20", device(runs, platform=platform), "CVE-2025-26634")
    assert (found.verdict, found.why, found.next_kb) == (V.TRUE, Why.NOT_COVERED, lcu)


@pytest.mark.parametrize("cve", ["CVE-2025-53766", "CVE-2025-50177"])
def test_august_2025_is_no_finding_whatever_the_builds_say(cve: str) -> None:
    assert judged("2025-08-20", device("26100.4851"), cve).verdict is V.FALSE_POSITIVE


def test_november_2025s_libpng_is_closed_by_the_baseline_of_april_2026() -> None:
    assert judged("2026-04-20", device("26100.7982"), "CVE-2025-64720").next_kb == 5083769
    assert judged("2026-04-20", device("26100.8246"), "CVE-2025-64720").verdict is V.FALSE_POSITIVE


def test_may_2026s_bitlocker_is_closed_by_junes_unplanned_baseline_on_x64_alone() -> None:
    cve = "CVE-2026-45585"
    assert judged("2026-05-20", device("26100.8390"), cve).why is Why.NOT_IN_CATALOG  # nobody fixes it yet
    found = judged("2026-06-20", device("26100.8390"), cve)
    assert (found.why, found.next_kb, found.next_restarts) == (Why.BEHIND, 5094126, True)
    arm = judged("2026-06-20", device("26100.8390", architecture=A.ARM64), cve)
    assert (arm.verdict, arm.why) == (V.NOT_SERVICING, Why.NOT_FOR_PLATFORM)


@pytest.mark.parametrize(
    "target",
    [
        device("26100.8300"),
        device(None),
        device("26100.8246", platform=None),
        device("27000.1"),
    ],
)
def test_what_is_not_known_proves_nothing(target: TargetDevice) -> None:
    found = judged("2026-05-20", target, MAY)
    assert (found.verdict, found.why) == (V.TRUE, Why.NOT_PROVEN)
    assert "import devices again" in next_step(found)


def test_a_build_between_two_known_ones_still_proves_its_baseline() -> None:
    found = judged("2026-05-20", device("26100.8300"), APRIL)
    assert (found.verdict, found.proof and found.proof.kb) == (V.FALSE_POSITIVE, 5083769)


@pytest.mark.parametrize(
    ("cve", "software", "why"),
    [
        ("", "", Why.NO_CVE),
        (MAY, "google chrome 140", Why.OTHER_SOFTWARE),
        ("CVE-2021-44228", "", Why.NOT_IN_CATALOG),
    ],
)
def test_what_is_not_about_windows_servicing_says_which(cve: str, software: str, why: Why) -> None:
    found = judge_of("2026-05-20").beside_servicing(cve, software)
    assert found is not None
    assert (found.verdict, found.why) == (V.NOT_SERVICING, why)
    assert software in reason(found)


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_words(why: Why) -> None:
    if why in (Why.HOTPATCH, Why.BASELINE, Why.COMPANION, Why.CUMULATIVE, Why.INSTALLED_SINCE, Why.SEEN_SINCE):
        found = judged("2026-05-20", device("26100.8390"), MAY)
        assert reason(replace(found, why=why)).endswith(".")
    else:
        bare = Judgement(V.TRUE, why)
        assert reason(bare).endswith((".", ":"))
        assert "None" not in reason(bare) + next_step(bare)


# --- histories --------------------------------------------------------------------------------------

_LADDER = ("26100.7623", "26100.7781", "26100.7982", "26100.8246", "26100.8390")


@given(
    st.lists(st.tuples(st.sampled_from(_LADDER), st.booleans()), max_size=7),
    st.sampled_from([MAY, APRIL, "CVE-2026-26132"]),
    st.integers(0, 90),
)
def test_the_verdict_is_what_a_walk_through_the_history_says(
    path: list[tuple[str, bool]], cve: str, scanned_after: int
) -> None:
    """A second route: walk the levels day by day and look each up by itself."""
    start = day("2026-02-15")
    steps, seen = [], []
    for n, (after, by_us) in enumerate(path):
        at = start + timedelta(days=10 * (n + 1))
        if by_us:
            steps.append(step(at, 5089466, after, id=n + 1))
        else:
            seen.append(Seen(at, build(after)))
    now = path[-1][0] if path else "26100.8246"
    target = device(now, *steps, seen=tuple(seen), last_seen_at=start + timedelta(days=85))
    scanned = start + timedelta(days=scanned_after)
    judge = judge_of("2026-05-20")
    found = judge.judge(cve, judge.know(target), scanned)

    known = closings_of("2026-05-20")
    closed_at: datetime | None = None
    was_open = is_ours = False
    levels = path or [(now, False)]
    for n, (after, by_us) in enumerate(levels):
        at = start + timedelta(days=10 * (n + 1)) if path else start + timedelta(days=85)
        if cve not in known.at(P.WIN11_24H2, A.X64, build(after)).closings:
            closed_at, was_open = None, True
        elif closed_at is None:
            closed_at, is_ours = at, by_us
    if closed_at is None:
        assert found.verdict is V.TRUE
    elif closed_at > scanned and (was_open or is_ours):
        assert found.verdict is V.FIXED_SINCE
    else:
        released = min(r.released_at for r in known.closers(P.WIN11_24H2, A.X64, cve) or ())
        assert found.verdict is (V.FALSE_POSITIVE if released <= scanned else V.FIXED_SINCE)


@pytest.mark.parametrize(
    ("cve", "about_windows", "why"),
    [
        ("CVE-2024-99999", True, Why.NOT_IN_CATALOG),
        ("CVE-2025-99999", True, None),
        ("CVE-2026-99999", True, None),
        ("CVE-2025-99999", False, Why.NOT_IN_CATALOG),
    ],
)
def test_a_row_about_windows_stands_from_the_catalogs_first_year_on(
    cve: str, about_windows: bool, why: Why | None
) -> None:
    """The catalog's documents begin with January 2025."""
    found = judge_of("2026-05-20").beside_servicing(cve, "", about_windows=about_windows)
    assert (found and found.why) == why


@pytest.mark.parametrize(
    ("early", "evidence"), [(0, LevelSource.SEEN), (1, LevelSource.SEEN), (-1, LevelSource.BEFORE_INSTALL)]
)
def test_a_history_begins_with_a_check_in_no_later_than_the_first_request(early: int, evidence: LevelSource) -> None:
    install = step(day("2026-05-13"), 5089466, "26100.8390", "26100.8246")
    seen = Seen(install.requested_at - timedelta(seconds=early), build("26100.8246"))
    first, last = history(device("26100.8390", install, seen=(seen,)), frozenset())
    assert (first.evidence, last.evidence) == (evidence, LevelSource.INSTALL)
    assert first.at == (min(seen.at, install.requested_at))


def test_a_device_that_tells_no_build_stands_where_its_history_ends() -> None:
    install = step(day("2026-05-13"), 5089466, "26100.8390")
    assert [each.evidence for each in history(device(None, install), frozenset())] == [LevelSource.INSTALL]
    assert history(device(None), frozenset()) == ()


def test_a_history_ends_where_the_device_stands() -> None:
    target = device(
        "26100.8457", step(day("2026-05-13"), 5089466, "26100.8390", "26100.8246"), last_seen_at=day("2026-05-18")
    )
    levels = history(target, frozenset())
    assert [str(each.build) for each in levels] == ["26100.8246", "26100.8390", "26100.8457"]
    assert [each.evidence for each in levels] == [LevelSource.BEFORE_INSTALL, LevelSource.INSTALL, LevelSource.CHECK_IN]
