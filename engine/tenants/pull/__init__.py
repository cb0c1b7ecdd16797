"""Pulls the inventory of a tenant in bounded steps: what a step has read is kept with its cursor, or neither is.

`Engine.import_from` walks it to its end, a runner one step a turn. It sends no change to the tenant.
"""

from engine.tenants.pull.machine import PullProgress, TenantIntake

__all__ = ["PullProgress", "TenantIntake"]
