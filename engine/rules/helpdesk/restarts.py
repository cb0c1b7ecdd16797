"""Why a device restarts, or will: baseline month, missed baseline, uninstalled hotpatch, not ready. Pure.

Falling back to the ordinary update is silent (DESIGN: a device that is not ready restarts without an error), so that
the reason has to be worked out from where the device stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from engine.catalog import Levels
from engine.catalog.calendar import MonthPlan
from engine.model.build import kb_text
from engine.model.model import CheckId, Install, InstallAction, InstallState, Release, ReleaseKind, Track, Verdict
from engine.model.records.fleet import DeviceDetail
from engine.rules.helpdesk.words import day, month, plain, release_words
from engine.rules.readiness import Readiness


class RestartReason(StrEnum):
    """Why there is a restart."""

    BASELINE_MONTH = "baseline-month"
    UNPLANNED_BASELINE = "unplanned-baseline"
    """A hotpatch month in which none was published."""
    MISSED_BASELINE = "missed-baseline"
    UNINSTALLED = "uninstalled"
    """A hotpatch was removed, and the device is off the track until the next baseline."""
    OFF_TRACK = "off-track"
    """An out-of-band or ordinary cumulative update took it off the track until the next baseline."""
    NOT_READY = "not-ready"
    READINESS_UNKNOWN = "readiness-unknown"
    OTHER = "other"
    """Something that is not an update of this console."""


class RestartNotice(Struct, frozen=True):
    """A reason in words."""

    reason: RestartReason
    why: str


def why_install_restarts(
    install: Install,
    detail: DeviceDetail,
    readiness: Readiness,
    levels: Levels | None,
    months: Sequence[MonthPlan],
) -> RestartNotice:
    """Why an install that waits for a restart, or ends in one, needs it."""
    if install.action is InstallAction.UNINSTALL:
        reason = f" ({plain(install.reason)})" if install.reason else ""
        return RestartNotice(
            RestartReason.UNINSTALLED, f"{kb_text(install.kb)} is being uninstalled{reason}, and that takes a restart."
        )
    return why_release_restarts(_release(install.kb, levels), detail, readiness, levels, months)


def why_release_restarts(
    release: Release | None,
    detail: DeviceDetail,
    readiness: Readiness,
    levels: Levels | None,
    months: Sequence[MonthPlan],
) -> RestartNotice:
    """Why the device gets this release, which restarts it, instead of a hotpatch."""
    if release is None or levels is None or levels.baseline is None:
        return RestartNotice(RestartReason.OTHER, "The update that it takes is no hotpatch, and restarts it.")
    if release.kind.is_baseline and not _is_late(levels):
        return _baseline_month(release)
    if (removed := uninstalled(detail, levels)) is not None:
        back = _until_next_baseline(months)
        return RestartNotice(
            RestartReason.UNINSTALLED,
            f"The hotpatch {kb_text(removed.kb)} was uninstalled ({plain(removed.reason) or 'no reason given'}). "
            f"It takes ordinary updates with restarts{back}.",
        )
    if detail.track is Track.BEHIND:
        return RestartNotice(
            RestartReason.MISSED_BASELINE,
            f"It missed {release_words(levels.baseline)}, and catches up with a restart.",
        )
    return why_not_hotpatched(detail, readiness, months)


def why_not_hotpatched(detail: DeviceDetail, readiness: Readiness, months: Sequence[MonthPlan]) -> RestartNotice:
    """Why the device takes ordinary updates, where it has the current baseline."""
    words = ", ".join(readiness.reasons) or "reason unknown"
    if readiness.reason_ids == (CheckId.TRACK,) or (detail.track is Track.LCU and readiness.verdict is Verdict.READY):
        return RestartNotice(
            RestartReason.OFF_TRACK,
            "It took a cumulative update outside the hotpatch track, and takes ordinary updates with restarts"
            f"{_until_next_baseline(months)}.",
        )
    if readiness.verdict is Verdict.UNKNOWN:
        return RestartNotice(
            RestartReason.READINESS_UNKNOWN,
            f"Whether it is ready for hotpatches is not known ({words}); unless it is, it takes the ordinary update, "
            "with a restart.",
        )
    return RestartNotice(
        RestartReason.NOT_READY,
        f"It is not ready for hotpatches: {words}. So it takes the ordinary update, with a restart.",
    )


def uninstalled(detail: DeviceDetail, levels: Levels) -> Install | None:
    """The hotpatch of this quarter that was removed from the device, where one was."""
    if levels.baseline is None:
        return None
    for install in detail.installs:
        if install.state is InstallState.UNINSTALLED and install.finished_at is not None:
            return install if install.finished_at >= levels.baseline.released_at else None
        if install.state is InstallState.SUCCEEDED and install.kb == levels.baseline.kb:
            return None
    return None


def _baseline_month(release: Release) -> RestartNotice:
    if release.kind is ReleaseKind.UNPLANNED_BASELINE:
        return RestartNotice(
            RestartReason.UNPLANNED_BASELINE,
            f"No hotpatch was published for {month(release.month)}: that month's update is a baseline, and restarts "
            "every device.",
        )
    return RestartNotice(
        RestartReason.BASELINE_MONTH,
        f"This is a baseline month: the update of {month(release.month)} restarts every device, hotpatched ones too.",
    )


def _is_late(levels: Levels) -> bool:
    """Whether the months after the baseline have begun, so that a device without it has missed it."""
    baseline = levels.baseline
    return baseline is not None and any(r.month > baseline.month for r in (*levels.hotpatches, *levels.cumulative))


def _release(kb: int, levels: Levels | None) -> Release | None:
    if levels is None:
        return None
    known = (levels.baseline, *levels.hotpatches, *levels.cumulative)
    return next((each for each in known if each is not None and each.kb == kb), None)


def _until_next_baseline(months: Sequence[MonthPlan]) -> str:
    coming = next((plan for plan in months if plan.is_forecast and plan.kind.is_baseline), None)
    return " until the next baseline" + (f", planned for {day(coming.patch_tuesday)}" if coming else "")
