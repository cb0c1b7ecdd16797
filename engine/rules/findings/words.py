"""Verdicts in sentences: why, the proof, what to do next; the same on screen, in commands and in exception lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from engine.catalog.closing import Route
from engine.model.build import kb_text
from engine.model.model import Track
from engine.rules.findings.judgement import FindingVerdict, Judgement, LevelSource, Proof, Why

_SCANNERS = {"nessus": "Nessus", "qualys": "Qualys", "defender": "Microsoft Defender"}


def scanner_name(scanner: str) -> str:
    """``Microsoft Defender``."""
    return _SCANNERS.get(scanner, scanner)


def reason(judgement: Judgement) -> str:
    """Why the verdict is what it is, in one sentence or two."""
    if judgement.proof is not None:
        return proof_words(judgement.proof, judgement)
    return _REASONS[judgement.why](judgement)


def next_step(judgement: Judgement) -> str:
    """What to do about it, "" where nothing is to be done."""
    steps = _STEPS.get(judgement.why)
    return steps(judgement) if steps is not None else ""


def proof_words(proof: Proof, judgement: Judgement) -> str:
    """What closes the CVE on the device, since when, and how that is known."""
    parts = [f"{_closed_by(proof)}.", _since(proof)]
    if judgement.device_build is not None and judgement.device_build != proof.build and proof.route != Route.COMPANION:
        parts.append(f"The device runs {judgement.device_build} now, which keeps it closed.")
    if judgement.verdict is FindingVerdict.FALSE_POSITIVE:
        parts.append(_scanner_error(proof, judgement))
    return " ".join(part for part in parts if part)


def _scanner_error(proof: Proof, judgement: Judgement) -> str:
    """Why the scanner may have reported it all the same."""
    build, twin = judgement.device_build, proof.twin_build
    if proof.twin_kb is not None and build is not None and twin is not None and build < twin:
        return f"A scanner that waits for {kb_text(proof.twin_kb)} ({twin}) reports hotpatched devices wrongly."
    if proof.route is Route.COMPANION:
        return "A scanner that compares builds cannot see it: the package leaves the build as it is."
    return "The scanner's data is older than that, or it looks for something else than the installed update."


def _closed_by(proof: Proof) -> str:
    shown = f"{kb_text(proof.kb)}{f' ({proof.build})' if proof.build else ''}"
    if proof.route is Route.COMPANION:
        return f"The standalone {shown} closes it beside the hotpatches"
    if proof.fixed_by == proof.kb:
        what = "The hotpatch" if proof.route is Route.HOTPATCH else "The cumulative update"
        return f"{what} {shown} closes it"
    if proof.route is Route.HOTPATCH:
        return f"The hotpatch {shown} holds {kb_text(proof.fixed_by)}, which closes it"
    if proof.baseline_kb is not None:
        under = "" if proof.fixed_by == proof.baseline_kb else f", which holds {kb_text(proof.fixed_by)}"
        return f"The hotpatch {shown} sits on the baseline {kb_text(proof.baseline_kb)}{under}: that closes it"
    return f"The cumulative update {shown} holds {kb_text(proof.fixed_by)}, which closes it"


def _since(proof: Proof) -> str:
    if proof.at is None:
        return "When it came is not known."
    at = _time(proof.at)
    return {
        LevelSource.INSTALL: f"Installed {at}, install record {proof.install_id}.",
        LevelSource.BEFORE_INSTALL: f"It was there by {at}, when install {proof.install_id} found it.",
        LevelSource.SEEN: f"The device first told this build {at}.",
        LevelSource.CHECK_IN: f"The device told this build {at}; nothing says since when.",
    }[proof.evidence]


def _kb(judgement: Judgement) -> str:
    return kb_text(judgement.next_kb) if judgement.next_kb is not None else "a release to come"


def _restarts(judgement: Judgement) -> str:
    return "with a restart" if judgement.next_restarts else "without a restart"


def _runs(judgement: Judgement) -> str:
    if judgement.device_build is None:
        return "The device's build is not known"
    track = {
        Track.HOTPATCH: ", on the hotpatch track",
        Track.LCU: ", on the track of LCUs",
        Track.BEHIND: ", older than the current baseline",
        Track.UNKNOWN: ", which no known release explains",
    }[judgement.track]
    return f"The device runs {judgement.device_build}{track}"


def _failed(judgement: Judgement) -> str:
    code = f" with 0x{judgement.error_code & 0xFFFFFFFF:08X}" if judgement.error_code is not None else ""
    at = f" {_time(judgement.failed_at)}" if judgement.failed_at is not None else ""
    return f"{_kb(judgement)} would close it, and its install failed{code}{at}. {_runs(judgement)}."


def _not_covered(judgement: Judgement) -> str:
    return f"{_runs(judgement)}, and is current there: the hotpatches leave this open, {_kb(judgement)} closes it."


def _no_device(judgement: Judgement) -> str:
    near = f" The nearest names are {', '.join(judgement.names)}." if judgement.names else ""
    return f"No device of the fleet has this name.{near}"


_Words = Mapping[Why, Callable[[Judgement], str]]

_REASONS: _Words = {
    Why.INSTALL_FAILED: _failed,
    Why.RESTART_PENDING: lambda j: f"{_runs(j)}, and a restart is pending. {_kb(j)} closes it.",
    Why.BEHIND: lambda j: f"{_runs(j)}, and lacks {_kb(j)}, which closes it.",
    Why.COMPANION_MISSING: lambda j: (
        f"{_runs(j)}, and the hotpatches leave this open. The standalone {_kb(j)} closes it and is not known "
        "to be installed."
    ),
    Why.NOT_COVERED: _not_covered,
    Why.NOT_PUBLISHED: lambda j: f"{_runs(j)}. Nothing that is published by now closes it there.",
    Why.NOT_PROVEN: lambda j: f"{_runs(j)}: nothing proves that it is closed.",
    Why.NO_SUCH_DEVICE: _no_device,
    Why.SEVERAL_DEVICES: lambda j: f"It can be one of several devices: {', '.join(j.names)}.",
    Why.ONLY_AN_ADDRESS: lambda _: "The row gives an address only, and the fleet is known by names.",
    Why.NO_CVE: lambda j: f"The row names no CVE{f': {j.detail}' if j.detail else ''}.",
    Why.OTHER_SOFTWARE: lambda j: f"It is about other software: {j.detail}.",
    Why.NOT_IN_CATALOG: lambda j: (
        "No release of Windows in the catalog fixes this CVE"
        + (f"; the newest Microsoft document there is of {j.detail}." if j.detail else ".")
    ),
    Why.NOT_FOR_PLATFORM: lambda j: f"Microsoft files no fix of it for {j.detail} on this processor.",
}

_STEPS: _Words = {
    Why.INSTALLED_SINCE: lambda _: "Scan the device again.",
    Why.SEEN_SINCE: lambda _: "Scan the device again.",
    Why.INSTALL_FAILED: lambda j: f"Find out why {_kb(j)} failed, then retry it.",
    Why.RESTART_PENDING: lambda _: "Restart the device, then scan it again.",
    Why.BEHIND: lambda j: f"Install {_kb(j)}, {_restarts(j)}.",
    Why.COMPANION_MISSING: lambda j: f"Install {_kb(j)} on it, or record it if it is there.",
    Why.NOT_COVERED: lambda j: (
        f"Install {_kb(j)} with a restart, which leaves the hotpatch track until the next baseline"
        + (f", or wait for that: {j.next_baseline_at:%Y-%m-%d}." if j.next_baseline_at else ".")
    ),
    Why.NOT_PUBLISHED: lambda j: (
        f"Wait for the next baseline: {j.next_baseline_at:%Y-%m-%d}." if j.next_baseline_at else "Wait for a fix."
    ),
    Why.NOT_PROVEN: lambda _: "Bring the device's Windows version and build up to date: import devices again.",
    Why.NO_SUCH_DEVICE: lambda _: "Import the device, or correct the name.",
    Why.SEVERAL_DEVICES: lambda _: "Export with DNS names, so that they can be told apart.",
    Why.ONLY_AN_ADDRESS: lambda _: "Export with DNS or NetBIOS names.",
    Why.NOT_IN_CATALOG: lambda _: "If it is a new Windows CVE, bring the catalog up to date: hotpatch catalog sync",
}

VERDICT_WORDS = {
    FindingVerdict.TRUE: "still open",
    FindingVerdict.FALSE_POSITIVE: "false positive",
    FindingVerdict.FIXED_SINCE: "fixed since the scan",
    FindingVerdict.UNKNOWN_DEVICE: "unknown device",
    FindingVerdict.NOT_SERVICING: "not about Windows servicing",
}


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
