"""The prerequisites of hotpatching, each declared once, in the order in which they are shown.

`assess` judges a device by them, and the documents list them.
"""

from __future__ import annotations

from engine.model.model import STALE_REASON, CheckId, DeviceFacts
from engine.rules.readiness import checks
from engine.rules.readiness.model import Audience, CheckRule, ReadinessStage

_HOTPATCH_PAGE = "Microsoft Learn: Hotpatch updates (Windows Autopatch)"
_ARC_PAGE = "Microsoft Learn: Enable Hotpatch for Azure Arc-enabled servers"
_SERVER_PAGE = "Microsoft Learn: Hotpatch for Windows Server"
_RELEASE_PAGE = "Microsoft Learn: Windows 11 release information"
_CALENDAR = "MSRC security update guide, calendar of the platform"

RULES: tuple[CheckRule, ...] = (
    CheckRule(
        CheckId.OS_VERSION,
        "Windows version",
        Audience.EVERY_DEVICE,
        ReadinessStage.ELIGIBLE,
        volatile=False,
        needed="Windows 11 24H2 or 25H2; Windows Server 2025, or 2022 Azure Edition",
        fix="Upgrade to Windows 11 24H2 or 25H2 (in a baseline month the device stays on the hotpatch track), "
        "or to Windows Server 2025.",
        learn=r"On the device: HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion, CurrentBuildNumber and UBR.",
        source=_RELEASE_PAGE,
        unmet="wrong Windows version",
        unknown="Windows version unknown",
        find=checks.os_version,
    ),
    CheckRule(
        CheckId.BUILD_FLOOR,
        "First hotpatchable build",
        Audience.EVERY_DEVICE,
        ReadinessStage.READY,
        volatile=True,
        needed="26100.2033 on x64, 26100.4929 on Arm64, 26100.1742 on Server 2025, or later",
        fix="Install the current baseline with a restart.",
        learn=r"On the device: HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion, CurrentBuildNumber and UBR.",
        source="Announcement of April 2025 (x64), another scanner's checks (Arm64), " + _ARC_PAGE + " (server)",
        unmet="build too old",
        unknown="build unknown",
        find=checks.build_floor,
    ),
    CheckRule(
        CheckId.EDITION,
        "Edition",
        Audience.EVERY_DEVICE,
        ReadinessStage.ELIGIBLE,
        volatile=False,
        needed="Enterprise or Education (Pro where the licence permits); on servers Datacenter: Azure Edition, "
        "or Standard or Datacenter 2025 with Azure Arc",
        fix="Bring a client to Enterprise or Education; on servers see the needed edition.",
        learn=r"On the device: HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion, EditionID.",
        source=_HOTPATCH_PAGE + "; " + _SERVER_PAGE,
        unmet="wrong edition",
        unknown="edition unknown",
        find=checks.edition,
    ),
    CheckRule(
        CheckId.LICENCE,
        "Licence",
        Audience.CLIENTS,
        ReadinessStage.ELIGIBLE,
        volatile=True,
        needed="a licence with hotpatch rights",
        fix="Assign the primary user a licence with hotpatch rights.",
        learn="Read the primary user's licence details (Microsoft Graph: users/{id}/licenseDetails). "
        "Shared and kiosk devices have no primary user.",
        source="Microsoft Learn: Windows Autopatch prerequisites",
        unmet="licence without hotpatch",
        unknown="licence unknown",
        find=checks.licence,
    ),
    CheckRule(
        CheckId.ARCHITECTURE,
        "Processor",
        Audience.CLIENTS,
        ReadinessStage.ELIGIBLE,
        volatile=False,
        needed="x64 or Arm64",
        fix="Hotpatches exist for x64 and Arm64 only.",
        learn="Have the device report its processor architecture.",
        source=_HOTPATCH_PAGE,
        unmet="wrong processor",
        unknown="processor unknown",
        find=checks.architecture,
    ),
    CheckRule(
        CheckId.MANAGEMENT,
        "Management",
        Audience.CLIENTS,
        ReadinessStage.ENROLLED,
        volatile=False,
        needed="enrolled in Microsoft Intune",
        fix="Enrol the device in Microsoft Intune. Clients get hotpatches from Windows Update through a Windows "
        "quality update policy; neither WSUS nor the Update Catalog has them.",
        learn="Look for the device in Intune's device list.",
        source=_HOTPATCH_PAGE,
        unmet="not managed by Intune",
        unknown="management unknown",
        find=checks.management,
    ),
    CheckRule(
        CheckId.POLICY,
        "Quality update policy",
        Audience.CLIENTS,
        ReadinessStage.ENROLLED,
        volatile=True,
        needed="a Windows quality update policy with hotpatch on Allow, or none while the tenant's default is Allow",
        fix='In Intune put the device in a Windows quality update policy with "When available, apply without '
        'restarting the device (Hotpatch)" on Allow.',
        learn=r"On the device: HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\Update, "
        'AllowRebootlessUpdates = 1; or Settings > Windows Update > Configured update policies, "Enable hotpatching '
        "when available\". The tenant's default is shown in Intune only: record it in the settings.",
        source=_HOTPATCH_PAGE,
        unmet="hotpatch not allowed",
        unknown="policy unknown",
        find=checks.policy_allows,
    ),
    CheckRule(
        CheckId.CONNECTION,
        "Azure connection",
        Audience.SERVERS,
        ReadinessStage.ENROLLED,
        volatile=False,
        needed="Azure or Azure Local for Azure Edition, else Azure Arc",
        fix="Connect the server to Azure Arc with the Azure Connected Machine agent.",
        learn="Look for the server in Azure: virtual machines, or Azure Arc machines.",
        source=_ARC_PAGE + "; " + _SERVER_PAGE,
        unmet="not connected to Azure",
        unknown="connection unknown",
        find=checks.connection,
    ),
    CheckRule(
        CheckId.SUBSCRIPTION,
        "Hotpatch enablement",
        Audience.SERVERS,
        ReadinessStage.ENROLLED,
        volatile=True,
        needed="hotpatching enabled for the machine in Azure Arc; included with Azure Edition",
        fix="In Azure Arc open the machine's Hotpatch page and confirm (by API: licenseProfiles/default with the "
        "feature Hotpatch enabled, then patchSettings.enableHotpatching = true). It has been free of charge since "
        "May 2026.",
        learn="Read patchSettings.status.hotpatchEnablementStatus of the machine in Azure.",
        source=_ARC_PAGE,
        unmet="hotpatch not enabled",
        unknown="enablement unknown",
        find=checks.subscription,
    ),
    CheckRule(
        CheckId.VBS,
        "Virtualization-based security",
        Audience.EVERY_DEVICE,
        ReadinessStage.READY,
        volatile=True,
        needed="running (2)",
        fix="Turn VBS on with the policy CSP VirtualizationBasedTechnology or DeviceGuard/"
        r"EnableVirtualizationBasedSecurity, or set HKLM\SYSTEM\CurrentControlSet\Control\DeviceGuard, DWORD "
        "EnableVirtualizationBasedSecurity = 1; then restart once, best together with the next baseline.",
        learn=r"On the device: Get-CimInstance -Namespace root/Microsoft/Windows/DeviceGuard -ClassName "
        "Win32_DeviceGuard; VirtualizationBasedSecurityStatus must be 2.",
        source=_HOTPATCH_PAGE + "; " + _ARC_PAGE,
        unmet="VBS off",
        unknown="VBS unknown",
        find=checks.vbs,
    ),
    CheckRule(
        CheckId.CHPE,
        "CHPE on Arm64",
        Audience.CLIENTS,
        ReadinessStage.READY,
        volatile=True,
        needed="disabled (HotPatchRestrictions = 1)",
        fix=r"Set HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management, DWORD "
        "HotPatchRestrictions = 1, or the policy CSP System/DisableCHPE; then restart once. x86 programs may run "
        "slower: test first. 0 and a restart turn CHPE on again.",
        learn=r"On the device: HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management, "
        "HotPatchRestrictions. Intune can tell it only through a remediation script.",
        source=_HOTPATCH_PAGE,
        unmet="CHPE on",
        unknown="CHPE unknown",
        find=checks.chpe,
    ),
    CheckRule(
        CheckId.BASELINE,
        "Current baseline",
        Audience.EVERY_DEVICE,
        ReadinessStage.READY,
        volatile=True,
        needed="the platform's newest baseline or later",
        fix="Install the current baseline with a restart; the month's hotpatch follows without one.",
        learn=r"On the device: HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion, CurrentBuildNumber and UBR.",
        source=_HOTPATCH_PAGE + "; " + _CALENDAR,
        unmet="behind baseline",
        unknown="baseline unknown",
        find=checks.baseline,
    ),
    CheckRule(
        CheckId.TRACK,
        "Hotpatch track",
        Audience.EVERY_DEVICE,
        ReadinessStage.READY,
        volatile=True,
        needed="the baseline or a hotpatch of it, no newer cumulative update",
        fix="Nothing brings it back sooner: it takes cumulative updates with restarts until the next baseline and is "
        "on the track again after that.",
        learn="Bring the catalog up to date: hotpatch catalog sync. If it still does not know the build, compare the "
        "installed packages with the platform's calendar; a preview update leaves such a build.",
        source=_HOTPATCH_PAGE + "; Microsoft's note on KB5070881",
        unmet="off the hotpatch track",
        unknown="track unknown",
        find=checks.on_track,
    ),
    CheckRule(
        CheckId.END_OF_SERVICE,
        "End of service",
        Audience.CLIENTS,
        ReadinessStage.READY,
        volatile=False,
        needed="a Windows version that still gets updates",
        fix="Upgrade to a newer Windows 11 version; in a baseline month the device stays on the hotpatch track.",
        learn="The date depends on the edition; find that first.",
        source=_RELEASE_PAGE,
        unmet="out of service",
        unknown="end of service unknown",
        find=checks.end_of_service,
    ),
)
"""Everything that must hold before a device is offered a hotpatch."""

STALE_WORDS = "not seen lately"

_WORDS = {
    **{rule.id.value: rule.unmet for rule in RULES},
    **{f"{rule.id}?": rule.unknown for rule in RULES},
    STALE_REASON: STALE_WORDS,
}


def reason_words(reason_id: str) -> str:
    """A reason id in short words: ``vbs`` is "VBS off", ``vbs?`` "VBS unknown"; an unknown id comes back as it is."""
    return _WORDS.get(reason_id, reason_id)


def rules_for(facts: DeviceFacts) -> tuple[CheckRule, ...]:
    """The rules that are about this device. Without a platform only the Windows version can be judged."""
    if facts.platform is None:
        return _WITHOUT_PLATFORM
    return _FOR_SERVERS if facts.platform.is_server else _FOR_CLIENTS


_WITHOUT_PLATFORM = tuple(rule for rule in RULES if rule.id is CheckId.OS_VERSION)
_FOR_SERVERS = tuple(rule for rule in RULES if rule.audience is not Audience.CLIENTS)
_FOR_CLIENTS = tuple(rule for rule in RULES if rule.audience is not Audience.SERVERS)
