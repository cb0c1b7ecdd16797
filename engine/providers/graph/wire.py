"""One attempt over HTTP: an address in, a status with its bytes out, or what kept it from coming. Loads httpx.

`client` alone calls it. It repeats nothing, judges no status, and never follows an address to another host.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from engine.providers.graph.config import is_loopback
from engine.providers.graph.pacing import Limits, Lost

if TYPE_CHECKING:
    import httpx


class Raw(Struct, frozen=True):
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class AttemptLost(Exception):
    """No answer came; `lost` says why and whether the request may have arrived."""

    def __init__(self, lost: Lost) -> None:
        super().__init__(lost.reason)
        self.lost = lost


class TooLong(Exception):
    """The body is longer than allowed."""


class Wire:
    """Connections to one service, kept open between requests. Proxies come from HTTPS_PROXY and NO_PROXY.

    To a service on this machine no proxy is used: over plain http the proxy would see the token.
    """

    def __init__(self, limits: Limits, transport: httpx.AsyncBaseTransport | None) -> None:
        self._limits = limits
        self._transport = transport
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def request(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Raw:
        """Send one request and read its whole answer.

        Raises:
            AttemptLost: no answer came.
            TooLong: the answer is longer than `Limits.answer_bytes`.
        """
        with _losses():
            async with asyncio.timeout(self._limits.answer_seconds):
                client = self._client(url)
                async with client.stream(method, url, headers=dict(headers), content=content) as response:
                    body = bytearray()
                    async for chunk in response.aiter_bytes(1 << 16):
                        body += chunk
                        if len(body) > self._limits.answer_bytes:
                            raise TooLong
                    return Raw(response.status_code, _lower(response), bytes(body))

    async def fetch(self, url: str, target: IO[bytes], limit: int) -> Raw:
        """Read a file without any header of ours; its bytes go to `target`, unless the status is an error.

        Raises:
            AttemptLost: no answer came, or it broke off.
            TooLong: the file is longer than `limit` bytes.
        """
        with _losses():
            async with self._client(url).stream("GET", url) as response:
                if response.status_code != 200:
                    return Raw(response.status_code, _lower(response), (await _beginning(response))[:20_000])
                received = 0
                async for chunk in response.aiter_bytes(1 << 16):
                    received += len(chunk)
                    if received > limit:
                        raise TooLong
                    target.write(chunk)
                return Raw(200, _lower(response), str(received).encode())

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _client(self, url: str) -> httpx.AsyncClient:
        through_proxy = not is_loopback(urlsplit(url).hostname or "")
        if through_proxy not in self._clients:
            self._clients[through_proxy] = self._opened(through_proxy)
        return self._clients[through_proxy]

    def _opened(self, through_proxy: bool) -> httpx.AsyncClient:
        import httpx

        # httpx writes whole addresses into its log, also those whose query is a key to a file.
        for name in ("httpx", "httpcore"):
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.WARNING))
        limits = self._limits
        return httpx.AsyncClient(
            timeout=httpx.Timeout(limits.silence_seconds, connect=limits.connect_seconds, pool=None),
            limits=httpx.Limits(max_connections=limits.most_at_once + 4, max_keepalive_connections=limits.most_at_once),
            follow_redirects=False,
            trust_env=through_proxy,
            transport=self._transport,
            headers={"User-Agent": "hotpatch-console"},
        )


async def _beginning(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes(1 << 14):
        body += chunk
        if len(body) >= 20_000:
            break
    return bytes(body)


def _lower(response: httpx.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


@contextmanager
def _losses() -> Iterator[None]:
    """What httpx raises, as `AttemptLost`. The cause is dropped: it holds the request with its headers."""
    import httpx

    lost: Lost
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        lost = _unconnected(error)
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
        lost = Lost(f"the request cannot be sent ({type(error).__name__})", sent=False, hopeless=True)
    except (httpx.TimeoutException, TimeoutError):
        lost = Lost("the service did not answer in time", sent=True)
    except httpx.DecodingError:
        lost = Lost("the answer cannot be unpacked", sent=True)
    except httpx.HTTPError:
        lost = Lost("the connection broke off before the answer was complete", sent=True)
    else:
        return
    raise AttemptLost(lost) from None


def _unconnected(error: Exception) -> Lost:
    import httpx

    cause: BaseException | None = error
    for _ in range(6):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Lost(f"its certificate is not trusted ({cause.verify_message})", sent=False, hopeless=True)
        cause = cause and (cause.__cause__ or cause.__context__)
    if isinstance(error, httpx.ProxyError):
        return Lost("the proxy refused the connection", sent=False)
    if isinstance(error, httpx.ConnectTimeout):
        return Lost("no connection came about in time", sent=False)
    return Lost("no connection came about", sent=False)
