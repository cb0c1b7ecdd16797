"""What a check of a tenant finds, step by step, and in which words it says what is missing and who can grant it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from engine.providers.graph.permissions import Permission, granting
from engine.providers.graph.token_facts import TokenFacts


class StepState(StrEnum):
    """How a step ended."""

    OK = "ok"
    DENIED = "denied"
    """A permission or a role is missing."""
    FAILED = "failed"
    SKIPPED = "skipped"
    NOTE = "note"
    """Worth knowing, nothing to do."""

    @property
    def needs_attention(self) -> bool:
        return self in (StepState.DENIED, StepState.FAILED)


class CheckStep(Struct, frozen=True):
    """One thing that was looked at."""

    id: str
    title: str
    state: StepState
    found: str
    missing: tuple[str, ...] = ()
    """Permissions or a role that would be needed."""
    fix: str = ""
    """What to do, and who can do it."""


def skipped(step_id: str, title: str, why: str = "what stands before it does not work") -> CheckStep:
    return CheckStep(step_id, title, StepState.SKIPPED, why)


def permission_step(step_id: str, title: str, wanted: Sequence[Permission], facts: TokenFacts) -> CheckStep:
    lacking = [each for each in wanted if not each.is_in(facts.granted)]
    if not lacking:
        return CheckStep(step_id, title, StepState.OK, f"all {len(wanted)}")
    found = "; ".join(f"without {each.name} {each.without}" for each in lacking)
    return CheckStep(
        step_id, title, StepState.DENIED, found, tuple(each.name for each in lacking), grant(lacking, facts)
    )


def grant(lacking: Sequence[Permission], facts: TokenFacts | None) -> str:
    names = ", ".join(each.name for each in lacking)
    who = granting()
    if facts is None:
        return f"Have {names} granted to the app. For an application's own permissions: {who.application}."
    if facts.is_delegated:
        return f"Have the delegated permission {names} granted to the app by {who.delegated}, then sign in anew."
    return f"Have the application permission {names} granted to the app by {who.application}."
