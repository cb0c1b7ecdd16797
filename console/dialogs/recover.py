"""Asks for the way back from a bad hotpatch; for screens that show releases, rings or failures."""

from __future__ import annotations

from typing import Any

from textual.app import App

from console.dialogs.ask import AskDialog
from console.dialogs.choose import Choice, ChooseDialog
from console.text import kb as kb_name
from engine.model.intents import After, Recover


async def ask_recovery(app: App[Any], kb: int) -> Recover | None:
    """What follows the uninstall, and why; None when the person left. Call it from a dialog worker."""
    then = await app.push_screen_wait(
        ChooseDialog(
            f"Lead every device back from {kb_name(kb)}: what follows the uninstall?",
            [
                Choice(After.LCU, "install that month's LCU", "one more restart; protected, off the hotpatch track"),
                Choice(After.STAY, "stay on the baseline", "its fixes are open until the next baseline"),
            ],
        )
    )
    if then is None:
        return None
    reason = await app.push_screen_wait(
        AskDialog(
            f"Recover from {kb_name(kb)}",
            "Reason, for the audit:",
            check=lambda text: "" if text else "A reason is needed.",
        )
    )
    return Recover(kb, reason, then=then) if reason is not None else None
