"""Many small requests in one: JSON batching, 20 parts at a time, several batches at once as the pace allows.

`client` alone calls it. What a part lacks after its batch (throttled, a fault, no answer at all) is asked for again
part by part; one part's failure is never another's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct

from engine.model.errors import EngineError
from engine.providers.graph import pacing
from engine.providers.graph.answers import Answer, AnswerUnusable, GraphError, GraphUnreachable, WritesOff, error_of
from engine.providers.graph.calling import Call, Caller

PARTS = 20
"""The most that one batch may hold. Source: "Combine multiple HTTP requests using JSON batching"."""
_LOG = logging.getLogger("hotpatch.graph")


class Part(Struct, frozen=True):
    """One request within a batch."""

    id: str
    """The caller's own; comes back with the answer. Need not be unique."""
    method: str
    url: str
    """Relative to the version, with its query: ``/deviceManagement/managedDevices/1?$select=id``."""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    reads: bool = False
    """A POST that changes nothing."""

    @property
    def is_write(self) -> bool:
        return self.method.upper() != "GET" and not self.reads


class PartAnswer(Struct, frozen=True):
    """What became of one part: `body` after a status below 300, else `error`."""

    id: str
    status: int
    """0 when no answer came."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    error: GraphError | None


class _Batched(Struct, frozen=True):
    """What became of one batch; after `failure` some parts may be without an answer."""

    answers: Sequence[PartAnswer]
    failure: EngineError | None = None


async def run_batches(
    caller: Caller, parts: Iterable[Part], version: str, *, writes: bool
) -> AsyncIterator[PartAnswer]:
    """Answers to all parts, in any order; see `GraphClient.batch`."""
    source = iter(parts)
    running: set[asyncio.Task[_Batched]] = set()
    failure: EngineError | None = None
    try:
        while True:
            while failure is None and len(running) < caller.pace.allowed and (chunk := list(islice(source, PARTS))):
                failure = _refused(chunk, writes)
                if failure is None:
                    running.add(asyncio.create_task(_one_batch(caller, chunk, version)))
            if not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            # After a failure nothing new is begun, and what is under way is waited for: it may change something.
            results = [task.result() for task in done]
            for result in results:
                failure = failure or result.failure
                for answer in result.answers:
                    yield answer
        if failure:
            raise failure
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _refused(parts: Sequence[Part], writes: bool) -> WritesOff | None:
    refused = next((part for part in parts if part.is_write and not writes), None)
    return WritesOff(refused.method.upper(), refused.url) if refused else None


async def _one_batch(caller: Caller, parts: Sequence[Part], version: str) -> _Batched:
    numbered = {str(number): part for number, part in enumerate(parts, 1)}
    call = Call(
        "POST",
        caller.addresses.of("/$batch", None, version),
        {"requests": [_written(number, part) for number, part in numbered.items()]},
        write=any(part.is_write for part in parts),
        repeatable=not any(part.is_write for part in parts),
    )
    try:
        whole = await caller.call(call)
        found = _answers_by_id(whole)
    except EngineError as error:
        return _Batched((), error)
    answers: list[PartAnswer] = []
    again: list[Part] = []
    throttled: list[Mapping[str, str]] = []
    for number, part in numbered.items():
        status, headers, body = found.get(number, (0, {}, None))
        _LOG.debug("part %s -> %s", _call_of(caller, part, version).logged, status or "no answer")
        if pacing.is_throttled(status):
            throttled.append(headers)
        if _is_settled(status, part):
            answers.append(_settled(caller, part, version, whole, (status, headers, body)))
        else:
            again.append(part)
    try:
        if throttled:
            await caller.throttled_part(throttled)
        for part in again:
            answers.append(await _alone(caller, part, version))
    except EngineError as error:
        return _Batched(answers, error)
    return _Batched(answers)


def _written(number: str, part: Part) -> dict[str, Any]:
    """A part as the service wants it; a body needs its Content-Type."""
    written: dict[str, Any] = {"id": number, "method": part.method.upper(), "url": part.url}
    headers = dict(part.headers or {})
    if part.body is not None:
        written["body"] = part.body
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
    if headers:
        written["headers"] = headers
    return written


def _answers_by_id(whole: Answer) -> dict[str, tuple[int, Mapping[str, str], Any]]:
    """Status, headers and body by the part's number; answers that name no part are left out by whoever looks."""
    listed = whole.body.get("responses") if isinstance(whole.body, Mapping) else None
    if not isinstance(listed, list):
        raise AnswerUnusable("The answer to a batch holds no answers to its parts.")
    found: dict[str, tuple[int, Mapping[str, str], Any]] = {}
    for each in listed:
        if not isinstance(each, Mapping):
            continue
        status, headers = each.get("status"), each.get("headers")
        if isinstance(status, str) and status.isdigit():
            status = int(status)
        if not isinstance(status, int) or isinstance(status, bool):
            continue
        named = {str(name).lower(): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
        found.setdefault(str(each.get("id")), (status, named, _unpacked(each.get("body"), named)))
    return found


def _unpacked(body: Any, headers: Mapping[str, str]) -> Any:
    """What is not declared as JSON comes as base64; a report's JSON is within."""
    if not isinstance(body, str) or "json" in headers.get("content-type", "json"):
        return body
    try:
        return json.loads(base64.b64decode(body, validate=True))
    except (ValueError, RecursionError):
        return body


def _is_settled(status: int, part: Part) -> bool:
    """Whether asking for this part again is needless, or could do harm."""
    if status == 0:
        return part.is_write
    return status != 401 and not pacing.may_repeat(status, repeatable=not part.is_write)


def _settled(
    caller: Caller, part: Part, version: str, whole: Answer, came: tuple[int, Mapping[str, str], Any]
) -> PartAnswer:
    status, headers, body = came
    place = _call_of(caller, part, version).place
    if 0 < status < 300:
        return PartAnswer(part.id, status, headers, body, None)
    said = caller.said(status, {"request-id": whole.request_id, **headers}, body, whole.client_request_id)
    if status == 0:
        why = f"The batch's answer left it out. {said.in_words()}".strip()
        error: GraphError = GraphUnreachable(f"Microsoft Graph gave no answer to {place}.", why, said=said)
    else:
        error = error_of(place, said)
    error.outcome_unknown = part.is_write and (status == 0 or pacing.outcome_unknown(status))
    return PartAnswer(part.id, status, headers, None, error)


async def _alone(caller: Caller, part: Part, version: str) -> PartAnswer:
    try:
        answer = await caller.call(_call_of(caller, part, version))
    except GraphError as error:
        return PartAnswer(part.id, error.status, {}, None, error)
    return PartAnswer(part.id, answer.status, answer.headers, answer.body, None)


def _call_of(caller: Caller, part: Part, version: str) -> Call:
    return Call(
        part.method.upper(),
        caller.addresses.of(part.url, None, version),
        part.body,
        part.headers,
        write=part.is_write,
        repeatable=not part.is_write,
    )
