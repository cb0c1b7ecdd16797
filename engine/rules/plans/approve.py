"""Plans for approving a release for rings, and for taking an approval back."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from engine.model.build import kb_text
from engine.model.intents import Approve, Plan, Refusal, Withdraw
from engine.model.model import Approval, Release
from engine.rules.plans.candidates import plural
from engine.rules.rollout.gates import RingStanding


class ApproveFacts(Struct, frozen=True):
    """What is known about the release and the rings before the approval."""

    releases: Sequence[Release]
    standings: Sequence[RingStanding]
    """The chosen rings, as they would stand once it is approved."""
    already: frozenset[str]
    """Names of rings with an approval in force."""
    newer_kb: int | None
    forbidden: Refusal | None = None
    """Why policy forbids it."""
    second_person: bool = False
    """Policy asks for a second signature."""


def plan_approve(intent: Approve, facts: ApproveFacts, now: datetime, change_number: int) -> Plan:
    """What approving would set going, ring by ring."""
    name = kb_text(intent.kb)
    chosen = [each for each in facts.standings if each.facts.ring.name not in facts.already]
    left_out = tuple(
        Refusal(each.facts.ring.name, f"{name} is approved for it already.", "Nothing needs to be done.")
        for each in facts.standings
        if each.facts.ring.name in facts.already
    )
    restart = any(release.restart_required for release in facts.releases)
    devices = sum(each.facts.counts.pending for each in chosen)
    rings = ", ".join(each.facts.ring.name for each in chosen)
    return Plan(
        intent=intent,
        title=f"Approve {name} for {'ring' if len(chosen) == 1 else 'rings'} {rings}",
        steps=tuple(_ring_step(each, now) for each in chosen),
        devices=devices,
        restarts=devices if restart else 0,
        left_out=left_out,
        refusal=_refusal(name, intent, chosen) or facts.forbidden,
        warnings=_warnings(name, chosen, facts, restart=restart),
        command=_command(name, intent),
        change_number=change_number,
    )


def _ring_step(standing: RingStanding, now: datetime) -> str:
    facts = standing.facts
    if standing.opens_at is None or standing.opens_at <= now:
        when = "at once"
    else:
        when = f"from {standing.opens_at:%a %d %b %H:%M} UTC"
    behind = ", behind the gate of the ring before it" if facts.ring.position > 1 else ""
    if facts.tenant:
        behind = f", as {facts.tenant} offers it; each device takes it at a scan of its own"
    counts = facts.counts
    return (
        f"Ring {facts.ring.name}: {when}{behind}; {plural(counts.pending, 'device')}"
        + (f", {counts.not_ready:,} not ready" if counts.not_ready else "")
        + "."
    )


def _refusal(name: str, intent: Approve, chosen: Sequence[RingStanding]) -> Refusal | None:
    what = f"{name} is not approved."
    if not intent.reason.strip():
        return Refusal(what, "An approval needs a reason.", 'Say why: --reason "..."')
    if not chosen:
        return Refusal(what, "It is approved for these rings already.", "Name other rings.")
    if intent.expires_at is not None and intent.not_before is not None and intent.expires_at <= intent.not_before:
        return Refusal(what, "It would expire before it begins.", "Choose a later expiry.")
    return None


def _warnings(name: str, chosen: Sequence[RingStanding], facts: ApproveFacts, *, restart: bool) -> tuple[str, ...]:
    found = []
    not_ready = sum(each.facts.counts.not_ready for each in chosen)
    if facts.second_person:
        found.append("Policy asks for a second person: nothing opens until somebody else has signed it.")
    if facts.newer_kb is not None:
        found.append(f"{name} has been replaced by {kb_text(facts.newer_kb)}; devices are offered the newer one.")
    if restart:
        found.append(f"{name} is no hotpatch: every device that takes it restarts.")
    elif not_ready:
        found.append(
            f"{plural(not_ready, 'device')} in these rings cannot take it and will restart for the LCU instead."
        )
    return tuple(found)


def _command(name: str, intent: Approve) -> str:
    words = ["hotpatch", "approve", name]
    for ring in intent.rings:
        words += ["--ring", ring]
    if not intent.rings:
        words.append("--all-rings")
    words += ["--reason", intent.reason]
    if intent.not_before:
        words += ["--not-before", intent.not_before.isoformat()]
    if intent.expires_at:
        words += ["--expires", intent.expires_at.isoformat()]
    return shlex.join(words)


def plan_withdraw(intent: Withdraw, approval: Approval, waiting: int, change_number: int) -> Plan:
    """What withdrawing would do: `waiting` installs have not started and will be cancelled."""
    name = kb_text(approval.kb)
    refusal = None
    if approval.withdrawn_at is not None:
        refusal = Refusal(
            "Nothing is withdrawn.",
            f"{approval.withdrawn_by} has withdrawn it before.",
            "Nothing needs to be done.",
        )
    elif not intent.reason.strip():
        refusal = Refusal("Nothing is withdrawn.", "Withdrawing needs a reason.", 'Say why: --reason "..."')
    return Plan(
        intent=intent,
        title=f"Withdraw the approval of {name} for {', '.join(approval.rings)}",
        steps=(
            f"{plural(waiting, 'install')} that have not started are cancelled.",
            "What has started is allowed to end; what is installed stays.",
        ),
        devices=waiting,
        restarts=0,
        refusal=refusal,
        command=shlex.join(["hotpatch", "withdraw", str(intent.approval_id), "--reason", intent.reason]),
        change_number=change_number,
    )
