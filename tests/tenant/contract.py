"""Holds every request and every answer against the contract beside the project, and notes which operations were seen.

The contract is read once a process. Where the folder is absent nothing is checked and nothing counts as covered.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.conftest import SHARED

CONTRACT = SHARED / "contracts" / "graph-subset.yaml"
_HOST = "https://graph.microsoft.com"
_ITEMS_CHECKED = 8
"""Of a long page the first and last items are enough: one function makes them all."""
_PAGING = frozenset({"$skiptoken", "$deltatoken"})
"""Belong to the service: they stand in the links that it gives."""


class Contract:
    """The contract, with memory of what was covered."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        from openapi_core import Config, OpenAPI

        self.document = document
        # Whether the contract is itself an OpenAPI document takes seconds to tell: one test asks, not every process.
        self._requests = OpenAPI.from_dict(dict(document), config=Config(spec_validator_cls=None))
        # A member that the contract does not have is a fantasy of the fake's.
        strict = Config(spec_validator_cls=None, additional_properties_default_policy="forbid")
        self._answers = OpenAPI.from_dict(dict(document), config=strict)
        self.covered: set[str] = set()
        """What tenants have been asked for; they put it in."""
        self._lock = threading.Lock()
        self._good: dict[bytes, str] = {}
        """Operations by the marks of what was found right, so that the thousandth of its kind costs nothing."""

    @property
    def operations(self) -> frozenset[str]:
        """All that the contract has."""
        return frozenset(
            operation["operationId"]
            for methods in self.document["paths"].values()
            for name, operation in methods.items()
            if name in _METHODS
        )

    def request_faults(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[str, list[str]]:
        """Operation and what is wrong with a request; ``("", [...])`` for one that the contract does not have."""
        from openapi_core.exceptions import OpenAPIError

        mark = _mark(method, url, headers.get("content-type", ""), body)
        with self._lock:
            if mark in self._good:
                return self._good[mark], []
            request = _request(method, url, headers, body)
            try:
                operation = self._operation(request)
            except OpenAPIError as error:
                return "", [f"{method} {url}: {error}"]
            faults = []
            try:
                self._requests.validate_request(request)
            except OpenAPIError as error:
                faults.append(f"{method} {url}: {_words(error)}")
            known = {self._resolved(each)["name"] for each in operation.get("parameters", ())}
            asked = [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)]
            faults += [f"{method} {url}: {name} is no option here" for name in asked if name not in known | _PAGING]
            faults += [f"{method} {url}: {name} is given twice" for name in set(asked) if asked.count(name) > 1]
            if body:
                faults += [f"{method} {url}: {fault}" for fault in self._untyped(operation, body)]
            if not faults:
                self._good[mark] = operation["operationId"]
            return operation["operationId"], faults

    def answer_faults(self, method: str, url: str, status: int, content_type: str, body: bytes) -> list[str]:
        """What is wrong with an answer of the fake."""
        from openapi_core.exceptions import OpenAPIError
        from openapi_core.testing import MockResponse

        short = _shortened(body)
        mark = _mark(method, url, f"{status} {content_type}", short)
        with self._lock:
            if mark in self._good:
                return []
            answer = MockResponse(short, status_code=status, content_type=content_type or "application/json")
            try:
                self._answers.validate_response(_request(method, url, {}, b""), answer)
            except OpenAPIError as error:
                return [f"{status} to {method} {url}: {_words(error)}"]
            self._good[mark] = ""
        return []

    def _operation(self, request: Any) -> Any:
        from openapi_core.templating.paths.finders import APICallPathFinder

        found = APICallPathFinder(self._requests.spec).find(request.method, _HOST + request.path)
        return found.operation.read_value()

    def _resolved(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            found: Any = self.document
            for name in value["$ref"].removeprefix("#/").split("/"):
                found = found[name.replace("~1", "/").replace("~0", "~")]
            value = found
        return value

    def _untyped(self, operation: Mapping[str, Any], body: bytes) -> Iterator[str]:
        """Members of a request whose declared type has derived ones, and that do not say which they are."""
        content = self._resolved(operation.get("requestBody", {})).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema:
            yield from self._untyped_in(schema, json.loads(body), "body")

    def _untyped_in(self, schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
        choices = [each.get("$ref", "") for each in schema.get("anyOf", ())]
        if isinstance(value, dict) and any(each.endswith(".typed.request") for each in choices):
            if "@odata.type" not in value:
                yield f"{place} does not say its @odata.type"
                return
            said = value["@odata.type"].removeprefix("#").removeprefix("microsoft.graph.")
            fitting = [each for each in choices if each.removesuffix(".request").removesuffix(".typed").endswith(said)]
            schema = self._resolved({"$ref": fitting[0]}) if fitting else {}
        elif choices:
            schema = self._resolved(schema["anyOf"][0])
        schema = self._resolved(schema)
        if isinstance(value, dict):
            for name, each in value.items():
                yield from self._untyped_in(schema.get("properties", {}).get(name, {}), each, f"{place}.{name}")
        elif isinstance(value, list):
            for number, each in enumerate(value):
                yield from self._untyped_in(schema.get("items", {}), each, f"{place}[{number}]")


_METHODS = frozenset({"get", "post", "patch", "put", "delete"})


@lru_cache(maxsize=1)
def contract() -> Contract | None:
    """The contract; None where it is absent."""
    if not CONTRACT.is_file():
        return None
    import yaml

    with CONTRACT.open("rb") as file:
        return Contract(yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def covered_operations() -> frozenset[str]:
    """The operations that this process has seen requests for."""
    known = contract()
    return frozenset(known.covered) if known else frozenset()


_VARYING = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b(?:PC-|SN|user)\d+|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|(?<=skiptoken=)[^&\"]+"
)
"""Ids, numbered names, moments and places in a list: whether something is right does not hang on their values."""


def _mark(method: str, url: str, about: str, body: bytes) -> bytes:
    """The same for requests, and for answers, that differ in nothing but ids, numbered names and moments."""
    whole = "\n".join((method, url, about, body.decode("utf-8", "replace")))
    return blake2b(_VARYING.sub("*", whole).encode("utf-8", "replace"), digest_size=16).digest()


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Any:
    from openapi_core.testing import MockRequest
    from werkzeug.datastructures import ImmutableMultiDict

    parts = urlsplit(url)
    found = {name.lower(): value for name, value in headers.items()}
    return MockRequest(
        _HOST,
        method.lower(),
        unquote(parts.path),
        args=ImmutableMultiDict(parse_qsl(parts.query, keep_blank_values=True)),  # type: ignore[arg-type]
        headers={"Authorization": "Bearer checked elsewhere"},
        data=body or None,
        content_type=found.get("content-type", "application/json").split(";")[0],
    )


def _shortened(body: bytes) -> bytes:
    """The body without the middle of a long page and without the annotations that OData allows everywhere."""
    if body[:1] != b"{":
        return body
    value = json.loads(body)
    items = value.get("value")
    if isinstance(items, list) and len(items) > _ITEMS_CHECKED:
        half = _ITEMS_CHECKED // 2
        value["value"] = items[:half] + items[-half:]
    value.pop("@odata.context", None)
    return json.dumps(value).encode()


def _words(error: Exception) -> str:
    """The error with what lies under it: schema errors say more than their frame."""
    under: BaseException | None = error
    while under is not None and not hasattr(under, "schema_errors"):
        under = under.__cause__
    inner = getattr(under, "schema_errors", ())
    return " | ".join([str(error)[:300], *(_deepest(each) for each in inner)])


def _deepest(error: Any) -> str:
    """The innermost of the errors under one, with its place; of a long message the beginning and the end."""
    while getattr(error, "context", None):
        error = max(error.context, key=lambda each: len(each.absolute_path))
    words = error.message
    return f"{error.json_path}: {words if len(words) < 500 else words[:250] + ' ... ' + words[-250:]}"
