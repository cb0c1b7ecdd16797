"""Baseline and hotpatch months of a platform: a year of month cards, or a quarter in large; planned against published.

Enter leads to the releases. It asks and lays out; the engine plans, `month_card` draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct
from textual import on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.calendar_export import write_ics
from console.dialogs.ask import AskDialog
from console.screens.steady import SteadyScreen
from console.text import Tone, is_ascii, kb, platform_short, plural, until
from console.text import month as month_text
from console.widgets.drawing import MUTED, Part, line, plain, severity_text
from console.widgets.month_grid import MonthGrid
from engine.catalog.calendar import Month, MonthPlan, MonthState, count_restarts
from engine.model.build import Platform
from engine.model.errors import EngineError
from engine.model.records.fleet import StateInfo

if TYPE_CHECKING:
    from engine import Engine

FIRST_YEAR, LAST_YEAR = 2020, 2100


class YearFacts(Struct, frozen=True):
    """A year of a platform, and when its devices restart next."""

    platform: Platform
    year: int
    plans: tuple[MonthPlan, ...]
    next_baseline: datetime
    now: datetime


def read_year(engine: Engine, platform: Platform, year: int | None) -> YearFacts:
    """Ask for a year; None is the present one."""
    now = engine.now()
    chosen = now.year if year is None else year
    return YearFacts(
        platform,
        chosen,
        engine.reads.releases.year_plan(platform, chosen),
        engine.reads.releases.next_baseline(platform),
        now,
    )


def moved(month: Month, by: int) -> Month:
    """So many months later, kept within the years that the calendar knows."""
    months = month.year * 12 + month.number - 1 + by
    months = min(max(months, FIRST_YEAR * 12), LAST_YEAR * 12 + 11)
    return Month(months // 12, months % 12 + 1)


class CalendarScreen(SteadyScreen):
    """Key 4."""

    NAME = "calendar"
    HEADING = "Calendar"
    HOME = "#months"
    VERBS: ClassVar[tuple[str, ...]] = ("next_platform", "previous_platform", "zoom", "today", "export", "back")
    DEFAULT_CSS = """
    CalendarScreen #platforms, CalendarScreen #restarts { height: 1; width: 100%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._platform = Platform.WIN11_24H2
        self._at: Month | None = None
        """The month under the cursor; None until the present is known."""
        self._zoomed = False
        self._facts: YearFacts | None = None
        self._restored = False
        self._shown_hour = ""

    def compose_body(self) -> Iterable[Widget]:
        yield Static(id="platforms", markup=False)
        yield Static(id="restarts", markup=False)
        yield MonthGrid(id="months")

    @property
    def grid(self) -> MonthGrid:
        """The cards."""
        return self.query_one(MonthGrid)

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        if not self._restored:
            self.recall(self._restore)
            return
        platform, year = self._platform, self._at.year if self._at is not None else None
        self.ask_steadily("year", lambda engine: read_year(engine, platform, year), self._keep)

    def _restore(self, kept: Mapping[str, Any]) -> None:
        if not self._restored:
            self._restored = True
            if kept.get("platform") in tuple(Platform):
                self._platform = Platform(kept["platform"])
            self._zoomed = kept.get("zoomed") is True
        self.load()

    def _keep(self, facts: YearFacts) -> None:
        if self._at is None:
            self._at = Month(facts.now.year, facts.now.month)
        if (facts.platform, facts.year) == (self._platform, self._at.year):
            self._facts = facts
            self._show()

    def read_failed(self, kind: str, error: EngineError) -> None:
        super().read_failed(kind, error)
        if kind == "memory":
            self._restore({})
        elif kind == "year" and self._facts is None:
            self.grid.say(severity_text(Tone.FAILED, str(error.args[0])), plain(error.instead, MUTED))

    def info_read(self, info: StateInfo) -> None:
        super().info_read(info)
        hour = f"{info.now:%Y-%m-%d %H}"
        if hour != self._shown_hour:
            self._shown_hour = hour
            self._show()
            self.grid.redraw()

    # --- showing ------------------------------------------------------------------------------------

    def _show(self) -> None:
        facts, at = self._facts, self._at
        if facts is None or at is None:
            return
        with self.app.batch_update():
            self.query_one("#platforms", Static).update(platform_line(self._platform, self.app.size.width))
            self.query_one("#restarts", Static).update(restart_line(facts, self.app.size.width))
            self.grid.show(facts.plans, at.number - 1, zoomed=self._zoomed)
            quarter = f"Q{(at.number - 1) // 3 + 1} " if self._zoomed else ""
            self.trail(facts.platform.label, f"{quarter}{facts.year}")

    def on_resize(self) -> None:
        self._show()

    # --- moving -------------------------------------------------------------------------------------

    def _go_to(self, month: Month) -> None:
        before, self._at = self._at, month
        if before is None or before.year != month.year or self._facts is None:
            self.load()
        else:
            self._show()

    @on(MonthGrid.Moved)
    def _move(self, message: MonthGrid.Moved) -> None:
        message.stop()
        if self._at is not None:
            self._go_to(moved(self._at, message.by))

    def verb_today(self) -> None:
        now = self.shell.present()
        self._go_to(Month(now.year, now.month))

    def verb_zoom(self) -> None:
        self._zoomed = not self._zoomed
        self._remember_view()
        self._show()

    def verb_back(self) -> None:
        """Out of the quarter first, then to the present month."""
        if self._zoomed:
            self.verb_zoom()
        else:
            self.verb_today()

    def _switch(self, step: int) -> None:
        platforms = list(Platform)
        self._platform = platforms[(platforms.index(self._platform) + step) % len(platforms)]
        self._remember_view()
        self.load()

    def verb_next_platform(self) -> None:
        self._switch(1)

    def verb_previous_platform(self) -> None:
        self._switch(-1)

    def _remember_view(self) -> None:
        self.remember({"platform": self._platform.value, "zoomed": self._zoomed})

    def arrive(self, filter_text: str) -> None:
        """A platform, a month like 2026-05, or both."""
        self._restored = True
        for word in filter_text.split():
            if word in tuple(Platform):
                self._platform = Platform(word)
                continue
            try:
                self._at = Month.parse(word)
            except ValueError:
                continue
        self.load()

    # --- verbs --------------------------------------------------------------------------------------

    @on(MonthGrid.Opened)
    def _open(self, message: MonthGrid.Opened) -> None:
        """Into the releases of the month; a month without any says why."""
        message.stop()
        plan = message.plan
        if plan.kb is not None:
            self.shell.go("releases", kb(plan.kb))
        elif plan.out_of_band:
            self.shell.go("releases", plan.out_of_band[0].name)
        else:
            self.shell.say(*nothing_to_open(plan), "warning")

    @work(exclusive=True, group="dialog")
    async def verb_export(self) -> None:
        """The year of the platform as a file for calendar programs."""
        facts = self._facts
        if facts is None:
            return
        name = await self.app.push_screen_wait(
            AskDialog(
                f"Export {facts.platform.label} {facts.year}",
                "File, its name ending in .ics:",
                value=f"hotpatch-{facts.platform}-{facts.year}.ics",
                hint="Calendar programs take it in; importing it again updates their events.",
            )
        )
        if name is None:
            return
        path = Path(name).expanduser()
        try:
            await self.shell.background.fetch(
                lambda engine: write_ics(path, facts.plans, engine.now(), state=Path(engine.info().path)), slow=True
            )
        except EngineError as error:
            self.shell.say_error(error)
        else:
            self.shell.say(f"Wrote {facts.platform.label} {facts.year} to {path.name}.")


def nothing_to_open(plan: MonthPlan) -> tuple[str, str]:
    """Why a month leads nowhere: the words, and their title."""
    name = month_text(plan.month)
    match plan.state:
        case MonthState.FORECAST:
            at = f"{plan.patch_tuesday:%a} {plan.patch_tuesday.day} {plan.patch_tuesday:%b}"
            return f"Its Patch Tuesday is {at}; what is shown is the pattern.", f"{name} has no release yet"
        case MonthState.BEFORE:
            return f"{plan.platform.label} had no release yet.", f"{name} has no release"
        case MonthState.MISSING:
            return "Bring the catalog up to date with: hotpatch catalog sync", f"No release of {name} is known"
        case _:
            return "Only the kind of the month is known, not its KB.", f"{name} has no KB"


# --- the two lines above the cards ------------------------------------------------------------------


def platform_line(chosen: Platform, width: int) -> Content:
    """The platforms, the chosen one in brackets; on the right what frames mean."""
    parts: list[Part] = [" "]
    for platform in Platform:
        name = platform_short(platform)
        parts += [(f"[{name}]", "$key bold")] if platform is chosen else [(f" {name} ", MUTED)]
        parts.append(" ")
    solid, dashed = ("--", "..") if is_ascii() else ("──", "╌╌")
    legend = f"{solid} published  {dashed} planned "
    left = line(*parts)
    blanks = width - left.cell_length - len(legend)
    return line(left, " " * blanks, (legend, MUTED)) if blanks >= 2 else left


def restart_line(facts: YearFacts, width: int) -> Content:
    """Restarts of the year against ordinary servicing, and the next one."""
    found = count_restarts(facts.plans)
    if not found.ordinary:
        return plain(f" {facts.platform.label} had no release in {facts.year}.", MUTED)
    if found.ordinary_so_far == found.ordinary:
        words = f"{plural(found.so_far, 'restart')} in {facts.year} against {found.ordinary}"
    else:
        words = f"{plural(found.so_far, 'restart')} so far, {found.expected} expected against {found.ordinary}"
    left = line(" ", severity_text(Tone.DUE, words))
    at = facts.next_baseline
    day = f"{at:%a} {at.day} {at:%b}" + (f" {at.year}" if at.year != facts.now.year else "")
    right = line(("next ", MUTED), f"○ {day} {until(at, facts.now)}", (" planned ", MUTED))
    blanks = width - left.cell_length - right.cell_length
    return line(left, " " * blanks, right) if blanks >= 2 else left
