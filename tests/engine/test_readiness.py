"""Readiness of one device: each prerequisite, what age does to facts, and that the verdict follows from the checks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.catalog.levels import Levels, make_levels
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import (
    CheckId,
    ChpeState,
    DeviceFacts,
    Management,
    PolicyState,
    Release,
    ReleaseKind,
    Subscription,
    VbsState,
    Verdict,
)
from engine.rules.readiness import (
    NO_LICENCE,
    RULES,
    STALE_REASON,
    Audience,
    Check,
    CheckResult,
    Readiness,
    ReadinessSettings,
    ReadinessStage,
    age_words,
    assess,
    best_licence,
    licence_of_sku,
    licences,
    reason_words,
    rules_for,
    with_notes,
)
from engine.rules.readiness.values import EDITION_NAMES
from tests.conftest import SHARED

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
MET, NOT_MET = CheckResult.MET, CheckResult.NOT_MET
UNKNOWN, NOT_APPLICABLE = CheckResult.UNKNOWN, CheckResult.NOT_APPLICABLE


def release(platform: Platform, kb: int, kind: ReleaseKind, revision: int, on: str) -> Release:
    at = datetime.fromisoformat(f"{on}T17:00:00+00:00")
    build = OsBuild(platform.build_number, revision)
    return Release(kb, platform, kind, on[:7], at, build, platform.architectures, not kind.is_hotpatch, "test")


def may(platform: Platform, baseline: tuple[int, int], hotpatch: tuple[int, int], lcu: tuple[int, int]) -> Levels:
    """The calendar as it stood in May 2026: KB and revision of April's baseline, May's hotpatch and May's LCU."""
    return make_levels(
        platform,
        [
            release(platform, baseline[0], ReleaseKind.BASELINE, baseline[1], "2026-04-14"),
            release(platform, hotpatch[0], ReleaseKind.HOTPATCH, hotpatch[1], "2026-05-12"),
            release(platform, lcu[0], ReleaseKind.LCU, lcu[1], "2026-05-12"),
        ],
        NOW,
    )


LEVELS = {
    Platform.WIN11_24H2: may(Platform.WIN11_24H2, (5083769, 8246), (5089466, 8390), (5089549, 8457)),
    Platform.WIN11_25H2: may(Platform.WIN11_25H2, (5083769, 8246), (5089466, 8390), (5089549, 8457)),
    Platform.SERVER_2025: may(Platform.SERVER_2025, (5082063, 32690), (5087423, 32772), (5087539, 32860)),
    Platform.SERVER_2022: may(Platform.SERVER_2022, (5082142, 5020), (5087424, 5074), (5087545, 5139)),
}

CLIENT = DeviceFacts(
    name="LON-LT-0042",
    platform=Platform.WIN11_24H2,
    architecture=Architecture.X64,
    build=OsBuild(26100, 8246),
    edition="Enterprise",
    licence="m365-e3",
    management=Management.INTUNE,
    policy=PolicyState.ALLOW,
    vbs=VbsState.RUNNING,
    last_seen_at=NOW - timedelta(hours=5),
)
ARC_SERVER = DeviceFacts(
    name="LON-SRV-07",
    platform=Platform.SERVER_2025,
    architecture=Architecture.X64,
    build=OsBuild(26100, 32690),
    edition="Standard",
    management=Management.ARC,
    subscription=Subscription.ENABLED,
    vbs=VbsState.RUNNING,
    last_seen_at=NOW,
)
AZURE_SERVER = replace(
    ARC_SERVER,
    platform=Platform.SERVER_2022,
    build=OsBuild(20348, 5020),
    edition="Datacenter: Azure Edition",
    management=Management.AZURE,
    subscription=Subscription.UNKNOWN,
    vbs=VbsState.UNKNOWN,
)


def judge(facts: DeviceFacts, now: datetime = NOW, settings: ReadinessSettings | None = None) -> Readiness:
    return assess(facts, LEVELS.get(facts.platform) if facts.platform else None, now, settings or ReadinessSettings())


def check(readiness: Readiness, wanted: CheckId) -> Check:
    (found,) = (each for each in readiness.checks if each.check is wanted)
    return found


# --- devices that are ready -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "facts",
    [
        CLIENT,
        replace(CLIENT, build=OsBuild(26100, 8390)),
        replace(CLIENT, platform=Platform.WIN11_25H2, build=OsBuild(26200, 8390)),
        replace(CLIENT, architecture=Architecture.ARM64, chpe=ChpeState.DISABLED),
        replace(CLIENT, edition="Professional", licence="business-premium"),
        replace(CLIENT, edition="EDUCATION", licence="education-a5"),
        ARC_SERVER,
        replace(ARC_SERVER, edition="Datacenter: Azure Edition", management=Management.AZURE_LOCAL),
        AZURE_SERVER,
    ],
)
def test_ready(facts: DeviceFacts) -> None:
    readiness = judge(facts)
    assert readiness.verdict is Verdict.READY
    assert (readiness.eligible, readiness.enrolled) == (True, True)
    assert readiness.reasons == readiness.reason_ids == ()
    assert {each.result for each in readiness.checks} <= {MET, NOT_APPLICABLE}
    assert all(each.fix == "" for each in readiness.checks)
    assert readiness.stale_at == (facts.last_seen_at or NOW) + timedelta(days=14)


# --- one thing wrong --------------------------------------------------------------------------------

WRONG: list[tuple[DeviceFacts, CheckId, CheckResult, str, str]] = [
    (replace(CLIENT, vbs=VbsState.OFF), CheckId.VBS, NOT_MET, "off (0)", "EnableVirtualizationBasedSecurity = 1"),
    (replace(CLIENT, vbs=VbsState.NOT_RUNNING), CheckId.VBS, NOT_MET, "not running (1)", "Secure Boot"),
    (replace(CLIENT, vbs=VbsState.UNKNOWN), CheckId.VBS, UNKNOWN, "not told", "VirtualizationBasedSecurityStatus"),
    (replace(CLIENT, licence="office-e3"), CheckId.LICENCE, NOT_MET, "Office 365 E3", "Microsoft 365 Business Premium"),
    (replace(CLIENT, licence=NO_LICENCE), CheckId.LICENCE, NOT_MET, "no licence", "Windows 11 Enterprise E3"),
    (replace(CLIENT, licence=""), CheckId.LICENCE, UNKNOWN, "not told", "licenseDetails"),
    (replace(CLIENT, licence="windows-365-shared"), CheckId.LICENCE, UNKNOWN, "Shared Use", "licenseDetails"),
    (replace(CLIENT, licence="moon"), CheckId.LICENCE, UNKNOWN, "moon", "licenseDetails"),
    (replace(CLIENT, edition="Home"), CheckId.EDITION, NOT_MET, "Home", "Enterprise or Education"),
    (replace(CLIENT, edition="EnterpriseS"), CheckId.EDITION, NOT_MET, "EnterpriseS", "LTSC"),
    (replace(CLIENT, edition="Moonshine"), CheckId.EDITION, UNKNOWN, "no rule names", "EditionID"),
    (replace(CLIENT, management=Management.NONE), CheckId.MANAGEMENT, NOT_MET, "nothing", "Enrol"),
    (replace(CLIENT, management=Management.UNKNOWN), CheckId.MANAGEMENT, UNKNOWN, "not told", "Intune"),
    (replace(CLIENT, policy=PolicyState.BLOCK), CheckId.POLICY, NOT_MET, "Block", "on Allow"),
    (replace(CLIENT, policy=PolicyState.UNKNOWN), CheckId.POLICY, UNKNOWN, "not told", "AllowRebootlessUpdates = 1"),
    (
        replace(CLIENT, policy=PolicyState.NO_POLICY),
        CheckId.POLICY,
        UNKNOWN,
        "tenant default not known",
        "record it in the settings",
    ),
    (replace(CLIENT, architecture=None), CheckId.ARCHITECTURE, UNKNOWN, "not told", "processor"),
    (
        replace(CLIENT, architecture=Architecture.ARM64, chpe=ChpeState.ENABLED),
        CheckId.CHPE,
        NOT_MET,
        "enabled",
        r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management, DWORD HotPatchRestrictions = 1",
    ),
    (replace(CLIENT, architecture=Architecture.ARM64), CheckId.CHPE, UNKNOWN, "not told", "HotPatchRestrictions"),
    (replace(CLIENT, build=OsBuild(26100, 7623)), CheckId.BASELINE, NOT_MET, "26100.7623", "KB5083769 (26100.8246)"),
    (replace(CLIENT, build=OsBuild(26100, 8457)), CheckId.TRACK, NOT_MET, "26100.8457", "next baseline"),
    (replace(CLIENT, build=OsBuild(26100, 8300)), CheckId.TRACK, UNKNOWN, "no release is known", "preview"),
    (replace(CLIENT, build=OsBuild(26100, 8500)), CheckId.TRACK, UNKNOWN, "newer than every", "hotpatch catalog sync"),
    (replace(ARC_SERVER, build=OsBuild(26100, 33000)), CheckId.TRACK, UNKNOWN, "newer than every", "catalog sync"),
    (
        replace(ARC_SERVER, management=Management.NONE),
        CheckId.CONNECTION,
        NOT_MET,
        "nothing",
        "Connected Machine agent",
    ),
    (replace(ARC_SERVER, management=Management.AZURE), CheckId.CONNECTION, NOT_MET, "Azure", "Azure Arc"),
    (replace(AZURE_SERVER, management=Management.NONE), CheckId.CONNECTION, NOT_MET, "nothing", "Azure Local"),
    (
        replace(ARC_SERVER, subscription=Subscription.DISABLED),
        CheckId.SUBSCRIPTION,
        NOT_MET,
        "disabled",
        "enableHotpatching = true",
    ),
    (replace(ARC_SERVER, subscription=Subscription.PENDING), CheckId.SUBSCRIPTION, NOT_MET, "pending", "10 minutes"),
    (
        replace(ARC_SERVER, subscription=Subscription.UNKNOWN),
        CheckId.SUBSCRIPTION,
        UNKNOWN,
        "not told",
        "hotpatchEnablementStatus",
    ),
    (
        replace(AZURE_SERVER, subscription=Subscription.DISABLED),
        CheckId.SUBSCRIPTION,
        NOT_MET,
        "disabled",
        "AutomaticByPlatform",
    ),
    (replace(ARC_SERVER, vbs=VbsState.OFF), CheckId.VBS, NOT_MET, "off", r"Control\DeviceGuard, DWORD"),
]


@pytest.mark.parametrize(("facts", "wanted", "result", "found", "fix"), WRONG)
def test_one_thing_wrong(facts: DeviceFacts, wanted: CheckId, result: CheckResult, found: str, fix: str) -> None:
    readiness = judge(facts)
    judged = check(readiness, wanted)
    assert judged.result is result
    assert found in judged.found
    assert fix in judged.fix
    assert judged.needed
    assert judged.source
    assert judged.observed_at == facts.last_seen_at
    assert readiness.verdict is (Verdict.NOT_READY if result is NOT_MET else Verdict.UNKNOWN)
    assert readiness.reason_ids == ((wanted.value,) if result is NOT_MET else (f"{wanted}?",))


def test_a_server_edition_that_is_not_served_says_what_is() -> None:
    readiness = judge(replace(AZURE_SERVER, edition="Standard"))
    assert readiness.reason_ids == ("edition",)
    assert readiness.eligible is False
    assert "Azure Edition" in check(readiness, CheckId.EDITION).needed


def test_an_unknown_server_edition_leaves_enablement_open() -> None:
    readiness = judge(replace(ARC_SERVER, edition="", management=Management.AZURE, subscription=Subscription.DISABLED))
    assert readiness.reason_ids == ("edition?", "connection?", "subscription?")
    assert (readiness.eligible, readiness.enrolled) == (None, None)


def test_the_first_build_is_told_by_processor() -> None:
    old = replace(CLIENT, build=OsBuild(26100, 4000))
    assert check(judge(old), CheckId.BUILD_FLOOR).result is MET
    assert check(judge(replace(old, architecture=Architecture.ARM64)), CheckId.BUILD_FLOOR).result is NOT_MET
    assert check(judge(replace(old, architecture=None)), CheckId.BUILD_FLOOR).result is UNKNOWN
    assert "4929" in check(judge(replace(old, architecture=Architecture.ARM64)), CheckId.BUILD_FLOOR).needed
    assert check(judge(AZURE_SERVER), CheckId.BUILD_FLOOR).result is NOT_APPLICABLE


def test_edition_pro_is_a_hint_and_the_licence_decides() -> None:
    pro = replace(CLIENT, edition="Pro")
    assert judge(pro).verdict is Verdict.READY
    assert "licence decides" in check(judge(pro), CheckId.EDITION).found
    assert judge(replace(pro, licence="business-standard")).reason_ids == ("licence",)


def test_chpe_concerns_arm64_alone() -> None:
    assert check(judge(replace(CLIENT, chpe=ChpeState.ENABLED)), CheckId.CHPE).result is NOT_APPLICABLE
    assert CheckId.CHPE not in {each.check for each in judge(ARC_SERVER).checks}


def test_vbs_does_not_concern_server_2022() -> None:
    assert check(judge(replace(AZURE_SERVER, vbs=VbsState.OFF)), CheckId.VBS).result is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("default", "verdict", "enrolled"),
    [(True, Verdict.READY, True), (False, Verdict.NOT_READY, False), (None, Verdict.UNKNOWN, None)],
)
def test_without_a_policy_the_tenant_default_counts(
    default: bool | None, verdict: Verdict, enrolled: bool | None
) -> None:
    readiness = judge(
        replace(CLIENT, policy=PolicyState.NO_POLICY), settings=ReadinessSettings(tenant_allows_hotpatch=default)
    )
    assert (readiness.verdict, readiness.enrolled) == (verdict, enrolled)


def test_windows_that_has_no_hotpatches() -> None:
    old = DeviceFacts("OLD", None, Architecture.X64, OsBuild(22631, 5000), last_seen_at=NOW)
    readiness = judge(old)
    assert readiness.reason_ids == ("os-version",)
    assert (readiness.verdict, readiness.eligible, readiness.enrolled) == (Verdict.NOT_READY, False, None)
    assert judge(replace(old, build=OsBuild(28000, 1))).verdict is Verdict.NOT_READY, "26H1 is a branch of its own"
    assert judge(replace(old, build=OsBuild(26100, 8246))).reasons == ("Windows version unknown",)
    assert judge(replace(old, build=None)).verdict is Verdict.UNKNOWN


def test_a_build_of_another_windows_version_is_a_contradiction_not_a_verdict() -> None:
    readiness = judge(replace(CLIENT, build=OsBuild(26200, 8246)))
    assert check(readiness, CheckId.OS_VERSION).result is UNKNOWN
    assert "26200.8246" in check(readiness, CheckId.OS_VERSION).found


def test_end_of_service_depends_on_the_edition() -> None:
    last_day = datetime(2026, 10, 13, 23, tzinfo=UTC)
    pro = replace(CLIENT, edition="Pro", last_seen_at=last_day)
    assert check(judge(pro, last_day), CheckId.END_OF_SERVICE).result is MET
    after = last_day + timedelta(hours=2)
    assert "out of service" in judge(pro, after).reasons
    assert check(judge(replace(pro, edition="Enterprise"), after), CheckId.END_OF_SERVICE).result is MET
    assert check(judge(replace(pro, edition=""), after), CheckId.END_OF_SERVICE).result is UNKNOWN
    assert "2027-10-12" in check(judge(replace(CLIENT, edition="Education")), CheckId.END_OF_SERVICE).found


def test_without_a_calendar_the_baseline_is_unknown() -> None:
    readiness = assess(CLIENT, None, NOW)
    assert readiness.reason_ids == ("baseline?",)
    empty = make_levels(Platform.WIN11_24H2, [], NOW)
    assert assess(CLIENT, empty, NOW).reason_ids == ("baseline?",)


# --- every value and every boundary -------------------------------------------------------------------

WIN11 = (Platform.WIN11_24H2, Platform.WIN11_25H2)


@pytest.mark.parametrize(
    ("edition", "clients", "server_2025", "server_2022"),
    [
        ("Enterprise", MET, UNKNOWN, UNKNOWN),
        ("Education", MET, UNKNOWN, UNKNOWN),
        ("IoTEnterprise", MET, UNKNOWN, UNKNOWN),
        ("Pro", MET, UNKNOWN, UNKNOWN),
        ("ProfessionalWorkstation", MET, UNKNOWN, UNKNOWN),
        ("EnterpriseS", NOT_MET, UNKNOWN, UNKNOWN),
        ("Home", NOT_MET, UNKNOWN, UNKNOWN),
        ("CloudEdition", NOT_MET, UNKNOWN, UNKNOWN),
        ("ServerTurbine", UNKNOWN, MET, MET),
        ("Standard", UNKNOWN, MET, NOT_MET),
        ("ServerDatacenter", UNKNOWN, MET, NOT_MET),
        ("Moonshine", UNKNOWN, UNKNOWN, UNKNOWN),
        ("", UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_editions(edition: str, clients: CheckResult, server_2025: CheckResult, server_2022: CheckResult) -> None:
    wanted = {**dict.fromkeys(WIN11, clients), Platform.SERVER_2025: server_2025, Platform.SERVER_2022: server_2022}
    found = {each: check(judge(replace(CLIENT, platform=each, edition=edition)), CheckId.EDITION) for each in wanted}
    assert {platform: each.result for platform, each in found.items()} == wanted


def test_what_is_said_of_an_edition() -> None:
    said = {
        name: check(judge(replace(CLIENT, edition=name)), CheckId.EDITION).found
        for name in ("Pro", "Enterprise", "Home", "Moonshine", "")
    }
    assert said == {
        "Pro": "Pro; Microsoft's pages differ on Pro, the licence decides",
        "Enterprise": "Enterprise",
        "Home": "Home",
        "Moonshine": "Moonshine, which no rule names",
        "": "not told",
    }
    on_a_server = check(judge(replace(ARC_SERVER, edition="Pro")), CheckId.EDITION)
    assert on_a_server.found == "Pro, which no rule names"


@pytest.mark.parametrize(
    ("platform", "edition", "last_day"),
    [
        (Platform.WIN11_24H2, "Pro", "2026-10-13"),
        (Platform.WIN11_24H2, "Home", "2026-10-13"),
        (Platform.WIN11_24H2, "Enterprise", "2027-10-12"),
        (Platform.WIN11_25H2, "Pro", "2027-10-12"),
        (Platform.WIN11_25H2, "Home", "2027-10-12"),
        (Platform.WIN11_25H2, "Enterprise", "2028-10-10"),
    ],
)
def test_the_last_day_of_service(platform: Platform, edition: str, last_day: str) -> None:
    last = datetime.fromisoformat(f"{last_day}T23:59:59+00:00")
    facts = replace(CLIENT, platform=platform, edition=edition)
    on_it = check(judge(facts, last), CheckId.END_OF_SERVICE)
    after = check(judge(facts, last + timedelta(seconds=1)), CheckId.END_OF_SERVICE)
    assert (on_it.result, on_it.found) == (MET, f"updates until {last_day}")
    assert (after.result, after.found) == (NOT_MET, f"updates ended on {last_day}")


@pytest.mark.parametrize(
    ("day", "result", "found"),
    [
        ("2026-10-13", MET, "updates until 2026-10-13"),
        ("2026-10-14", UNKNOWN, "depends on the edition"),
        ("2027-10-12", UNKNOWN, "depends on the edition"),
        ("2027-10-13", NOT_MET, "updates ended on 2027-10-12"),
    ],
)
def test_the_last_day_of_an_edition_that_is_not_known(day: str, result: CheckResult, found: str) -> None:
    readiness = judge(replace(CLIENT, edition=""), datetime.fromisoformat(f"{day}T12:00:00+00:00"))
    told = check(readiness, CheckId.END_OF_SERVICE)
    assert (told.result, told.found) == (result, found)


def test_ltsc_has_no_last_day_here() -> None:
    told = check(judge(replace(CLIENT, edition="EnterpriseS"), NOW + timedelta(days=3000)), CheckId.END_OF_SERVICE)
    assert (told.result, told.found) == (NOT_APPLICABLE, "no date applies")


X64, ARM64 = Architecture.X64, Architecture.ARM64
ONE, TWO = "26100.2033 or later", "26100.2033 (x64) or 26100.4929 (Arm64), or later"


@pytest.mark.parametrize(
    ("platform", "architecture", "revision", "result", "needed"),
    [
        (Platform.WIN11_24H2, X64, 2032, NOT_MET, ONE),
        (Platform.WIN11_24H2, X64, 2033, MET, ONE),
        (Platform.WIN11_24H2, ARM64, 4928, NOT_MET, "26100.4929 or later"),
        (Platform.WIN11_24H2, ARM64, 4929, MET, "26100.4929 or later"),
        (Platform.WIN11_24H2, None, 2032, NOT_MET, TWO),
        (Platform.WIN11_24H2, None, 2033, UNKNOWN, TWO),
        (Platform.WIN11_24H2, None, 4928, UNKNOWN, TWO),
        (Platform.WIN11_24H2, None, 4929, MET, TWO),
        (Platform.SERVER_2025, X64, 1741, NOT_MET, "26100.1742 or later"),
        (Platform.SERVER_2025, X64, 1742, MET, "26100.1742 or later"),
        (Platform.SERVER_2025, None, 1742, MET, "26100.1742 or later"),
    ],
)
def test_the_first_build_to_the_revision(
    platform: Platform, architecture: Architecture | None, revision: int, result: CheckResult, needed: str
) -> None:
    facts = replace(CLIENT, platform=platform, architecture=architecture, build=OsBuild(26100, revision))
    told = check(judge(facts), CheckId.BUILD_FLOOR)
    assert (told.result, told.needed) == (result, needed)


@pytest.mark.parametrize(
    ("revision", "baseline", "track"),
    [
        (8245, NOT_MET, NOT_APPLICABLE),
        (8246, MET, MET),
        (8247, MET, UNKNOWN),
        (8389, MET, UNKNOWN),
        (8390, MET, MET),
        (8391, MET, UNKNOWN),
        (8457, MET, NOT_MET),
        (8458, MET, UNKNOWN),
    ],
)
def test_baseline_and_track_to_the_revision(revision: int, baseline: CheckResult, track: CheckResult) -> None:
    readiness = judge(replace(CLIENT, build=OsBuild(26100, revision)))
    assert (check(readiness, CheckId.BASELINE).result, check(readiness, CheckId.TRACK).result) == (baseline, track)


def test_a_build_that_nobody_told_decides_nothing() -> None:
    readiness = judge(replace(CLIENT, build=None))
    assert readiness.reason_ids == ("build-floor?", "baseline?")
    assert {check(readiness, each).found for each in (CheckId.BUILD_FLOOR, CheckId.BASELINE)} == {"not told"}


def test_a_baseline_whose_build_nobody_told_decides_nothing() -> None:
    only = replace(release(Platform.WIN11_24H2, 5083769, ReleaseKind.BASELINE, 8246, "2026-04-14"), build=None)
    told = check(assess(CLIENT, make_levels(Platform.WIN11_24H2, [only], NOW), NOW), CheckId.BASELINE)
    assert (told.result, told.needed) == (UNKNOWN, "KB5083769 or later")


ARC_2025 = ("Standard", Platform.SERVER_2025)
AZURE_2025 = ("Datacenter: Azure Edition", Platform.SERVER_2025)
AZURE_2022 = ("Datacenter: Azure Edition", Platform.SERVER_2022)
UNDECIDED = ("", Platform.SERVER_2025)


@pytest.mark.parametrize(
    ("management", "client", "arc", "azure", "undecided"),
    [
        (Management.INTUNE, MET, NOT_MET, NOT_MET, NOT_MET),
        (Management.AZURE, NOT_MET, NOT_MET, MET, UNKNOWN),
        (Management.AZURE_LOCAL, NOT_MET, NOT_MET, MET, UNKNOWN),
        (Management.ARC, NOT_MET, MET, MET, MET),
        (Management.NONE, NOT_MET, NOT_MET, NOT_MET, NOT_MET),
        (Management.UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_what_manages_a_device(
    management: Management, client: CheckResult, arc: CheckResult, azure: CheckResult, undecided: CheckResult
) -> None:
    assert check(judge(replace(CLIENT, management=management)), CheckId.MANAGEMENT).result is client
    for (edition, platform), wanted in {
        ARC_2025: arc,
        AZURE_2025: azure,
        AZURE_2022: azure,
        UNDECIDED: undecided,
    }.items():
        server = replace(ARC_SERVER, edition=edition, platform=platform, management=management)
        assert check(judge(server), CheckId.CONNECTION).result is wanted, (edition, platform)


@pytest.mark.parametrize(
    ("subscription", "arc", "azure", "undecided"),
    [
        (Subscription.ENABLED, MET, MET, MET),
        (Subscription.PENDING, NOT_MET, NOT_MET, UNKNOWN),
        (Subscription.ACTION_REQUIRED, NOT_MET, NOT_MET, UNKNOWN),
        (Subscription.DISABLED, NOT_MET, NOT_MET, UNKNOWN),
        (Subscription.UNKNOWN, UNKNOWN, NOT_APPLICABLE, UNKNOWN),
    ],
)
def test_enablement(subscription: Subscription, arc: CheckResult, azure: CheckResult, undecided: CheckResult) -> None:
    for (edition, platform), wanted in {
        ARC_2025: arc,
        AZURE_2025: azure,
        AZURE_2022: azure,
        UNDECIDED: undecided,
    }.items():
        server = replace(ARC_SERVER, edition=edition, platform=platform, subscription=subscription)
        assert check(judge(server), CheckId.SUBSCRIPTION).result is wanted, (edition, platform)


@pytest.mark.parametrize(
    ("server", "subscription", "found", "fix"),
    [
        (AZURE_SERVER, Subscription.UNKNOWN, "included with Azure Edition", ""),
        (AZURE_SERVER, Subscription.ENABLED, "enabled", ""),
        (AZURE_SERVER, Subscription.DISABLED, "disabled", "Turn hotpatching on for the virtual machine"),
        (AZURE_SERVER, Subscription.PENDING, "pending", "Enabling takes about 10 minutes"),
        (ARC_SERVER, Subscription.PENDING, "pending", "Enabling takes about 10 minutes"),
        (ARC_SERVER, Subscription.DISABLED, "disabled", "In Azure Arc open the machine's Hotpatch page"),
        (ARC_SERVER, Subscription.ACTION_REQUIRED, "action required", "In Azure Arc open the machine's Hotpatch page"),
    ],
)
def test_what_turns_enablement_on(server: DeviceFacts, subscription: Subscription, found: str, fix: str) -> None:
    told = check(judge(replace(server, subscription=subscription)), CheckId.SUBSCRIPTION)
    assert told.found == found
    assert told.fix.startswith(fix) if fix else told.fix == ""


@pytest.mark.parametrize("number", [26100, 26200, 26300, 20348])
def test_a_branch_that_can_have_hotpatches_is_no_verdict(number: int) -> None:
    assert judge(DeviceFacts("D", None, X64, OsBuild(number, 1), last_seen_at=NOW)).reason_ids == ("os-version?",)


@pytest.mark.parametrize("number", [19045, 22631, 28000])
def test_a_branch_without_hotpatches_is(number: int) -> None:
    assert judge(DeviceFacts("D", None, X64, OsBuild(number, 1), last_seen_at=NOW)).reason_ids == ("os-version",)


def test_only_old_facts_ask_for_a_check_in() -> None:
    fresh = check(judge(replace(CLIENT, vbs=VbsState.UNKNOWN)), CheckId.VBS)
    assert fresh.fix.startswith("On the device: Get-CimInstance")
    assert not check(judge(replace(CLIENT, edition="", last_seen_at=None)), CheckId.EDITION).fix.startswith("Let the")


def test_a_note_stands_in_for_what_nobody_told_and_follows_what_somebody_did() -> None:
    notes = {CheckId.VBS: "Graph tells no VBS", CheckId.POLICY: "read from reports", CheckId.CHPE: "of no concern"}
    before = judge(replace(CLIENT, vbs=VbsState.UNKNOWN))
    after = with_notes(before, notes)
    assert check(after, CheckId.VBS).found == "Graph tells no VBS"
    assert check(after, CheckId.POLICY).found == "Allow; read from reports"
    assert check(after, CheckId.CHPE) == check(before, CheckId.CHPE)
    assert check(after, CheckId.LICENCE) == check(before, CheckId.LICENCE)
    assert [each.result for each in after.checks] == [each.result for each in before.checks]
    assert with_notes(before, {}) is before


# --- age --------------------------------------------------------------------------------------------


def test_old_facts_are_unknown_and_say_their_age() -> None:
    readiness = judge(replace(CLIENT, vbs=VbsState.OFF, last_seen_at=NOW - timedelta(days=23)))
    vbs = check(readiness, CheckId.VBS)
    assert vbs.result is UNKNOWN
    assert vbs.found == "off (0), as of 23 days ago"
    assert vbs.fix.startswith("Let the device check in.")
    assert readiness.verdict is Verdict.UNKNOWN
    assert readiness.reason_ids == (STALE_REASON,)
    assert readiness.reasons == ("not seen lately",)
    assert readiness.stale_at is None


def test_what_does_not_change_daily_is_believed_however_old() -> None:
    readiness = judge(replace(CLIENT, edition="Home", last_seen_at=NOW - timedelta(days=400)))
    assert readiness.verdict is Verdict.NOT_READY
    assert readiness.reason_ids == ("edition", STALE_REASON)
    assert readiness.eligible is False


def test_facts_become_old_at_a_known_moment() -> None:
    seen = replace(CLIENT, last_seen_at=NOW)
    stale_at = judge(seen).stale_at
    assert stale_at == NOW + timedelta(days=14)
    assert judge(seen, stale_at - timedelta(seconds=1)).verdict is Verdict.READY
    assert judge(seen, stale_at).verdict is Verdict.UNKNOWN
    assert judge(seen, stale_at, ReadinessSettings(max_age_days=30)).verdict is Verdict.READY


def test_a_device_that_never_reported_is_unknown() -> None:
    readiness = judge(replace(CLIENT, last_seen_at=None))
    assert readiness.verdict is Verdict.UNKNOWN
    assert "never reported" in check(readiness, CheckId.VBS).found


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(minutes=59), "less than an hour ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=23), "23 days ago"),
    ],
)
def test_ages_in_words(age: timedelta, words: str) -> None:
    assert age_words(age) == words


# --- any device -------------------------------------------------------------------------------------

_facts = st.builds(
    DeviceFacts,
    name=st.just("D"),
    platform=st.none() | st.sampled_from(Platform),
    architecture=st.none() | st.sampled_from(Architecture),
    build=st.none() | st.builds(OsBuild, st.sampled_from([20348, 22631, 26100, 26200, 28000]), st.integers(0, 40_000)),
    edition=st.sampled_from(["", "x", *(name for names in EDITION_NAMES.values() for name in names)]),
    licence=st.sampled_from(["", "x", *licences()]),
    management=st.sampled_from(Management),
    policy=st.sampled_from(PolicyState),
    subscription=st.sampled_from(Subscription),
    vbs=st.sampled_from(VbsState),
    chpe=st.sampled_from(ChpeState),
    last_seen_at=st.none() | st.integers(-1, 40).map(lambda days: NOW - timedelta(days=days)),
)


@given(_facts, st.booleans())
def test_the_verdict_follows_from_the_checks(facts: DeviceFacts, with_calendar: bool) -> None:
    readiness = assess(facts, LEVELS.get(facts.platform) if facts.platform and with_calendar else None, NOW)
    results = [each.result for each in readiness.checks]
    unmet = NOT_MET in results
    assert readiness.verdict is (
        Verdict.NOT_READY if unmet else Verdict.UNKNOWN if UNKNOWN in results else Verdict.READY
    )
    assert bool(readiness.reasons) is (readiness.verdict is not Verdict.READY)
    assert len(readiness.reasons) == len(readiness.reason_ids)
    assert [each for each in readiness.reason_ids if not each.endswith("?")] == [
        each.check for each in readiness.checks if each.result is NOT_MET
    ]
    if readiness.verdict is Verdict.READY:
        assert readiness.eligible is not False
        assert readiness.enrolled is not False
        assert facts.last_seen_at is not None


@given(_facts)
def test_every_check_can_be_shown(facts: DeviceFacts) -> None:
    readiness = judge(facts)
    assert [each.check for each in readiness.checks] == [rule.id for rule in rules_for(facts)]
    for each in readiness.checks:
        assert each.title
        assert each.needed
        assert each.source
        assert each.found or each.result is NOT_APPLICABLE
        assert bool(each.fix) is (each.result in (NOT_MET, UNKNOWN))


# --- the declared rules -----------------------------------------------------------------------------


def test_every_check_has_one_rule_with_all_its_words() -> None:
    assert [rule.id for rule in RULES] == list(CheckId)
    for rule in RULES:
        assert all((rule.title, rule.needed, rule.fix, rule.learn, rule.source, rule.unmet, rule.unknown))
        assert reason_words(rule.id) == rule.unmet
        assert reason_words(f"{rule.id}?") == rule.unknown
    assert {rule.audience for rule in RULES} == set(Audience)
    assert {rule.stage for rule in RULES} == set(ReadinessStage)


def test_reasons_in_words() -> None:
    assert reason_words("vbs") == "VBS off"
    assert reason_words("vbs?") == "VBS unknown"
    assert reason_words("something-else") == "something-else"


# --- licences ---------------------------------------------------------------------------------------


def test_part_numbers_lead_to_licences() -> None:
    assert licence_of_sku("SPE_E5") == "m365-e5"
    assert licence_of_sku("SPE_F1") == "m365-f3"
    assert licence_of_sku("CPC_E_2C_8GB_128GB") == "windows-365-enterprise"
    assert licence_of_sku("O365_w/o\N{NO-BREAK SPACE}Teams\N{NO-BREAK SPACE}Bundle_M3") == "m365-e3"
    assert licence_of_sku("POWER_BI_PRO") == ""


def test_the_best_of_several_licences_counts() -> None:
    assert best_licence(["office-e3", "windows-e3", "moon"]) == "windows-e3"
    assert best_licence(["office-e3", "windows-365-shared"]) == "windows-365-shared"
    assert best_licence([NO_LICENCE]) == NO_LICENCE
    assert best_licence([]) == best_licence(["moon"]) == ""


@pytest.mark.shared
def test_every_part_number_of_the_facts_is_known() -> None:
    document = json.loads((SHARED / "facts" / "license_skus.json").read_text("utf-8"))
    for row in document["skus"].values():
        licence = licences()[licence_of_sku(row["skuPartNumber"])]
        shared_use = "Shared Use" in row["product"]
        assert licence.eligible is (None if shared_use else True), row["product"]
