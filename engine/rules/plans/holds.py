"""Plans for safeguard holds: a release withheld from devices for a known problem, and the end of that."""

from __future__ import annotations

import shlex
from datetime import datetime

from msgspec import Struct

from engine.model.build import kb_text
from engine.model.intents import LiftHold, Plan, Refusal, SetHold
from engine.rules.plans.candidates import plural


class Hold(Struct, frozen=True):
    """A safeguard hold in force. No KB: every release; no filter: every device."""

    id: int
    kb: int | None
    filter: str
    reason: str
    held_by: str
    held_at: datetime

    @property
    def words(self) -> str:
        """``KB5089466 from devices that match model:latitude``."""
        return _words(self.kb, self.filter)


def _words(kb: int | None, filter_text: str) -> str:
    what = kb_text(kb) if kb is not None else "every release"
    return f"{what} from {f'devices that match {filter_text}' if filter_text.strip() else 'every device'}"


def plan_set_hold(intent: SetHold, devices: int, waiting: int, change_number: int) -> Plan:
    """What withholding would do: `devices` match, `waiting` installs on them have not started."""
    what = _words(intent.kb, intent.filter)
    refusal = None
    if intent.kb is None and not intent.filter.strip():
        refusal = Refusal(
            "Nothing is held back.", "Neither a release nor a filter is named.", "To stop everything: hotpatch halt"
        )
    elif not intent.reason.strip():
        refusal = Refusal("Nothing is held back.", "A hold needs a reason.", 'Say why: --reason "..."')
    words = ["hotpatch", "hold", *([kb_text(intent.kb)] if intent.kb is not None else [])]
    words += ["--filter", intent.filter] if intent.filter.strip() else []
    return Plan(
        intent=intent,
        title=f"Hold back {what}",
        steps=(
            f"{plural(devices, 'device')} are not offered it until the hold is lifted; those that match later neither.",
            f"{plural(waiting, 'install')} that have not started are cancelled; what has started is allowed to end.",
        ),
        devices=devices,
        restarts=0,
        refusal=refusal,
        command=shlex.join([*words, "--reason", intent.reason]),
        change_number=change_number,
    )


def plan_lift_hold(intent: LiftHold, hold: Hold, devices: int, change_number: int) -> Plan:
    """What lifting would do."""
    return Plan(
        intent=intent,
        title=f"Lift the hold of {hold.words}",
        steps=(f"{plural(devices, 'device')} join the rollout again where their ring is open.",),
        devices=devices,
        restarts=0,
        command=shlex.join(["hotpatch", "unhold", str(intent.hold_id)]),
        change_number=change_number,
    )
