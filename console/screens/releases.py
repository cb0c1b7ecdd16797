"""Microsoft's releases by platform: approve them from here; what each fixes, and what it leaves open."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct
from textual import on, work
from textual.containers import Container
from textual.widget import Widget

from console.clipboard import copy_text
from console.columns import RELEASES
from console.dialogs.ask import AskDialog
from console.dialogs.choose import Choice, ChooseDialog
from console.export import write_list
from console.messages import CursorMoved, RowOpened
from console.screens.rollout_verbs import RolloutVerbs, in_force
from console.text import count, plural
from console.widgets.ask_line import AskLine
from console.widgets.detail_panes import DetailPanes
from console.widgets.release_text import matches, release_cves, release_facts
from console.widgets.small_table import SmallTable
from engine.catalog import coverage_of
from engine.model.build import Platform
from engine.model.errors import EngineError
from engine.model.intents import Apply, Target
from engine.model.model import Approval
from engine.model.records.fleet import ReleaseRow, StateInfo

if TYPE_CHECKING:
    from engine import Engine
    from engine.catalog import Coverage

Key = tuple[int, Platform]


class Listed(Struct, frozen=True):
    """What the list and the approvals need, read at once."""

    rows: tuple[ReleaseRow, ...] = ()
    approvals: tuple[Approval, ...] = ()
    waiting: frozenset[str] = frozenset()
    """KBs that the rollout waits for an approval of."""


def read_listed(engine: Engine) -> Listed:
    """Ask for the list, and for what waits."""
    reads = engine.reads
    waiting = frozenset(each.filter for each in reads.attention() if each.screen == "releases")
    return Listed(reads.releases.all(), reads.rollout.approvals(), waiting)


def key_of(row: ReleaseRow) -> Key:
    """A release is one KB on one platform."""
    return row.release.kb, row.release.platform


class ReleasesScreen(RolloutVerbs):
    """Every published release on every platform, newest first."""

    NAME = "releases"
    HEADING = "Releases"
    HOME = "#releases"
    VERBS: ClassVar[tuple[str, ...]] = (
        *("approve", "apply", "withdraw", "recover", "pause", "halt", "filter", "find", "pane"),
        *("export", "copy", "copy_row", "reconcile", "back"),
    )
    DEFAULT_CSS = """
    ReleasesScreen #body { height: 1fr; layout: vertical; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._listed = Listed()
        self._coverage: dict[Key, Coverage] = {}
        self._filter = ""
        self._wanted_kb: int | None = None
        self._restored = False

    def compose_body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield SmallTable(RELEASES, key_of, noun="releases", id="releases")
            yield DetailPanes(id="release")
        yield AskLine()

    @property
    def table(self) -> SmallTable[ReleaseRow]:
        """The list."""
        return self.query_one("#releases", SmallTable)

    @property
    def panes(self) -> DetailPanes:
        """The details."""
        return self.query_one(DetailPanes)

    # --- asking -------------------------------------------------------------------------------------

    def load(self) -> None:
        if not self._restored:
            self.recall(self._restore)
            return
        self.ask_steadily("releases", read_listed, self._show_listed)

    def _restore(self, kept: dict[str, Any]) -> None:
        if not self._restored:
            self._restored = True
            self._filter = str(kept.get("filter", ""))
        self.load()

    def _show_listed(self, listed: Listed) -> None:
        if {key_of(row) for row in listed.rows} != {key_of(row) for row in self._listed.rows}:
            self._coverage.clear()
        self._listed = listed
        self._show_rows()

    def _show_rows(self) -> None:
        rows = [row for row in self._listed.rows if matches(row, self._filter)]
        self.table.empty_words = (
            ("No release matches.", "Change the words with /, or take them away with esc.")
            if self._filter
            else ("No release is known yet.", "Bring the catalog up to date with: hotpatch catalog sync")
        )
        self.table.show_rows(rows)
        if self._wanted_kb is not None:
            wanted = next((row for row in rows if row.release.kb == self._wanted_kb), None)
            if wanted is not None:
                self.table.go_to_row(key_of(wanted))
                self._wanted_kb = None
        self._show_trail()
        self._show_details()

    def _remark(self) -> str:
        """What is counted, for the title line."""
        if self.has_class("-reading"):
            return ""
        if self._filter:
            return f"{count(self.table.total or 0)} of {count(len(self._listed.rows))}"
        waiting = len(self._listed.waiting)
        return f"{count(waiting)} {'waits' if waiting == 1 else 'wait'} for approval" if waiting else ""

    def read_failed(self, kind: str, error: EngineError) -> None:
        super().read_failed(kind, error)
        if kind == "releases" and not self._listed.rows:
            self.table.show_error(error)
        elif kind == "coverage":
            self.panes.say(str(error))

    def info_read(self, info: StateInfo) -> None:
        super().info_read(info)
        if self._listed.rows and self.is_mounted:
            self._show_details()

    # --- details ------------------------------------------------------------------------------------

    @on(CursorMoved)
    def _cursor_moved(self) -> None:
        self._show_trail()
        self._show_details()
        self.refresh_bindings()

    def _show_trail(self) -> None:
        row = self.table.cursor_row
        reading = self.has_class("-reading") and row is not None
        self.trail(self._filter, f"{row.release.name} {row.release.platform.label}" if reading and row else "")
        self.status.remark = self._remark()

    def _show_details(self) -> None:
        row = self.table.cursor_row
        if row is None:
            self.panes.say("No release under the cursor." if self._listed.rows else "")
            return
        coverage = self._coverage.get(key_of(row))
        if coverage is None:
            release = row.release

            def read(engine: Engine) -> Coverage:
                return coverage_of(engine.reads.releases.catalog(), release)

            self.ask("coverage", read, self._keep_coverage)
            return
        approvals = [each for each in self._listed.approvals if each.kb == row.release.kb]
        waits = row.release.name in self._listed.waiting
        facts = release_facts(row, coverage, approvals, self.shell.present(), waits=waits)
        self.panes.show(key_of(row), facts, release_cves(coverage))

    def _keep_coverage(self, coverage: Coverage) -> None:
        self._coverage[coverage.release.kb, coverage.release.platform] = coverage
        row = self.table.cursor_row
        if row is not None and key_of(row) in self._coverage:
            self._show_details()

    @on(RowOpened)
    def _open(self) -> None:
        self._read(True)

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

    def verb_back(self) -> None:
        if self.has_class("-reading") or self.focused is not self.table:
            self._read(False)
        elif self.table.marks:
            self.table.clear_marks()
        elif self._filter:
            self._set_filter("")

    # --- filter and find ----------------------------------------------------------------------------

    def verb_filter(self) -> None:
        self._read(False)
        self.query_one(AskLine).open(
            "filter",
            "/",
            self._filter,
            hint="words: hotpatch 2026-05 24h2 exploited unapproved -lcu   enter keeps them",
        )

    def verb_find(self) -> None:
        self._read(False)
        self.query_one(AskLine).open("find", "KB", hint="Type the beginning of a KB. enter stays there.")

    @on(AskLine.Typed)
    def _typed(self, message: AskLine.Typed) -> None:
        if message.purpose == "filter":
            self._set_filter(message.text)
        elif message.text:
            self.table.jump(f"kb{message.text.casefold().removeprefix('kb')}")

    @on(AskLine.Entered)
    def _entered(self) -> None:
        self.query_one(AskLine).close()
        self.focus_home()
        self.remember({"filter": self._filter})

    @on(AskLine.Left)
    def _left(self, message: AskLine.Left) -> None:
        if message.purpose == "filter":
            self._set_filter(message.text)
        self.focus_home()

    def _set_filter(self, words: str) -> None:
        words = " ".join(words.split())
        if words != self._filter:
            self._filter = words
            self._show_rows()

    def arrive(self, filter_text: str) -> None:
        """A KB, or words to filter by."""
        from engine.model.build import parse_kb

        self._restored = True
        try:
            self._wanted_kb = parse_kb(filter_text)
            self._filter = ""
        except ValueError:
            self._filter = " ".join(filter_text.split())
        self._read(False)
        if self._listed.rows:
            self._show_rows()
        else:
            self.load()

    # --- verbs --------------------------------------------------------------------------------------

    def chosen_kb(self) -> int | None:
        found = self.query(SmallTable)  # the footer asks before there is one
        row = found.first().cursor_row if found else None
        return row.release.kb if row is not None else None

    def is_hotpatch(self) -> bool:
        found = self.query(SmallTable)
        row = found.first().cursor_row if found else None
        return row is not None and row.release.kind.is_hotpatch

    def why_not(self, verb_id: str) -> str:
        reason = super().why_not(verb_id)
        if reason:
            return reason
        kb = self.chosen_kb()
        if verb_id in ("apply", "copy", "copy_row") and kb is None:
            return "There is no release here."
        approvals = [each for each in self._listed.approvals if each.kb == kb]
        if verb_id in ("apply", "withdraw") and not in_force(approvals, self.shell.present()):
            return "It is not approved for any ring. Approve it with a."
        return ""

    @work(exclusive=True, group="dialog")
    async def verb_apply(self) -> None:
        """Bring the release to the devices of rings that it is approved for, ahead of the rollout."""
        row = self.table.cursor_row
        if row is None:
            return
        rings: tuple[str, ...] | None = row.approved_rings
        if not rings:
            self.shell.say("No approval of it is in force yet.", row.release.name, "warning")
            return
        if len(rings) > 1:
            choices: list[Choice[tuple[str, ...]]] = [Choice((each,), f"ring {each}") for each in rings]
            choices.append(Choice(rings, "all of them", ", ".join(rings)))
            rings = await self.app.push_screen_wait(ChooseDialog(f"Apply {row.release.name} to which ring?", choices))
        if rings:
            await self.confirm(Apply(row.release.kb, Target(rings=rings)))

    def verb_copy(self) -> None:
        """The KB from the list; everything about it while one reads its details."""
        row = self.table.cursor_row
        if row is None:
            return
        if self.has_class("-reading"):
            copy_text(self.app, self.panes.plain + "\n", f"the details of {row.release.name}")
        else:
            copy_text(self.app, row.release.name, row.release.name)

    def verb_copy_row(self) -> None:
        if (row := self.table.cursor_row) is not None:
            now = self.shell.present()
            record: dict[str, Any] = {column.id: column.cell(row, now).text for column in RELEASES}
            copy_text(self.app, json.dumps(record), f"the row of {row.release.name}")

    @work(exclusive=True, group="dialog")
    async def verb_export(self) -> None:
        now = self.shell.present()
        name = await self.app.push_screen_wait(
            AskDialog(
                "Export the list",
                "File, its name ending in .csv or .json:",
                value=f"releases-{now:%Y-%m-%d}.csv",
                hint=f"With the words of the filter: {self._filter or 'every release'}",
            )
        )
        if name is None:
            return
        path = Path(name).expanduser()
        rows = [row for row in self._listed.rows if matches(row, self._filter)]
        try:
            written = await self.shell.background.fetch(
                lambda engine: write_list(path, RELEASES, rows, now, state=Path(engine.info().path)), slow=True
            )
        except EngineError as error:
            self.shell.say_error(error)
        else:
            self.shell.say(f"Wrote {plural(written, 'release')} to {path.name}.")
