"""Verbs on releases and rings: approve, withdraw, pause or resume, halt, rules. For screens that show either.

Each asks what it must, then hands an intent to `confirm`; the engine decides what it means.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual import work

from console.columns import kind_cell
from console.dialogs.ask import AskDialog
from console.dialogs.choose import Choice, ChooseDialog
from console.dialogs.recover import ask_recovery
from console.screens.steady import SteadyScreen
from console.text import kb as kb_name
from console.text import moment, month, platform_short
from engine.model.errors import EngineError
from engine.model.intents import Resume, Scope, Stop, StopKind, Withdraw

if TYPE_CHECKING:
    from console.dialogs.approve import RingOffer
    from engine.model.model import Approval, Ring
    from engine.model.records.fleet import ReleaseRow, RingProgress
    from engine.store.rollout import StopRow

_DONE = {StopKind.PAUSE: "paused", StopKind.HALT: "halted"}


class RolloutVerbs(SteadyScreen):
    """A screen that offers verbs of the rollout. A subclass says which release and ring are meant."""

    def chosen_kb(self) -> int | None:
        """The release under the cursor."""
        return None

    def chosen_ring(self) -> Ring | None:
        """The ring under the cursor, where there are rings."""
        return None

    def is_hotpatch(self) -> bool:
        """Whether the release under the cursor is one."""
        return False

    def why_not(self, verb_id: str) -> str:
        reason = super().why_not(verb_id)
        if reason:
            return reason
        if verb_id in ("approve", "withdraw", "recover") and self.chosen_kb() is None:
            return "There is no release here."
        if verb_id == "recover" and not self.is_hotpatch():
            return "Only a hotpatch can be uninstalled from devices in one step."
        return "There is no ring here." if verb_id == "rules" and self.chosen_ring() is None else ""

    async def ask_reason(self, title: str) -> str | None:
        """A reason for the audit, None when the person left."""
        return await self.app.push_screen_wait(
            AskDialog(title, "Reason, for the audit:", check=lambda text: "" if text else "A reason is needed.")
        )

    @work(exclusive=True, group="dialog")
    async def verb_approve(self) -> None:
        """Draft an approval of the release for rings, then show its plan."""
        from console.dialogs.approve import ApproveDialog

        kb = self.chosen_kb()
        if kb is None:
            return
        try:
            rows, progress = await self.shell.background.fetch(
                lambda engine: (engine.reads.releases.of_kb(kb), engine.reads.rollout.ring_progress(kb))
            )
        except EngineError as error:
            self.shell.say_error(error)
            return
        offers = ring_offers(progress, self.chosen_ring())
        intent = await self.app.push_screen_wait(ApproveDialog(kb, about(rows), offers))
        if intent is not None:
            await self.confirm(intent)

    @work(exclusive=True, group="dialog")
    async def verb_withdraw(self) -> None:
        """Take an approval of the release back."""
        kb = self.chosen_kb()
        if kb is None:
            return
        try:
            found = await self.shell.background.fetch(lambda engine: engine.reads.rollout.approvals(kb))
        except EngineError as error:
            self.shell.say_error(error)
            return
        now = self.shell.present()
        mine = in_force(found, now)
        if not mine:
            self.shell.say("No approval of it is in force.", kb_name(kb), "warning")
            return
        chosen: int | None = mine[0].id
        if len(mine) > 1:
            choices = [Choice(each.id, ", ".join(each.rings), signature(each, now)) for each in mine]
            chosen = await self.app.push_screen_wait(ChooseDialog("Withdraw which approval?", choices))
        reason = await self.ask_reason(f"Withdraw the approval of {kb_name(kb)}") if chosen is not None else None
        if chosen is not None and reason is not None:
            await self.confirm(Withdraw(chosen, reason))

    @work(exclusive=True, group="dialog")
    async def verb_pause(self) -> None:
        """Lift a pause or halt that concerns what the cursor stands on, or pause it."""
        try:
            stops = await self.shell.background.fetch(lambda engine: engine.reads.rollout.stops())
        except EngineError as error:
            self.shell.say_error(error)
            return
        ring = self.chosen_ring()
        concerned = [each for each in stops if concerns(each.scope, self.chosen_kb(), ring.name if ring else None)]
        if not concerned:
            await self._stop(StopKind.PAUSE)
            return
        now = self.shell.present()
        choices: list[Choice[Resume | StopKind]] = [
            Choice(Resume(each.scope), f"resume {scope_text(each.scope)}", stop_text(each, now)) for each in concerned
        ]
        choices.append(Choice(StopKind.PAUSE, "pause something else"))
        chosen = await self.app.push_screen_wait(ChooseDialog("Resume or pause?", choices))
        if isinstance(chosen, Resume):
            await self.confirm(chosen)
        elif chosen is not None:
            await self._stop(chosen)

    @work(exclusive=True, group="dialog")
    async def verb_halt(self) -> None:
        """Halt the release, the ring, or everything."""
        await self._stop(StopKind.HALT)

    async def _stop(self, kind: StopKind) -> None:
        verb = kind.value.capitalize()
        ring = self.chosen_ring()
        scopes = scopes_for(kind, self.chosen_kb(), ring.name if ring else None)
        scope: Scope | None = scopes[0][0]
        if len(scopes) > 1:
            choices = [Choice(each, scope_text(each), note) for each, note in scopes]
            scope = await self.app.push_screen_wait(ChooseDialog(f"{verb} what?", choices))
        if scope is None:
            return
        reason = await self.ask_reason(f"{verb} {scope_text(scope)}")
        if reason is not None:
            await self.confirm(Stop(kind, scope, reason))

    @work(exclusive=True, group="dialog")
    async def verb_recover(self) -> None:
        """Plan the way back from a bad hotpatch: uninstall, then the LCU or the baseline."""
        kb = self.chosen_kb()
        if kb is None:
            return
        intent = await ask_recovery(self.app, kb)
        if intent is not None:
            await self.confirm(intent)

    @work(exclusive=True, group="dialog")
    async def verb_rules(self) -> None:
        """Change the rules of the ring."""
        from console.dialogs.ring_rules import RingRulesDialog

        ring = self.chosen_ring()
        if ring is None:
            return
        intent = await self.app.push_screen_wait(RingRulesDialog(ring))
        if intent is not None:
            await self.confirm(intent)


def ring_offers(progress: Sequence[RingProgress], chosen: Ring | None) -> list[RingOffer]:
    """The rings an approval may name; the chosen one is ticked, or else the first that needs one."""
    from console.dialogs.approve import RingOffer

    wanted = chosen.name if chosen is not None else next((row.ring.name for row in progress if not row.approved), "")
    return [
        RingOffer(
            row.ring.name,
            row.devices,
            "approved already" if row.approved else f"deferral {row.ring.deferral_days} d",
            not row.approved and row.ring.name == wanted,
        )
        for row in progress
    ]


def about(rows: Sequence[ReleaseRow]) -> str:
    """``hotpatch of May 2026 for W11 24H2, W11 25H2; no restart``."""
    first = rows[0].release
    platforms = ", ".join(platform_short(row.release.platform) for row in rows)
    restart = "every install restarts" if first.restart_required else "no restart"
    return f"{kind_cell(first.kind).text} of {month(first.month)} for {platforms}; {restart}"


def in_force(approvals: Sequence[Approval], now: datetime) -> list[Approval]:
    """Those that were not withdrawn and have not expired; one that begins later counts."""
    return [
        each for each in approvals if each.withdrawn_at is None and (each.expires_at is None or each.expires_at > now)
    ]


def signature(approval: Approval, now: datetime) -> str:
    """``by alice, 13 May 09:02: pilot``."""
    return f"by {approval.approved_by}, {moment(approval.approved_at, now)}: {approval.reason}"


def scope_text(scope: Scope) -> str:
    """``KB5089466 in ring Broad``, ``KB5089466``, ``ring Broad``, ``everything``."""
    if scope.kb is None and scope.ring is None:
        return "everything"
    release = kb_name(scope.kb) if scope.kb is not None else ""
    ring = f"ring {scope.ring}" if scope.ring else ""
    return " in ".join(part for part in (release, ring) if part)


def stop_text(stop: StopRow, now: datetime) -> str:
    """``paused by alice, 13 May 09:02: crashes in Lyon``."""
    return f"{_DONE[stop.kind]} by {stop.stopped_by}, {moment(stop.stopped_at, now)}: {stop.reason}"


def concerns(scope: Scope, kb: int | None, ring: str | None) -> bool:
    """Whether a stop of this scope holds up this release or this ring; without a ring, in any of them."""
    if scope.kb is not None and kb is not None and scope.kb != kb:
        return False
    return scope.ring is None or ring is None or scope.ring.casefold() == ring.casefold()


def scopes_for(kind: StopKind, kb: int | None, ring: str | None) -> list[tuple[Scope, str]]:
    """What may be stopped from here, the narrowest first, each with what it means."""
    found: list[tuple[Scope, str]] = []
    if kb is not None and ring is not None:
        found.append((Scope(kb, ring), "this release in this ring"))
    if kb is not None:
        found.append((Scope(kb, None), "this release in every ring"))
    if ring is not None:
        found.append((Scope(None, ring), "this ring, whatever the release"))
    if kind is StopKind.HALT or not found:
        found.append((Scope(None, None), "every release in every ring"))
    return found
