"""The facts of a device as they are read out and written into a ticket: label and value, in a fixed order. Pure."""

from __future__ import annotations

from engine.catalog import Levels
from engine.model.model import Verdict
from engine.model.records.fleet import DeviceDetail
from engine.rules.helpdesk.words import plain, release_words, time
from engine.rules.readiness import Readiness

_YES_NO = {True: "yes", False: "no", None: "not known"}


def device_facts(
    detail: DeviceDetail, readiness: Readiness, levels: Levels | None, *, with_driver: bool
) -> tuple[tuple[str, str], ...]:
    """The facts that are known, one line each; the driver only where a failure makes it matter."""
    facts = detail.facts
    user = f"{facts.user_name} ({facts.user})" if facts.user_name and facts.user else facts.user_name or facts.user
    label = facts.platform.label if facts.platform else "another version"
    running = levels.release_of(facts.build) if levels else None
    runs = f", {release_words(running).removeprefix('the ')}" if running else ""
    untold = f" ({detail.restarts_untold})" if detail.restarts_untold else ""
    rows = (
        ("Device", plain(facts.name)),
        ("User", plain(user)),
        ("Serial number", plain(facts.serial)),
        ("Asset tag", plain(facts.asset_tag)),
        ("Model", plain(", ".join(part for part in (facts.model, facts.site) if part))),
        ("Driver", plain(facts.driver) if with_driver else ""),
        ("Windows", plain(f"{label}, {facts.edition}" if facts.edition else label)),
        ("Build", f"{facts.build}{runs}" if facts.build else "not told"),
        ("Ring", plain(detail.ring)),
        ("Ready for hotpatches", _ready_words(readiness)),
        ("Restart pending", _YES_NO[facts.restart_pending] + (untold if facts.restart_pending is None else "")),
        ("Last start", time(facts.boot_at) if facts.boot_at else f"not told{untold}"),
        ("Last seen", time(facts.last_seen_at) if facts.last_seen_at else "never"),
        ("Told by", _told_by(detail)),
    )
    return tuple((name, value) for name, value in rows if value)


def _told_by(detail: DeviceDetail) -> str:
    """Whose word all this is, and how old that is; "" where devices report here themselves."""
    if detail.as_of is None:
        return ""
    at = detail.as_of.pulled_at
    return plain(f"{detail.as_of.provider}, {f'as of {time(at)}' if at else 'never pulled'}")


def _ready_words(readiness: Readiness) -> str:
    word = {Verdict.READY: "yes", Verdict.NOT_READY: "no", Verdict.UNKNOWN: "not known"}[readiness.verdict]
    return f"{word}: {', '.join(readiness.reasons)}" if readiness.reasons else word
