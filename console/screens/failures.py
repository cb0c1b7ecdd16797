"""Failed installs by cause and code, down to devices: what they share, what to do, and trying again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.containers import Container
from textual.widget import Widget

from console.clipboard import copy_text
from console.columns import FAILED_DEVICES, FAILURE_TREE, FAILURES, FailureLine, failure_lines
from console.dialogs.ask import AskDialog
from console.export import write_list
from console.failure_reads import Failed, read_failed_installs
from console.messages import CursorMoved, MarksChanged, RowOpened
from console.screens.failure_verbs import FailureVerbs
from console.screens.filter_line import FilterLine, filter_mistake
from console.screens.steady import SteadyScreen
from console.text import count, error_code, plural
from console.widgets.ask_line import AskLine
from console.widgets.detail_panes import DetailPanes
from console.widgets.failure_text import install_text, line_text
from console.widgets.runbook_text import runbook_text
from console.widgets.small_table import SmallTable
from engine.model.errors import EngineError
from engine.model.intents import Target
from engine.model.records.fleet import FailureRow, StateInfo


class FailuresScreen(FailureVerbs, FilterLine, SteadyScreen):
    """Causes and codes; below a code its devices."""

    NAME = "failures"
    HEADING = "Failures"
    HOME = "#tree"
    VERBS: ClassVar[tuple[str, ...]] = (
        *("retry", "exclude", "escalate", "known_problem", "recover"),
        *("filter", "copy", "mark_all", "pane", "export", "copy_row", "reconcile", "back"),
    )
    FILTER_HINT = "ring:broad   model:latitude   error:0x800F0922   enter keeps it, esc leaves it"
    DEFAULT_CSS = """
    FailuresScreen #body { height: 1fr; layout: vertical; }
    FailuresScreen #installs, FailuresScreen.-inside #tree { display: none; }
    FailuresScreen.-inside #installs { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._failed: Failed | None = None
        self._inside: FailureLine | None = None
        """The line whose devices are shown; None for the tree."""
        self._restored = False

    def compose_body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield SmallTable(FAILURE_TREE, lambda line: line.key, noun="failed installs", id="tree")
            yield SmallTable(FAILED_DEVICES, lambda row: row.install_id, noun="failed installs", id="installs")
            yield DetailPanes(id="failure")
        yield AskLine()

    @property
    def causes(self) -> SmallTable[FailureLine]:
        """Causes and codes."""
        return self.query_one("#tree", SmallTable)

    @property
    def installs(self) -> SmallTable[FailureRow]:
        """The failed installs of one line of the tree."""
        return self.query_one("#installs", SmallTable)

    @property
    def table(self) -> SmallTable[Any]:
        """The list that is shown."""
        return self.causes if self._inside is None else self.installs

    @property
    def panes(self) -> DetailPanes:
        """The details."""
        return self.query_one(DetailPanes)

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        if not self._restored:
            self.recall(self._restore)
            return
        text = self.filter
        self.ask_steadily("failed", lambda engine: read_failed_installs(engine, text), self._show)

    def _restore(self, kept: dict[str, Any]) -> None:
        if not self._restored:
            self._restored = True
            kept_filter = str(kept.get("filter", ""))
            self.filter = "" if filter_mistake(kept_filter) else kept_filter
        self.load()

    def _show(self, failed: Failed) -> None:
        self._failed = failed
        self.causes.empty_words = self._empty_words()
        self.causes.show_rows(failure_lines(failed.views))
        if self._inside is not None:
            self._show_installs(failed)
        self._show_details()
        self.refresh_bindings()

    def _empty_words(self) -> tuple[str, str]:
        if self.filter:
            return ("No failed install matches.", "Change the filter with /, or take it away with esc.")
        return ("No install has failed. Nothing to do here.", "What fails shows up by itself, grouped by its cause.")

    def _show_installs(self, failed: Failed) -> None:
        """The installs of the line one is in; without any left, back to the tree."""
        assert self._inside is not None
        now_there = next((line for line in failure_lines(failed.views) if line.key == self._inside.key), None)
        if now_there is None:
            self.shell.say(f"Nothing is left of {name_of(self._inside)}.")
            self._leave()
            return
        self._inside = now_there
        wanted = now_there.install_ids
        self.installs.show_rows([row for row in failed.rows if row.install_id in wanted])

    def read_failed(self, kind: str, error: EngineError) -> None:
        super().read_failed(kind, error)
        if kind == "failed" and self._failed is None:
            self.causes.show_error(error)

    def info_read(self, info: StateInfo) -> None:
        super().info_read(info)
        if self._failed is not None and self.is_mounted:
            self._show_details()

    # --- into and back ------------------------------------------------------------------------------

    @on(RowOpened)
    def _open(self, message: RowOpened) -> None:
        if isinstance(message.row, FailureLine):
            self._enter(message.row)
        elif isinstance(message.row, FailureRow):
            self.shell.go("devices", f"#{message.row.device_id}")

    def _enter(self, line: FailureLine) -> None:
        self._inside = line
        self.add_class("-inside")
        self.installs.clear_marks()
        self.installs.restart()
        if self._failed is not None:
            self._show_installs(self._failed)
        self.focus_home()
        self._show_details()

    def _leave(self) -> None:
        self._inside = None
        self.remove_class("-inside")
        self.focus_home()
        self._show_details()

    def focus_home(self) -> None:
        self.table.focus()

    def verb_back(self) -> None:
        """The nearest thing first: the details, marks, the devices of a line, the filter."""
        if self.has_class("-reading") or self.focused is not self.table:
            self._read(False)
        elif self.table.marks:
            self.table.clear_marks()
        elif self._inside is not None:
            self._leave()
        elif self.filter:
            self.take_filter_away()

    # --- details ------------------------------------------------------------------------------------

    @on(CursorMoved)
    def _cursor_moved(self) -> None:
        self._show_details()

    def _show_details(self) -> None:
        self._show_trail()
        row, now = self.table.cursor_row, self.shell.present()
        if row is None or self._failed is None:
            self.panes.display = self._failed is None
            return
        self.panes.display = True
        if isinstance(row, FailureLine):
            again = {device_id for device_id, _ in self._failed.under_way} & row.device_ids
            cause, key, facts = row.cause.value, row.key, line_text(row, now, len(again))
        else:
            from engine.rules.failures import retry_decision
            from engine.rules.failures.errorcodes import explain

            knowledge = explain(row.error_code)
            decision = retry_decision(row.error_code, row.attempt, row.failed_at, now, repaired=True)
            again_now = self._failed.under_way.get((row.device_id, row.kb))
            facts = install_text(row, knowledge, decision, now, again_now)
            cause, key = knowledge.cause.value, str(row.install_id)
        book = self._failed.runbooks.get(cause)
        self.panes.show(key, facts, runbook_text(book) if book is not None else ())

    def _show_trail(self) -> None:
        crumbs = [self.filter]
        if self._inside is not None:
            crumbs.append(self._inside.cause.label)
            if not self._inside.is_cause:
                crumbs.append(error_code(self._inside.group.code))
            row = self.installs.cursor_row
            if row is not None and self.has_class("-reading"):
                crumbs.append(row.device_name)
        self.trail(*crumbs)
        marks = self.table.marks
        failed = len({row.device_id for row in self._failed.rows}) if self._failed is not None else 0
        if marks.everything:
            self.status.remark = "all marked"
        elif marks.ids:
            self.status.remark = f"{count(len(marks.ids))} marked"
        else:
            self.status.remark = plural(failed, "device") if failed and self._inside is None else ""

    @on(MarksChanged)
    def _marked(self) -> None:
        self._show_trail()

    def verb_pane(self) -> None:
        self._read(not self.has_class("-reading"))

    def _read(self, reading: bool) -> None:
        """Give the details the whole screen, or give the list its place back."""
        self.set_class(reading, "-reading")
        if reading:
            self.panes.read()
        else:
            self.focus_home()
        self._show_trail()

    # --- filter -------------------------------------------------------------------------------------

    def verb_filter(self) -> None:
        self._read(False)
        super().verb_filter()

    def known_rings(self) -> tuple[str, ...]:
        return self._failed.known_rings if self._failed is not None else ()

    def filter_changed(self) -> None:
        self.load()

    def arrive(self, filter_text: str) -> None:
        """A filter of devices."""
        if not filter_mistake(filter_text):
            self._restored = True
            self.filter = " ".join(filter_text.split()) if filter_text.strip() != "state:failed" else ""
            self._inside = None
            self._read(False)
            self._leave()
            self.load()

    # --- verbs --------------------------------------------------------------------------------------

    def why_not(self, verb_id: str) -> str:
        reason = super().why_not(verb_id)
        if reason or verb_id in ("filter", "back") or verb_id not in self.VERBS:
            return reason
        return "" if self._failed is not None and self._failed.rows else "No install has failed."

    def verb_mark_all(self) -> None:
        self.table.mark_everything()

    def _chosen_lines(self) -> tuple[FailureLine, ...]:
        """The marked lines of the tree, else the one that the cursor stands on or one is in."""
        if self._inside is not None:
            return (self._inside,)
        lines = failure_lines(self._failed.views) if self._failed is not None else ()
        if self.causes.marks:
            return tuple(line for line in lines if line.key in self.causes.marks)
        row = self.causes.cursor_row
        return (row,) if row is not None else ()

    def chosen_installs(self) -> tuple[FailureRow, ...]:
        """The installs that a verb is for."""
        if self._failed is None:
            return ()
        if self._inside is not None and not self.installs.marks.everything:
            row = self.installs.cursor_row
            if self.installs.marks:
                return tuple(each for each in self._failed.rows if each.install_id in self.installs.marks)
            return (row,) if row is not None else ()
        wanted = frozenset[int]().union(*(line.install_ids for line in self._chosen_lines()))
        return tuple(each for each in self._failed.rows if each.install_id in wanted)

    async def chosen(self) -> Target | None:
        if self._inside is not None and not self.installs.marks.everything:
            ids = tuple(sorted({row.device_id for row in self.chosen_installs()}))
            return Target(ids=ids) if ids else None
        codes = sorted({code for line in self._chosen_lines() for code in line.codes})
        if not codes:
            return None
        named = "error:" + ",".join(error_code(code) for code in codes)
        return Target(filter=f"{self.filter} {named}".strip())

    def chosen_kb(self) -> int | None:
        kbs = {row.kb for row in self.chosen_installs()}
        return kbs.pop() if len(kbs) == 1 else None

    def verb_copy(self) -> None:
        """What is shown about the line under the cursor; of an install its ticket."""
        row = self.table.cursor_row
        if isinstance(row, FailureRow):
            self._copy_ticket(row)
        elif isinstance(row, FailureLine):
            copy_text(self.app, self.panes.plain + "\n", f"what is known of {name_of(row)}")

    @work(exclusive=True, group="ticket")
    async def _copy_ticket(self, row: FailureRow) -> None:
        try:
            ticket = await self.shell.background.fetch(lambda engine: engine.reads.devices.ticket(row.device_id))
        except EngineError as error:
            self.shell.say_error(error)
        else:
            copy_text(self.app, ticket.text(), f"the ticket of {row.device_name}")

    def verb_copy_row(self) -> None:
        row = self.table.cursor_row
        if row is None:
            return
        now = self.shell.present()
        record = {column.id: column.cell(row, now).text for column in self.table.columns}
        copy_text(self.app, json.dumps(record), "the row")

    @work(exclusive=True, group="dialog")
    async def verb_export(self) -> None:
        """Write the failed installs that a verb would be for: the marked ones, or all of what is shown."""
        if self._failed is None:
            return
        now = self.shell.present()
        rows = self.chosen_installs() if self.table.marks else self.installs_shown()
        name = await self.app.push_screen_wait(
            AskDialog(
                "Export the failed installs",
                "File, its name ending in .csv or .json:",
                value=f"failures-{now:%Y-%m-%d}.csv",
                hint=f"{plural(len(rows), 'failed install')}, with their codes and devices",
            )
        )
        if name is None:
            return
        path = Path(name).expanduser()
        try:
            written = await self.shell.background.fetch(
                lambda engine: write_list(path, FAILURES, rows, now, state=Path(engine.info().path)), slow=True
            )
        except EngineError as error:
            self.shell.say_error(error)
        else:
            self.shell.say(f"Wrote {plural(written, 'failed install')} to {path.name}.")

    def installs_shown(self) -> tuple[FailureRow, ...]:
        """All failed installs under the filter, or those of the line one is in."""
        if self._failed is None:
            return ()
        if self._inside is None:
            return self._failed.rows
        wanted = self._inside.install_ids
        return tuple(row for row in self._failed.rows if row.install_id in wanted)


def name_of(line: FailureLine) -> str:
    """``Component store``, ``0x800F0922``."""
    return line.cause.label if line.is_cause else error_code(line.group.code)
