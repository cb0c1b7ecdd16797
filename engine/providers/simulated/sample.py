"""When every demo begins, and how large it is unless somebody says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

DEMO_START = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
"""The morning after Patch Tuesday of May 2026, where every demo begins."""
DEMO_SEED = 20260513
DEMO_SIZE = 500
