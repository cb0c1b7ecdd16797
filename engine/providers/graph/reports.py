"""Intune's reports: tables that come as one answer, and exports that are asked for, waited for and fetched.

The pull of the inventory calls it. Sources: Microsoft Graph beta, "Export Intune reports using Graph APIs" and
"Intune reports and properties available using Graph API". Nobody here waits or keeps anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any

from msgspec import Struct

from engine.providers.graph.answers import AnswerUnusable
from engine.providers.graph.devices import moment, plain, plain_id
from engine.providers.graph.odata import enum_or_text, literal, segment

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient

JOBS = "/deviceManagement/reports/exportJobs"
LONGEST_EXPORT = 200_000_000
"""Bytes of the packed file; that of a million devices has some 40 million."""
_MOST_COLUMNS = 200
_LONGEST_ID = 300

Row = Mapping[str, Any]
"""One row of a report: value by column, the column's name in lower case."""


class ReportFile(Struct, frozen=True):
    """One answer of a report."""

    rows: tuple[Row, ...]
    total: int | None
    """How many rows the report has in all; None where the service does not tell."""


def table_of(answer: object) -> ReportFile:
    """The rows of an answer. Columns are found by their names; those that are new come along.

    Raises:
        AnswerUnusable: it is no table.
    """
    members = _caseless(answer)
    schema, values = members.get("schema"), members.get("values")
    if values is None and members.get("totalrowcount") == 0:
        return ReportFile((), 0)
    if not isinstance(schema, list) or not isinstance(values, list):
        raise AnswerUnusable("The report is no table.", "It has no schema, or no values.")
    names = [_column(each) for each in schema[:_MOST_COLUMNS]]
    rows = tuple(row_of(names, each) for each in values if isinstance(each, list))
    total = members.get("totalrowcount")
    return ReportFile(rows, total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None)


def row_of(names: Sequence[str], values: Sequence[Any]) -> Row:
    """A row by its columns; of two columns of one name the first counts, cells beyond the columns are left."""
    found: dict[str, Any] = {}
    for name, value in zip(names, values, strict=False):
        if name:
            found.setdefault(name, value)
    return found


def column_name(text: object) -> str:
    """A column's name as rows are asked by it; "" for what is no name."""
    return plain(text, 120).casefold()


async def table(client: GraphClient, report: str, filtered: str, skip: int, top: int) -> ReportFile:
    """Some rows of a report that comes as one answer.

    Raises:
        AnswerUnusable: the answer is no table.
        ProviderError: the service does not tell.
    """
    body = {"filter": filtered, "skip": skip, "top": top}
    return table_of(await client.ask(f"/deviceManagement/reports/{report}", body))


def of_policy(policy_id: str) -> str:
    """The filter that both kinds of reports take."""
    return f"(PolicyId eq {literal(policy_id)})"


# --- exports ----------------------------------------------------------------------------------------


class JobStatus(StrEnum):
    """How far an export is."""

    UNKNOWN = "unknown"
    NOT_STARTED = "notStarted"
    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    FAILED = "failed"


class ExportJob(Struct, frozen=True):
    """One export as the service tells of it."""

    id: str
    status: JobStatus | str
    """A word of the service that is new here stays as it is, and is waited for."""
    url: str
    """Where the file is, with its own key; never kept and never shown. "" until it is there."""
    expires_at: datetime | None
    requested_at: datetime | None
    report: str = ""
    filtered: str = ""

    def is_ready(self, now: datetime) -> bool:
        """Whether the file can be fetched."""
        fresh = self.expires_at is None or self.expires_at > now
        return self.status is JobStatus.COMPLETED and bool(self.url) and fresh

    def is_lost(self, now: datetime) -> bool:
        """Whether nothing will come of it any more."""
        expired = self.status is JobStatus.COMPLETED and not self.is_ready(now)
        return self.status is JobStatus.FAILED or expired


async def begin_export(client: GraphClient, report: str, filtered: str, columns: Iterable[str]) -> ExportJob:
    """Ask for an export. It changes no setting, yet Graph counts it among the writes and wants their permission.

    Raises:
        WritesOff: the provider is read only.
        ProviderError: the service refuses, or `outcome_unknown` says that it may have begun.
    """
    body = {"reportName": report, "filter": filtered, "select": list(columns), "format": "csv"}
    answer = await client.send("POST", JOBS, body, repeatable=False)
    return _job_of(answer.body)


async def find_export(client: GraphClient, report: str, filtered: str, since: datetime) -> ExportJob | None:
    """The newest export of a report that was asked for since then; for one whose answer was lost.

    Raises:
        ProviderError: the service does not tell.
    """
    found: ExportJob | None = None
    async for job in _jobs(client):
        fits = (job.report, job.filtered) == (report, filtered) and job.status is not JobStatus.FAILED
        if fits and job.requested_at is not None and job.requested_at >= since:
            newer = found is None or found.requested_at is None or job.requested_at > found.requested_at
            found = job if newer else found
    return found


async def look_at(client: GraphClient, job_id: str) -> ExportJob:
    """How far an export is.

    Raises:
        Gone: the service has forgotten it.
        ProviderError: the service does not tell.
    """
    return _job_of(await client.get(f"{JOBS}/{segment(job_id)}"))


async def fetch(client: GraphClient, job: ExportJob, target: IO[bytes]) -> int:
    """Fetch the packed file of an export that is ready, without the token; its length in bytes.

    Raises:
        ProviderError: it cannot be fetched, or is longer than any such file.
    """
    return await client.download(job.url, target, LONGEST_EXPORT)


async def _jobs(client: GraphClient) -> AsyncIterator[ExportJob]:
    async for page in client.pages(JOBS):
        for item in page.items:
            if plain_id(item.get("id")):
                yield _job_of(item)


def _job_of(answer: object) -> ExportJob:
    if not isinstance(answer, Mapping):
        raise AnswerUnusable("The answer to an export is no object.")
    job_id = answer.get("id")
    if not isinstance(job_id, str) or not job_id.strip(". ") or len(job_id) > _LONGEST_ID or not job_id.isprintable():
        raise AnswerUnusable("The export has no id.", "Without one nobody can ask how far it is.")
    url = answer.get("url")
    status = enum_or_text(JobStatus, answer.get("status"))
    return ExportJob(
        id=job_id,
        status=status if isinstance(status, JobStatus) else plain(status, 60),
        url=url if isinstance(url, str) else "",
        expires_at=moment(answer.get("expirationDateTime")),
        requested_at=moment(answer.get("requestDateTime")),
        report=plain(answer.get("reportName"), 200),
        filtered=plain(answer.get("filter"), 2_000),
    )


def _caseless(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise AnswerUnusable("The report is no table.", "The answer is no object.")
    return {str(name).casefold(): member for name, member in value.items()}


def _column(value: object) -> str:
    """A column of the schema, whichever way it is told."""
    if isinstance(value, Mapping):
        named = {str(name).casefold(): member for name, member in value.items()}
        return column_name(named.get("column") or named.get("name"))
    return column_name(value)
