"""Compliance in full: months with their marks, the chosen one's curve, who lags behind, drift, figures of others.

Opened over another screen from the overview or the palette. It asks once more when the fleet has changed; counting a
large fleet takes a while, and what is shown stays until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.geometry import Size
from textual.widget import Widget

from console.screens.parts import PartsScreen
from console.text import count, month, plural
from console.widgets import compliance_lines as draw
from console.widgets.board import Board, Stack
from console.widgets.drawing import MUTED, STRONG, plain
from console.widgets.lead_list import LeadList
from console.widgets.notice import Notice
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from engine.model.records.fleet import StateInfo
    from engine.model.records.reports import ComplianceReport, ReleaseCompliance

_TWO_WIDTH = 140
"""From which width on there are two columns."""
_MONTHS_SHOWN = 13
_LOW, _HIGH = 6, 12
"""Rows of the curve where there is little room, and where there is enough."""
_TALL = 40


class ComplianceScreen(PartsScreen):
    """The full view."""

    NAME = "compliance"
    HEADING = "Compliance"
    HOME = "#releases"
    VERBS: ClassVar[tuple[str, ...]] = ("report", *PartsScreen.MOVING, "back")
    DEFAULT_CSS = """
    /* months and their curve, devices that lag behind below or beside them */
    ComplianceScreen #notice { display: none; }
    ComplianceScreen #board { height: 1fr; scrollbar-size-vertical: 1; }
    ComplianceScreen #time, ComplianceScreen #devices { height: auto; width: 1fr; }
    ComplianceScreen LeadList { margin: 0 1 1 0; }
    ComplianceScreen.-two #board { layout: horizontal; }
    ComplianceScreen.-two #time { width: 52%; }
    ComplianceScreen.-two #devices { width: 1fr; margin-left: 1; }
    ComplianceScreen #offenders { max-height: 22; }
    ComplianceScreen.-short #releases { max-height: 9; }
    ComplianceScreen.-short #offenders { max-height: 11; }
    ComplianceScreen #drift { max-height: 12; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: ComplianceReport | None = None
        self._chosen = ""
        """The month whose curve is shown; "" for the newest."""
        self._asked_in = ""

    def compose_body(self) -> Iterable[Widget]:
        yield Notice(id="notice")
        with Board(id="board"):
            with Stack(id="time"):
                yield LeadList("Months", id="releases")
                yield LeadList("Over time", id="curve")
                yield LeadList("Platforms and rings", id="slices")
            with Stack(id="devices"):
                yield LeadList("Longest unprotected", id="offenders")
                yield LeadList("Behind the baseline", id="drift")
                yield LeadList("Reached by others", id="published")

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        self._asked_in = self._hour()
        self.ask_steadily("compliance", lambda engine: engine.reads.evidence.compliance_report(), self._keep, slow=True)

    def _hour(self) -> str:
        return f"{self.shell.present():%Y-%m-%d %H}"

    def _keep(self, found: ComplianceReport) -> None:
        self._found = found
        self._show()

    def read_failed(self, kind: str, error: EngineError) -> None:
        super().read_failed(kind, error)
        if self._found is None:
            self._panel("releases").say(plain(str(error.what)), plain(error.instead, MUTED))

    # --- showing ------------------------------------------------------------------------------------

    def info_read(self, info: StateInfo) -> None:
        super().info_read(info)
        # A mark may have passed, though nothing has changed.
        if self._asked_in != self._hour():
            self.load()

    def on_resize(self) -> None:
        self.update_classes(self.classes_for(self.app.size))
        self._show()

    def classes_for(self, size: Size) -> dict[str, bool]:
        return {**super().classes_for(size), "-two": size.width >= _TWO_WIDTH}

    @property
    def _release(self) -> ReleaseCompliance | None:
        if self._found is None or not self._found.releases:
            return None
        chosen = (each for each in self._found.releases if each.month == self._chosen)
        return next(chosen, self._found.releases[0])

    def _show(self) -> None:
        found, release = self._found, self._release
        if found is None or not self.is_composed:
            return
        now = self.shell.present()
        with self.app.batch_update():
            self.status.remark = plural(found.devices, "device")
            notice = self.query_one(Notice)
            self.query_one("#board").display = release is not None
            if release is None:
                notice.empty("There is nothing to measure yet.", "Bring devices in with: hotpatch import FILE")
                return
            notice.hide()
            self.trail(month(release.month))
            months, chosen = found.releases[:_MONTHS_SHOWN], release.month
            self._panel("releases").show(
                lambda width: draw.release_lines(months, chosen, width), remark="enter chooses a month"
            )
            height = _HIGH if self.app.size.height >= _TALL else _LOW
            self._panel("curve").show(
                lambda width: draw.curve_lines(release, found.figures, now, width, height),
                title=draw.title_of(release),
            )
            self._panel("slices").show(
                lambda width: draw.slice_lines(release, width),
                title=plain(f"Platforms and rings, {month(release.month)}", STRONG),
            )
            self._panel("offenders").show(
                lambda width: draw.offender_lines(found.offenders, found.offenders_total, now, width),
                remark=count(found.offenders_total) if found.offenders_total else "",
            )
            self._panel("drift").show(lambda width: draw.drift_lines(found.drift, width))
            self._panel("published").show(lambda width: draw.published_lines(found.figures, found.releases, width))

    # --- verbs --------------------------------------------------------------------------------------

    @on(LeadList.Led)
    def _lead(self, message: LeadList.Led) -> None:
        message.stop()
        if message.lead.screen == draw.CHOOSE:
            self._chosen = message.lead.filter
            self._show()
        else:
            self.give_way()
            self.shell.go(message.lead.screen, message.lead.filter)

    @work(exclusive=True, group="dialog")
    async def verb_report(self) -> None:
        from console.screens.report_writing import write_report

        await write_report(self, "compliance")

    def verb_back(self) -> None:
        """To the list of months first, then to where one came from."""
        home = self._panel("releases")
        if self.focused is not home and home.has_stops:
            home.focus()
        else:
            self.give_way()
