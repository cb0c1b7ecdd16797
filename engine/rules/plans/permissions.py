"""Who may do what: roles and read-only. Returns a refusal with the way out, never raises.

`changes` asks it once for every plan; the console asks `may` to dim a key. What a kind of change needs stands with the
kind (`engine.model.intents`). Roles stop mistakes, not attackers: whoever can write the state file can do anything.
"""

from __future__ import annotations

from engine.model.intents import Intent, Refusal, Role

_RANK = {Role.VIEWER: 0, Role.HELP_DESK: 1, Role.OPERATOR: 2, Role.APPROVER: 3}


def may(kind: type[Intent], role: Role, *, read_only: bool) -> Refusal | None:
    """Why this person may not do this kind of change; None when they may."""
    return _refusal(kind.does, role, kind.needs, read_only=read_only)


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
