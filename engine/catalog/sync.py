"""Brings a catalog up to date from the MSRC security update service, or from a mirror of it.

Called by `catalog sync`; httpx is loaded on the first call. Nothing that the service gets wrong removes or worsens
what is known: each fault is reported, and the other months go on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

from msgspec import Struct
from msgspec.structs import replace

from engine.catalog.calendar import Month, patch_tuesday_moment
from engine.catalog.catalog import Catalog, KnownDocument
from engine.catalog.merging import Changes, Fault, merge_all
from engine.catalog.msrc import MAX_DOCUMENT_BYTES, DocumentFault, FaultKind, MonthDocument, month_of, read_stream
from engine.model.errors import BadInput

if TYPE_CHECKING:
    import httpx

DEFAULT_BASE_URL = "https://api.msrc.microsoft.com/cvrf/v3.0"
_MAX_INDEX_BYTES = 5_000_000
_IN_MEMORY_BYTES = 1 << 20
_RETRIED = frozenset({429, 500, 502, 503, 504})


class Progress(Struct, frozen=True):
    """How far a sync has come."""

    month: str
    """The document under way; "" while the index is read."""
    done: int
    total: int
    """Documents to fetch; 0 while that is not known."""
    received: int
    """Bytes of this document so far."""


class SyncSettings(Struct, frozen=True):
    """How to talk to the service. Times are in seconds."""

    base_url: str = DEFAULT_BASE_URL
    since: str = ""
    """The first month to fetch; "" for the first that the catalog knows."""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 4
    first_wait: float = 2.0
    longest_wait: float = 120.0
    """A Retry-After beyond this ends the attempts for that address."""


def sync(
    known: Catalog,
    now: datetime,
    settings: SyncSettings | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    client: httpx.Client | None = None,
) -> tuple[Catalog, Changes]:
    """Fetch the index and every document that is newer than what is known; what went wrong stands in the faults.

    A proxy is taken from the environment (HTTPS_PROXY, NO_PROXY). `sleep` and `client` are for tests.

    Raises:
        BadInput: the base address or `since` cannot be used.
    """
    chosen = settings or SyncSettings()
    if not chosen.base_url.startswith(("https://", "http://")):
        raise BadInput(
            f"{chosen.base_url!r} is not an address to sync from.",
            "It must begin with https:// or http://.",
            f"Leave it out for {DEFAULT_BASE_URL}.",
        )
    if chosen.since:
        try:
            Month.parse(chosen.since)
        except ValueError as error:
            raise BadInput(f"{error}.", instead="Name the first month to fetch, like 2025-01.") from error
    holder: AbstractContextManager[httpx.Client] = nullcontext(client) if client else _new_client(chosen)
    with holder as session:
        return _Sync(known, now, chosen, session, on_progress or (lambda _: None), sleep).run()


def _new_client(settings: SyncSettings) -> httpx.Client:
    import httpx

    return httpx.Client(
        timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        follow_redirects=True,
        max_redirects=5,
        trust_env=True,
        headers={"User-Agent": "hotpatch-console"},
    )


class _Entry(Struct, frozen=True):
    """One document as the index lists it."""

    id: str
    month: str
    revised_at: datetime | None


class _Failed(Exception):
    """A request that brought nothing; carries the fault."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class _Sync:
    """One run: index, documents, merge."""

    def __init__(
        self,
        known: Catalog,
        now: datetime,
        settings: SyncSettings,
        client: httpx.Client,
        on_progress: Callable[[Progress], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._known = known
        self._now = now
        self._settings = settings
        self._client = client
        self._on_progress = on_progress
        self._sleep = sleep
        self._base = settings.base_url.rstrip("/")
        self._since = settings.since or _first_month(known)
        self._faults: list[Fault] = []
        self._tags: dict[str, str] = {}

    def run(self) -> tuple[Catalog, Changes]:
        self._on_progress(Progress("", 0, 0, 0))
        try:
            entries = self._index()
        except _Failed as error:
            return self._known, Changes(faults=(Fault(error.kind.value, "index", error.message),))
        self._report_missing(entries)
        wanted = [entry for entry in entries.values() if entry.month >= self._since and self._is_newer(entry)]
        unchanged = [e.month for e in entries.values() if e.month >= self._since and e not in wanted]
        documents: list[MonthDocument] = []
        for done, entry in enumerate(wanted):
            self._on_progress(Progress(entry.month, done, len(wanted), 0))
            try:
                document = self._document(entry, done, len(wanted))
            except _Failed as error:
                self._faults.append(Fault(error.kind.value, entry.month, error.message))
                continue
            if document is None:
                unchanged.append(entry.month)
            else:
                documents.append(document)
        self._on_progress(Progress("", len(wanted), len(wanted), 0))
        catalog, changes = merge_all(self._known, documents)
        changes = replace(changes, unchanged_documents=tuple(sorted({*changes.unchanged_documents, *unchanged})))
        return self._with_tags(catalog), changes.with_faults(self._faults)

    # --- the index ----------------------------------------------------------------------------------

    def _index(self) -> dict[str, _Entry]:
        response, body = self._get(f"{self._base}/updates", "application/json", {}, _MAX_INDEX_BYTES, "")
        with body:
            try:
                content: Any = json.loads(body.read())
                rows = content["value"]
                entries = [entry for row in rows if (entry := _entry(row)) is not None]
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                shown = response.headers.get("content-type", "no type")
                raise _Failed(
                    FaultKind.NOT_CVRF, f"The index is not a list of documents ({_clip(shown)}); nothing was changed."
                ) from error
        if not entries:
            raise _Failed(FaultKind.EMPTY, "The index lists no document; what is known is kept.")
        return {entry.month: entry for entry in sorted(entries, key=lambda entry: entry.month)}

    def _report_missing(self, entries: Mapping[str, _Entry]) -> None:
        """Months vanish from the index for hours; one that is known, or lies between others, is missed."""
        for month in sorted(self._known.documents):
            if month not in entries and month >= self._since:
                self._faults.append(
                    Fault(FaultKind.MISSING.value, month, f"The index no longer lists {month}; what is known is kept.")
                )
        if not entries:
            return
        month = max(self._since, min(entries))
        while month < max(entries):
            if month not in entries and month not in self._known.documents and patch_tuesday_moment(month) <= self._now:
                self._faults.append(
                    Fault(FaultKind.MISSING.value, month, f"The index does not list {month}; sync again later.")
                )
            month = str(Month.parse(month).next())

    def _is_newer(self, entry: _Entry) -> bool:
        have = self._known.documents.get(entry.month)
        return have is None or entry.revised_at is None or entry.revised_at > have.revised_at

    # --- one document -------------------------------------------------------------------------------

    def _document(self, entry: _Entry, done: int, total: int) -> MonthDocument | None:
        """The document, or None when the service says that it has not changed."""
        url = f"{self._base}/cvrf/{entry.id}"
        have = self._known.documents.get(entry.month)
        response, body = self._get(
            url,
            "application/xml",
            _conditions(have),
            MAX_DOCUMENT_BYTES,
            entry.month,
            lambda received: self._on_progress(Progress(entry.month, done, total, received)),
        )
        with body:
            if response.status_code == 304:
                return None
            try:
                document = read_stream(body, name=entry.id)
            except DocumentFault as error:
                raise _Failed(error.kind, str(error)) from error
        if document.month != entry.month:
            raise _Failed(
                FaultKind.NOT_CVRF, f"The service answered with {document.id} instead of {entry.id}; it was not used."
            )
        self._tags[entry.month] = response.headers.get("etag", "")[:200]
        return document

    def _with_tags(self, catalog: Catalog) -> Catalog:
        documents = {
            month: replace(document, etag=self._tags.get(month, document.etag))
            for month, document in catalog.documents.items()
        }
        return replace(catalog, documents=documents)

    # --- requests -----------------------------------------------------------------------------------

    def _get(
        self,
        url: str,
        accept: str,
        headers: Mapping[str, str],
        limit: int,
        month: str,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> tuple[httpx.Response, IO[bytes]]:
        """One resource, asked for again while the service is busy or the answer breaks off."""
        import httpx

        last = _Failed(FaultKind.UNREACHABLE, f"{url} was not asked.")
        wait = self._settings.first_wait
        for attempt in range(1, self._settings.attempts + 1):
            pause = wait
            try:
                with self._client.stream("GET", url, headers={"Accept": accept, **headers}) as response:
                    asked = _retry_after(response.headers.get("retry-after"), self._now)
                    self._check(response, url)
                    if response.status_code not in _RETRIED:
                        return response, _body(response, limit, on_bytes)
                    last = _Failed(FaultKind.UNREACHABLE, f"{url} answered {response.status_code}.")
                    pause = wait if asked is None else asked
            except httpx.RemoteProtocolError as error:
                last = _Failed(FaultKind.CUT_OFF, f"The answer of {url} broke off: {_clip(str(error))}.")
            except httpx.HTTPError as error:
                reason = _clip(str(error)) or type(error).__name__
                last = _Failed(FaultKind.UNREACHABLE, f"{url} could not be reached: {reason}.")
            if pause > self._settings.longest_wait:
                raise _Failed(last.kind, f"{last.message} It asks to wait {pause:.0f} seconds; sync again later.")
            if attempt < self._settings.attempts:
                self._sleep(pause)
                wait *= 2
        raise _Failed(last.kind, f"{last.message} What is known{f' of {month}' if month else ''} is kept.")

    def _check(self, response: httpx.Response, url: str) -> None:
        """Refuse answers that no later attempt would better."""
        if url.startswith("https://") and response.url.scheme != "https":
            raise _Failed(FaultKind.UNSAFE, f"{url} led to an address without encryption; it was not used.")
        status = response.status_code
        if status in _RETRIED or status in (200, 304):
            return
        raise _Failed(FaultKind.UNREACHABLE, f"{url} answered {status}; what is known is kept.")


def _first_month(known: Catalog) -> str:
    months = [*known.documents, *(release.month for release in known.releases)]
    return min(months, default="2025-01")


def _entry(row: Any) -> _Entry | None:
    """One line of the index; None for what is no monthly document."""
    if not isinstance(row, dict) or not isinstance(name := row.get("ID"), str):
        return None
    try:
        month = month_of(name)
    except ValueError:
        return None
    return _Entry(name, month, _instant(row.get("CurrentReleaseDate")))


def _instant(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _conditions(have: KnownDocument | None) -> dict[str, str]:
    """Ask for the document only if it is another than the known one."""
    if have is None:
        return {}
    conditions = {"If-Modified-Since": format_datetime(have.revised_at.astimezone(UTC), usegmt=True)}
    return conditions | ({"If-None-Match": have.etag} if have.etag else {})


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by the header, which holds seconds or a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value.strip())
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - now).total_seconds())


def _body(response: httpx.Response, limit: int, on_bytes: Callable[[int], None]) -> IO[bytes]:
    """The answer in a file that stays in memory while it is small."""
    file = cast("IO[bytes]", SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))  # noqa: SIM115 - the caller closes it
    received = 0
    try:
        for chunk in response.iter_bytes(1 << 16):
            received += len(chunk)
            if received > limit:
                raise _Failed(FaultKind.TOO_LARGE, f"{response.url} sends more than {limit // 1_000_000} MB; not used.")
            file.write(chunk)
            on_bytes(received)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _clip(text: str) -> str:
    return " ".join(text.split())[:120]
