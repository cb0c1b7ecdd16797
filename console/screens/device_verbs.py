"""Verbs on chosen devices: apply, uninstall, retry, move. For screens whose rows are devices or their installs.

Each asks what it must, then hands an intent to `confirm`; the engine decides what it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work

from console.columns import kind_cell
from console.dialogs.ask import AskDialog
from console.dialogs.choose import Choice, ChooseDialog
from console.screens.base import ConsoleScreen
from console.text import month, platform_short, plural
from engine.model.errors import EngineError
from engine.model.intents import After, Apply, Assign, Retry, Target, Uninstall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.model.records.fleet import ReleaseRow

_MONTHS_OFFERED = 4


class DeviceVerbs(ConsoleScreen):
    """A screen that offers verbs on devices. A subclass says which ones are meant with `chosen`."""

    async def chosen(self) -> Target | None:
        """The devices that a verb is for: the marked ones, else the one under the cursor; None to leave it."""
        raise NotImplementedError

    def chosen_kb(self) -> int | None:
        """The release that a verb is for, where the row names one."""
        return None

    @work(exclusive=True, group="dialog")
    async def verb_apply(self) -> None:
        """Bring a release to the devices now."""
        if (target := await self.chosen()) is None:
            return
        kb = self.chosen_kb() or await self._choose_release("Apply which release?", hotpatches_only=False)
        if kb is not None:
            await self.confirm(Apply(kb, target))

    @work(exclusive=True, group="dialog")
    async def verb_uninstall(self) -> None:
        """Remove a hotpatch from the devices."""
        if (target := await self.chosen()) is None:
            return
        kb = await self._choose_release("Uninstall which hotpatch?", hotpatches_only=True)
        if kb is None:
            return
        after = await self.app.push_screen_wait(
            ChooseDialog(
                "What follows the uninstall?",
                [
                    Choice(After.STAY, "stay on the baseline", "its fixes are open until the next baseline"),
                    Choice(
                        After.LCU, "install that month's LCU", "one more restart; protected, off the hotpatch track"
                    ),
                ],
            )
        )
        if after is None:
            return
        reason = await self.ask_reason("Why is it uninstalled?")
        if reason is not None:
            await self.confirm(Uninstall(kb, target, reason, after))

    @work(exclusive=True, group="dialog")
    async def verb_retry(self) -> None:
        """Try the failed installs of the devices again."""
        if (target := await self.chosen()) is not None:
            await self.confirm(Retry(target, self.chosen_kb()))

    @work(exclusive=True, group="dialog")
    async def verb_assign(self) -> None:
        """Put the devices into another ring."""
        if (target := await self.chosen()) is None:
            return
        try:
            rings = await self.shell.background.fetch(lambda engine: engine.reads.rollout.rings())
        except EngineError as error:
            self.shell.say_error(error)
            return
        choices = [Choice(row.ring.name, row.ring.name, plural(row.devices, "device")) for row in rings]
        ring = await self.app.push_screen_wait(ChooseDialog("Move to which ring?", choices))
        if ring is not None:
            await self.confirm(Assign(target, ring))

    async def ask_reason(self, title: str) -> str | None:
        """A reason for the audit, None when the person left."""
        return await self.app.push_screen_wait(
            AskDialog(title, "Reason, for the audit:", check=lambda text: "" if text else "A reason is needed.")
        )

    async def _choose_release(self, title: str, *, hotpatches_only: bool) -> int | None:
        try:
            rows = await self.shell.background.fetch(lambda engine: engine.reads.releases.all())
        except EngineError as error:
            self.shell.say_error(error)
            return None
        choices = release_choices(rows, hotpatches_only=hotpatches_only)
        if not choices:
            self.shell.say("There is no such release.", severity="warning")
            return None
        return await self.app.push_screen_wait(ChooseDialog(title, choices))


def release_choices(rows: Iterable[ReleaseRow], *, hotpatches_only: bool) -> list[Choice[int]]:
    """The newest releases, one choice a KB, the newest first."""
    by_kb: dict[int, list[ReleaseRow]] = {}
    months: list[str] = []
    for row in rows:
        if hotpatches_only and not row.release.kind.is_hotpatch:
            continue
        if row.release.month not in months:
            months.append(row.release.month)
        if len(months) > _MONTHS_OFFERED:
            break
        by_kb.setdefault(row.release.kb, []).append(row)
    choices = []
    for kb, same in by_kb.items():
        release = same[0].release
        platforms = ", ".join(platform_short(row.release.platform) for row in same)
        approved = ", ".join(same[0].approved_rings) or "not approved"
        label = f"{release.name}  {month(release.month)}  {kind_cell(release.kind).text}"
        choices.append(Choice(kb, label, f"{platforms}  {approved}"))
    return choices
