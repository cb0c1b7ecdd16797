"""Plans for known problems: note one, withhold its release from further devices, lift it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec import Struct

from engine.model.build import kb_text
from engine.model.intents import HoldForProblem, LiftKnownProblem, MarkKnownProblem, Plan, Refusal
from engine.rules.failures import KnownProblem
from engine.rules.failures.errorcodes import code_text
from engine.rules.plans.candidates import plural


class ProblemFacts(Struct, frozen=True):
    """What is known about the group, and whom a hold would concern."""

    code: int | None
    kb: int | None
    """The release that was named, or the group's newest."""
    failed: int
    """Devices of the group that fail now."""
    concerned: int
    """Devices that the filter matches and the release is for, and that do not have it yet."""
    waiting: int
    """Installs on such devices that have not started."""
    existing: Sequence[KnownProblem]


def plan_mark(intent: MarkKnownProblem, facts: ProblemFacts, change_number: int) -> Plan:
    """What is noted, and with a hold which devices are kept from the release."""
    title = intent.title.strip()
    about = code_text(facts.code) if facts.code is not None else kb_text(facts.kb) if facts.kb is not None else ""
    steps = [f"“{title}” is shown beside every failure with {about}: {plural(facts.failed, 'device')} now."]
    if facts.code is not None:
        steps.append("It counts as the first action for these failures.")
    if intent.hold:
        steps += _hold_steps(facts.kb, intent.filter, facts.concerned, facts.waiting)
    return Plan(
        intent=intent,
        title=f"Mark {about} as a known problem: {title}" + (", and hold the release back" if intent.hold else ""),
        steps=tuple(steps),
        devices=facts.concerned if intent.hold else 0,
        restarts=0,
        refusal=_refusal_to_mark(intent, facts, title),
        warnings=_hold_warnings(facts.kb, intent.filter) if intent.hold else (),
        command=_mark_command(intent),
        change_number=change_number,
    )


def _refusal_to_mark(intent: MarkKnownProblem, facts: ProblemFacts, title: str) -> Refusal | None:
    what = "Nothing is marked."
    if not title:
        return Refusal(what, "A known problem needs a title.", 'Say what it is: --title "..."')
    if facts.code is None and facts.kb is None:
        return Refusal(what, "Neither failures nor a release are named.", "Name a group, or a release: --release KB")
    if intent.hold and facts.kb is None:
        return Refusal(what, "It is not said which release to hold back.", "Name it: --release KB")
    same = next(
        (
            each
            for each in facts.existing
            if each.title.casefold() == title.casefold() and (each.code, each.kb) == (facts.code, facts.kb)
        ),
        None,
    )
    if same is not None:
        return Refusal(
            what,
            f"{same.marked_by} has marked it before, as known problem {same.id}.",
            f"To withhold the release for it: hotpatch known-problem hold {same.id}",
        )
    return None


def _hold_steps(kb: int | None, filter_text: str, concerned: int, waiting: int) -> list[str]:
    name = kb_text(kb) if kb is not None else "the release"
    whom = f" that match {filter_text.strip()}" if filter_text.strip() else ""
    steps = [
        f"{name} is withheld from {plural(concerned, 'device')}{whom}, and from those that match later, "
        "until the problem is lifted."
    ]
    if waiting:
        steps.append(f"{plural(waiting, 'install')} will be cancelled; what has started is allowed to end.")
    return steps


def _hold_warnings(kb: int | None, filter_text: str) -> tuple[str, ...]:
    if filter_text.strip() or kb is None:
        return ()
    return (f"No filter narrows it: {kb_text(kb)} is withheld from every device that does not have it.",)


def _mark_command(intent: MarkKnownProblem) -> str:
    words = ["hotpatch", "known-problem", "mark", *([intent.group] if intent.group else []), "--title", intent.title]
    words += ["--release", kb_text(intent.kb)] if intent.kb is not None else []
    words += ["--filter", intent.filter] if intent.filter.strip() else []
    words += ["--hold"] if intent.hold else []
    words += ["--note", intent.note] if intent.note else []
    return shlex.join(words)


def plan_hold_for_problem(
    intent: HoldForProblem, problem: KnownProblem, concerned: int, waiting: int, change_number: int
) -> Plan:
    """What turning a known problem into a safeguard hold would do."""
    refusal = None
    what = "Nothing is held back."
    if problem.holds:
        refusal = Refusal(what, "It is a safeguard hold already.", "Nothing needs to be done.")
    elif problem.kb is None:
        refusal = Refusal(
            what, "The problem names no release.", "Mark it anew with the release, or use: hotpatch hold KB"
        )
    name = kb_text(problem.kb) if problem.kb is not None else "its release"
    words = ["hotpatch", "known-problem", "hold", str(problem.id)]
    return Plan(
        intent=intent,
        title=f"Hold back {name} for the known problem: {problem.title}",
        steps=tuple(_hold_steps(problem.kb, problem.filter, concerned, waiting)),
        devices=concerned,
        restarts=0,
        refusal=refusal,
        warnings=_hold_warnings(problem.kb, problem.filter),
        command=shlex.join([*words, *(["--reason", intent.reason] if intent.reason else [])]),
        change_number=change_number,
    )


def plan_lift_problem(intent: LiftKnownProblem, problem: KnownProblem, concerned: int, change_number: int) -> Plan:
    """What lifting a known problem, or its hold alone, would do."""
    refusal = None
    if intent.only_hold and not problem.holds:
        refusal = Refusal("Nothing is lifted.", "It holds no release back.", "To take the mark away, lift it whole.")
    steps = []
    if problem.holds:
        steps.append(f"{plural(concerned, 'device')} will join the rollout again where the ring is open.")
    if not intent.only_hold:
        steps.append("Its failures no longer show it; the service level asks for an action again.")
    words = ["hotpatch", "known-problem", "lift", str(problem.id), *(["--only-hold"] if intent.only_hold else [])]
    return Plan(
        intent=intent,
        title=f"Lift {'the hold of ' if intent.only_hold else ''}the known problem: {problem.title}",
        steps=tuple(steps),
        devices=concerned if problem.holds else 0,
        restarts=0,
        refusal=refusal,
        command=shlex.join([*words, *(["--reason", intent.reason] if intent.reason else [])]),
        change_number=change_number,
    )
