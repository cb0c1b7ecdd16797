"""Verbs on failures: exclude, escalate, mark as a known problem. For the failures screen, whose rows are installs.

Each asks what it must, then hands an intent to `confirm`; the engine decides what it means. Never changes anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual import work

from console.dialogs.ask import AskDialog
from console.dialogs.choose import Choice, ChooseDialog
from console.dialogs.recover import ask_recovery
from console.screens.device_verbs import DeviceVerbs
from console.text import clean, error_code, plural
from console.text import kb as kb_name
from engine.model.errors import EngineError
from engine.model.intents import Escalate, Exclude, MarkKnownProblem, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine import Engine
    from engine.model.records.fleet import FailureRow

_NEXT_BASELINE = "next baseline"


class FailureVerbs(DeviceVerbs):
    """A screen that offers verbs on failed installs. A subclass says which ones are meant."""

    def chosen_installs(self) -> tuple[FailureRow, ...]:
        """The failed installs that a verb is for."""
        raise NotImplementedError

    @work(exclusive=True, group="dialog")
    async def verb_exclude(self) -> None:
        """Keep the release that failed from the devices, for a time or until they are readmitted."""
        rows, target = self.chosen_installs(), await self.chosen()
        if target is None or not rows:
            return
        kb: int | None = rows[0].kb
        kbs = sorted({row.kb for row in rows})
        if len(kbs) > 1:
            picked = await self.app.push_screen_wait(ChooseDialog("Exclude from which release?", kb_choices(rows)))
            if picked is None:
                return
            kb = picked or None
            if kb is not None:
                target = Target(ids=tuple(sorted({row.device_id for row in rows if row.kb == kb})))
        platforms = {row.platform for row in rows}

        def ask_baseline(engine: Engine) -> datetime:
            return max(engine.reads.releases.next_baseline(platform) for platform in platforms)

        try:
            baseline = await self.shell.background.fetch(ask_baseline)
        except EngineError as error:
            self.shell.say_error(error)
            return
        withheld = kb_name(kb) if kb is not None else "every release"
        reason = await self.ask_reason(f"Exclude {devices_of(rows, kb)} from {withheld}")
        if reason is None:
            return
        until = await self.app.push_screen_wait(
            AskDialog(
                "Exclude until when?",
                f"A day, as in {baseline:%Y-%m-%d}, or: {_NEXT_BASELINE}",
                hint=f"Empty: until they are readmitted. The next baseline is due {baseline:%Y-%m-%d %H:%M} UTC.",
                check=end_mistake,
            )
        )
        if until is not None:
            await self.confirm(Exclude(target, reason, kb, end_of(until, baseline)))

    @work(exclusive=True, group="dialog")
    async def verb_escalate(self) -> None:
        """Give the failures to somebody, due by the service level."""
        rows, target = self.chosen_installs(), await self.chosen()
        if target is None or not rows:
            return
        codes = {row.error_code for row in rows}
        group = error_code(codes.pop()) if len(codes) == 1 else ""
        owner = await self.app.push_screen_wait(
            AskDialog(
                f"Escalate {devices_of(rows)}",
                "To whom:",
                hint="Who is to put it right, due by the service level.",
                check=lambda text: "" if text else "An owner is needed.",
            )
        )
        if owner is None:
            return
        reason = await self.app.push_screen_wait(
            AskDialog(f"Escalate to {owner}", "Reason, shown with it; may be empty:", check=lambda _: "")
        )
        if reason is not None:
            # The whole of a code goes by its name, so that it stays one group of failures.
            whole = bool(group) and target == Target(filter=f"error:{group}")
            await self.confirm(Escalate(owner, group, Target() if whole else target, reason=reason))

    @work(exclusive=True, group="dialog")
    async def verb_recover(self) -> None:
        """Plan the way back from the hotpatch that failed, where it is a bad one."""
        rows = self.chosen_installs()
        if not rows:
            return
        kb: int | None = rows[0].kb
        if len({row.kb for row in rows}) > 1:
            choices = [each for each in kb_choices(rows) if each.value]
            kb = await self.app.push_screen_wait(ChooseDialog("Recover from which release?", choices))
        intent = await ask_recovery(self.app, kb) if kb else None
        if intent is not None:
            await self.confirm(intent)

    @work(exclusive=True, group="dialog")
    async def verb_known_problem(self) -> None:
        """Note what is behind failures of one code."""
        rows, target = self.chosen_installs(), await self.chosen()
        if target is None or not rows:
            return
        code: int | None = rows[0].error_code
        codes = sorted({row.error_code for row in rows})
        if len(codes) > 1:
            choices = [
                Choice(each, error_code(each), devices_of([row for row in rows if row.error_code == each]))
                for each in codes
            ]
            code = await self.app.push_screen_wait(ChooseDialog("Which error is the known problem?", choices))
        if code is None:
            return
        about = [row for row in rows if row.error_code == code]
        title = await self.app.push_screen_wait(
            AskDialog(
                f"Mark {error_code(code)} as a known problem",
                "What it is, in a few words:",
                hint=f"{devices_of(about)} now; it is shown beside every such failure.",
                check=lambda text: "" if text else "A title is needed.",
            )
        )
        if title is None:
            return
        kbs = {row.kb for row in about}
        concerned = names_filter(about) if target.ids else without_errors(target.filter)
        await self.confirm(MarkKnownProblem(title, error_code(code), kbs.pop() if len(kbs) == 1 else None, concerned))


def devices_of(rows: Sequence[FailureRow], kb: int | None = None) -> str:
    """``LON-LT-0042``, ``11 devices``: those of failed installs, of one release where it is given."""
    names = {row.device_id: clean(row.device_name) for row in rows if kb in (None, row.kb)}
    return next(iter(names.values())) if len(names) == 1 else plural(len(names), "device")


def kb_choices(rows: Sequence[FailureRow]) -> list[Choice[int]]:
    """The releases that failed, the newest first, then 0 for every release."""
    kbs = sorted({row.kb for row in rows}, reverse=True)
    return [
        *(Choice(each, kb_name(each), f"failed on {devices_of(rows, each)}") for each in kbs),
        Choice(0, "every release", f"{devices_of(rows)}, baselines too"),
    ]


def end_mistake(text: str) -> str:
    """What is wrong with the end of an exclusion, "" if nothing."""
    try:
        end_of(text, datetime.now(UTC))
    except (ValueError, OverflowError):
        return f"Write it like 2026-05-20 or 2026-05-20T18:00, or: {_NEXT_BASELINE}"
    return ""


def end_of(text: str, baseline: datetime) -> datetime | None:
    """The end of an exclusion, UTC where no zone is given; None for an open one.

    Raises:
        ValueError, OverflowError: it is no time.
    """
    words = " ".join(text.split()).casefold()
    if not words:
        return None
    if words == _NEXT_BASELINE:
        return baseline
    found = datetime.fromisoformat(text.strip())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def names_filter(rows: Sequence[FailureRow]) -> str:
    """The filter that names the devices of failed installs; a known problem keeps a filter and no numbers."""
    names = sorted({row.device_name for row in rows})
    return "name=" + ",".join('"' + name.replace('"', '""') + '"' for name in names)


def without_errors(text: str) -> str:
    """The screen's own filter without the codes that `chosen` put at its end: the code is the problem's already."""
    return text.rpartition("error:")[0].strip()
