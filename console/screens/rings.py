"""The rings of a release: how far each has come, what it waits for, its gate condition by condition, its rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct, field
from textual import on
from textual.containers import Container, Vertical
from textual.widget import Widget

from console.messages import CursorMoved, RowOpened
from console.screens.base import NARROW
from console.screens.rollout_verbs import RolloutVerbs, concerns, scope_text, stop_text
from console.text import kb as kb_name
from console.widgets.notice import Notice
from console.widgets.ring_list import ReleaseHead, RingHeader, RingList
from console.widgets.ring_plan import RingPlan
from console.widgets.ring_text import ring_text
from console.widgets.text_pane import TextPane
from engine.model.build import parse_kb
from engine.model.errors import EngineError
from engine.model.model import Approval, Ring
from engine.model.records.fleet import ReleaseRow, RingProgress, StateInfo

if TYPE_CHECKING:
    from engine import Engine
    from engine.model.records.rollout import RecoveryProgress
    from engine.store.rollout import StopRow


_SIDE_BY_SIDE = 157
"""Least width for the list and the details of a ring beside each other: neither gives up a column."""


class Rollout(Struct, frozen=True):
    """All that the screen shows, read at once so that it fits together."""

    releases: dict[int, tuple[ReleaseRow, ...]] = field(default_factory=dict)
    """The releases under way, the newest first."""
    progress: dict[int, tuple[RingProgress, ...]] = field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()
    stops: tuple[StopRow, ...] = ()
    recoveries: tuple[RecoveryProgress, ...] = ()
    """The latest first."""


def read_rollout(engine: Engine) -> Rollout:
    """Ask for the rings of every release that is under way."""
    progress: dict[int, list[RingProgress]] = {}
    for row in engine.reads.rollout.ring_progress():
        progress.setdefault(row.kb, []).append(row)
    found: dict[int, list[ReleaseRow]] = {}
    for release in engine.reads.releases.all():
        if release.release.kb in progress:
            found.setdefault(release.release.kb, []).append(release)
    newest = sorted(found, key=lambda kb: max(each.release.released_at for each in found[kb]), reverse=True)
    return Rollout(
        {kb: tuple(found[kb]) for kb in newest},
        {kb: tuple(rows) for kb, rows in progress.items()},
        engine.reads.rollout.approvals(),
        engine.reads.rollout.stops(),
        engine.reads.rollout.recoveries(),
    )


class RingsScreen(RolloutVerbs):
    """The rollout of one release over the rings; the releases under way one after the other."""

    NAME = "rings"
    HEADING = "Rings"
    HOME = "#rings"
    VERBS: ClassVar[tuple[str, ...]] = (
        *("approve", "pause", "halt", "withdraw", "recover", "rules", "next", "previous", "copy", "back"),
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny-width"), (NARROW, "-narrow"), (_SIDE_BY_SIDE, "-wide")]  # noqa: RUF012
    DEFAULT_CSS = """
    RingsScreen #body { height: 1fr; layout: vertical; }
    RingsScreen.-wide #body { layout: horizontal; }
    RingsScreen #rollout { height: auto; width: 1fr; min-width: 80; }
    RingsScreen.-wide #rollout { height: 100%; min-width: 81; max-width: 104; padding-right: 1; }
    RingsScreen #release { height: 2; width: 1fr; padding: 0 2; margin-bottom: 1; }
    RingsScreen.-short #release { margin-bottom: 0; }
    RingsScreen #rings { max-height: 12; }
    RingsScreen.-tall #rings { max-height: 24; }
    RingsScreen.-tall RingCard { margin-bottom: 1; }
    RingsScreen RingPlan { display: none; }
    RingsScreen.-wide.-tall RingPlan { display: block; }
    RingsScreen #ring { height: 1fr; border-top: solid $rule; }
    RingsScreen.-wide #ring { width: 1fr; min-width: 76; height: 100%; border-top: none; border-left: solid $rule; }
    RingsScreen Notice { display: none; }
    RingsScreen.-nothing #body { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown = Rollout()
        self._kb: int | None = None
        self._wanted_ring = ""

    def compose_body(self) -> Iterable[Widget]:
        with Container(id="body"):
            with Vertical(id="rollout"):
                yield ReleaseHead(id="release")
                yield RingHeader()
                yield RingList(id="rings")
                yield RingPlan()
            yield TextPane(id="ring")
        yield Notice(id="notice", markup=False)

    def on_mount(self) -> None:
        super().on_mount()
        self._show_notice(reading=True)

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        self.ask_steadily("rollout", read_rollout, self._show)

    def _show(self, rollout: Rollout) -> None:
        self._shown = rollout
        if self._kb not in rollout.releases:
            self._kb = next(iter(rollout.releases), None)
        self._show_notice()
        self._show_release()

    def _show_notice(self, *, reading: bool = False) -> None:
        notice = self.query_one(Notice)
        self.set_class(reading or self._kb is None, "-nothing")
        if reading:
            notice.reading("the rings")
        elif self._kb is None:
            notice.empty(
                "No release is known yet, so nothing is on its way through the rings.",
                "Bring the catalog up to date with: hotpatch catalog sync",
            )
        else:
            notice.hide()

    def read_failed(self, kind: str, error: EngineError) -> None:
        super().read_failed(kind, error)
        if kind == "rollout" and self._kb is None:
            self.query_one(Notice).failed(error)

    def info_read(self, info: StateInfo) -> None:
        super().info_read(info)
        if self._kb is not None and self.is_mounted:
            self.query_one(RingList).show_rows(self._rows, info.now)
            self._show_ring()

    # --- showing ------------------------------------------------------------------------------------

    @property
    def _rows(self) -> tuple[RingProgress, ...]:
        return self._shown.progress.get(self._kb, ()) if self._kb is not None else ()

    def _show_release(self) -> None:
        if self._kb is None:
            return
        rows = self._rows
        rings = self.query_one(RingList)
        self.query_one(RingHeader).row = rows[0] if rows else None
        rings.show_rows(rows, self.shell.present())
        if self._wanted_ring and rings.go_to_ring(self._wanted_ring):
            self._wanted_ring = ""
        kbs = list(self._shown.releases)
        head = self.query_one(ReleaseHead)
        head.rows, head.progress = self._shown.releases[self._kb], rows
        head.place = f"‹ {kbs.index(self._kb) + 1} of {len(kbs)} ›" if len(kbs) > 1 else ""
        plan = self.query_one(RingPlan)
        plan.rings = tuple(row.ring for row in rows)
        plan.released_at = min(each.release.released_at for each in self._shown.releases[self._kb])
        plan.now = self.shell.present().replace(minute=0, second=0, microsecond=0)
        self._show_ring()
        self.refresh_bindings()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_release)

    @on(CursorMoved)
    def _show_ring(self) -> None:
        rows, row = self._rows, self.query_one(RingList).cursor_row
        if row is None or self._kb is None:
            return
        self.trail(kb_name(self._kb), row.ring.name)
        now = self.shell.present()
        following = next((each.ring.name for each in rows if each.ring.position > row.ring.position), "")
        stops = [
            f"{scope_text(each.scope)}: {stop_text(each, now)}"
            for each in self._shown.stops
            if concerns(each.scope, self._kb, row.ring.name)
        ]
        recovery = next((each for each in self._shown.recoveries if each.kb == self._kb), None)
        content = ring_text(
            row, following, self._shown.approvals, stops, now, recovery=recovery, roomy=self.has_class("-tall")
        )
        self.query_one(TextPane).show((self._kb, row.ring.id), content)

    # --- verbs --------------------------------------------------------------------------------------

    def chosen_kb(self) -> int | None:
        return self._kb

    def is_hotpatch(self) -> bool:
        rows = self._shown.releases.get(self._kb, ()) if self._kb is not None else ()
        return bool(rows) and rows[0].release.kind.is_hotpatch

    def chosen_ring(self) -> Ring | None:
        found = self.query(RingList)  # the footer asks before there is one
        row = found.first().cursor_row if found else None
        return row.ring if row is not None else None

    def why_not(self, verb_id: str) -> str:
        if verb_id in ("next", "previous") and len(self._shown.releases) < 2:
            return "No other release is under way."
        return super().why_not(verb_id)

    def verb_next(self) -> None:
        self._step(1)

    def verb_previous(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        kbs = list(self._shown.releases)
        if self._kb is not None and kbs:
            self._kb = kbs[(kbs.index(self._kb) + by) % len(kbs)]
            self._show_release()

    def verb_copy(self) -> None:
        from console.clipboard import copy_text

        text = self.query_one(TextPane).plain
        if self._kb is not None and text:
            head = self.query_one(ReleaseHead).render().plain
            copy_text(self.app, f"{head}\n\n{text}\n", "the ring's standing")

    def verb_back(self) -> None:
        self.focus_home()

    @on(RowOpened)
    def _open(self, message: RowOpened) -> None:
        """The devices that the row counts: those of the ring on the platforms of the release."""
        platforms = [each.release.platform for each in self._shown.releases.get(message.row.kb, ())]
        self.shell.go("devices", devices_filter(message.row.ring.name, platforms))

    def arrive(self, filter_text: str) -> None:
        """A KB, the name of a ring, or both."""
        for word in filter_text.split():
            try:
                self._kb = parse_kb(word)
            except ValueError:
                self._wanted_ring = word
        if self._shown.releases:
            self._show(self._shown)


def devices_filter(ring: str, platforms: Iterable[str]) -> str:
    """The devices of a ring on these platforms, in the filter language."""
    quoted = '"' + ring.replace('"', '""') + '"'
    name = ring if ring.replace("-", "").replace("_", "").isalnum() else quoted
    names = ",".join(platforms)
    return f"ring:{name}" + (f" platform:{names}" if names else "")
