"""One month of one platform as a card: planned or published, its KB, build, day, and whether devices restart.

Facts and forecast look different and say which they are. Draws what it is given.
"""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.columns import kind_cell
from console.text import Severity, build, kb, month
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, lines, plain, severity_text
from engine.calendar import MonthPlan, MonthState


def month_lines(plan: MonthPlan, *, now_month: str = "") -> list[Content]:
    """The card's lines: month, kind, release, restart, what came out of band."""
    here = plan.month == now_month
    title: list[Part] = [(month(plan.month), STRONG)]
    if here:
        title.append(("  this month", "$key"))
    rows = [line(*title), _kind(plan)]
    if plan.kb is not None:
        rows.append(line(kb(plan.kb), (f"  {build(plan.build)}", MUTED)))
    else:
        rows.append(plain(f"Patch Tuesday {plan.patch_tuesday.day} {plan.patch_tuesday:%b}", MUTED))
    rows.append(_restart(plan))
    for release in plan.out_of_band:
        rows.append(
            line(
                (f"{release.released_at.day} {release.released_at:%b} ", MUTED),
                f"{release.name} ",
                cell(kind_cell(release.kind)),
            )
        )
    return rows


def _kind(plan: MonthPlan) -> Content:
    if plan.state is MonthState.PUBLISHED and plan.published is not None:
        shown = cell(kind_cell(plan.published))
        changed = plan.published is not plan.planned and not plan.published.is_hotpatch
        return line(shown, (f"  planned: {cell(kind_cell(plan.planned)).plain}", MUTED)) if changed else shown
    if plan.state is MonthState.BEFORE:
        return plain("before its first release", MUTED)
    if plan.state is MonthState.MISSING:
        return severity_text(Severity.UNKNOWN, f"{cell(kind_cell(plan.planned)).plain} planned, not in the catalog")
    return line((f"{cell(kind_cell(plan.planned)).plain}  forecast", MUTED))


def _restart(plan: MonthPlan) -> Content:
    if plan.state is MonthState.BEFORE:
        return plain("")
    if plan.restart:
        return severity_text(Severity.DUE, "restart" if plan.state is MonthState.PUBLISHED else "restart expected")
    return plain("no restart" if plan.state is MonthState.PUBLISHED else "no restart expected", MUTED)


class MonthCard(Widget):
    """A framed card; give it a plan."""

    DEFAULT_CSS = """
    MonthCard { height: auto; width: 1fr; border: round $rule; padding: 0 1; }
    MonthCard.-now { border: round $key; }
    """

    plan: reactive[MonthPlan | None] = reactive[MonthPlan | None](None, layout=True)
    now_month: reactive[str] = reactive("", layout=True)

    def watch_plan(self) -> None:
        self._mark_now()

    def watch_now_month(self) -> None:
        self._mark_now()

    def _mark_now(self) -> None:
        self.set_class(self.plan is not None and self.plan.month == self.now_month, "-now")

    def render(self) -> Content:
        return plain("") if self.plan is None else lines(month_lines(self.plan, now_month=self.now_month))
