"""Which devices a tenant's policies lead; the modules of `store` that choose devices for orders leave them out."""

from __future__ import annotations

STEERED = "d.provider IN (SELECT name FROM provider WHERE kind = 'graph')"
"""Nothing is ordered on these devices one by one. A condition over device alias ``d``."""
