"""Where the client gets its tokens: the protocol, and a ready token from the environment.

`client` asks before each request; a token is handed over and never kept in a record, a log or an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from engine.model.errors import SignInNeeded


class TokenSource(Protocol):
    """Gives access tokens for Graph. Asking often is cheap: a token that still holds is given again."""

    async def token(self, *, write: bool = False, claims: str = "") -> str:
        """A token that holds now.

        `write`: with the permissions for changes. `claims`: what the service demanded with a 401, word for word;
        a token that was given before is then not good enough.

        Raises:
            SignInNeeded: only a person can help; `instead` says how.
            Unreachable: the sign-in service did not answer.
        """
        ...


@runtime_checkable
class KnowsRemedy(Protocol):
    """A token source that can say what a person does when the service refuses its token."""

    @property
    def remedy(self) -> str: ...


class StaticToken:
    """A token that somebody else has put into the environment, read anew each time."""

    def __init__(self, variable: str, environment: Mapping[str, str] = os.environ) -> None:
        self._variable = variable
        self._environment = environment

    def __repr__(self) -> str:
        return f"StaticToken({self._variable!r})"

    @property
    def remedy(self) -> str:
        return f"Put a new token into {self._variable}."

    async def token(self, *, write: bool = False, claims: str = "") -> str:  # noqa: ARG002 - one token for both
        """The token in the variable.

        Raises:
            SignInNeeded: there is none, it could be none, or the service wants another.
        """
        found = self._environment.get(self._variable, "").strip()
        if not found:
            raise SignInNeeded(
                "There is no token.",
                f"The environment variable {self._variable} is not set.",
                f"Set {self._variable} in the shell or service that runs hotpatch.",
            )
        if not found.isascii() or not found.isprintable() or " " in found:
            raise SignInNeeded(
                "The token cannot be used.",
                f"What stands in {self._variable} holds characters that no token has.",
                f"Put the access token alone into {self._variable}, without the word Bearer.",
            )
        if claims:
            raise SignInNeeded(
                "The token is not accepted any more.",
                "The service asks for a new sign-in that meets its conditions.",
                self.remedy,
            )
        return found
