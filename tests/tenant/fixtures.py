"""The tenant for tests: `tenant`, `elsewhere`, and clients that never really sleep.

A module that wants them says ``pytest_plugins`` in tests/conftest.py, or imports the fixtures.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.providers.graph.client import GraphClient, Limits
from engine.providers.graph.config import GraphConfig, made_from
from engine.providers.graph.tokens import TokenSource
from tests.tenant.server import Elsewhere, Tenant, another_host, running

TOKEN = "opaque-static-token-71c0ffee"
"""What the tenant accepts, for reading and writing; tests search for it where it must not be."""
READ_TOKEN = "opaque-reading-token-5eed"


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """A running tenant of 25 devices; whatever went against the contract fails the test at its end."""
    played = Tenant(token=TOKEN)
    played.state.tokens.add(READ_TOKEN)
    played.state.write_tokens.add(TOKEN)
    with running(played):
        yield played
    if played.violations:
        pytest.fail("against the contract:\n" + "\n".join(played.violations), pytrace=False)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Another host; a test that uses it fails when a token arrives there."""
    with another_host() as host:
        yield host
    assert not [seen for seen in host.requests if "authorization" in seen.headers]


class Tokens:
    """A token source with the tokens that a test gives; the last one is repeated."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens or (TOKEN,))
        self.asked: list[tuple[bool, str]] = []

    async def token(self, *, write: bool = False, claims: str = "") -> str:
        self.asked.append((write, claims))
        if claims and len(self.tokens) > 1:
            self.tokens.pop(0)
        return self.tokens[0]


class RenewingTokens(Tokens):
    """A source that can give another token in place of a refused one."""

    async def renewed(self, *, write: bool = False) -> str:
        self.asked.append((write, "renewed"))
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return self.tokens[0]


@dataclass
class FakeTime:
    """A clock that sleeping moves; nobody really waits."""

    now_: datetime = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.now_

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now_ += timedelta(seconds=seconds)


def config_of(tenant: Tenant) -> GraphConfig:
    """A configuration that leads to the tenant with a token from the environment."""
    return made_from(base_url=tenant.base_url, token_env="TENANT_TOKEN")


def client_of(
    tenant: Tenant,
    *,
    writes: bool = True,
    tokens: TokenSource | None = None,
    time: FakeTime | None = None,
    limits: Limits | None = None,
    **more: Any,
) -> GraphClient:
    """A client of the tenant; waits are noted in `time` and not sat out."""
    clock = time or FakeTime()
    return GraphClient(
        config_of(tenant),
        tokens or Tokens(),
        writes=writes,
        sleep=clock.sleep,
        now=clock.now,
        rng=random.Random(7),
        limits=limits,
        **more,
    )
