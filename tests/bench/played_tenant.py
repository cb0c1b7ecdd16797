"""``python -m tests.bench.played_tenant DEVICES``: the tests' tenant as a process of its own, for measuring pulls.

Prints its address and serves until its input ends. Requests are not held against the contract: that is for tests.
"""

from __future__ import annotations

import os
import sys

from tests.tenant import server
from tests.tenant.server import Tenant, running

TOKEN_VARIABLE = "BENCH_TENANT_TOKEN"
_PAGE = 1_000
_THROTTLED_EVERY = 400
"""One request of so many is answered with 429, and so is one part of a batch."""


def main() -> None:
    """Play until nobody listens."""
    count = int(sys.argv[1])
    token = os.environ[TOKEN_VARIABLE]
    server.contract = lambda: None  # type: ignore[assignment]
    tenant = Tenant(token=token)
    tenant.state.tokens.add(token)
    tenant.state.write_tokens.add(token)
    tenant.state.devices.count = count
    tenant.state.page_size = _PAGE
    tenant.state.divide()
    for nth in range(_THROTTLED_EVERY, max(count, _THROTTLED_EVERY) + 1, _THROTTLED_EVERY):
        if nth <= count // 10:
            tenant.faults.throttle(nth=nth, retry_after="1")
        tenant.faults.throttle_part(nth=nth * 20, retry_after="1")
    with running(tenant):
        sys.stdout.write(f"{tenant.base_url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
