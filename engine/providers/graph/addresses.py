"""Which addresses may be asked: where a token may go, where a file may come from, how an address is shown.

`client`, `calling` and `paging` ask it before anything is sent. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from engine.providers.graph.answers import AnswerUnusable, plain
from engine.providers.graph.config import is_loopback
from engine.providers.graph.odata import query

_SHOWN = frozenset({"$filter", "$select", "$top", "$skip", "$expand", "$orderby", "$count", "$search"})
_LONGEST = 16_000


class Service(Protocol):
    """What must be known of the configuration."""

    @property
    def base_url(self) -> str: ...

    def is_ours(self, url: str) -> bool: ...


class Addresses:
    """The addresses of one configured service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def of(self, path: str, params: Mapping[str, str] | None, version: str) -> str:
        """The whole address of a path that is relative to the version and begins with a slash."""
        if not path.startswith("/"):
            raise ValueError(f"a path begins with a slash: {path!r}")
        return f"{self._service.base_url}/{version}{path}{query(params)}"

    def checked(self, url: str) -> str:
        """The address, when a token may go there.

        Raises:
            AnswerUnusable: it is on another host than the configured one, or no plain address.
        """
        if _is_plain(url) and self._service.is_ours(url):
            return url
        raise AnswerUnusable(
            f"The answer leads to another address: {_host(url)}.",
            "Nothing was sent there: a token goes to the configured address alone.",
            "Look at --base-url of the provider; a proxy on the way must rewrite the addresses in answers.",
        )

    def checked_file(self, url: str) -> str:
        """The address of a file: https, or http where both it and the service are on this machine.

        Raises:
            AnswerUnusable: another kind of address.
        """
        if _is_plain(url):
            parts = urlsplit(url)
            ours = urlsplit(self._service.base_url).hostname or ""
            on_this_machine = is_loopback(parts.hostname or "") and is_loopback(ours)
            if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and on_this_machine)):
                return url
        raise AnswerUnusable(
            f"The download from {_host(url)} was not made.", "Files are fetched from plain https addresses alone."
        )


def shown_path(url: str) -> str:
    """The path for people, who cannot use what a query selects."""
    return plain(urlsplit(url).path, 300)


def shown(url: str) -> str:
    """Path and query for logs: what a query may hold besides OData's own options is left out."""
    parts = urlsplit(url)
    options = []
    for option in parts.query.split("&") if parts.query else ():
        name, _, value = option.partition("=")
        name = unquote(name)
        options.append(f"{name}={unquote(value)}" if name.lower() in _SHOWN else f"{name}=…")
    return plain(parts.path + ("?" + "&".join(options) if options else ""), 300)


def _is_plain(url: str) -> bool:
    """No user name, no character that two readers of addresses could understand differently."""
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or any(each in url for each in ' \\<>"^`{|}'):
        return False
    try:
        parts = urlsplit(url)
        return parts.username is None and parts.password is None and parts.port != 0 and bool(parts.hostname)
    except ValueError:
        return False


def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return plain(quote(host, safe=":.-[]"), 100) or "one that is no address"
