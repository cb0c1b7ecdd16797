"""Plans for the second person's signature and for the rules that ask for one."""

from __future__ import annotations

import shlex

from msgspec.structs import replace

from engine.model.build import kb_text
from engine.model.intents import Countersign, Plan, Refusal, SetPolicy
from engine.model.model import Approval
from engine.rules.retention import FOREVER, period_words
from engine.rules.rollout.approvals import ApprovalPolicy


def plan_countersign(intent: Countersign, approval: Approval, actor: str, devices: int, change_number: int) -> Plan:
    """What signing would set going; the one who approved cannot be the second person."""
    name = kb_text(approval.kb)
    what = f"The approval of {name} is not signed."
    refusal = None
    if approval.withdrawn_at is not None:
        refusal = Refusal(what, f"{approval.withdrawn_by} has withdrawn it.", f"Approve {name} again.")
    elif approval.is_signed:
        refusal = Refusal(what, "It needs no other signature.", "Nothing needs to be done.")
    elif approval.approved_by.casefold() == actor.casefold():
        refusal = Refusal(what, f"{actor} has approved it; policy asks for two persons.", "Ask somebody else to sign.")
    return Plan(
        intent=intent,
        title=f"Sign the approval of {name} for {', '.join(approval.rings)}",
        steps=(
            f"{approval.approved_by} approved it: {approval.reason}",
            "It counts from now on; each ring opens after its deferral, behind the gate of the ring before it.",
        ),
        devices=devices,
        restarts=0,
        refusal=refusal,
        command=shlex.join(
            [
                "hotpatch",
                "countersign",
                str(intent.approval_id),
                *(["--reason", intent.reason] if intent.reason else []),
            ]
        ),
        change_number=change_number,
    )


def changed_policy(intent: SetPolicy, policy: ApprovalPolicy) -> ApprovalPolicy:
    """The policy with the intent's rules."""
    given = {name: getattr(intent, name) for name in ("second_person", "confirmed_only", "auto_approve", "keep_months")}
    return replace(policy, **{name: value for name, value in given.items() if value is not None})


def plan_set_policy(intent: SetPolicy, policy: ApprovalPolicy, change_number: int) -> Plan:
    """What changes in the rules; approvals that stand keep the rules they were given under."""
    after = changed_policy(intent, policy)
    steps = []
    words = ["hotpatch", "policy", "set"]
    if after.second_person != policy.second_person:
        steps.append(f"A second person {'must' if after.second_person else 'need no longer'} sign each new approval.")
        words.append("--second-person" if after.second_person else "--one-person")
    if after.confirmed_only != policy.confirmed_only:
        verb = "cannot" if after.confirmed_only else "can"
        steps.append(f"Releases that no Microsoft document confirms yet {verb} be approved.")
        words.append("--confirmed-only" if after.confirmed_only else "--any-release")
    if after.auto_approve != policy.auto_approve:
        rings = ", ".join(after.auto_approve)
        steps.append(f"New releases are approved by themselves for {rings or 'no ring'}.")
        words += [part for ring in after.auto_approve for part in ("--auto-approve", ring)] or ["--no-auto-approve"]
    if after.keep_months != policy.keep_months:
        steps += _keeping(policy.keep_months, after.keep_months)
        words += ["--keep-history", period_words(after.keep_months).replace("for ever", "forever")]
    if intent.reason:
        words += ["--reason", intent.reason]
    refusal = None
    if not steps:
        refusal = Refusal("The rules are not changed.", "They are so already.", "Name another rule.")
    is_about_approvals = replace(after, keep_months=policy.keep_months) != policy
    return Plan(
        intent=intent,
        title="Change the rules for approvals"
        if is_about_approvals or not steps
        else "Change how long history is kept",
        steps=(*steps, "Approvals that stand keep the rules they were given under.")
        if is_about_approvals
        else (*steps,),
        devices=0,
        restarts=0,
        refusal=refusal,
        command=shlex.join(words),
        change_number=change_number,
    )


def _keeping(before: int, after: int) -> list[str]:
    steps = [f"Finished installs are kept {_for(after)}, not {_for(before)}. The audit is always kept."]
    if after != FOREVER:
        steps.append(
            "What is older is deleted while the work is driven: finished installs, builds seen, health readings. Open "
            "failures, current releases and the last installs of each device stay."
        )
    return steps


def _for(months: int) -> str:
    return period_words(months) if months == FOREVER else f"for {period_words(months)}"
