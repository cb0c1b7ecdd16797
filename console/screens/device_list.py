"""A list of devices on a screen: pages, filter line, order, columns, marks, and which devices a verb is for.

`DevicesScreen` adds one device in full to it. It holds the list's state and asks; the table holds the rows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict, replace
from textual import on, work

from console.columns import DEVICES
from console.dialogs.choose import Choice, ChooseDialog
from console.messages import MarksChanged, PageWanted, PositionWanted, SortWanted
from console.screens.device_verbs import DeviceVerbs
from console.text import count
from console.widgets.ask_line import AskLine, Completion
from console.widgets.fleet_table import FleetTable
from engine.model.errors import EngineError
from engine.model.intents import Target
from engine.model.records.fleet import Anchor, AnchorKind, DeviceQuery, DeviceRow

if TYPE_CHECKING:
    from engine import Engine

_HISTORY_KEPT = 30
_ORDERS = ("apply", "uninstall", "retry")
"""Verbs that order something on single devices; a tenant takes no orders."""
_EVERY_DEVICE = "name:*"


class ListState(Struct, frozen=True):
    """What the screen keeps over a restart."""

    filter: str = ""
    sort: str = "name"
    descending: bool = False
    pane: bool = False
    columns: tuple[str, ...] = ()
    history: tuple[str, ...] = ()


class DeviceList(DeviceVerbs):
    """A screen with a table of devices of the id ``devices`` and an `AskLine`."""

    def __init__(self) -> None:
        super().__init__()
        self._state = ListState()
        self._restored = False
        self._arriving = ""
        """Where somebody was led before the memory of this screen was read."""
        self._marked_under: set[str] = set()
        self._rings: tuple[str, ...] = ()

    def on_mount(self) -> None:  # in addition to that of the base class, which Textual calls by itself
        self.watch(self.table, "place", self._show_remark, init=False)

    @property
    def table(self) -> FleetTable[DeviceRow]:
        """The table."""
        return self.query_one("#devices", FleetTable)

    @property
    def query_now(self) -> DeviceQuery:
        """Which devices in which order."""
        return DeviceQuery(self._state.filter, self._state.sort, self._state.descending)

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        if not self._restored:
            self.recall(self._restore)
            return
        self.table.reload()
        self._ask_total()

    def _restore(self, kept: dict[str, Any]) -> None:
        self._restored = True
        known = {key: kept[key] for key in ListState.__struct_fields__ if key in kept}
        for key in ("columns", "history"):
            known[key] = tuple(str(each) for each in known.get(key, ()))
        self._state = replace(ListState(), **known)
        table = self.table
        table.set_reactive(FleetTable.sort, self._state.sort)
        table.set_reactive(FleetTable.descending, self._state.descending)
        table.chosen = self._state.columns
        self.ask("rings", lambda engine: tuple(row.ring.name for row in engine.reads.rollout.rings()), self._keep_rings)
        self._list_changed()
        if self._arriving:
            self.arrive(self._arriving)

    def _keep_rings(self, names: tuple[str, ...]) -> None:
        self._rings = names

    def _list_changed(self) -> None:
        """Another filter: from the top."""
        self.table.empty_words = (
            ("No device matches.", "Change the filter with /, or take it away with esc.")
            if self._state.filter
            else ("There are no devices yet.", "Bring some in with: hotpatch import FILE")
        )
        self.table.restart()
        self._ask_total()
        self._show_trail()

    def _ask_total(self) -> None:
        query = self.query_now
        self.ask("total", lambda engine: engine.reads.devices.total(query), self.table.show_total, slow=True)

    @on(PageWanted)
    def _ask_page(self, message: PageWanted) -> None:
        query, stretches, serial = self.query_now, message.stretches, message.serial

        def read(engine: Engine) -> list[tuple[tuple[DeviceRow, ...], int]]:
            pages = [engine.reads.devices.page(query, each.anchor, each.limit) for each in stretches]
            return [(page.rows, page.first) for page in pages]

        self.ask("page", read, partial(self.table.show_pages, serial))

    @on(PositionWanted)
    def _ask_position(self, message: PositionWanted) -> None:
        query, serial, row_id = self.query_now, message.serial, message.row_id
        if row_id is not None:
            self.ask(
                "position",
                lambda engine: engine.reads.devices.position(query, row_id),
                partial(self.table.show_position, serial),
                slow=True,
            )

    def read_failed(self, kind: str, error: EngineError) -> None:
        if kind == "page":
            self.table.show_failure(0, error)
        else:
            super().read_failed(kind, error)

    # --- title line ---------------------------------------------------------------------------------

    def _show_trail(self) -> None:
        """Where one is, in the title line."""
        self.trail(self._state.filter)

    def _show_remark(self) -> None:
        marks, place = self.table.marks, self.table.place
        devices = f"{place} {'device' if self.table.total == 1 else 'devices'}" if place else ""
        marked = "all marked" if marks.everything else f"{count(len(marks.ids))} marked" if marks.ids else ""
        self.status.remark = ", ".join(part for part in (devices, marked) if part)

    # --- filter and find ----------------------------------------------------------------------------

    def verb_filter(self) -> None:
        self.query_one(AskLine).open(
            "filter",
            "/",
            self._state.filter,
            suggest=self._suggest,
            history=self._state.history,
            hint="ring:fast -ready   state:failed   seen>14d   enter keeps it, esc leaves it",
        )

    @work(exclusive=True, group="dialog")
    async def verb_views(self) -> None:
        from engine.model.filters import VIEWS

        choices = [Choice(view.filter, view.title, view.filter) for view in VIEWS]
        choices += [Choice(text, name, text) for name, text in self.shell.settings.views.items()]
        text = await self.app.push_screen_wait(ChooseDialog("Which devices?", choices))
        if text is not None:
            self.arrive(text)

    def verb_find(self) -> None:
        if self._state.sort != "name" or self._state.descending:
            self.table.order_by("name")
        self.query_one(AskLine).open("find", "name", hint="Type the beginning of a name. enter stays there.")

    def _suggest(self, text: str) -> list[Completion]:
        from engine.model.filters import suggest

        return [
            Completion(text[: each.start] + each.insert + text[each.end :], each.insert, each.help)
            for each in suggest(text, len(text), {"ring": self._rings})
        ]

    @on(AskLine.Typed)
    def _typed(self, message: AskLine.Typed) -> None:
        if message.purpose == "find":
            if message.text:
                self.table.jump(message.text)
            return
        wrong = filter_mistake(message.text)
        self.query_one(AskLine).say_wrong(wrong)
        if not wrong:
            self._filter(message.text)

    @on(AskLine.Entered)
    def _entered(self, message: AskLine.Entered) -> None:
        line = self.query_one(AskLine)
        if message.purpose == "filter":
            wrong = filter_mistake(message.text)
            if wrong:
                line.say_wrong(wrong)
                return
            self._filter(message.text)
            self._note_in_history(message.text)
        line.close()
        self.focus_home()

    @on(AskLine.Left)
    def _left(self, message: AskLine.Left) -> None:
        if message.purpose == "filter":
            self._filter(message.text)
        self.focus_home()

    def _filter(self, text: str) -> None:
        text = " ".join(text.split())
        if text == self._state.filter:
            return
        self._state = replace(self._state, filter=text)
        if self.table.marks.everything:
            self.table.clear_marks()
        self._list_changed()

    def _note_in_history(self, text: str) -> None:
        if text:
            others = tuple(each for each in self._state.history if each != text)
            self._state = replace(self._state, history=(*others, text)[-_HISTORY_KEPT:])
        self._keep()

    def _keep(self) -> None:
        self.remember(asdict(self._state))

    # --- order, columns, marks ----------------------------------------------------------------------

    @on(SortWanted)
    def _sort(self, message: SortWanted) -> None:
        self._state = replace(self._state, sort=message.sort, descending=message.descending)
        self._keep()

    @on(MarksChanged)
    def _marked(self) -> None:
        if self.table.marks.ids:
            self._marked_under.add(self._state.filter)
        else:
            self._marked_under.clear()
        self._show_remark()

    def verb_mark_all(self) -> None:
        self.table.mark_everything()

    @work(exclusive=True, group="dialog")
    async def verb_columns(self) -> None:
        from console.dialogs.columns import ColumnsDialog

        shown = [placed.column.id for placed in self.table.placed]
        chosen = await self.app.push_screen_wait(ColumnsDialog([(each.id, each.title) for each in DEVICES], shown))
        if chosen is not None:
            self._state = replace(self._state, columns=chosen)
            self.table.chosen = chosen
            self._keep()

    # --- what verbs are for -------------------------------------------------------------------------

    def why_not(self, verb_id: str) -> str:
        reason = super().why_not(verb_id)
        if reason or verb_id not in ("apply", "uninstall", "retry", "assign", "copy", "copy_row"):
            return reason
        if self.table.cursor_row is None and not self.table.marks:
            return "There is no device here."
        return self._why_not_by_tenant(verb_id)

    def _why_not_by_tenant(self, verb_id: str) -> str:
        """Why the tenant that leads the device under the cursor rules a verb out; of marked ones the plan tells."""
        row = self.table.cursor_row
        if self.table.marks or row is None or not row.tenant or verb_id not in _ORDERS:
            return ""
        tenants = self.shell.info.tenants if self.shell.info is not None else ()
        note = next((each.note for each in tenants if each.provider == row.tenant), "")
        return f"{row.tenant} leads this device by policy. {note}".strip()

    async def chosen(self) -> Target | None:
        marks, row = self.table.marks, self.table.cursor_row
        if marks.everything:
            return Target(filter=self._state.filter or _EVERY_DEVICE)
        ids = tuple(each for each in sorted(marks.ids, key=str) if isinstance(each, int))
        if ids and self._marked_under - {self._state.filter}:
            return await self._settle_marks(ids)
        if ids:
            return Target(ids=ids)
        return Target(ids=(row.id,)) if row is not None else None

    async def _settle_marks(self, ids: tuple[int, ...]) -> Target | None:
        """Some marks were made under another filter: those that are not shown are meant only when one says so."""
        query = self.query_now

        def matching(engine: Engine) -> tuple[int, ...]:
            page = engine.reads.devices.page
            found = ((each, page(query, Anchor(AnchorKind.AT, each), 1).rows) for each in ids)
            return tuple(each for each, rows in found if rows and rows[0].id == each)

        try:
            shown = await self.shell.background.fetch(matching, slow=True)
        except EngineError as error:
            self.shell.say_error(error)
            return None
        if len(shown) == len(ids):
            return Target(ids=ids)
        hidden = len(ids) - len(shown)
        choices = [Choice(shown, f"the {count(len(shown))} that the filter shows")] if shown else []
        choices.append(Choice(ids, f"all {count(len(ids))}", f"{count(hidden)} of them are not shown"))
        title = f"{count(len(ids))} are marked, {count(hidden)} of them are not shown. Which are meant?"
        meant = await self.app.push_screen_wait(ChooseDialog(title, choices))
        return None if meant is None else Target(ids=meant)


def filter_mistake(text: str) -> str:
    """What is wrong with a filter, "" when nothing is."""
    from engine.model.filters import parse

    try:
        parse(text)
    except EngineError as error:
        return str(error)
    return ""
