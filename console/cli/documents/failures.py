"""Failures and what people do about them as JSON. Pure; every key is relied on by scripts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.cli.documents.values import Document, code_text, iso, optional_kb, plain
from engine.model.build import kb_text

if TYPE_CHECKING:
    from engine.rules.failures import Escalation, FailureCase, FailureGroupView, KnownProblem
    from engine.rules.helpdesk import HelpDeskAnswer


def failure_group(view: FailureGroupView, now: datetime) -> Document:
    group, outlook = view.group, view.retry
    return {
        "group": view.key,
        "cause": group.cause,
        "code": code_text(group.code),
        "symbol": group.symbol or None,
        "meaning": group.meaning,
        "devices": group.devices,
        "sample": list(group.sample),
        "filter": view.filter,
        "kbs": [kb_text(each) for each in group.kbs],
        "attempts": group.attempts,
        "common": [_common(each) for each in group.common],
        "remedy": group.remedy,
        "retry": {
            "worth_it": group.retry,
            "after": group.retry_after or None,
            "now": outlook.now,
            "waiting": outlook.waiting,
            "refused": outlook.refused,
            "next": iso(outlook.next_at),
            "needs": outlook.needs or None,
            "why_not": outlook.why or None,
        },
        "sla": plain(view.sla),
        "escalations": [escalation(each, now) for each in view.escalations],
        "known_problems": [known_problem(each) for each in view.known_problems],
        "excluded": view.excluded,
        "known": group.known,
        "first_failed": iso(group.first_failed_at),
        "last_failed": iso(group.last_failed_at),
    }


def _common(factor: object) -> Document:
    found = plain(factor)
    sentence = getattr(factor, "sentence", "")
    return {"sentence": sentence, **(found if isinstance(found, dict) else {})}


def failure_case(each: FailureCase, now: datetime) -> Document:
    """One open failure of a device."""
    decision = each.retry(now)
    return {
        "kb": kb_text(each.kb),
        "action": each.action,
        "code": code_text(each.code),
        "cause": each.cause,
        "attempts": each.attempts,
        "first_failed": iso(each.times.failed_at),
        "last_failed": iso(each.failed_at),
        "retry": {"now": decision.allowed, "next": iso(decision.not_before), "why_not": decision.why or None},
        "sla": plain(each.sla(now)),
        "excluded": each.is_excluded,
    }


def answer(told: HelpDeskAnswer) -> Document:
    """The help desk's answer in words."""
    return {
        "protected": told.protected,
        "headline": told.headline,
        "restart": told.restart,
        "restart_reason": told.restart_reason,
        "restart_why": told.restart_why or None,
        "problem": told.problem or None,
        "do_now": told.do_now,
        "what_next": told.what_next or None,
    }


def escalation(each: Escalation, now: datetime) -> Document:
    return {
        "id": each.id,
        "group": each.group_key or None,
        "owner": each.owner,
        "reason": each.reason or None,
        "due": iso(each.due_at),
        "overdue": each.is_overdue(now),
        "devices": each.devices,
        "open_devices": each.open_devices,
        "escalated_by": each.escalated_by,
        "escalated": iso(each.escalated_at),
        "ended": iso(each.ended_at),
        "ended_by": each.ended_by or None,
        "outcome": each.outcome or None,
    }


def known_problem(each: KnownProblem) -> Document:
    return {
        "id": each.id,
        "title": each.title,
        "group": each.group_key or None,
        "kb": optional_kb(each.kb),
        "filter": each.filter or None,
        "note": each.note or None,
        "holds": each.holds,
        "hold_id": each.safeguard_id if each.holds else None,
        "marked_by": each.marked_by,
        "marked": iso(each.marked_at),
    }
