"""One small pure function a rule: device facts and context in, a finding out. `rules` names them.

They judge facts as if they were fresh; `assess` turns a judgement on old facts into "unknown".
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.build import Architecture, Platform
from engine.model.model import DeviceFacts, Management, PolicyState, Subscription, Track, VbsState
from engine.rules.readiness.licences import eligible_titles, licences
from engine.rules.readiness.model import CheckFinding, CheckResult, Context
from engine.rules.readiness.values import (
    CHPE,
    CLIENT_MANAGEMENT,
    CONNECTION,
    EDITION,
    FLOORS,
    HOTPATCHABLE_NUMBERS,
    SUBSCRIPTION,
    VBS,
    EditionClass,
    ServerPath,
    edition_class,
    policy,
    server_path,
    service_end,
)

_MET, _UNMET = CheckResult.MET, CheckResult.NOT_MET
_UNKNOWN, _NOT_APPLICABLE = CheckResult.UNKNOWN, CheckResult.NOT_APPLICABLE
NOT_TOLD = "not told"
"""What a check has found where the fact was never told."""


def os_version(facts: DeviceFacts, _context: Context) -> CheckFinding:
    if facts.platform is None:
        if facts.build is None:
            return CheckFinding(_UNKNOWN, NOT_TOLD)
        known = facts.build.number in HOTPATCHABLE_NUMBERS
        return CheckFinding(_UNKNOWN if known else _UNMET, f"Windows build {facts.build}")
    if facts.build is not None and facts.build.number != facts.platform.build_number:
        return CheckFinding(_UNKNOWN, f"{facts.platform.label}, but build {facts.build}")
    return CheckFinding(_MET, facts.platform.label)


def build_floor(facts: DeviceFacts, _context: Context) -> CheckFinding:
    floors = FLOORS.get(facts.platform) if facts.platform else None
    if floors is None:
        return CheckFinding(_NOT_APPLICABLE, "every build")
    exact = floors.get(facts.architecture) if facts.architecture else None
    lowest, highest = exact or min(floors.values()), exact or max(floors.values())
    one = lowest == highest
    needed = f"{lowest} or later" if one else f"{lowest} (x64) or {highest} (Arm64), or later"
    if facts.build is None:
        return CheckFinding(_UNKNOWN, NOT_TOLD, needed)
    if facts.build < lowest:
        return CheckFinding(_UNMET, str(facts.build), needed)
    return CheckFinding(_MET if facts.build >= highest else _UNKNOWN, str(facts.build), needed)


def edition(facts: DeviceFacts, _context: Context) -> CheckFinding:
    platform = facts.platform or Platform.WIN11_24H2
    needed, fix = _EDITION_WORDS[platform]
    if not facts.edition:
        return CheckFinding(_UNKNOWN, NOT_TOLD, needed)
    kind = edition_class(facts.edition)
    result = EDITION[platform].get(kind, _UNKNOWN)
    if kind is EditionClass.PRO and result is _MET:
        return CheckFinding(result, f"{facts.edition}; Microsoft's pages differ on Pro, the licence decides", needed)
    found = facts.edition if result is not _UNKNOWN else f"{facts.edition}, which no rule names"
    return CheckFinding(result, found, needed, fix)


def licence(facts: DeviceFacts, _context: Context) -> CheckFinding:
    if not facts.licence:
        return CheckFinding(_UNKNOWN, NOT_TOLD)
    known = licences().get(facts.licence)
    if known is None:
        return CheckFinding(_UNKNOWN, f"{facts.licence}, which is not in the list of licences")
    result = {True: _MET, False: _UNMET, None: _UNKNOWN}[known.eligible]
    return CheckFinding(result, known.title, fix=f"Assign one of these to the primary user: {eligible_titles()}.")


def architecture(facts: DeviceFacts, _context: Context) -> CheckFinding:
    if facts.architecture is None:
        return CheckFinding(_UNKNOWN, NOT_TOLD)
    return CheckFinding(_MET, {Architecture.X64: "x64", Architecture.ARM64: "Arm64"}[facts.architecture])


def management(facts: DeviceFacts, _context: Context) -> CheckFinding:
    return _by_value(CLIENT_MANAGEMENT, facts.management, _MANAGED_BY[facts.management])


def policy_allows(facts: DeviceFacts, context: Context) -> CheckFinding:
    result = policy(context.settings).get(facts.policy, _UNKNOWN)
    name = f" in {facts.policy_name}" if facts.policy_name else ""
    if facts.policy is PolicyState.NO_POLICY:
        default = {_MET: "Allow", _UNMET: "Block"}.get(result, "not known (Microsoft Graph does not tell it)")
        return CheckFinding(result, f"in no quality update policy; tenant default {default}")
    words = {PolicyState.ALLOW: f"Allow{name}", PolicyState.BLOCK: f"Block{name}"}
    return CheckFinding(result, words.get(facts.policy, NOT_TOLD))


def connection(facts: DeviceFacts, _context: Context) -> CheckFinding:
    path = _path(facts)
    needed, fix = _CONNECTION_WORDS[path]
    return _by_value(CONNECTION[path], facts.management, _MANAGED_BY[facts.management], needed, fix)


def subscription(facts: DeviceFacts, _context: Context) -> CheckFinding:
    path = _path(facts)
    result = SUBSCRIPTION[path].get(facts.subscription, _UNKNOWN)
    if result is _NOT_APPLICABLE:
        return CheckFinding(result, "included with Azure Edition")
    fix = _PENDING_FIX if facts.subscription is Subscription.PENDING else ""
    if not fix and path is ServerPath.AZURE_EDITION:
        fix = _AZURE_EDITION_SWITCH
    words = NOT_TOLD if facts.subscription is Subscription.UNKNOWN else facts.subscription.replace("-", " ")
    return CheckFinding(result, words, fix=fix)


def vbs(facts: DeviceFacts, _context: Context) -> CheckFinding:
    if facts.platform is Platform.SERVER_2022:
        return CheckFinding(_NOT_APPLICABLE, "not needed on Server 2022")
    fix = _VBS_NOT_RUNNING_FIX if facts.vbs is VbsState.NOT_RUNNING else ""
    return _by_value(VBS, facts.vbs, _VBS_WORDS[facts.vbs], fix=fix)


def chpe(facts: DeviceFacts, _context: Context) -> CheckFinding:
    if facts.architecture is Architecture.X64:
        return CheckFinding(_NOT_APPLICABLE, "x64 has no CHPE")
    if facts.architecture is None:
        return CheckFinding(_NOT_APPLICABLE, "decided once the processor is known")
    return _by_value(CHPE, facts.chpe, facts.chpe if facts.chpe in CHPE else NOT_TOLD)


def baseline(facts: DeviceFacts, context: Context) -> CheckFinding:
    current = context.levels.baseline if context.levels else None
    if current is None:
        return CheckFinding(_UNKNOWN, NOT_TOLD if facts.build is None else f"{facts.build}, and no baseline is known")
    stands_at = f"{current.name} ({current.build})" if current.build else current.name
    needed = f"{stands_at} or later"
    fix = f"Install {stands_at} with a restart; the month's hotpatch follows without one."
    if facts.build is None:
        return CheckFinding(_UNKNOWN, NOT_TOLD, needed, fix)
    track = track_of(facts, context)
    if track is Track.UNKNOWN:
        at_least = (
            current.build is not None and facts.build.number == current.build.number and facts.build >= current.build
        )
        return CheckFinding(_MET if at_least else _UNKNOWN, str(facts.build), needed, fix)
    return CheckFinding(_UNMET if track is Track.BEHIND else _MET, str(facts.build), needed, fix)


def on_track(facts: DeviceFacts, context: Context) -> CheckFinding:
    if baseline(facts, context).result is not _MET:
        return CheckFinding(_NOT_APPLICABLE, "decided once the baseline is in")
    beyond = context.levels is not None and context.levels.is_beyond(facts.build)
    unknown = "newer than every release that the catalog knows" if beyond else "no release is known with this build"
    words, result = {
        Track.HOTPATCH: ("on the baseline or a hotpatch of it", _MET),
        Track.LCU: ("on a cumulative update newer than the baseline", _UNMET),
    }.get(track_of(facts, context), (unknown, _UNKNOWN))
    return CheckFinding(result, f"{facts.build}, {words}")


def end_of_service(facts: DeviceFacts, context: Context) -> CheckFinding:
    if facts.platform is None:
        return CheckFinding(_NOT_APPLICABLE, "")
    kind = edition_class(facts.edition)
    result, last = service_end(facts.platform, kind, context.now.date())
    if result is _NOT_APPLICABLE:
        return CheckFinding(result, "no date applies")
    if last is None:
        return CheckFinding(result, "depends on the edition")
    return CheckFinding(result, f"updates until {last}" if result is _MET else f"updates ended on {last}")


def track_of(facts: DeviceFacts, context: Context) -> Track:
    """Where the device's build stands on its calendar, whatever the age of the fact."""
    if context.levels is None or facts.build is None:
        return Track.UNKNOWN
    return context.levels.track_of(facts.build)


def _path(facts: DeviceFacts) -> ServerPath:
    return server_path(facts.platform or Platform.SERVER_2025, edition_class(facts.edition))


def _by_value(
    results: Mapping[str, CheckResult], value: str, found: str, needed: str = "", fix: str = ""
) -> CheckFinding:
    return CheckFinding(results.get(value, _UNKNOWN), found, needed, fix)


_MANAGED_BY = {
    Management.INTUNE: "Intune",
    Management.AZURE: "Azure",
    Management.ARC: "Azure Arc",
    Management.AZURE_LOCAL: "Azure Local",
    Management.NONE: "nothing",
    Management.UNKNOWN: NOT_TOLD,
}
_VBS_WORDS = {
    VbsState.RUNNING: "running (2)",
    VbsState.NOT_RUNNING: "enabled, not running (1)",
    VbsState.OFF: "off (0)",
    VbsState.UNKNOWN: NOT_TOLD,
}
_VBS_NOT_RUNNING_FIX = (
    "VBS is switched on but did not start. Restart if that has not been done since; then look at the firmware: "
    "virtualisation and UEFI Secure Boot on, and on Hyper-V a Generation 2 virtual machine."
)
_PENDING_FIX = (
    "Enabling takes about 10 minutes. If it stays on Pending, upgrade or reinstall the Azure Connected Machine agent."
)
_AZURE_EDITION_SWITCH = (
    "Turn hotpatching on for the virtual machine: patchSettings.enableHotpatching = true with patchMode "
    "AutomaticByPlatform."
)
_CLIENT_EDITION_WORDS = (
    "Enterprise or Education; Pro where the licence permits",
    "Bring the device to Enterprise or Education: an eligible licence steps Pro up without a reinstall. Home, SE and "
    "LTSC take no quality update policy.",
)
_EDITION_WORDS = {
    Platform.WIN11_24H2: _CLIENT_EDITION_WORDS,
    Platform.WIN11_25H2: _CLIENT_EDITION_WORDS,
    Platform.SERVER_2025: (
        "Datacenter: Azure Edition, or Standard or Datacenter with Azure Arc",
        "Install Datacenter: Azure Edition, Standard or Datacenter.",
    ),
    Platform.SERVER_2022: (
        "Datacenter: Azure Edition",
        "Redeploy from a Datacenter: Azure Edition image in Azure or on Azure Local, or upgrade to Server 2025 and "
        "connect it to Azure Arc.",
    ),
}
_CONNECTION_WORDS = {
    ServerPath.AZURE_EDITION: (
        "a virtual machine in Azure or on Azure Local",
        "Azure Edition takes hotpatches only in Azure or on Azure Local; connect or move the server there.",
    ),
    ServerPath.ARC: (
        "connected to Azure Arc",
        "Install the Azure Connected Machine agent on the server and connect it to Azure Arc.",
    ),
    ServerPath.UNDECIDED: ("Azure Arc, or Azure for Azure Edition", ""),
}
