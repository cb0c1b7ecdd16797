"""The register of migrations: each module of this package enters its own, in the order of the package's imports."""

from __future__ import annotations

from sqlite_utils.migrations import Migrations

migrations = Migrations("hotpatch-console")
