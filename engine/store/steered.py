"""Which devices a tenant's policies lead; the modules of `store` that choose devices for orders leave them out."""

from __future__ import annotations

STEERED = "d.provider IN (SELECT name FROM provider WHERE kind = 'graph')"
"""Nothing is ordered on these devices one by one. A condition over device alias ``d``."""
TENANT = "(SELECT p.name FROM provider p WHERE p.name = d.provider AND p.kind = 'graph')"
"""The tenant that leads a device, or NULL; a search by key, for lists that show a few rows."""
