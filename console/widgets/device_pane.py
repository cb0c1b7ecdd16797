"""Everything of one device: what to do, readiness check by check, identity, build, history. Draws what it is given.

Shown beside the table of devices on wide terminals and below it on narrow ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.columns import device_state_cell, install_state_cell, readiness_cell
from console.text import NOTHING, Severity, age, build, error_code, kb, moment, person, words
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, lines, pairs, plain, severity_text
from engine.model import Install, InstallAction, InstallState
from engine.readiness import Readiness
from engine.readiness.model import Check, CheckResult
from engine.records import DeviceDetail

_CHECKS = {
    CheckResult.MET: Severity.OK,
    CheckResult.NOT_MET: Severity.FAILED,
    CheckResult.UNKNOWN: Severity.UNKNOWN,
    CheckResult.NOT_APPLICABLE: Severity.NONE,
}
_INSTALLS_SHOWN = 30


class DevicePane(VerticalScroll, can_focus=True):
    """One device in full; scrolls by keys when it has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
    ]
    DEFAULT_CSS = """
    DevicePane { padding: 0 1; scrollbar-size-vertical: 1; background: $background; }
    DevicePane Static { height: auto; }
    """

    def compose(self) -> ComposeResult:
        yield Static(id="device")

    def show(self, detail: DeviceDetail, readiness: Readiness, now: datetime) -> None:
        """Show a device."""
        self._write(device_text(detail, readiness, now))

    def clear(self, sentence: str) -> None:
        """Show that there is no device to show."""
        self._write(plain(sentence, MUTED))

    def _write(self, text: Content) -> None:
        """A picture that is the same already is not drawn again."""
        shown = self.query_one("#device", Static)
        if shown.content != text:
            shown.update(text)


def device_text(detail: DeviceDetail, readiness: Readiness, now: datetime) -> Content:
    """The whole of a device: first what needs doing, then why, then who it is."""
    facts = detail.facts
    rows: list[Content] = [
        line((facts.name, STRONG), "  ", (person(facts.user), MUTED)),
        line(
            cell(readiness_cell(readiness.verdict)),
            "   ",
            cell(device_state_cell(detail.state, protected=detail.protected)),
            (f"   seen {_ago(facts.last_seen_at, now)}", MUTED),
        ),
    ]
    rows += [severity_text(Severity.AT_RISK, hold) for hold in detail.holds]
    rows += [plain(""), plain("To do", STRONG), *_todo(readiness, now)] if _open(readiness) else []
    rows += [plain(""), plain("Readiness", STRONG), *(_check(check) for check in readiness.checks)]
    rows += [plain(""), plain("Device", STRONG), _identity(detail)]
    rows += [plain(""), plain("History", STRONG), *_history(detail.installs, now)]
    return lines(rows)


def _ago(at: datetime | None, now: datetime) -> str:
    shown = age(at, now)
    return shown if shown in ("now", NOTHING) else f"{shown} ago"


def _open(readiness: Readiness) -> list[Check]:
    return [check for check in readiness.checks if check.result in (CheckResult.NOT_MET, CheckResult.UNKNOWN)]


def _todo(readiness: Readiness, now: datetime) -> Iterable[Content]:
    for check in _open(readiness):
        yield severity_text(_CHECKS[check.result], f"{check.title}: {check.found}")
        told = f" (told {_ago(check.observed_at, now)})" if check.result is CheckResult.UNKNOWN else ""
        yield line(("  needed  ", MUTED), check.needed + told)
        if check.fix:
            yield line(("  fix     ", MUTED), check.fix)
        yield line(("  source  ", MUTED), (check.source, MUTED))


def _check(check: Check) -> Content:
    if check.result is CheckResult.NOT_APPLICABLE:
        return plain(f"  {check.title}: not applicable", MUTED)
    return line(severity_text(_CHECKS[check.result], check.title), (f"  {check.found}", MUTED))


def _identity(detail: DeviceDetail) -> Content:
    facts = detail.facts
    rows: list[tuple[str, Part]] = [
        ("user", " ".join(part for part in (facts.user_name, facts.user) if part) or NOTHING),
        ("ring", detail.ring or NOTHING),
        ("platform", f"{facts.platform.label if facts.platform else NOTHING}  {facts.edition}".strip()),
        ("build", f"{build(facts.build)}  {words(detail.track)} track"),
        (
            "hardware",
            "  ".join(part for part in (facts.model, str(facts.architecture or ""), words(facts.form)) if part),
        ),
        ("driver", facts.driver or NOTHING),
        ("site", facts.site or NOTHING),
        ("serial", facts.serial or NOTHING),
        ("asset tag", facts.asset_tag or NOTHING),
        ("started", moment(facts.boot_at)),
        ("managed by", words(facts.management)),
    ]
    return pairs(rows)


def _history(installs: tuple[Install, ...], now: datetime) -> Iterable[Content]:
    if not installs:
        yield plain("Nothing was installed through this console yet.", MUTED)
    for install in installs[:_INSTALLS_SHOWN]:
        yield _install(install, now)
    if len(installs) > _INSTALLS_SHOWN:
        yield plain(f"and {len(installs) - _INSTALLS_SHOWN} older ones", MUTED)


def _install(install: Install, now: datetime) -> Content:
    at = install.finished_at or install.started_at or install.requested_at
    parts: list[Part] = [
        (f"{moment(at, now):<18}", MUTED),
        f"{kb(install.kb)} ",
        "uninstall " if install.action is InstallAction.UNINSTALL else "",
        cell(install_state_cell(install.state)),
    ]
    if install.state is InstallState.FAILED:
        parts.append((f" {error_code(install.error_code)}", "$failed"))
    elif not install.state.is_final:
        parts.append((f" {install.stage} {install.progress}%", MUTED))
    if install.build_after is not None and install.state.is_final:
        parts.append((f" → {build(install.build_after)}", MUTED))
    if install.restarted:
        parts.append((" restarted", MUTED))
    return line(*parts)
