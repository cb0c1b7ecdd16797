"""Every kind of change is whole: it tells of itself, and one family plans it, writes it and tells how it stands."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest

from engine.changes import families
from engine.changes.families import MODULE_OF, family_of
from engine.model.intents import (
    Apply,
    Approve,
    AskAgain,
    Assign,
    Change,
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
    Resume,
    Retry,
    Role,
    Scope,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    StopKind,
    Sync,
    TakeBack,
    Target,
    Uninstall,
    Withdraw,
)

KINDS: tuple[type[Intent], ...] = get_args(Intent)
PARTS = ("plan", "write", "standing")


def of(kind: type[Intent]) -> str:
    return kind.__name__


def intents_of(module: Any, part: str) -> set[type]:
    """The kinds that a family's function says it takes."""
    hint = get_type_hints(getattr(module, part))
    taken = hint["intent" if "intent" in hint else "_intent"]
    return set(get_args(taken)) if isinstance(taken, UnionType) else {taken}


def named_in(module: Any, part: str) -> set[str]:
    """The kinds that a family's function tells apart."""
    tree = ast.parse(inspect.getsource(getattr(module, part)))
    return {
        each.cls.id for each in ast.walk(tree) if isinstance(each, ast.MatchClass) and isinstance(each.cls, ast.Name)
    }


def test_every_class_of_change_is_a_kind_of_intent() -> None:
    assert set(Change.__subclasses__()) == set(KINDS)


def test_every_kind_is_in_one_family() -> None:
    named = [kind for kinds, _ in families._MODULES for kind in get_args(kinds) or (kinds,)]
    assert len(named) == len(set(named))
    assert set(named) == set(MODULE_OF) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=of)
def test_it_tells_of_itself(kind: type[Intent]) -> None:
    own = vars(kind)
    assert own["verb"] == own["verb"].strip().lower()
    assert own["does"][0].islower()
    assert not own["does"].endswith(".")
    assert own["needs"] in (Role.HELP_DESK, Role.OPERATOR, Role.APPROVER), "a viewer changes nothing"
    assert (kind.__doc__ or "").endswith(".")


def test_no_two_kinds_are_recorded_under_one_verb() -> None:
    verbs = [kind.verb for kind in KINDS]
    assert sorted(verbs) == sorted(set(verbs))


SOME = Target(rings=("Test", "First"))
RECORDED: tuple[tuple[Intent, str, int | None, tuple[str, ...]], ...] = (
    (Approve(1, ("Test",), "x"), "approve", 1, ("Test",)),
    (Withdraw(4, "x"), "withdraw", None, ()),
    (Countersign(4), "countersign", None, ()),
    (SetPolicy(), "set-policy", None, ()),
    (SetPolicy(auto_approve=("Test",)), "set-policy", None, ("Test",)),
    (Apply(1, SOME), "apply", 1, SOME.rings),
    (Uninstall(1, SOME, "x"), "uninstall", 1, SOME.rings),
    (Retry(SOME), "retry", None, SOME.rings),
    (Retry(SOME, 1), "retry", 1, SOME.rings),
    (Stop(StopKind.PAUSE, Scope(), "x"), "pause", None, ()),
    (Stop(StopKind.HALT, Scope(1, "Test"), "x"), "halt", 1, ("Test",)),
    (Resume(Scope(1, "Test")), "resume", 1, ("Test",)),
    (SetRing("Test", reason="x"), "set-ring", None, ("Test",)),
    (Assign(SOME, "Last"), "assign", None, ("Last",)),
    (SetHold(None, "model:x", "x"), "hold", None, ()),
    (SetHold(1, "", "x"), "hold", 1, ()),
    (LiftHold(4), "lift-hold", None, ()),
    (Recover(1, "x", SOME), "recover", 1, SOME.rings),
    (Exclude(SOME, "x", 1), "exclude", 1, SOME.rings),
    (Readmit(SOME), "readmit", None, SOME.rings),
    (TakeBack(SOME, 1), "take-back", 1, SOME.rings),
    (Escalate("ngozi", target=SOME), "escalate", None, SOME.rings),
    (EndEscalation(4), "end-escalation", None, ()),
    (MarkKnownProblem("x", kb=1), "mark-known-problem", 1, ()),
    (HoldForProblem(4), "hold-for-problem", None, ()),
    (LiftKnownProblem(4), "lift-known-problem", None, ()),
    (Sync(SOME), "sync", None, SOME.rings),
    (Expedite(1, SOME, "x"), "expedite", 1, SOME.rings),
    (AskAgain(4), "ask-again", None, ()),
)
"""As states of 0.1 have it: verb, release, rings."""


@pytest.mark.parametrize(("intent", "verb", "kb", "rings"), RECORDED)
def test_it_is_recorded_as_ever(intent: Intent, verb: str, kb: int | None, rings: tuple[str, ...]) -> None:
    assert (intent.audit_verb, intent.audit_kb, intent.audit_rings) == (verb, kb, rings)
    assert intent.audit_reason == getattr(intent, "reason", "")


def test_every_kind_is_looked_at_in_the_record() -> None:
    assert {type(each[0]) for each in RECORDED} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=of)
@pytest.mark.parametrize("part", PARTS)
def test_its_family_takes_it(kind: type[Intent], part: str) -> None:
    family = family_of(kind)
    assert kind in intents_of(family, part)
    apart = named_in(family, part)
    assert not apart or kind.__name__ in apart, f"{part} tells kinds apart and forgets this one"


@pytest.mark.parametrize("name", sorted(set(MODULE_OF.values())))
def test_a_family_takes_nothing_else(name: str) -> None:
    module = import_module(f"engine.changes.{name}")
    mine = {kind for kind, family in MODULE_OF.items() if family == name}
    assert all(intents_of(module, part) == mine for part in PARTS)


def test_to_start_planning_loads_no_family() -> None:
    code = "import sys, engine.changes.changes; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {f"engine.changes.{name}" for name in MODULE_OF.values()} & set(loaded)
