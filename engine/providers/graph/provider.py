"""One tenant as a provider: what it can do, and the way to its service. `opening` makes it; it loads nothing heavy.

It carries out no orders: the tenant is the engine there. What people decide becomes requests to its policies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from engine.model.errors import NotOffered
from engine.providers.base import Capabilities, CheckIn, InstallReport, Order, PolicyVerb

if TYPE_CHECKING:
    import httpx

    from engine.providers.graph.client import GraphClient
    from engine.providers.graph.config import GraphConfig
    from engine.providers.graph.pacing import Limits
    from engine.providers.graph.signin import OnCode, SignIn
    from engine.providers.graph.tokens import TokenSource

KIND = "graph"
NOTE = (
    "No service installs a hotpatch on a Windows 11 client on demand; "
    "a device acts at its next scan, hours to days later."
)
_CAN = Capabilities(
    install_now=False,
    uninstall_device=False,
    reports_progress=False,
    reports_health=False,
    note=NOTE,
    requests=frozenset(PolicyVerb),
)


class GraphProvider:
    """A tenant. `config` is what the state file keeps; it is read when it is first needed."""

    def __init__(
        self,
        name: str,
        config: str,
        *,
        writes: bool,
        on_code: OnCode | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._name = name
        self._kept = config
        self._on_code = on_code
        self._transport = transport
        self.writes = writes
        """Whether anything may be changed in the tenant."""

    @property
    def name(self) -> str:
        return self._name

    @cached_property
    def config(self) -> GraphConfig:
        """How the tenant is reached.

        Raises:
            BadInput: what the state file keeps cannot be used.
        """
        from engine.providers.graph.config import from_json

        return from_json(self._kept, self._name)

    @cached_property
    def sign_in(self) -> SignIn:
        """The sign-in, unless a ready token makes one needless."""
        from engine.providers.graph.signin import SignIn

        return SignIn(self.config, self._name)

    def capabilities(self) -> Capabilities:
        return _CAN

    def tokens(self) -> TokenSource:
        """A source of tokens for one event loop."""
        from engine.providers.graph.config import SignInWay

        if self.config.sign_in is SignInWay.TOKEN:
            from engine.providers.graph.tokens import StaticToken

            return StaticToken(self.config.token_env)
        from engine.providers.graph.signed_tokens import SignedTokens

        return SignedTokens(self.sign_in, self._on_code if self.config.memory_cache else None)

    @asynccontextmanager
    async def open(
        self, *, tokens: TokenSource | None = None, limits: Limits | None = None
    ) -> AsyncIterator[GraphClient]:
        """The tenant's service, for as long as the block runs; it refuses changes unless the provider may write.

        Raises:
            BadInput: what the state file keeps of the provider cannot be used.
        """
        from engine.providers.graph.client import GraphClient

        client = GraphClient(
            self.config, tokens or self.tokens(), writes=self.writes, transport=self._transport, limits=limits
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def devices(self, since: datetime | None) -> AsyncIterator[CheckIn]:  # noqa: ARG002 - the protocol's shape
        """Not this way: a tenant of 100,000 devices is pulled page by page, and goes on where it was broken off.

        Raises:
            NotOffered: always.
        """
        raise NotOffered(
            f"{self._name} does not tell its devices one by one.", "", f"Pull them: hotpatch import --from {self._name}"
        )
        yield  # makes it the iterator that the protocol asks for

    async def report(self, orders: Sequence[Order], now: datetime) -> Sequence[InstallReport]:  # noqa: ARG002
        """Nothing: what devices did is told by the next pull, and no order is ever given to them from here."""
        return ()
