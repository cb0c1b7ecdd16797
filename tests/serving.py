"""Servers on the loopback that tests play: whole requests only, and none still under way when the block has ended.

A client may break off whenever it likes; it sends a request's head and body one after the other. What arrived until
then is half a request: it is neither answered nor noted nor held against anything.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO


class _Arriving:
    """What a client sends; reading fails where it has broken off, so that a half is never taken for a whole."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readline(self, limit: int = -1) -> bytes:
        line = self._file.readline(limit)
        if not line.endswith(b"\n") and len(line) != limit:
            raise ConnectionAbortedError
        return line

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionAbortedError
        return data

    def close(self) -> None:
        self._file.close()


class Serving(BaseHTTPRequestHandler):
    """What the played services have in common: they are quiet, and take leave of a client that has gone."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.rfile: Any = _Arriving(self.rfile)

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def body(self) -> bytes:
        """The whole body of the request; fails with the client's connection."""
        return bytes(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    """Waits at its end for every request that it has begun."""

    daemon_threads = False

    def __init__(self, handler: type[Serving]) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        super().server_close()


@contextmanager
def serving(handler: type[Serving], ended: threading.Event | None = None) -> Iterator[str]:
    """The address of a server of its own while the block runs; `ended` is set for answers that wait for the end."""
    server = _Server(handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        if ended is not None:
            ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
