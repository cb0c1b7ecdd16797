"""Every device: the list, and one device in full beside it on wide terminals or below it on narrow ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual import on, work
from textual.containers import Container
from textual.timer import Timer
from textual.widget import Widget

from console.clipboard import copy_text
from console.columns import DEVICES
from console.device_reads import DeviceReport, read_device
from console.dialogs.ask import AskDialog
from console.export import write_list
from console.messages import CursorMoved, RowOpened
from console.screens.device_list import DeviceList, filter_mistake
from console.text import clean, plural
from console.widgets.ask_line import AskLine
from console.widgets.device_text import device_paras
from console.widgets.fleet_table import FleetTable
from console.widgets.text_pane import TextPane
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from engine.model.model import Cve

_PANE_PATIENCE = 0.12
"""Seconds the cursor must rest before the pane follows, so that a held key does not redraw it at each row."""


class DevicesScreen(DeviceList):
    """The devices of the fleet."""

    NAME = "devices"
    HEADING = "Devices"
    HOME = "#devices"
    VERBS: ClassVar[tuple[str, ...]] = (
        *("filter", "views", "find", "apply", "uninstall", "retry", "assign", "mark_all", "pane"),
        *("columns", "export", "copy", "copy_row", "back"),
    )
    DEFAULT_CSS = """
    DevicesScreen #body { height: 1fr; }
    DevicesScreen #body { layout: vertical; }
    DevicesScreen.-wide #body { layout: horizontal; }
    DevicesScreen #pane { display: none; }
    DevicesScreen.-pane #pane { display: block; }
    DevicesScreen #pane { height: 60%; width: 100%; border-top: solid $rule; }
    DevicesScreen.-wide #pane { height: 100%; width: 64; border-top: none; border-left: solid $rule; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._cves: tuple[Cve, ...] | None = None
        self._cves_of: tuple[object, ...] = ()
        self._pane_timer: Timer | None = None
        self._tenant = ""
        """The tenant that leads the device under the cursor."""

    def compose_body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield FleetTable(DEVICES, lambda row: row.id, sort="name", noun="devices", id="devices")
            yield TextPane(id="pane")
        yield AskLine()

    @property
    def pane(self) -> TextPane:
        """Where one device is shown in full."""
        return self.query_one("#pane", TextPane)

    def load(self) -> None:
        super().load()
        if self._state.pane:
            self._ask_device()

    def _restore(self, kept: dict[str, Any]) -> None:
        super()._restore(kept)
        self.set_class(self._state.pane, "-pane")

    def read_failed(self, kind: str, error: EngineError) -> None:
        if kind == "device":
            self.pane.say(str(error))
        else:
            super().read_failed(kind, error)

    def _show_trail(self) -> None:
        row = self.table.cursor_row
        self.trail(self._state.filter, row.name if self._state.pane and row is not None else "")

    # --- the pane -----------------------------------------------------------------------------------

    @on(CursorMoved)
    def _follow(self) -> None:
        self._mind_tenant()
        if not self._state.pane:
            return
        self._show_trail()
        if self._pane_timer is None:
            self.shell.background.hold()
        else:
            self._pane_timer.stop()
        self._pane_timer = self.set_timer(_PANE_PATIENCE, self._rested)

    def _mind_tenant(self) -> None:
        """Whether a tenant leads the device decides which verbs can be used."""
        row = self.table.cursor_row
        tenant = row.tenant if row is not None else ""
        if tenant != self._tenant:
            self._tenant = tenant
            self.refresh_bindings()

    def _rested(self) -> None:
        self._pane_timer = None
        self._ask_device()
        self.shell.background.release()

    def _ask_device(self) -> None:
        row = self.table.cursor_row
        if row is None:
            self.pane.say("No device under the cursor.")
            return
        device_id = row.id
        self.ask("device", lambda engine: read_device(engine, device_id), self._show_device)

    def _show_device(self, report: DeviceReport) -> None:
        detail = report.detail
        key = (detail.id, detail.facts.build, detail.installs, report.levels)
        if key != self._cves_of:
            self._cves, self._cves_of = None, key
            self.ask(
                "cves",
                lambda engine: engine.reads.devices.open_cves(detail.id),
                partial(self._keep_cves, report),
                slow=True,
            )
        self.pane.show(detail.id, device_paras(report, self._cves))

    def _keep_cves(self, report: DeviceReport, cves: tuple[Cve, ...]) -> None:
        self._cves = cves
        self.pane.show(report.detail.id, device_paras(report, cves))

    def _set_pane(self, shown: bool) -> None:
        self._state = replace(self._state, pane=shown)
        self.set_class(shown, "-pane")
        if shown:
            self._ask_device()
        else:
            self.focus_home()
        self._show_trail()
        self._keep()

    def verb_pane(self) -> None:
        self._set_pane(not self._state.pane)

    @on(RowOpened)
    def _open(self) -> None:
        if self._state.pane:
            self.pane.focus()
        else:
            self._set_pane(True)

    # --- arriving and going back --------------------------------------------------------------------

    def arrive(self, filter_text: str) -> None:
        """A filter, or ``#`` and a device's id."""
        if not self._restored:
            self._arriving = filter_text
        elif filter_text.startswith("#") and filter_text[1:].isdigit():
            self._arrive_at(int(filter_text[1:]))
        elif not filter_mistake(filter_text):
            self._filter(filter_text)
            self._note_in_history(filter_text)

    def _arrive_at(self, device_id: int) -> None:
        self._state = replace(self._state, filter="", pane=True)
        self.set_class(True, "-pane")
        self._ask_total()
        self.table.go_to(device_id)
        self._show_trail()

    def verb_back(self) -> None:
        """The nearest thing first: the pane's focus, a range, marks, the pane, the filter."""
        table = self.table
        if self.focused is not table:
            self.focus_home()
        elif table.marks:
            table.clear_marks()
        elif self._state.pane:
            self._set_pane(False)
        elif self._state.filter:
            self._filter("")
            self._keep()

    # --- taking away --------------------------------------------------------------------------------

    def verb_copy(self) -> None:
        """The name under the cursor; beside the pane its ticket."""
        if (row := self.table.cursor_row) is None:
            return
        if self._state.pane:
            self._copy_ticket(row.id, clean(row.name))
        else:
            copy_text(self.app, clean(row.name), row.name)

    @work(exclusive=True, group="ticket")
    async def _copy_ticket(self, device_id: int, name: str) -> None:
        try:
            ticket = await self.shell.background.fetch(lambda engine: engine.reads.devices.ticket(device_id))
        except EngineError as error:
            self.shell.say_error(error)
        else:
            copy_text(self.app, ticket.text(), f"the ticket of {name}")

    def verb_copy_row(self) -> None:
        if (row := self.table.cursor_row) is not None:
            now = self.shell.present()
            record = {column.id: column.cell(row, now).text for column in DEVICES}
            copy_text(self.app, json.dumps(record), f"the row of {row.name}")

    @work(exclusive=True, group="dialog")
    async def verb_export(self) -> None:
        now = self.shell.present()
        name = await self.app.push_screen_wait(
            AskDialog(
                "Export the list",
                "File, its name ending in .csv or .json:",
                value=f"devices-{now:%Y-%m-%d}.csv",
                hint=f"With the filter and order of the screen: {self._state.filter or 'every device'}",
            )
        )
        if name is None:
            return
        path, query, columns = Path(name).expanduser(), self.query_now, DEVICES
        try:
            rows = await self.shell.background.fetch(
                lambda engine: write_list(
                    path, columns, engine.reads.devices.each(query), now, state=Path(engine.info().path)
                ),
                slow=True,
            )
        except EngineError as error:
            self.shell.say_error(error)
        else:
            self.shell.say(f"Wrote {plural(rows, 'device')} to {path.name}.")
