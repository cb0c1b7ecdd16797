"""All families of resources that the tenant plays. A new one is added here and nowhere else."""

from __future__ import annotations

from types import ModuleType

from tests.tenant import (
    catalogue,
    devices,
    directory,
    enrolment,
    quality_policies,
    reports,
    update_policies,
    update_rings,
)
from tests.tenant.routing import Route

FAMILIES: tuple[ModuleType, ...] = (
    catalogue,
    devices,
    directory,
    enrolment,
    quality_policies,
    reports,
    update_policies,
    update_rings,
)


def all_routes() -> tuple[Route, ...]:
    return tuple(each for family in FAMILIES for each in family.ROUTES)


def all_operations() -> frozenset[str]:
    """The contract's operations that the tenant plays, its batches included."""
    return frozenset({"beta.post.batch", "v1.post.batch"}.union(*(family.OPERATIONS for family in FAMILIES)))
