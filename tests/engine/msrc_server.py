"""A real HTTP server on the loopback that plays the MSRC service, with the faults it has really shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.serving import Serving, serving


@dataclass
class Answer:
    """One answer of the server."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None
    """Break off after this many bytes although more were announced."""
    stalls: bool = False
    """Announce an answer and say nothing more while the server runs."""


@dataclass
class Request:
    """One request that the server saw."""

    path: str
    headers: Mapping[str, str]


class MsrcServer:
    """Answers by path; the last answer of a path is repeated. Unknown paths are 404."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[Request] = []
        self.url = ""

    def say(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def index(self, *entries: tuple[str, str]) -> None:
        """The list of documents: id and date of the last revision."""
        rows = [{"ID": name, "Alias": name, "CurrentReleaseDate": f"{day}Z"} for name, day in entries]
        self.say("/cvrf/v3.0/updates", Answer(json.dumps({"value": rows}).encode()))

    def document(self, name: str, *answers: Answer | bytes) -> None:
        found = [answer if isinstance(answer, Answer) else Answer(answer) for answer in answers]
        self.say(f"/cvrf/v3.0/cvrf/{name}", *found)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(path)]

    @property
    def base_url(self) -> str:
        return f"{self.url}/cvrf/v3.0"

    def next_answer(self, path: str) -> Answer:
        queue = self.answers.get(path)
        if queue is None:
            return Answer(b"no such thing", 404)
        return queue.pop(0) if len(queue) > 1 else queue[0]


@contextmanager
def running() -> Iterator[MsrcServer]:
    """The server while the block runs."""
    played = MsrcServer()
    ended = threading.Event()

    class Handler(Serving):
        def do_GET(self) -> None:
            played.requests.append(Request(self.path, dict(self.headers.items())))
            answer = played.next_answer(self.path)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if answer.stalls:
                self.wfile.flush()
                ended.wait()
            self.wfile.write(answer.body if answer.sent is None else answer.body[: answer.sent])
            if answer.sent is not None:
                self.close_connection = True

    with serving(Handler, ended) as played.url:
        yield played
