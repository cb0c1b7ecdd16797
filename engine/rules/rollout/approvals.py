"""The rules that an organisation sets for itself: for approvals, and how long history is kept. Pure.

Kept in the state file as a setting; plans ask it before anything is approved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import asdict

from engine.model.build import kb_text
from engine.model.intents import Refusal
from engine.model.model import Release

SETTING = "approval-policy"


class ApprovalPolicy(Struct, frozen=True):
    """What must hold for an approval to count."""

    second_person: bool = False
    """Somebody else must sign it."""
    confirmed_only: bool = False
    """Releases that no Microsoft document confirms yet cannot be approved."""
    auto_approve: tuple[str, ...] = ()
    """Rings for which a new hotpatch or baseline is approved by itself."""
    keep_months: int = 0
    """How long finished installs, builds seen and health readings are kept; 0 is for ever."""

    def to_text(self) -> str:
        return json.dumps(asdict(self))


def policy_from_text(text: str | None) -> ApprovalPolicy:
    """The policy as it was kept; the one without rules for None."""
    if text is None:
        return ApprovalPolicy()
    kept = json.loads(text)
    rings = tuple(kept["auto_approve"])
    return ApprovalPolicy(kept["second_person"], kept["confirmed_only"], rings, kept.get("keep_months", 0))


def forbids(policy: ApprovalPolicy, releases: Sequence[Release]) -> Refusal | None:
    """Why policy forbids approving a release; None when it does not."""
    if policy.confirmed_only and any(release.provisional for release in releases):
        name = kb_text(releases[0].kb)
        return Refusal(
            f"{name} is not approved.",
            "Policy forbids approving a release that no Microsoft document confirms yet.",
            "Bring the catalog up to date: hotpatch catalog sync, or have the policy changed.",
        )
    return None
