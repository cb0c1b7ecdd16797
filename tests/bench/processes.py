"""A command as a process of its own, and what it has used."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Used:
    """What one call has used."""

    seconds: float
    processor_seconds: float
    """The process's own and those of the children it has waited for."""
    peak_megabytes: float


def use(command: Sequence[str], variables: Mapping[str, str], output: IO[bytes] | None = None) -> Used:
    """Run to the end; what it prints goes to `output`, else nowhere.

    Raises:
        CalledProcessError: it ended otherwise than with 0, or 3, which says that something needs attention.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(
        list(command), env=dict(variables), stdout=output or subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise subprocess.CalledProcessError(process.returncode, list(command), stderr=said)
    # Linux tells kilobytes, macOS bytes.
    peak = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Used(seconds, usage.ru_utime + usage.ru_stime, peak)
