"""Plans for stopping and resuming: pause, halt, resume, for a release, a ring, or everything."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from engine.model.build import kb_text
from engine.model.intents import Plan, Refusal, Resume, Scope, Stop, StopKind
from engine.rules.plans.candidates import plural


def scope_words(scope: Scope) -> str:
    """``KB5089466 in ring Broad``, ``ring Broad``, ``everything``."""
    parts = [
        *([kb_text(scope.kb)] if scope.kb is not None else []),
        *([f"{'in ' if scope.kb is not None else ''}ring {scope.ring}"] if scope.ring else []),
    ]
    return " ".join(parts) or "everything"


def plan_stop(intent: Stop, *, waiting: int, under_way: int, change_number: int, already: bool) -> Plan:
    """What pausing or halting would do to what waits and what runs."""
    scope = scope_words(intent.scope)
    verb = "Pause" if intent.kind is StopKind.PAUSE else "Halt"
    halt = intent.kind is StopKind.HALT
    refusal = None
    if already:
        refusal = Refusal(f"{scope} is stopped already.", "", "Resume it, or choose another scope.")
    elif not intent.reason.strip():
        refusal = Refusal(f"{scope} is not stopped.", "Stopping needs a reason.", 'Say why: --reason "..."')
    return Plan(
        intent=intent,
        title=f"{verb} {scope}",
        steps=(
            "Nothing new is offered until it is resumed.",
            f"{plural(waiting, 'install')} that wait are cancelled."
            if halt
            else f"{plural(waiting, 'install')} that wait are held where they are.",
            f"{plural(under_way, 'install')} that run are allowed to end: half-way would leave devices undone.",
        ),
        devices=waiting,
        restarts=0,
        refusal=refusal,
        command=_command("halt" if halt else "pause", intent.scope, intent.reason),
        change_number=change_number,
    )


def plan_resume(intent: Resume, lifted: Sequence[str], change_number: int) -> Plan:
    """What resuming would lift."""
    scope = scope_words(intent.scope)
    return Plan(
        intent=intent,
        title=f"Resume {scope}",
        steps=(*(f"Lifts: {each}." for each in lifted), "Rings go on where they stood, each behind its gate."),
        devices=0,
        restarts=0,
        refusal=None
        if lifted
        else Refusal(f"{scope} is not stopped.", "There is nothing to resume.", "See what is: hotpatch rings"),
        command=_command("resume", intent.scope, intent.reason),
        change_number=change_number,
    )


def _command(verb: str, scope: Scope, reason: str) -> str:
    words = ["hotpatch", verb]
    words += ["--release", kb_text(scope.kb)] if scope.kb is not None else []
    words += ["--ring", scope.ring] if scope.ring else []
    words += ["--all"] if scope.kb is None and not scope.ring else []
    words += ["--reason", reason] if reason else []
    return shlex.join(words)
