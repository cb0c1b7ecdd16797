"""What Graph tells becomes facts, and what it does not tell stays unknown with the reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import CheckId, ChpeState, FormFactor, Management, PolicyState, VbsState
from engine.providers.graph.details import read_detail
from engine.providers.graph.devices import TOLD, read_device
from engine.providers.graph.enrolment import read_asset
from engine.providers.graph.facts import facts_of, notes_on, policy_of, vbs_of
from engine.providers.graph.licences import read_licence
from engine.providers.graph.members import read_member
from engine.rules.readiness import Assigned, CheckResult, assess, licence_by_plans, with_notes
from engine.rules.tenants.inventory import Enrolment, ToldFacts

NOW = datetime(2026, 5, 20, 8, tzinfo=UTC)
ENTRY = {
    "id": "0001-Intune",
    "deviceName": "PC-0412",
    "azureADDeviceId": "0001-Entra",
    "userId": "0001-User",
    "userPrincipalName": "alice@contoso.example",
    "userDisplayName": "Alice Meyer",
    "operatingSystem": "Windows",
    "osVersion": "10.0.26100.8390",
    "skuFamily": "Enterprise",
    "processorArchitecture": "x64",
    "managementAgent": "mdm",
    "lastSyncDateTime": "2026-05-20T07:23:00.1234567Z",
    "manufacturer": "LENOVO",
    "model": "ThinkPad T14",
    "serialNumber": "SN1",
    "chassisType": "laptop",
}
VBS = "deviceGuardVirtualizationBasedSecurityState"


def told(detail: dict[str, Any] | None = None, **members: Any) -> ToldFacts:
    found = read_device({**ENTRY, **members})
    assert found is not None
    return ToldFacts(
        intune_id=found.intune_id,
        entra_id=found.entra_id,
        user_id=found.user_id,
        synced_at=found.synced_at,
        listed=found.told,
        detail=None if detail is None else read_detail({"hardwareInformation": detail}),
        enrolment=Enrolment("enrolledWithPolicy"),
        licence="m365-e3",
        policies_read=True,
        enrolment_read=True,
    )


def test_a_device_as_intune_lists_it() -> None:
    facts = facts_of(told({VBS: "running", "operatingSystemEdition": "Enterprise"}), "corp")
    assert (facts.name, facts.platform, facts.build) == ("PC-0412", Platform.WIN11_24H2, OsBuild(26100, 8390))
    assert (facts.architecture, facts.edition, facts.form) == (Architecture.X64, "Enterprise", FormFactor.LAPTOP)
    assert (facts.user, facts.user_name, facts.serial) == ("alice@contoso.example", "Alice Meyer", "SN1")
    assert (facts.model, facts.licence, facts.management) == ("LENOVO ThinkPad T14", "m365-e3", Management.INTUNE)
    assert (facts.vbs, facts.chpe, facts.provider) == (VbsState.RUNNING, ChpeState.UNKNOWN, "corp")
    assert facts.last_seen_at == datetime(2026, 5, 20, 7, 23, 0, 123456, tzinfo=UTC)
    assert (facts.restart_pending, facts.boot_at) == (None, None)


@pytest.mark.parametrize("name", [*TOLD, "azureADDeviceId", "userId", "lastSyncDateTime", "operatingSystem"])
def test_a_null_member_is_only_not_known(name: str) -> None:
    facts = facts_of(told(None, **{name: None}), "corp")
    assert facts.name
    assert facts.provider == "corp"


@pytest.mark.parametrize(
    ("version", "product", "platform"),
    [
        ("10.0.26100.8390", 1, Platform.WIN11_24H2),
        ("10.0.26200.8390", None, Platform.WIN11_25H2),
        ("10.0.26100.33438", 3, Platform.SERVER_2025),
        ("10.0.20348.4171", None, Platform.SERVER_2022),
        ("10.0.28000.1", 1, None),
        ("10.0.19045.1", 1, None),
        ("", 1, None),
        ("not a version", 1, None),
    ],
)
def test_the_platform_follows_from_the_build(version: str, product: int | None, platform: Platform | None) -> None:
    detail = {"operatingSystemProductType": product, "operatingSystemEdition": "x"}
    assert facts_of(told(detail, osVersion=version), "corp").platform is platform


@pytest.mark.parametrize(
    ("word", "architecture"),
    [("arM64", Architecture.ARM64), ("ARM64", Architecture.ARM64), ("x86", None), ("risc", None)],
)
def test_the_processor_in_any_spelling(word: str, architecture: Architecture | None) -> None:
    found = told(None, processorArchitecture=word)
    assert facts_of(found, "corp").architecture is architecture
    assert (f"Graph says {word}" == notes_on(found).get(CheckId.ARCHITECTURE)) is (architecture is None)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("running", VbsState.RUNNING),
        ("rebootRequired", VbsState.NOT_RUNNING),
        ("notConfigured", VbsState.OFF),
        ("notLicensed", VbsState.OFF),
        ("require64BitArchitecture", VbsState.OFF),
        ("doesNotMeetHardwareRequirements", VbsState.OFF),
        ("other", VbsState.UNKNOWN),
        ("somethingOfNextYear", VbsState.UNKNOWN),
        (None, VbsState.UNKNOWN),
    ],
)
def test_vbs_runs_only_where_graph_says_so(said: str | None, state: VbsState) -> None:
    assert vbs_of(read_detail({"hardwareInformation": {VBS: said}})) is state


def test_a_device_that_never_reported_its_hardware_does_not_run_vbs_by_default() -> None:
    """Graph fills in the first member of every enumeration, and for VBS that is "running"."""
    blank = {VBS: "running", "totalStorageSpace": 0, "operatingSystemEdition": None, "wiredIPv4Addresses": []}
    found = told(blank)
    assert facts_of(found, "corp").vbs is VbsState.UNKNOWN
    assert "has not reported its hardware" in notes_on(found)[CheckId.VBS]


@pytest.mark.parametrize(("said", "state"), [("disabled", VbsState.OFF), ("enabled", VbsState.UNKNOWN)])
def test_health_attestation_proves_that_vbs_is_off_not_that_it_runs(said: str, state: VbsState) -> None:
    detail = read_detail({"deviceHealthAttestationState": {"virtualizationBasedSecurity": said}})
    assert vbs_of(detail) is state
    assert f"health attestation says {said}" in notes_on(replace(told(), detail=detail))[CheckId.VBS]


@pytest.mark.parametrize(
    ("agent", "management"),
    [
        ("mdm", Management.INTUNE),
        ("configurationManagerClientMdm", Management.INTUNE),
        ("configurationManagerClient", Management.NONE),
        ("msSense", Management.NONE),
        ("unknown", Management.UNKNOWN),
        ("somethingNew", Management.UNKNOWN),
    ],
)
def test_who_manages_it(agent: str, management: Management) -> None:
    assert facts_of(told(None, managementAgent=agent), "corp").management is management


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"allowed_by": "Hotpatch"}, PolicyState.ALLOW, ""),
        ({"blocked_by": "No hotpatch"}, PolicyState.BLOCK, ""),
        ({}, PolicyState.NO_POLICY, ""),
        ({"policies_read": False}, PolicyState.UNKNOWN, "not read yet"),
        ({"policies_read": False, "faults": {"rings": "Denied it. (HTTP 403)"}}, PolicyState.UNKNOWN, "Denied it"),
        ({"allowed_by": "A", "blocked_by": "B"}, PolicyState.UNKNOWN, "A allows hotpatches and B blocks them"),
        (
            {"allowed_by": "A", "enrolment": Enrolment("notEnrolled", ("invalidAzureADJoin",))},
            PolicyState.UNKNOWN,
            "its join to Entra is not valid (invalidAzureADJoin)",
        ),
        ({"allowed_by": "A", "enrolment": None}, PolicyState.ALLOW, "has not enrolled the device yet"),
        ({"allowed_by": "A", "enrolment": None, "enrolment_read": False}, PolicyState.ALLOW, ""),
    ],
)
def test_the_hotpatch_switch_as_it_reaches_the_device(change: dict[str, Any], state: PolicyState, words: str) -> None:
    found = replace(told(), **change)
    assert policy_of(found) is state
    assert words in notes_on(found).get(CheckId.POLICY, "")
    assert bool(words) is (CheckId.POLICY in notes_on(found))


def test_a_device_without_a_primary_user_has_an_unknown_licence_with_the_reason() -> None:
    found = replace(told(None, userId=""), licence=None)
    assert facts_of(found, "corp").licence == ""
    assert "no primary user" in notes_on(found)[CheckId.LICENCE]


def test_enrolment_errors_show_beside_the_management() -> None:
    found = replace(told(), enrolment=Enrolment("notEnrolled", ("missingTrustType", "ofNextYear")))
    words = notes_on(found)[CheckId.MANAGEMENT]
    assert "Entra has no trust type for it (missingTrustType), ofNextYear" in words


def test_what_graph_never_tells_says_so_in_the_readiness_of_the_device() -> None:
    found = told({VBS: "running"}, processorArchitecture="arM64")
    readiness = assess(facts_of(found, "corp"), None, NOW)
    noted = {check.check: check for check in with_notes(readiness, notes_on(found)).checks}
    assert noted[CheckId.CHPE].result is CheckResult.UNKNOWN
    assert noted[CheckId.CHPE].found == "Graph does not report CHPE"
    assert with_notes(readiness, notes_on(found)).verdict is readiness.verdict
    on_x64 = assess(facts_of(told({VBS: "running"}), "corp"), None, NOW)
    found_chpe = {each.check: each.found for each in with_notes(on_x64, notes_on(found)).checks}[CheckId.CHPE]
    assert found_chpe == "x64 has no CHPE"


# --- single entries ---------------------------------------------------------------------------------


def test_what_is_no_windows_device_is_left_out() -> None:
    assert read_device({**ENTRY, "operatingSystem": "iOS"}) is None
    assert read_device({**ENTRY, "id": ""}) is None
    assert read_device({**ENTRY, "id": None}) is None
    assert read_device({**ENTRY, "operatingSystem": None}) is not None


def test_zero_ids_and_times_of_the_year_one_mean_none() -> None:
    zero = "00000000-0000-0000-0000-000000000000"
    found = read_device({**ENTRY, "azureADDeviceId": zero, "userId": zero, "lastSyncDateTime": "0001-01-01T00:00:00Z"})
    assert found is not None
    assert (found.entra_id, found.user_id, found.synced_at) == ("", "", None)


def test_hostile_names_come_on_one_line() -> None:
    found = read_device({**ENTRY, "deviceName": "PC\x1b[31m\n1\u202e" + "x" * 900})
    assert found is not None
    name = found.told["deviceName"]
    assert name.isprintable()
    assert len(name) == 300


def test_an_asset_and_its_errors() -> None:
    kind = "#microsoft.graph.windowsUpdates.azureADDevice"
    reason = {"@odata.type": "#microsoft.graph.windowsUpdates.azureADDeviceRegistrationError", "reason": "x"}
    other = {"@odata.type": "#microsoft.graph.windowsUpdates.newError"}
    item = {"@odata.type": kind, "id": "A", "errors": [reason, other, reason, None], "enrollment": None}
    assert read_asset(item) == ("A", Enrolment("", ("x", "newError")))
    state = {"quality": {"enrollmentState": "enrolled"}, "feature": None}
    assert read_asset({**item, "errors": None, "enrollment": state}) == ("A", Enrolment("enrolled"))
    assert read_asset({**item, "@odata.type": kind.replace("azureADDevice", "updatableAssetGroup")}) is None


def test_members_are_devices_and_users() -> None:
    kind = "#microsoft.graph."
    device = read_member({"@odata.type": f"{kind}device", "id": "O", "deviceId": "D"})
    user = read_member({"@odata.type": f"{kind}user", "id": "U"})
    assert device is not None
    assert user is not None
    assert (device.kind, device.id, device.object_id) == ("device", "D", "O")
    assert (user.kind, user.id) == ("user", "U")
    assert read_member({"@odata.type": f"{kind}group", "id": "G"}) is None
    assert read_member({"@odata.type": f"{kind}device", "id": "O", "deviceId": None}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*ENTRY, *TOLD], JSON)), JSON, JSON)
def test_nothing_that_a_service_writes_breaks_the_reading(entry: dict[str, Any], hardware: Any, asset: Any) -> None:
    found = read_device(entry)
    if found is not None:
        detail = read_detail({"hardwareInformation": hardware, "deviceHealthAttestationState": hardware})
        made = ToldFacts(
            found.intune_id, found.entra_id, found.user_id, found.synced_at, found.told, detail, None, None
        )
        assert facts_of(made, "corp").name.isprintable()
        assert all(words.isprintable() for words in notes_on(made).values())
    for item in (entry, {"id": "x", "errors": asset, "enrollment": asset, "deviceId": asset}):
        read_asset(item)
        read_member(item)
        read_licence({"skuPartNumber": asset, "servicePlans": [item]})


# --- licences ---------------------------------------------------------------------------------------

WINDOWS, AUTOPATCH, INTUNE = (
    "21b439ba-a0ca-424f-a6cc-52f954a5b111",
    "9a6eeb79-0b4b-4bf0-9808-39d99a2cd5a3",
    "c1ec4a95-1f05-45b3-a911-aa3fa01094f5",
)


@pytest.mark.parametrize(
    ("assigned", "key"),
    [
        ([Assigned("SPE_E3", ((WINDOWS, "Success"),))], "m365-e3"),
        ([Assigned("A_NEW_BUNDLE", ((WINDOWS, "Success"),))], "autopatch"),
        ([Assigned("ENTERPRISEPACK", ((AUTOPATCH, "success"),))], "autopatch"),
        ([Assigned("SPE_E3", ((WINDOWS, "Disabled"), (INTUNE, "Success")))], "none"),
        (
            [Assigned("SPE_E3", ((WINDOWS, "PendingActivation"),)), Assigned("SPE_E5", ((WINDOWS, "Success"),))],
            "m365-e5",
        ),
        ([Assigned("ENTERPRISEPACK", ((INTUNE, "Success"),))], "office-e3"),
        ([Assigned("CPC_E_2C_8GB_128GB", (("x", "Success"),))], "windows-365-enterprise"),
        ([Assigned("CPC_E_2C_8GB_128GB", (("x", "Disabled"),))], "none"),
        ([Assigned("FLOW_FREE", ())], "none"),
        ([], "none"),
    ],
)
def test_service_plans_decide_and_part_numbers_name(assigned: list[Assigned], key: str) -> None:
    assert licence_by_plans(assigned)[0] == key


def test_a_licence_whose_windows_plan_is_off_says_so() -> None:
    _, note = licence_by_plans([Assigned("SPE_E3", ((WINDOWS, "PendingActivation"),))])
    assert note == "Microsoft 365 E3 is assigned, but its plan Windows Enterprise is PendingActivation"


def test_a_licence_answer_is_read_whatever_its_case() -> None:
    plans = [{"servicePlanId": WINDOWS.upper(), "provisioningStatus": "Success"}, {"servicePlanId": None}]
    found = read_licence({"skuPartNumber": "SPE_E3", "servicePlans": plans})
    assert licence_by_plans([found])[0] == "m365-e3"
