"""Who may do what: roles and read-only. Returns a refusal with the way out, never raises.

`changes` asks it once for every plan; the console asks `may` to dim a key. Roles stop mistakes, not attackers:
whoever can write the state file can do anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.intents import (
    Apply,
    Approve,
    AskAgain,
    Assign,
    Countersign,
    EndEscalation,
    Escalate,
    Exclude,
    Expedite,
    HoldForProblem,
    Intent,
    LiftHold,
    LiftKnownProblem,
    MarkKnownProblem,
    Readmit,
    Recover,
    Refusal,
    Resume,
    Retry,
    Role,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    Sync,
    TakeBack,
    Uninstall,
    Withdraw,
)

NEEDED_ROLE: Mapping[type[Intent], Role] = {
    Approve: Role.APPROVER,
    Withdraw: Role.APPROVER,
    Apply: Role.OPERATOR,
    Uninstall: Role.OPERATOR,
    Retry: Role.HELP_DESK,
    Stop: Role.OPERATOR,
    Resume: Role.OPERATOR,
    SetRing: Role.OPERATOR,
    Assign: Role.OPERATOR,
    Countersign: Role.APPROVER,
    Recover: Role.OPERATOR,
    SetHold: Role.OPERATOR,
    LiftHold: Role.OPERATOR,
    SetPolicy: Role.APPROVER,
    Exclude: Role.OPERATOR,
    Readmit: Role.OPERATOR,
    TakeBack: Role.HELP_DESK,
    Escalate: Role.HELP_DESK,
    EndEscalation: Role.HELP_DESK,
    MarkKnownProblem: Role.OPERATOR,
    HoldForProblem: Role.OPERATOR,
    LiftKnownProblem: Role.OPERATOR,
    Sync: Role.HELP_DESK,
    Expedite: Role.APPROVER,
    AskAgain: Role.OPERATOR,
}
_RANK = {Role.VIEWER: 0, Role.HELP_DESK: 1, Role.OPERATOR: 2, Role.APPROVER: 3}
_VERBS: Mapping[type[Intent], str] = {
    Approve: "approve releases",
    Withdraw: "withdraw approvals",
    Apply: "apply releases",
    Uninstall: "uninstall hotpatches",
    Retry: "retry installs",
    Stop: "pause or halt",
    Resume: "resume",
    SetRing: "change rings",
    Assign: "move devices between rings",
    Countersign: "sign approvals",
    Recover: "begin a recovery",
    SetHold: "hold releases back",
    LiftHold: "lift safeguard holds",
    SetPolicy: "change the rules for approvals",
    Exclude: "exclude devices",
    Readmit: "readmit devices",
    TakeBack: "take installs back",
    Escalate: "escalate failures",
    EndEscalation: "end escalations",
    MarkKnownProblem: "mark known problems",
    HoldForProblem: "hold releases back",
    LiftKnownProblem: "lift known problems",
    Sync: "ask devices to check in",
    Expedite: "expedite releases",
    AskAgain: "send requests again",
}


def may(kind: type[Intent], role: Role, *, read_only: bool) -> Refusal | None:
    """Why this person may not do this kind of change; None when they may."""
    return _refusal(_VERBS[kind], role, NEEDED_ROLE[kind], read_only=read_only)


def may_take_in(what: str, role: Role, *, read_only: bool) -> Refusal | None:
    """Why this person may not bring documents or devices in; `what` is the verb, ``import a catalog``."""
    return _refusal(what, role, Role.OPERATOR, read_only=read_only)


def may_connect(what: str, role: Role, *, read_only: bool, opens_writing: bool = False) -> Refusal | None:
    """Why this person may not add, remove or sign in to a provider; what lets changes out needs an approver."""
    return _refusal(what, role, Role.APPROVER if opens_writing else Role.OPERATOR, read_only=read_only)


def may_restore(role: Role, *, read_only: bool) -> Refusal | None:
    """Why this person may not bring a backup back: it undoes whatever others have decided since."""
    return _refusal("restore a backup", role, Role.APPROVER, read_only=read_only)


def _refusal(verb: str, role: Role, needed: Role, *, read_only: bool) -> Refusal | None:
    if read_only:
        return Refusal(f"Cannot {verb}.", "The console is open read-only.", "Start it again without --read-only.")
    if _RANK[role] < _RANK[needed]:
        return Refusal(
            f"Cannot {verb}.",
            f"Your role is {role}; this needs {needed}.",
            f"Ask somebody with the role {needed}, or have your role changed in the configuration.",
        )
    return None
