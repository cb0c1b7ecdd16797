"""Sends one request of ours to the tenant, and reads back whether the tenant shows it.

`tenants.delivery` calls it with what the outbox holds. It decides nothing: what is sent was planned and shown before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.model.errors import Denied, Gone, NotOffered, ProviderError, SignInNeeded, Throttled, Unreachable
from engine.model.tenants import Request, Wish, policy_id_of
from engine.providers.graph.answers import Answer, GraphError, plain
from engine.providers.graph.devices import moment
from engine.providers.graph.odata import segment
from engine.providers.graph.policies import details_path

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

CREATED = "{created}"
_NEWER = "/admin/windows/updates/policies"
_PROFILES = "/deviceManagement/windowsQualityUpdateProfiles"
_ANNOTATION = "@"


class RequestAnswer(StrEnum):
    """What the service made of a request."""

    DONE = "done"
    REFUSED = "refused"
    LATER = "later"
    """It could not be taken now; nothing of it has reached the service."""
    UNCERTAIN = "uncertain"
    """No answer came: it may have been done."""


class GraphReply(Struct, frozen=True):
    """The answer to one request, in the words of the outbox."""

    told: RequestAnswer
    status: int | None = None
    request_id: str = ""
    said: str = ""
    created: str = ""
    """The id of what was made."""
    retry_at: datetime | None = None
    """Before then the service wants quiet."""
    stops: bool = False
    """Nothing else can be sent to this tenant now either."""


async def send_request(client: GraphClient, request: Request, created: str) -> GraphReply:
    """Send it once; every answer and every failure comes back as a reply. `created`: the id that it waits for."""
    path = request.path.replace(CREATED, segment(created)) if CREATED in request.path else request.path
    try:
        # Everything but what makes a new thing may be repeated without harm.
        answer = await client.send(
            request.method, path, request.body, version=request.version, repeatable=not makes_something(request)
        )
    except ProviderError as error:
        return _failed(error)
    return _answered(request, answer)


def makes_something(request: Request) -> bool:
    """Whether sending it twice makes two things in the tenant."""
    return request.method == "POST" and (request.path.endswith("/approvals") or request.path == _PROFILES)


def _answered(request: Request, answer: Answer) -> GraphReply:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    failed = _failed_items(body)
    if request.item_id and request.item_id in failed:
        said = f"The service answered, but did not {request.wish} it: it is among the items that failed."
        return GraphReply(RequestAnswer.REFUSED, answer.status, answer.request_id, said)
    made = body.get("id") if makes_something(request) else ""
    return GraphReply(
        RequestAnswer.DONE, answer.status, answer.request_id, created=made if isinstance(made, str) else ""
    )


def _failed_items(body: Mapping[str, Any]) -> list[str]:
    """The items that a bulk action could not change; the service wraps its result in `value`, or does not."""
    inner = body.get("value")
    result = inner if isinstance(inner, Mapping) else body
    failed = result.get("failedIds")
    return [each for each in failed if isinstance(each, str)] if isinstance(failed, list) else []


def _failed(error: ProviderError) -> GraphReply:
    graph = error if isinstance(error, GraphError) else None
    status = graph.status or None if graph else None
    request_id = graph.said.request_id if graph else ""
    said = plain(" ".join(part for part in (error.what, error.why) if part), 900)
    if isinstance(error, Throttled):
        return GraphReply(RequestAnswer.LATER, status, request_id, said, retry_at=error.retry_at, stops=True)
    if graph is not None and graph.outcome_unknown:
        return GraphReply(RequestAnswer.UNCERTAIN, status, request_id, said, stops=True)
    if isinstance(error, Unreachable | SignInNeeded):
        # Without a sign-in nothing was sent that the service would have taken.
        return GraphReply(RequestAnswer.LATER, status, request_id, said, stops=True)
    if isinstance(error, Denied | Gone | NotOffered) or (graph is not None and 400 <= graph.status < 500):
        return GraphReply(RequestAnswer.REFUSED, status, request_id, said)
    return GraphReply(RequestAnswer.UNCERTAIN, status, request_id, said, stops=True)


# --- reading back -----------------------------------------------------------------------------------


class ReadBack(Struct, frozen=True):
    """What reading back told."""

    is_there: bool | None
    """None where the service does not tell."""
    id: str = ""
    """Of what the request made."""
    pause_expires_at: datetime | None = None


_NOT_TOLD = ReadBack(None)


async def is_shown(client: GraphClient, request: Request, created: str) -> ReadBack:
    """Whether the tenant shows what was asked. `created`: the id that the request brought, "" for none.

    Raises:
        ProviderError: one of `answers`, when no answer came.
    """
    try:
        match request.wish:
            case Wish.APPROVE | Wish.SUSPEND:
                return await _decision_shown(client, request)
            case Wish.EXPEDITE:
                return await _profile_shown(client, request, created)
            case Wish.SYNC:
                return _NOT_TOLD
        found = await client.get(request.path, version=request.version)
        expires = moment(found.get("qualityUpdatesPauseExpiryDateTime")) if request.wish is Wish.PAUSE else None
        return ReadBack(_has(found, request.body or {}), pause_expires_at=expires)
    except (Denied, Gone, NotOffered):
        return _NOT_TOLD
    except GraphError as error:
        if error.status == 400:
            return _NOT_TOLD
        raise


async def _decision_shown(client: GraphClient, request: Request) -> ReadBack:
    wanted = "approved" if request.wish is Wish.APPROVE else "suspended"
    newer = request.path.startswith(_NEWER)
    policy = policy_id_of(request.policy)
    path = f"{_NEWER}/{segment(policy)}/approvals" if newer else details_path(policy, [request.item_id])
    async for page in client.pages(path):
        for each in page.items:
            item = each.get("catalogEntryId" if newer else "catalogItemId")
            status = each.get("status" if newer else "approvalStatus")
            is_it = isinstance(item, str) and item.casefold() == request.item_id.casefold()
            if is_it and isinstance(status, str) and status.casefold() == wanted:
                own_id = each.get("id")
                return ReadBack(True, own_id if newer and isinstance(own_id, str) else "")
    return ReadBack(False)


async def _profile_shown(client: GraphClient, request: Request, created: str) -> ReadBack:
    """A profile by its name and settings; its assignment cannot be read back by this contract."""
    if request.path != _PROFILES:
        return _NOT_TOLD
    body = request.body or {}
    async for page in client.pages(_PROFILES):
        for each in page.items:
            found = each.get("id")
            if isinstance(found, str) and (found == created or not created) and _has(each, body):
                return ReadBack(True, found)
    return ReadBack(False)


def _has(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all members that were sent are there with the values that were sent."""
    for name, value in wanted.items():
        if name.startswith(_ANNOTATION):
            continue
        if isinstance(value, Mapping):
            inner = found.get(name)
            if not isinstance(inner, Mapping) or not _has(inner, value):
                return False
        elif found.get(name) != value:
            return False
    return True
