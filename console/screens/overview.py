"""The state of the fleet at a glance: what needs somebody, rings, readiness, compliance, next restart, failures.

Every line leads into the list that explains it. It asks and lays out; `overview_sums` computes, `overview_lines` draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from textual import on, work
from textual.geometry import Size
from textual.timer import Timer
from textual.widget import Widget

from console import overview_sums as sums
from console import ways
from console.activity_reads import read_active
from console.screens.parts import PartsScreen
from console.text import Tone, clean, count, date, month, plural
from console.widgets import overview_lines as draw
from console.widgets.board import Board, Stack
from console.widgets.compliance_lines import trend_lines, trend_spark
from console.widgets.drawing import MUTED, STRONG, plain, severity_text
from console.widgets.lead_list import Draw, Lead, LeadList
from console.widgets.notice import Notice
from engine.catalog.calendar import MonthPlan
from engine.model.build import Platform
from engine.model.errors import EngineError
from engine.model.model import Verdict
from engine.model.records.fleet import (
    ActiveInstall,
    Attention,
    AuditRow,
    Compliance,
    Count,
    ReasonCount,
    RingProgress,
    StateInfo,
)

if TYPE_CHECKING:
    from engine import Engine
    from engine.model.records.reports import ReleaseCompliance
    from engine.rules.failures import CauseStanding

_TWO_WIDTH = 140
"""From which width on there are two columns."""
_ROOMY_HEIGHT, _TALL_HEIGHT = 32, 46
"""From which height on two columns, or one, show everything."""
_REASONS_SHOWN = 5
_BLINK, _GATHERED_AT_MOST = 0.04, 0.2
"""Seconds in which answers are gathered before they are shown: later ones, and those of the first frame."""
_UNSEEN_AT_MOST = 0.7
"""Seconds without a first frame at most, where the first answer takes long."""
_LATELY_READ, _LATELY_LEAST, _ACTIVE_READ = 20, 3, 500
"""Rows read of what goes on, and the least that are worth a part of their own."""


class OverviewTotals(Struct, frozen=True):
    """What costs next to nothing to read."""

    counts: tuple[Count, ...]
    progress: tuple[RingProgress, ...]
    """How far the current releases have come, ring by ring."""
    plans: Mapping[Platform, tuple[MonthPlan, ...]]
    """This year's months and the last year's, for the platforms of the fleet."""
    next_baselines: Mapping[Platform, datetime]
    active: tuple[ActiveInstall, ...]
    """The first few installs under way."""
    audit: tuple[AuditRow, ...]
    """The newest few decisions."""


def read_totals(engine: Engine) -> OverviewTotals:
    """Counts, rings, calendar, and what goes on."""
    counts = engine.reads.devices.counts()
    present = {each.platform for each in counts}
    platforms = [platform for platform in Platform if platform in present]
    year = engine.now().year
    return OverviewTotals(
        counts=counts,
        progress=engine.reads.rollout.ring_progress(),
        plans={
            each: (*engine.reads.releases.year_plan(each, year - 1), *engine.reads.releases.year_plan(each, year))
            for each in platforms
        },
        next_baselines={each: engine.reads.releases.next_baseline(each) for each in platforms},
        active=read_active(engine, _ACTIVE_READ)[:_LATELY_READ],
        audit=engine.reads.activity.audit(_LATELY_READ),
    )


class OverviewScreen(PartsScreen):
    """Key 1."""

    NAME = "overview"
    HEADING = "Overview"
    HOME = "#needs"
    VERBS: ClassVar[tuple[str, ...]] = ("report", *PartsScreen.MOVING)
    DEFAULT_CSS = """
    /* -two puts rollout and fleet side by side, -one puts readiness beside the other facts */
    OverviewScreen #notice, OverviewScreen #active, OverviewScreen #latest { display: none; }
    OverviewScreen #board { height: 1fr; scrollbar-size-vertical: 1; }
    OverviewScreen #rollout, OverviewScreen #facts { height: auto; width: 1fr; }
    OverviewScreen #fleet { height: auto; width: 1fr; layout: horizontal; }
    OverviewScreen LeadList { margin: 0 1 1 0; }
    OverviewScreen #needs { max-height: 12; }
    OverviewScreen.-short #needs { max-height: 5; }
    OverviewScreen.-one #facts LeadList { margin-bottom: 0; }
    OverviewScreen.-one #readiness { margin: 0 2 0 0; }
    OverviewScreen.-one.-short #fleet { height: 1fr; min-height: 6; }
    OverviewScreen.-one.-short #facts, OverviewScreen.-one.-short #readiness { height: 100%; }
    OverviewScreen.-one.-short #failures { height: 1fr; }
    OverviewScreen.-two #board { layout: horizontal; }
    OverviewScreen.-two #rollout { width: 54%; }
    OverviewScreen.-two #fleet { width: 1fr; layout: vertical; margin-left: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._totals: OverviewTotals | None = None
        self._attention: tuple[Attention, ...] | None = None
        self._reasons: tuple[ReasonCount, ...] = ()
        self._standings: tuple[CauseStanding, ...] | None = None
        self._compliance: tuple[Compliance, ...] | None = None
        self._trend: tuple[ReleaseCompliance, ...] = ()
        self._trend_asked = ""
        self._unready: object = None
        self._failed: object = None
        self._shown_at = ""
        self._is_seen = False
        self._blink: Timer | None = None

    def on_mount(self) -> None:
        # No list is painted before there is something to read: a frame of empty ones costs as much as a full one.
        self.set_timer(_UNSEEN_AT_MOST, self._be_seen)

    def on_unmount(self) -> None:
        if self._blink is not None:
            self._blink = None
            self.shell.background.release()

    def compose_body(self) -> Iterable[Widget]:
        yield Notice(id="notice")
        with Board(id="board") as board:
            board.display = False
            with Stack(id="rollout"):
                yield LeadList("Needs you", id="needs")
                yield LeadList("Rings", id="rings")
                yield LeadList("Under way", id="active")
                yield LeadList("Latest", id="latest")
            with Stack(id="fleet"):
                yield LeadList("Readiness", id="readiness")
                with Stack(id="facts"):
                    yield LeadList("Compliance", id="compliance")
                    yield LeadList("Next restart", id="restarts")
                    yield LeadList("Failures", id="failures")

    @property
    def _has_two(self) -> bool:
        """Whether rollout and fleet stand side by side."""
        return self.app.size.width >= _TWO_WIDTH

    @property
    def _brief(self) -> bool:
        """Whether there is room for the essential only."""
        return self.app.size.height < (_ROOMY_HEIGHT if self._has_two else _TALL_HEIGHT)

    @property
    def _cramped(self) -> bool:
        """Whether two lists must share the room of one."""
        return self._brief and not self._has_two

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        self.ask_steadily("totals", read_totals, self._keep_totals)
        self.ask_steadily("attention", lambda engine: engine.reads.attention(), self._keep_attention, slow=True)
        self.ask_steadily(
            "compliance", lambda engine: engine.reads.evidence.compliance(), self._keep_compliance, slow=True
        )

    def _keep_totals(self, found: OverviewTotals) -> None:
        self._totals = found
        self._ask_why(found.counts)
        # What months looked like changes slowly, and is the dearest question in a large fleet: it comes last.
        if self._trend_asked != (hour := f"{self.shell.present():%Y-%m-%d %H}"):
            self._trend_asked = hour
            self.ask_steadily(
                "trend", lambda engine: engine.reads.evidence.compliance_trend(), self._keep_trend, slow=True
            )
        self._show_soon()

    def _ask_why(self, counts: Sequence[Count]) -> None:
        """Reasons and causes take longer to read in a large fleet: only when the totals say that they have changed."""
        unready = sorted(
            (str(each.platform), each.verdict, str(each.eligible), str(each.enrolled), each.track, each.devices)
            for each in counts
            if each.verdict is not Verdict.READY
        )
        if unready != self._unready:
            self._unready = unready
            self.ask_steadily("reasons", lambda engine: engine.reads.devices.reasons(), self._keep_reasons, slow=True)
        common = not self._brief  # there is room for what the devices share
        failed = sorted((each.ring, str(each.platform), each.devices) for each in counts if each.state == "failed")
        if (failed, common) != self._failed:
            self._failed = failed, common
            self.ask_steadily(
                "causes", lambda engine: engine.reads.failures.standings(common=common), self._keep_standings, slow=True
            )

    def _keep_attention(self, found: tuple[Attention, ...]) -> None:
        self._attention = found
        self._show_soon()

    def _keep_compliance(self, found: tuple[Compliance, ...]) -> None:
        self._compliance = found
        self._show_soon()

    def _keep_trend(self, found: tuple[ReleaseCompliance, ...]) -> None:
        self._trend = found
        self._show_soon()

    def _keep_reasons(self, found: tuple[ReasonCount, ...]) -> None:
        self._reasons = found
        self._show_soon()

    def _keep_standings(self, found: tuple[CauseStanding, ...]) -> None:
        self._standings = found
        self._show_soon()

    def read_failed(self, kind: str, error: EngineError) -> None:
        super().read_failed(kind, error)
        self._be_seen()
        if kind == "reasons":
            self._unready = None
        elif kind == "causes":
            self._failed = None
        elif kind == "trend":
            self._trend_asked = ""
        never = {
            "totals": (self._totals, ("rings", "readiness", "restarts", "failures")),
            "attention": (self._attention, ("needs",)),
            "compliance": (self._compliance, ("compliance",)),
            "causes": (self._standings, ("failures",)),
        }
        if kind in never and never[kind][0] is None:
            for name in never[kind][1]:
                self._panel(name).say(severity_text(Tone.FAILED, str(error.args[0])), plain(error.instead, MUTED))

    # --- showing ------------------------------------------------------------------------------------

    def info_read(self, info: StateInfo) -> None:
        super().info_read(info)
        minute = f"{info.now:%Y-%m-%d %H:%M}"
        if minute != self._shown_at:
            self._shown_at = minute
            self._show_soon()

    def on_resize(self) -> None:
        self.update_classes(self.classes_for(self.app.size))
        if self._totals is not None:
            self._ask_why(self._totals.counts)
        self._show_all()

    def classes_for(self, size: Size) -> dict[str, bool]:
        has_two = size.width >= _TWO_WIDTH
        return {**super().classes_for(size), "-two": has_two, "-one": not has_two}

    def _show_soon(self) -> None:
        """Show what has come once for all answers of a moment; the first frame waits a little longer to be whole."""
        if not self.is_asking and self._blink is not None:
            self._blink.stop()
            self._show_now()
        elif self._blink is None:
            self.shell.background.hold()
            self._blink = self.set_timer(_BLINK if self._is_seen else _GATHERED_AT_MOST, self._show_now)

    def _show_now(self) -> None:
        self._blink = None
        self._show_all()
        if self._totals is not None:
            self._be_seen()
        self.call_after_refresh(self.shell.background.release)  # what waits for rest does not load beside the paint

    def _be_seen(self) -> None:
        if not self._is_seen:
            self._is_seen = True
            if self._totals is None:
                self.query_one("#board").display = True
            self.focus_home()

    def _show_all(self) -> None:
        totals = self._totals
        if totals is None:
            return
        with self.app.batch_update():
            devices = sum(each.devices for each in totals.counts)
            self.status.remark = plural(devices, "device")
            self.query_one("#board").display = devices > 0
            notice = self.query_one(Notice)
            if devices == 0:
                notice.empty("There are no devices yet.", *ways.lines())
            else:
                notice.hide()
            self._show_fleet(totals)
            self._show_rollout(totals)
            self._show_failures()
            self._show_lately(totals)

    def _show_rollout(self, totals: OverviewTotals) -> None:
        now, brief, attention = self.shell.present(), self._brief, self._attention
        if attention is not None:
            self._panel("needs").show(lambda _: draw.needs_lines(attention))
        plans = [plan for months in totals.plans.values() for plan in months]
        blocks = sums.release_blocks(totals.progress, plans)
        legend = clean(draw.legend(blocks))
        self._panel("rings").show(lambda width: draw.ring_lines(blocks, now, width, brief=brief), remark=legend)

    def _show_fleet(self, totals: OverviewTotals) -> None:
        now = self.shell.present()
        steps = sums.funnel(totals.counts)
        reasons = sums.commonest_reasons(self._reasons)

        def readiness(width: int) -> list[Lead]:
            return [*draw.funnel_lines(steps, width), *draw.reason_lines(reasons, width, _REASONS_SHOWN)]

        self._panel("readiness").show(readiness)
        found = sums.restarts(totals.plans, totals.next_baselines)
        restarts = partial(draw.restart_lines, found, now, platforms=len(totals.next_baselines))
        self._panel("restarts").display = not self._cramped
        self._panel("restarts").show(restarts)
        if self._compliance is not None:
            self._show_compliance(self._compliance, restarts if self._cramped else lambda _: [])

    def _show_compliance(self, rows: Sequence[Compliance], restarts: Draw) -> None:
        """Where there is little room the next restart stands here too, and the trend is a spark line."""
        now, brief, panel, trend = self.shell.present(), self._brief, self._panel("compliance"), self._trend
        if not rows:
            panel.say(plain("No release is published for these devices yet.", MUTED))
            return

        def compliance(width: int) -> list[Lead]:
            if brief:
                return [*draw.compliance_brief(rows[0], now, width), *restarts(width)]
            return [*draw.compliance_lines(rows, now, width), *trend_lines(trend, width), *restarts(width)]

        title = "Compliance, restart" if self._cramped else "Compliance"
        remark = f"{trend_spark(trend)} {month(rows[0].month)}".strip()
        if not brief:
            remark = f"{month(rows[0].month)}, released {date(rows[0].released_at)}"
        panel.show(compliance, title=plain(title, STRONG), remark=remark)

    def _show_failures(self) -> None:
        if self._standings is None:
            return
        brief, causes = self._brief, sums.causes(self._standings)
        devices = sum(each.devices for each in causes)
        self._panel("failures").show(
            lambda width: draw.cause_lines(causes, width, brief=brief), remark=count(devices) if devices else ""
        )

    @on(Board.Sized)
    def _fill_up(self, message: Board.Sized) -> None:
        message.stop()
        if self._totals is not None:
            self._show_lately(self._totals)

    def _show_lately(self, totals: OverviewTotals) -> None:
        """What goes on, in the room that is left under the rings."""
        board = self.query_one("#board")
        if not board.size.height:
            return  # `Sized` comes
        above = (self._panel("needs"), self._panel("rings"))
        spare = board.size.height - sum(len(panel.leads) + 2 for panel in above)
        most = (spare - 4) // 2
        now, active, audit = self.shell.present(), totals.active, totals.audit
        shown = most >= _LATELY_LEAST and self._has_two and not self._brief
        for name in ("active", "latest"):
            self._panel(name).display = shown
        if shown:
            self._panel("active").show(lambda width: draw.active_lines(active, width, most))
            self._panel("latest").show(lambda _: draw.latest_lines(audit, now, most))

    # --- taking away --------------------------------------------------------------------------------

    @work(exclusive=True, group="dialog")
    async def verb_report(self) -> None:
        from console.screens.report_writing import choose_and_write

        await choose_and_write(self)

    # --- moving -------------------------------------------------------------------------------------

    @on(LeadList.Led)
    def _lead(self, message: LeadList.Led) -> None:
        message.stop()
        if message.lead.screen == "compliance":
            self.shell.show_compliance()
        else:
            self.shell.go(message.lead.screen, message.lead.filter)
