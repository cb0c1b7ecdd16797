"""Puts a blocking sign-in beside an event loop: the token source of every way of signing in but a ready token.

`GraphProvider.open` makes one for each client. A token that holds is handed out without asking anybody.
"""

from __future__ import annotations

import asyncio
import time

from engine.model.errors import SignInNeeded
from engine.providers.graph.signin import OnCode, SignIn, Token

_EARLY = 300.0
"""Seconds before its end from which a token is not handed out any more."""


class SignedTokens:
    """Tokens of one sign-in. Belongs to one event loop.

    `on_code` lets a person sign in on the spot, where nothing is kept between programs.
    """

    def __init__(self, sign_in: SignIn, on_code: OnCode | None = None) -> None:
        self._sign_in = sign_in
        self._on_code = on_code
        self._held: dict[bool, Token] = {}
        self._met: dict[bool, str] = {}
        self._one_at_a_time = asyncio.Lock()

    def __repr__(self) -> str:
        return f"SignedTokens({self._sign_in!r})"

    @property
    def remedy(self) -> str:
        return self._sign_in.remedy

    async def token(self, *, write: bool = False, claims: str = "") -> str:
        """A token that holds now; see `TokenSource`.

        Raises:
            SignInNeeded: only a person can help.
            Unreachable: the sign-in service did not answer.
        """
        if (held := self._good(write, claims)) is not None:
            return held
        async with self._one_at_a_time:
            # Several requests are refused at once; the first of them has brought the token that all need.
            if (held := self._good(write, claims)) is not None:
                return held
            return await self._fetch(write=write, claims=claims)

    async def renewed(self, *, write: bool = False) -> str:
        """Another token in place of one that the service refused before its time.

        Raises:
            SignInNeeded: only a person can help.
            Unreachable: the sign-in service did not answer.
        """
        refused = self._held.get(write)
        async with self._one_at_a_time:
            held = self._held.get(write)
            if held is not None and held is not refused:
                return held.text
            return await self._fetch(write=write, fresh=True)

    def _good(self, write: bool, claims: str) -> str | None:
        held = self._held.get(write)
        if held is None or held.good_until - time.time() < _EARLY:
            return None
        return held.text if not claims or self._met.get(write) == claims else None

    async def _fetch(self, *, write: bool, claims: str = "", fresh: bool = False) -> str:
        try:
            token = await asyncio.to_thread(self._sign_in.silent, write=write, claims=claims, fresh=fresh)
        except SignInNeeded:
            if self._on_code is None:
                raise
            await self._ask_person(self._on_code, write=write)
            token = await asyncio.to_thread(self._sign_in.silent, write=write)
        self._held[write] = token
        if claims:
            self._met[write] = claims
        return token.text

    async def _ask_person(self, on_code: OnCode, *, write: bool) -> None:
        try:
            await asyncio.to_thread(self._sign_in.by_device_code, on_code, write=write)
        except asyncio.CancelledError:
            self._sign_in.cancel()
            raise
