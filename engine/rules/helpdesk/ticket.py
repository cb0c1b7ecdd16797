"""A ticket from an answer: facts, error, next step, what happened; as text, Markdown or a document. Pure.

What stands in it may come from devices and people, so that Markdown signs in it are made harmless.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from engine.model.clock import to_text
from engine.model.model import Install, InstallState
from engine.model.records.fleet import DeviceDetail
from engine.rules.failures import CommonFactor, Escalation, FailureCase, KnownProblem
from engine.rules.failures.errorcodes import ErrorKnowledge, code_text, explain
from engine.rules.helpdesk.answer import HelpDeskAnswer, RestartNeed
from engine.rules.helpdesk.words import install_words, plain, time

_TIMELINE = 6
_ACTIVE_SIGNS = re.compile(r"([\\`*_\[\]<>|~&])")


class Ticket(Struct, frozen=True):
    """What is written down about one call. Every text is one line, without control characters."""

    title: str
    written_at: datetime
    answer: HelpDeskAnswer
    error: tuple[tuple[str, str], ...]
    """Label and value; empty without an open failure."""
    next_step: str
    timeline: tuple[tuple[datetime, str], ...]
    """What happened when, the latest first."""

    def text(self) -> str:
        """For a ticket system's plain field, or an e-mail."""
        lines = [self.title, "", self.answer.headline]
        lines += [f"{label}: {value}" for label, value in _parts(self.answer)]
        lines += _block("Error", [f"{label}: {value}" for label, value in self.error])
        lines += _block("Next step", [self.next_step])
        lines += _block("Facts", [f"{label}: {value}" for label, value in self.answer.facts])
        lines += _block("What happened", [f"{time(at)}  {words}" for at, words in self.timeline])
        return "\n".join([*lines, "", f"As of {time(self.written_at)}, Hotpatch Console."]) + "\n"

    def markdown(self) -> str:
        """For ticket systems that show Markdown."""
        lines = [f"## {_inert(self.title)}", "", _inert(self.answer.headline), ""]
        lines += [f"- **{label}:** {_inert(value)}" for label, value in _parts(self.answer)]
        lines += _listed("Error", [f"**{label}:** {_inert(value)}" for label, value in self.error])
        lines += _listed("Next step", [_inert(self.next_step)])
        lines += _listed("Facts", [f"**{label}:** {_inert(value)}" for label, value in self.answer.facts])
        lines += _listed("What happened", [f"{time(at)}: {_inert(words)}" for at, words in self.timeline])
        return "\n".join([*lines, "", f"As of {time(self.written_at)}, Hotpatch Console."]) + "\n"

    def document(self) -> dict[str, object]:
        """For programs: JSON-ready, times as ISO 8601 in UTC."""
        told = self.answer
        return {
            "title": self.title,
            "written": to_text(self.written_at),
            "device": told.device,
            "protected": told.protected,
            "headline": told.headline,
            "restart": told.restart.value,
            "restart_reason": told.restart_reason.value if told.restart_reason else None,
            "restart_why": told.restart_why or None,
            "do_now": told.do_now,
            "what_next": told.what_next or None,
            "problem": told.problem or None,
            "error": {_key(label): value for label, value in self.error} or None,
            "next_step": self.next_step or None,
            "facts": {_key(label): value for label, value in told.facts},
            "timeline": [{"at": to_text(at), "what": words} for at, words in self.timeline],
        }


def ticket(
    answer: HelpDeskAnswer,
    detail: DeviceDetail,
    now: datetime,
    *,
    case: FailureCase | None = None,
    common: Sequence[CommonFactor] = (),
    escalations: Sequence[Escalation] = (),
    known_problems: Sequence[KnownProblem] = (),
) -> Ticket:
    """The ticket for one device; `common` is what its failure group shares."""
    return Ticket(
        title=_title(answer, case),
        written_at=now,
        answer=answer,
        error=tuple(_error(case, common, escalations, known_problems, now)) if case is not None else (),
        next_step=_next_step(answer, case, escalations, now, by_itself=detail.as_of is not None),
        timeline=tuple(_timeline(detail.installs)),
    )


def _title(answer: HelpDeskAnswer, case: FailureCase | None) -> str:
    if case is not None:
        known = explain(case.code)
        symbol = f" {known.symbol}" if known.symbol else ""
        what = "uninstall" if case.action == "uninstall" else "install"
        return f"{answer.device}: {what} of KB{case.kb} failed with {code_text(case.code)}{symbol}"
    if answer.restart is RestartNeed.WAITING:
        return f"{answer.device}: waits for a restart"
    return f"{answer.device}: {answer.headline[0].lower()}{answer.headline[1:].rstrip('.')}"


def _error(
    case: FailureCase,
    common: Sequence[CommonFactor],
    escalations: Sequence[Escalation],
    known_problems: Sequence[KnownProblem],
    now: datetime,
) -> list[tuple[str, str]]:
    known: ErrorKnowledge = explain(case.code)
    sla = case.sla(now)
    rows = [
        ("Code", f"{code_text(case.code)} {known.symbol}".strip()),
        ("Meaning", known.meaning),
        ("Cause", known.cause.label + ("" if known.known else " (a guess: the code is not in the table)")),
        ("Remedy", known.remedy),
        ("Attempts", f"{case.attempts}, first failed {time(case.times.failed_at)}, last {time(case.failed_at)}"),
        ("Service level", f"{sla.stage} due {time(sla.due_at)}: {sla.state.replace('-', ' ')}"),
    ]
    rows += [("Shared with others", plain(factor.sentence)) for factor in common[:2]]
    rows += [("Known problem", plain(f"{each.title} {each.note}")) for each in known_problems]
    rows += [("Escalated", plain(f"to {each.owner}, due {time(each.due_at)}")) for each in escalations]
    return rows


def _next_step(
    answer: HelpDeskAnswer,
    case: FailureCase | None,
    escalations: Sequence[Escalation],
    now: datetime,
    *,
    by_itself: bool,
) -> str:
    if case is None:
        return " ".join(part for part in (answer.do_now, answer.what_next) if part and part != "Nothing.")
    decision = case.retry(now)
    if by_itself:
        again = f"The device tries again by itself; to have it check in now: hotpatch sync --device {answer.device}"
        return f"{explain(case.code).remedy} {again}"
    if decision.allowed:
        return f"{explain(case.code).remedy} Then retry: hotpatch retry --device {answer.device}"
    if decision.not_before is not None:
        return f"{explain(case.code).remedy} Then retry from {time(decision.not_before)}."
    if escalations:
        return f"{plain(escalations[0].owner)} puts it right by {time(escalations[0].due_at)}. {decision.why}"
    return f"{decision.why} hotpatch escalate --device {answer.device} --owner NAME"


def _timeline(installs: Sequence[Install]) -> list[tuple[datetime, str]]:
    return [(each.finished_at or each.requested_at, _event(each)) for each in installs[:_TIMELINE]]


def _event(install: Install) -> str:
    what = install_words(install)
    by = plain(install.requested_by)
    tries = f", try {install.attempt}" if install.attempt > 1 else ""
    match install.state:
        case InstallState.FAILED:
            code = code_text(install.error_code) if install.error_code is not None else "no code"
            return f"{what} failed with {code}{tries} (asked for by {by})"
        case InstallState.SUCCEEDED | InstallState.UNINSTALLED:
            restart = "with a restart" if install.restarted else "without a restart"
            built = f", build {install.build_after}" if install.build_after else ""
            return f"{what} succeeded {restart}{built}{tries} (asked for by {by})"
        case InstallState.CANCELLED:
            return f"{what} was cancelled before it began (asked for by {by})"
        case _ if install.is_requested:
            return f"{what} was {plain(install.stage)} (asked for by {by})"
        case _:
            stage = f": {plain(install.stage)}" if install.stage else ""
            return f"{what} is under way{stage}, {install.progress} %{tries} (asked for by {by})"


def _parts(answer: HelpDeskAnswer) -> list[tuple[str, str]]:
    parts = (
        ("Why the restart", answer.restart_why),
        ("Problem", answer.problem),
        ("To do now", answer.do_now),
        ("What happens next", answer.what_next),
    )
    return [(label, text) for label, text in parts if text]


def _block(heading: str, lines: Sequence[str]) -> list[str]:
    shown = [line for line in lines if line]
    return ["", heading, *(f"  {line}" for line in shown)] if shown else []


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    shown = [line for line in lines if line]
    return ["", f"### {heading}", "", *(f"- {line}" for line in shown)] if shown else []


def _inert(text: str) -> str:
    """Text in which no Markdown or HTML takes effect."""
    return _ACTIVE_SIGNS.sub(r"\\\1", text)


def _key(label: str) -> str:
    return label.lower().replace(" ", "_")
