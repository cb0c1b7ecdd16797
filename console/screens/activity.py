"""What goes on and what was decided: installs under way, live, and the audit trail with each record in full.

It asks and lays out; `activity_filter` decides what matches, `activity_text` draws a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on, work
from textual.containers import Container, Vertical
from textual.widget import Widget

from console import activity_filter
from console.activity_reads import SCANNED, Activity, read_activity
from console.clipboard import copy_text
from console.columns import ACTIVE, AUDIT
from console.dialogs.ask import AskDialog
from console.export import write_list
from console.messages import CursorMoved, RowOpened
from console.screens.steady import SteadyScreen
from console.text import clean, count, plural
from console.widgets.activity_text import audit_record, audit_text, command_of, install_text
from console.widgets.ask_line import AskLine, Completion
from console.widgets.feed_table import FeedTable
from console.widgets.section import SectionTitle
from console.widgets.text_pane import TextPane
from engine.model.errors import EngineError
from engine.model.records.fleet import ActiveInstall, AuditRow, StateInfo

if TYPE_CHECKING:
    from engine import Engine

_AUDIT_STEP = 200


class ActivityScreen(SteadyScreen):
    """Key 7."""

    NAME = "activity"
    HEADING = "Activity"
    HOME = "#audit"
    VERBS: ClassVar[tuple[str, ...]] = (
        *("filter", "pane", "export", "copy", "copy_row", "next_part", "previous_part", "back"),
    )
    DEFAULT_CSS = """
    /* two lists, a record beside them; on a narrow screen a record takes the place of the other list */
    ActivityScreen #body { height: 1fr; layout: vertical; }
    ActivityScreen #lists { height: 1fr; width: 1fr; }
    ActivityScreen #active { height: 38%; }
    ActivityScreen.-short #active { height: 7; }
    ActivityScreen #audit { height: 1fr; }
    ActivityScreen #active-title, ActivityScreen #audit-title { padding: 0 1 0 0; }
    ActivityScreen.-tall #audit-title { margin-top: 1; }
    ActivityScreen TextPane { display: none; }
    ActivityScreen.-pane TextPane { display: block; width: 100%; height: 58%; border-top: solid $rule; }
    ActivityScreen.-pane.-narrow #active, ActivityScreen.-pane.-narrow #active-title { display: none; }
    ActivityScreen.-pane.-narrow.-active #active, ActivityScreen.-pane.-narrow.-active #active-title { display: block; }
    ActivityScreen.-pane.-narrow.-active #active { height: 1fr; }
    ActivityScreen.-pane.-narrow.-active #audit, ActivityScreen.-pane.-narrow.-active #audit-title { display: none; }
    ActivityScreen.-wide #body { layout: horizontal; }
    ActivityScreen.-wide.-pane TextPane { width: 62; height: 100%; border-top: none; border-left: solid $rule; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self._records_wanted = _AUDIT_STEP
        self._found: Activity | None = None
        self._has_pane = False
        self._part = "audit"
        self._arrive_at: int | None = None
        self._restored = False

    def compose_body(self) -> Iterable[Widget]:
        with Container(id="body"):
            with Vertical(id="lists"):
                yield SectionTitle("Under way", id="active-title")
                yield FeedTable(ACTIVE, lambda row: row.install_id, noun="installs under way", id="active")
                yield SectionTitle("Audit", id="audit-title")
                yield FeedTable(AUDIT, lambda row: row.seq, noun="decisions", id="audit")
            yield TextPane(id="pane")
        yield AskLine()

    @property
    def active(self) -> FeedTable[ActiveInstall]:
        """Installs under way."""
        return self.query_one("#active", FeedTable)

    @property
    def audit(self) -> FeedTable[AuditRow]:
        """The audit trail."""
        return self.query_one("#audit", FeedTable)

    @property
    def _table(self) -> FeedTable[Any]:
        """The list that has the keys, or had them last."""
        return self.active if self._part == "active" else self.audit

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        if not self._restored:
            self.recall(self._restore)
            return
        filter_text, wanted = self._filter, self._records_wanted
        self.ask_steadily("activity", lambda engine: read_activity(engine, filter_text, wanted), self._keep)

    def _restore(self, kept: dict[str, Any]) -> None:
        if not self._restored:
            self._restored = True
            if not filter_mistake(str(kept.get("filter", ""))):
                self._filter = str(kept.get("filter", ""))
            self._set_pane(kept.get("pane") is True)
        self.load()

    def _keep(self, found: Activity) -> None:
        self._found = found
        with self.app.batch_update():
            self._say_when_empty()
            self.active.show_rows(found.active)
            self.audit.show_rows(found.audit)
            self._show_remarks(found)
            self._go_to_wanted(found)
            self._show_pane()

    def _say_when_empty(self) -> None:
        if self._filter:
            wider = "Change the filter with /, or take it away with esc."
            self.active.empty_words = ("No install under way matches.", "")
            self.audit.empty_words = ("No decision matches.", wider)
        else:
            self.active.empty_words = ("Nothing is under way.", "Approve a release with 6, or apply one with 2.")
            self.audit.empty_words = ("Nothing was decided yet.", "What you or the engine decide stands here.")

    def _show_remarks(self, found: Activity) -> None:
        more = "first " if found.has_more_active else ""
        self.query_one("#active-title", SectionTitle).remark = more + count(len(found.active)) if found.active else ""
        newest = "newest " if found.has_more_audit else ""
        self.query_one("#audit-title", SectionTitle).remark = newest + count(len(found.audit)) if found.audit else ""
        self.trail(self._filter)

    def read_failed(self, kind: str, error: EngineError) -> None:
        super().read_failed(kind, error)
        if kind == "memory":
            self._restore({})
        elif kind == "activity" and self._found is None:
            self.active.show_error(error)
            self.audit.show_error(error)

    def info_read(self, info: StateInfo) -> None:
        super().info_read(info)
        if self._found is not None and self._found.active:
            self.active.reload()

    # --- the pane -----------------------------------------------------------------------------------

    def _set_pane(self, shown: bool) -> None:
        self._has_pane = shown
        self.set_class(shown, "-pane")
        self._show_pane()

    def _show_pane(self) -> None:
        if not self._has_pane:
            return
        pane, row = self.query_one(TextPane), self._table.cursor_row
        if isinstance(row, AuditRow):
            pane.show(("audit", row.seq), audit_text(row))
        elif isinstance(row, ActiveInstall):
            pane.show(("install", row.install_id), install_text(row, self.shell.present()))
        else:
            pane.say("There is nothing under the cursor.")

    @on(CursorMoved)
    def _follow(self, message: CursorMoved) -> None:
        self._show_pane()
        found, table = self._found, self.audit
        if message.table is not table or found is None or not found.has_more_audit or message.row is None:
            return
        rows = found.audit
        if (
            rows
            and len(rows) >= self._records_wanted
            and message.row.seq <= rows[-min(len(rows), _AUDIT_STEP // 2)].seq
        ):
            self._records_wanted += _AUDIT_STEP
            self.load()

    @on(RowOpened, "#audit")
    def _open_record(self) -> None:
        if self._has_pane:
            self.query_one(TextPane).focus()
        else:
            self.verb_pane()

    @on(RowOpened, "#active")
    def _open_device(self, message: RowOpened) -> None:
        self.shell.go("devices", f"#{message.row.device_id}")

    def verb_pane(self) -> None:
        self._set_pane(not self._has_pane)
        if not self._has_pane:
            self._table.focus()
        self._remember_view()

    # --- parts --------------------------------------------------------------------------------------

    @on(events.DescendantFocus)
    def _note_part(self) -> None:
        for part in ("active", "audit"):
            has_keys = self.focused is self.query_one(f"#{part}")
            self.query_one(f"#{part}-title", SectionTitle).is_live = has_keys
            if has_keys and part != self._part:
                self._part = part
                self._show_pane()
        self.set_class(self._part == "active", "-active")

    def focus_home(self) -> None:
        self._table.focus()

    def _go_to_part(self, step: int) -> None:
        parts: list[Widget] = [self.active, self.audit]
        if self._has_pane:
            parts.append(self.query_one(TextPane))
        index = parts.index(self.focused) if self.focused in parts else 1
        wanted = parts[(index + step) % len(parts)]
        if wanted in (self.active, self.audit):
            self.set_class(wanted is self.active, "-active")  # a list that is not shown cannot take the keys
        wanted.focus()

    def verb_next_part(self) -> None:
        self._go_to_part(1)

    def verb_previous_part(self) -> None:
        self._go_to_part(-1)

    def verb_back(self) -> None:
        """The nearest thing first: the pane's focus, the pane, the filter."""
        if self.focused is not self._table:
            self.focus_home()
        elif self._has_pane:
            self.verb_pane()
        elif self._filter:
            self._set_filter("")
            self._remember_view()

    # --- filter -------------------------------------------------------------------------------------

    def verb_filter(self) -> None:
        self.query_one(AskLine).open(
            "filter",
            "/",
            self._filter,
            suggest=suggestions,
            hint="ring:fast   by:maria   kb:5089466   -by:engine   enter keeps it, esc leaves it",
        )

    @on(AskLine.Typed)
    def _typed(self, message: AskLine.Typed) -> None:
        wrong = filter_mistake(message.text)
        self.query_one(AskLine).say_wrong(wrong)
        if not wrong:
            self._set_filter(message.text)

    @on(AskLine.Entered)
    def _entered(self, message: AskLine.Entered) -> None:
        line, wrong = self.query_one(AskLine), filter_mistake(message.text)
        if wrong:
            line.say_wrong(wrong)
            return
        self._set_filter(message.text)
        line.close()
        self.focus_home()
        self._remember_view()

    @on(AskLine.Left)
    def _left(self, message: AskLine.Left) -> None:
        self._set_filter(message.text)
        self.focus_home()

    def _set_filter(self, text: str) -> None:
        text = " ".join(text.split())
        if text != self._filter:
            self._filter, self._records_wanted = text, _AUDIT_STEP
            self.load()

    def _remember_view(self) -> None:
        self.remember({"filter": self._filter, "pane": self._has_pane})

    def arrive(self, filter_text: str) -> None:
        """A filter, or ``#`` and the number of a record."""
        self._restored = True
        if filter_text.startswith("#") and filter_text[1:].isdigit():
            self._arrive_at = int(filter_text[1:])
            self._filter = ""
            self._set_pane(True)
        elif not filter_mistake(filter_text):
            self._filter = " ".join(filter_text.split())
        self.load()

    def _go_to_wanted(self, found: Activity) -> None:
        """The record that somebody was led to."""
        if self._arrive_at is None:
            return
        if self.audit.go_to_row(self._arrive_at) or not found.has_more_audit:
            self._arrive_at = None
            self.set_class(False, "-active")
            self.audit.focus()

    # --- take away ----------------------------------------------------------------------------------

    def why_not(self, verb_id: str) -> str:
        reason = super().why_not(verb_id)
        if reason or verb_id not in ("copy", "copy_row", "export") or not self.is_mounted:
            return reason
        return "" if self._table.cursor_row is not None else "There is nothing under the cursor."

    def verb_copy(self) -> None:
        """The command of a decision, else its words; the name of a device."""
        row = self._table.cursor_row
        if isinstance(row, AuditRow):
            command = command_of(row)
            copy_text(self.app, clean(command or row.summary), "the command" if command else "the decision")
        elif isinstance(row, ActiveInstall):
            copy_text(self.app, clean(row.device_name), row.device_name)

    def verb_copy_row(self) -> None:
        row = self._table.cursor_row
        if isinstance(row, AuditRow):
            copy_text(self.app, json.dumps(audit_record(row)), f"record {row.seq}")
        elif isinstance(row, ActiveInstall):
            now = self.shell.present()
            record = {column.id: column.cell(row, now).text for column in ACTIVE}
            copy_text(self.app, json.dumps(record), f"the install on {row.device_name}")

    @work(exclusive=True, group="dialog")
    async def verb_export(self) -> None:
        """The list that has the keys, with its filter."""
        now, part, filter_text = self.shell.present(), self._part, self._filter
        what = "the work under way" if part == "active" else "the decisions"
        name = await self.app.push_screen_wait(
            AskDialog(
                f"Export {what}",
                "File, its name ending in .csv or .json:",
                value=f"{'under-way' if part == 'active' else 'decisions'}-{now:%Y-%m-%d}.csv",
                hint=f"With the filter of the screen: {filter_text or 'none'}",
            )
        )
        if name is None:
            return
        path = Path(name).expanduser()

        def write(engine: Engine) -> int:
            found = read_activity(engine, filter_text, SCANNED)
            state = Path(engine.info().path)
            if part == "active":
                return write_list(path, ACTIVE, found.active, now, state=state)
            return write_list(path, AUDIT, found.audit, now, state=state)

        try:
            rows = await self.shell.background.fetch(write, slow=True)
        except EngineError as error:
            self.shell.say_error(error)
        else:
            self.shell.say(f"Wrote {plural(rows, 'row')} to {path.name}.")


def filter_mistake(text: str) -> str:
    """What is wrong with a filter, "" when nothing is."""
    try:
        activity_filter.parse(text)
    except EngineError as error:
        return str(error)
    return ""


def suggestions(text: str) -> Sequence[Completion]:
    """The fields that the last word could become."""
    before, _, last = text.rpartition(" ")
    minus, word = ("-", last[1:]) if last.startswith("-") else ("", last)
    if not word or ":" in word:
        return ()
    start = f"{before} " if before else ""
    return [
        Completion(f"{start}{minus}{field}:", f"{field}:", help)
        for field, help in activity_filter.FIELDS.items()
        if field.startswith(word.casefold())
    ]
