"""Writes an exception list for a security team: guarded CSV or JSON, complete or not there, recorded in the audit.

Commands and the reconciliation screen call it. It decides nothing about a finding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from console.columns.findings import EXCEPTIONS, ExceptionRow
from console.export import FORMATS, csv_lines, json_lines
from console.files import check_target, write_whole
from engine.model.errors import BadInput
from engine.rules.findings import FindingVerdict, Reconciled

if TYPE_CHECKING:
    from engine import Engine

EXCEPTED = (FindingVerdict.FALSE_POSITIVE, FindingVerdict.FIXED_SINCE)
"""What an exception list holds unless other verdicts are asked for."""


def check_exceptions(engine: Engine, path: Path, *, force: bool | None) -> None:
    """Before findings are read: whether the list may be written, and its export be recorded.

    Raises:
        BadInput: the name ends otherwise than .csv or .json, or as `check_target`.
        Refused: the state file is open read-only.
    """
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        raise BadInput("This kind of file is not known.", "", "Let its name end in .csv or .json.", file=str(path))
    check_target(path, state=Path(engine.info().path), force=force)
    engine.exception_record().check()


def write_exceptions(
    engine: Engine,
    path: Path,
    findings: Iterable[Reconciled],
    verdicts: Collection[FindingVerdict],
    *,
    counts: Mapping[FindingVerdict, int],
    scans: Sequence[str],
    force: bool | None = None,
) -> int:
    """Write the findings of these verdicts; returns how many.

    The audit record stands before the file has its name: there is never a list that nobody has a record of. `counts`
    and `scans` are looked at when the last finding has been read.

    Raises:
        BadInput, Refused: as `check_exceptions`, or the file cannot be written.
    """
    check_exceptions(engine, path, force=force)
    record, written = engine.exception_record(), 0
    head, digest = record.head(), hashlib.sha256()

    def rows() -> Iterator[ExceptionRow]:
        nonlocal written
        for finding in findings:
            if finding.judgement.verdict in verdicts:
                written += 1
                yield ExceptionRow(finding, head)

    def pieces() -> Iterator[str]:
        lines = csv_lines if path.suffix.lower() == ".csv" else json_lines
        for piece in lines(EXCEPTIONS, rows(), engine.now()):
            digest.update(piece.encode())
            yield piece
        totals = {str(verdict): counts.get(verdict, 0) for verdict in FindingVerdict}
        record.keep(path.name, digest.hexdigest(), written, totals, list(scans))

    write_whole(path, pieces(), state=Path(engine.info().path), force=force)
    return written
