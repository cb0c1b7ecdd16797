"""Scanner findings against the fleet: counts by verdict, a list, the proof of each in words, the exception list.

Opened over another screen by the application, with the files to read. They are read bit by bit on the slow thread, so
that totals of other screens come in between; findings stand in a temporary file, never in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from console.clipboard import copy_text
from console.columns.findings import FINDINGS
from console.dialogs.ask import AskDialog
from console.exception_list import EXCEPTED, write_exceptions
from console.export import FORMATS
from console.messages import CursorMoved, PageWanted, PositionWanted, RowOpened
from console.screens.base import ConsoleScreen
from console.text import clean, count, plural, share
from console.widgets.finding_table import FindingTable
from console.widgets.finding_text import finding_paras, verdict_line
from console.widgets.text_pane import TextPane
from engine.model.errors import EngineError
from engine.rules.findings import VERDICT_WORDS, FindingVerdict, Reconciled

if TYPE_CHECKING:
    from engine import Engine
    from engine.evidence.scanners import FindingFile, Reconciliation

_A_WHILE = 0.2
"""Seconds of reading between two looks at what else the slow thread is asked."""
_ROUND = (None, *FindingVerdict)
Pages = list[tuple[tuple[Reconciled, ...], int]]


class ReconcileScreen(ConsoleScreen):
    """The findings of some scanner exports."""

    NAME = "reconcile"
    HEADING = "Reconcile"
    HOME = "#findings"
    VERBS: ClassVar[tuple[str, ...]] = (
        *("next_verdict", "previous_verdict", "pane", "export", "copy", "copy_row", "back"),
    )
    DEFAULT_CSS = """
    /* verdicts above, the list, the proof below it or beside it */
    ReconcileScreen #verdicts { height: 2; padding: 0 1; }
    ReconcileScreen.-short #verdicts { height: 1; }
    ReconcileScreen #body { height: 1fr; layout: vertical; }
    ReconcileScreen TextPane { display: none; }
    ReconcileScreen.-pane TextPane { display: block; width: 100%; height: 60%; border-top: solid $rule; }
    ReconcileScreen.-wide #body { layout: horizontal; }
    ReconcileScreen.-wide.-pane TextPane { width: 64; height: 100%; border-top: none; border-left: solid $rule; }
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self._paths = tuple(paths)
        self._run: Reconciliation | None = None
        self._file: FindingFile | None = None
        self._verdict: FindingVerdict | None = None
        self._counts: dict[FindingVerdict, int] = {}
        self._has_begun = False

    def compose_body(self) -> Iterable[Widget]:
        yield Static(id="verdicts")
        with Container(id="body"):
            yield FindingTable(id="findings")
            yield TextPane(id="pane")

    @property
    def table(self) -> FindingTable:
        """The list."""
        return self.query_one("#findings", FindingTable)

    @property
    def pane(self) -> TextPane:
        """The proof of the finding under the cursor."""
        return self.query_one(TextPane)

    @property
    def is_done(self) -> bool:
        """Whether every file has been read."""
        return self._run is not None and self._run.is_done

    @property
    def _wanted(self) -> tuple[FindingVerdict, ...]:
        return () if self._verdict is None else (self._verdict,)

    # --- reading ------------------------------------------------------------------------------------

    def load(self) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        self.watch(self.table, "place", self._show_remark, init=False)
        self._show_trail()
        self._show_verdicts()
        paths = self._paths

        def begin(engine: Engine) -> tuple[Reconciliation, FindingFile]:
            from engine.evidence.scanners import FindingFile

            return engine.reconcile(paths), FindingFile()

        self.ask("run", begin, self._keep_run, slow=True)

    def _keep_run(self, opened: tuple[Reconciliation, FindingFile]) -> None:
        self._run, self._file = opened
        self._go_on()

    def _go_on(self) -> None:
        run, file = self._run, self._file
        if run is not None and file is not None:
            self.ask("run", lambda _: run.fill(file, _A_WHILE), lambda _: self._advanced(), slow=True)

    def _advanced(self) -> None:
        run = self._run
        assert run is not None
        is_first = not self._counts and run.tally.findings > 0
        self._counts = dict(run.tally.verdicts)
        self._show_verdicts()
        self.table.show_total(self._total())
        if is_first or run.is_done:
            self.table.reload()
        self._show_remark()
        if run.is_done:
            self._say_end()
        else:
            self._go_on()

    def _say_end(self) -> None:
        run = self._run
        assert run is not None
        self.table.empty_words = ("No finding is in these files.", "Every line reports something that is fixed.")
        if run.tally.bad_count:
            self.shell.say(
                f"The first: line {run.tally.bad[0].line}, {run.tally.bad[0].reason}. All: hotpatch reconcile --json",
                f"{plural(run.tally.bad_count, 'line')} could not be read",
                "warning",
            )
        self.refresh_bindings()

    def read_failed(self, kind: str, error: EngineError) -> None:
        if kind == "run":
            self.shell.say_error(error)
            self._leave()
        else:
            super().read_failed(kind, error)

    @on(PageWanted)
    def _ask_page(self, message: PageWanted) -> None:
        message.stop()
        file, verdicts, stretches, serial = self._file, self._wanted, message.stretches, message.serial
        if file is None:
            return
        found = file

        def read(_: Engine) -> Pages:
            return [found.page(verdicts, each.anchor, each.limit) for each in stretches]

        self.ask("page", read, partial(self.table.show_pages, serial))

    @on(PositionWanted)
    def _ask_position(self, message: PositionWanted) -> None:
        message.stop()
        file, verdicts, serial, number = self._file, self._wanted, message.serial, message.row_id
        if file is not None and number is not None:
            self.ask("place", lambda _: file.position(verdicts, number), partial(self.table.show_position, serial))

    # --- showing ------------------------------------------------------------------------------------

    def _total(self) -> int:
        return sum(self._counts.values()) if self._verdict is None else self._counts.get(self._verdict, 0)

    def _show_verdicts(self) -> None:
        width = max(self.size.width - 2, 0)
        self.query_one("#verdicts", Static).update(verdict_line(self._counts, self._verdict, width))

    def on_resize(self) -> None:
        if self.is_composed:
            self._show_verdicts()

    def _show_trail(self) -> None:
        names = ", ".join(path.name for path in self._paths)
        self.trail(names, VERDICT_WORDS[self._verdict] if self._verdict is not None else "")
        self._show_remark()

    def _show_remark(self, *_: object) -> None:
        run = self._run
        if run is None or not run.is_done:
            part = share(run.position, run.size) if run is not None else ""
            self.status.remark = f"reading {part}".strip()
            return
        bad = f"{count(run.tally.bad_count)} unread  " if run.tally.bad_count else ""
        self.status.remark = f"{bad}{self.table.place}"

    @on(CursorMoved)
    def _follow(self) -> None:
        self._show_pane()

    def _show_pane(self) -> None:
        if not self.has_class("-pane"):
            return
        row = self.table.cursor_row
        if row is None:
            self.pane.say("There is nothing under the cursor.")
        else:
            self.pane.show(row.number, finding_paras(row))

    def _set_pane(self, shown: bool) -> None:
        self.set_class(shown, "-pane")
        self._show_pane()

    # --- verbs --------------------------------------------------------------------------------------

    def _turn(self, step: int) -> None:
        self._verdict = _ROUND[(_ROUND.index(self._verdict) + step) % len(_ROUND)]
        words = "findings" if self._verdict is None else VERDICT_WORDS[self._verdict]
        self.table.empty_words = (f"None: {words}.", "Others are a tab away.")
        self._show_verdicts()
        self._show_trail()
        if self._file is not None:
            self.table.restart()
            self.table.show_total(self._total())

    def verb_next_verdict(self) -> None:
        self._turn(1)

    def verb_previous_verdict(self) -> None:
        self._turn(-1)

    @on(RowOpened)
    def _open(self) -> None:
        """The proof; once it is there, the keys go to it."""
        if self.has_class("-pane"):
            self.pane.focus()
        else:
            self._set_pane(True)

    def verb_pane(self) -> None:
        self._set_pane(not self.has_class("-pane"))
        self.focus_home()

    def verb_back(self) -> None:
        """The nearest thing first: the pane's focus, the pane, the verdict, the screen."""
        if self.focused is not self.table:
            self.focus_home()
        elif self.has_class("-pane"):
            self.verb_pane()
        elif self._verdict is not None:
            self._turn(-_ROUND.index(self._verdict))
        else:
            self._leave()

    def give_way(self) -> None:
        self._leave()

    def _leave(self) -> None:
        run, file = self._run, self._file
        if not self.is_current:
            return
        self.app.pop_screen()
        if run is not None and file is not None:
            opened, findings = run, file

            def let_go(_: Engine) -> None:
                opened.close()
                findings.close()

            self.ask("run", let_go, lambda _: None, slow=True)

    def why_not(self, verb_id: str) -> str:
        reason = super().why_not(verb_id)
        if reason or not self.is_mounted:
            return reason
        if verb_id in ("copy", "copy_row") and self.table.cursor_row is None:
            return "There is nothing under the cursor."
        if verb_id == "export" and not self.is_done:
            return "The files are still being read."
        if verb_id == "export" and self.shell.info is not None and self.shell.info.read_only:
            return "The console is open read-only, and an exception list is recorded in the audit."
        return ""

    def verb_copy(self) -> None:
        """The whole proof in words."""
        if (row := self.table.cursor_row) is not None:
            words = "\n".join(each.plain for each in finding_paras(row))
            copy_text(self.app, f"{words}\n", f"the finding on {clean(row.device or row.host)}")

    def verb_copy_row(self) -> None:
        if (row := self.table.cursor_row) is not None:
            now = self.shell.present()
            record: dict[str, Any] = {column.id: column.cell(row, now).text for column in FINDINGS}
            copy_text(self.app, json.dumps(record), "the row")

    @work(exclusive=True, group="dialog")
    async def verb_export(self) -> None:
        """The exception list: what the verdict shows, else false positives and what was fixed since."""
        run, file, verdicts = self._run, self._file, self._wanted or EXCEPTED
        if run is None or file is None:
            return
        opened, findings, counts = run, file, dict(self._counts)
        held = plural(sum(counts.get(verdict, 0) for verdict in verdicts), "finding")
        what = " and ".join(VERDICT_WORDS[verdict] for verdict in verdicts)
        name = await self.app.push_screen_wait(
            AskDialog(
                "Export an exception list",
                "File, its name ending in .csv or .json:",
                value=f"exceptions-{self.shell.present():%Y-%m-%d}.csv",
                hint=f"{held}: {what}. The audit records it.",
                check=target_mistake,
            )
        )
        if name is None:
            return
        path = Path(name).expanduser()

        def write(engine: Engine) -> int:
            rows = findings.each(verdicts)
            return write_exceptions(engine, path, rows, verdicts, counts=counts, scans=opened.names)

        try:
            written = await self.shell.background.fetch(write, slow=True)
        except EngineError as error:
            self.shell.say_error(error)
        else:
            self.shell.say(f"Wrote {plural(written, 'finding')} to {path.name}. The audit has a record of it.")


def target_mistake(name: str) -> str:
    """What is wrong with the name of a file to write, "" when nothing is."""
    path = Path(name).expanduser()
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        return "Let its name end in .csv or .json."
    try:
        return "There is such a file already; name another one." if path.exists() else ""
    except OSError as error:
        return f"{error.strerror or 'It cannot be reached'}."


def source_mistake(names: str) -> str:
    """What is wrong with the names of files to read, "" when nothing is."""
    paths = paths_in(names)
    if not paths:
        return "Name a file, or leave with esc."
    for path in paths:
        try:
            if not path.is_file():
                return f"There is no file {path.name}."
        except OSError as error:
            return f"{path.name}: {error.strerror or 'it cannot be reached'}."
    return ""


def paths_in(names: str) -> tuple[Path, ...]:
    """The files that a line names: one, or several divided by blanks; quotes hold a blank in a name."""
    whole = Path(names.strip()).expanduser()
    try:
        if names.strip() and whole.is_file():
            return (whole,)
        import shlex

        return tuple(Path(each).expanduser() for each in shlex.split(names))
    except (OSError, ValueError):
        return (whole,)
