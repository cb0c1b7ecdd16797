"""Adds, lists, removes and signs in to the systems that reach devices; the door for the `provider` commands.

Each change is one transaction with its audit record. No secret passes through: only names of variables and files.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.files.devices import IMPORT_PROVIDER
from engine.model.audit import AuditEntry
from engine.model.errors import BadInput, NotFound, NotOffered, Refused, nearest
from engine.model.intents import Actor, Refusal, Role
from engine.model.records.fleet import ProviderRow
from engine.providers.base import Capabilities, Provider
from engine.providers.graph.config import GraphConfig, SignInWay, to_json
from engine.providers.graph.provider import KIND, GraphProvider
from engine.providers.opening import SIMULATED, Providers
from engine.rules.plans.permissions import may_connect
from engine.store import Store
from engine.store.incoming import Incoming

if TYPE_CHECKING:
    from engine.providers.graph.signin import OnCode
    from engine.providers.graph.steps import CheckStep

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_RESERVED = frozenset({SIMULATED, IMPORT_PROVIDER})


class ProviderFacts(Struct, frozen=True):
    """One provider for a list."""

    name: str
    kind: str
    writes: bool
    devices: int
    capabilities: Capabilities
    added_by: str
    """"" for the simulated fleet of a demo."""
    added_at: datetime | None
    config: Mapping[str, object]
    """How it is reached; holds no secret."""
    trouble: str = ""
    """Why its configuration cannot be used; "" where it can."""


class SignedIn(Struct, frozen=True):
    """How a sign-in ended."""

    account: str
    """Whom the service knows the person as; "" where no person signs in."""
    way: SignInWay
    kept_in: str
    """The file that keeps it; "" for nowhere."""
    for_writing: bool


class Removed(Struct, frozen=True):
    """What removing a provider did."""

    devices: int
    """Its devices."""
    removed_devices: int
    was_signed_in: bool
    dropped_requests: int = 0
    """Requests that had not reached the tenant yet and now never will."""


class ProviderDesk:
    """The providers of one store, for one actor."""

    def __init__(
        self, store: Store, actor: Actor, role: Role, providers: Mapping[str, Provider], *, read_only: bool
    ) -> None:
        self._store = store
        self._actor = actor
        self._role = role
        self._providers = providers
        self._read_only = read_only

    # --- asking -------------------------------------------------------------------------------------

    def providers(self) -> tuple[ProviderFacts, ...]:
        """Every provider, the simulated one of a demo first."""
        found = []
        if SIMULATED in self._providers:
            can = self._providers[SIMULATED].capabilities()
            devices = self._store.providers.device_count(SIMULATED)
            found.append(ProviderFacts(SIMULATED, SIMULATED, True, devices, can, "", None, {}))
        found += [self._facts(row) for row in self._store.providers.all()]
        return tuple(found)

    def graph(self, name: str) -> GraphProvider:
        """The tenant of that name.

        Raises:
            NotFound: there is no such provider.
            NotOffered: it is no tenant.
        """
        if name == SIMULATED and name in self._providers:
            raise NotOffered("The simulated fleet needs no sign-in.", "", "Add a tenant: hotpatch provider add graph")
        row = self.row(name)
        found = self._providers.get(row.name)
        if isinstance(found, GraphProvider):
            return found
        return GraphProvider(row.name, row.config, writes=row.writes and not self._read_only)

    def row(self, name: str) -> ProviderRow:
        """What is kept of a provider.

        Raises:
            NotFound: there is none of that name.
        """
        found = self._store.providers.find(name)
        if found is None:
            names = [row.name for row in self._store.providers.all()]
            instead = f"There are: {', '.join(names)}." if names else "Add one: hotpatch provider add graph --name corp"
            raise NotFound(f"There is no provider {name!r}.", tuple(nearest(name, names)), instead)
        return found

    async def check(self, name: str) -> AsyncIterator[CheckStep]:
        """Look step by step at what works.

        Raises:
            NotFound: there is no such provider.
            BadInput: what is kept of it cannot be used.
        """
        from engine.providers.graph.checks import examine

        async for step in examine(self.graph(name)):
            yield step

    # --- changing -----------------------------------------------------------------------------------

    def add(
        self, name: str, config: GraphConfig, now: datetime, *, writes: bool | None = None, dry_run: bool = False
    ) -> ProviderFacts:
        """Keep a tenant under a name.

        `writes` None: on for a ready token when an approver adds it, because whoever made the token has chosen its
        permissions; off for every other way of signing in, until somebody switches it on.

        Raises:
            Refused: this actor may not.
            BadInput: the name is taken or could be none.
        """
        allowed = writes if writes is not None else self._writes_by_itself(config)
        self._refuse(may_connect("add a provider", self._role, read_only=self._read_only, opens_writing=allowed))
        self._check_name(name)
        row = ProviderRow(name, KIND, to_json(config), allowed, self._actor.name, now)
        if not dry_run:
            with self._store.transaction():
                self._check_free(name)  # again: another process may have taken it
                self._store.providers.add(row)
                summary = f"Provider {name} was added: {config.base_url}, writing {_switch(allowed)}"
                self._record(now, "provider-add", summary, {**config.facts(), "writes": allowed})
                self._store.state.count_change()
        return self._facts(row)

    def switch_writes(self, name: str, now: datetime, *, on: bool, dry_run: bool = False) -> bool:
        """Let changes out to a tenant, or keep them in; whether that was a change, or would be one.

        Raises:
            Refused: this actor may not; switching on needs an approver.
            NotFound: there is no such provider.
        """
        verb = "switch writing on" if on else "switch writing off"
        self._refuse(may_connect(verb, self._role, read_only=self._read_only, opens_writing=on))
        with self._store.transaction():
            row = self.row(name)
            if row.writes == on or dry_run:
                return row.writes != on
            self._store.providers.switch_writes(row.name, on=on)
            summary = f"Writing to provider {row.name} was switched {_switch(on)}"
            self._record(now, "provider-writes", summary, {"before": row.writes, "after": on})
            self._store.state.count_change()
        return True

    def remove(self, name: str, now: datetime, *, remove_devices: bool = False, dry_run: bool = False) -> Removed:
        """Forget a tenant, its sign-in, and what was still to be sent to it: a tenant that is added under the same name
        later must not get it. Its devices stay with what is known of them, unless they are to go too; its rings become
        ordinary ones.

        Raises:
            Refused: this actor may not.
            NotFound: there is no such provider.
        """
        self._refuse(may_connect("remove a provider", self._role, read_only=self._read_only))
        row = self.row(name)
        devices = self._store.providers.device_count(row.name)
        leaving = devices if remove_devices else 0
        if dry_run:
            return Removed(devices, leaving, False, len(self._store.tenant_requests.open(row.name)))
        nothing = Incoming(self._store.connection, row.name, now)
        try:
            with self._store.transaction():
                if leaving:
                    # An import that names no device: all of the provider's are gone.
                    with self._store.devices.counted_at_the_end(leaving, comings=True):
                        nothing.take_over(remove_gone=True)
                dropped = self._store.tenant_requests.drop(row.name)
                self._store.tenant_status.let_go(row.name, now)
                self._store.tenant_status.refresh_devices(row.name)
                self._store.tenant_rings.unbind(row.name)
                self._store.tenant_inventory.forget(row.name)
                self._store.providers.remove(row.name)
                summary = f"Provider {row.name} was removed; {leaving:,} of its {devices:,} devices went with it"
                details = {"devices": devices, "removed": leaving, "dropped_requests": dropped}
                self._record(now, "provider-remove", summary, details, leaving)
                self._store.state.count_change()
        finally:
            nothing.drop()
        return Removed(devices, leaving, self._forget(row), dropped)

    # --- signing in ---------------------------------------------------------------------------------

    def sign_in(self, name: str, on_code: OnCode, now: datetime) -> SignedIn:
        """Sign in; with the permissions to write only where writing is switched on. Blocks while a person signs in.

        Raises:
            NotFound: there is no such provider.
            NotOffered: a ready token makes it needless.
            SignInNeeded: refused, declined, or too late.
            Unreachable: the sign-in service did not answer.
        """
        provider = self.graph(name)
        config = provider.config
        if config.sign_in is SignInWay.TOKEN:
            raise NotOffered(
                f"{provider.name} takes its token from {config.token_env}.",
                "There is nothing to sign in to.",
                f"See whether it works: hotpatch provider check {provider.name}",
            )
        account = ""
        if config.sign_in.is_delegated:
            account = provider.sign_in.by_device_code(on_code, write=provider.writes)
        else:
            provider.sign_in.silent(write=provider.writes)
        keeps = provider.sign_in.keeps_file
        if not self._read_only:
            with self._store.transaction():
                who = f" as {account}" if account else ""
                summary = f"Signed in to provider {provider.name}{who} by {config.sign_in}"
                self._record(now, "provider-login", summary, {"account": account, "for_writing": provider.writes})
        return SignedIn(account, config.sign_in, str(provider.sign_in.path) if keeps else "", provider.writes)

    def sign_out(self, name: str, now: datetime) -> bool:
        """Forget the sign-in on this machine; whether there was one.

        Raises:
            NotFound: there is no such provider.
            SignInNeeded: the file cannot be deleted.
        """
        row = self.row(name)
        was = self._forget(row)
        if was and not self._read_only:
            with self._store.transaction():
                self._record(now, "provider-logout", f"Signed out of provider {row.name}", {})
        return was

    # --- how ----------------------------------------------------------------------------------------

    def _writes_by_itself(self, config: GraphConfig) -> bool:
        return config.sign_in is SignInWay.TOKEN and self._role is Role.APPROVER

    def _forget(self, row: ProviderRow) -> bool:
        from engine.providers.graph.token_file import forget, token_file

        try:
            config = GraphProvider(row.name, row.config, writes=False).config
        except BadInput:
            return False  # nobody can have signed in with it
        found = self._providers.get(row.name) if isinstance(self._providers, Providers) else None
        if isinstance(found, GraphProvider) and "sign_in" in found.__dict__:
            return found.sign_in.forget()
        return forget(token_file(row.name, config))

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise BadInput(
                "--name cannot be used.",
                "A name is 1 to 40 letters, digits, dots, dashes and underscores, and begins with a letter or a digit.",
                "For example: --name corp",
            )
        if name.casefold() in _RESERVED:
            raise BadInput(f"The name {name} is taken.", "The program itself uses it.", "For example: --name corp")
        self._check_free(name)

    def _check_free(self, name: str) -> None:
        if (known := self._store.providers.find(name)) is not None:
            raise BadInput(
                f"There is a provider {known.name} already.",
                "",
                f"Choose another --name, or remove it first: hotpatch provider remove {known.name}",
            )

    def _facts(self, row: ProviderRow) -> ProviderFacts:
        provider = GraphProvider(row.name, row.config, writes=row.writes)
        trouble = ""
        shown: Mapping[str, object] = {}
        try:
            shown = provider.config.facts()
        except BadInput as error:
            trouble = f"{error.what} {error.why}".strip()
        devices = self._store.providers.device_count(row.name)
        can = provider.capabilities()
        return ProviderFacts(row.name, row.kind, row.writes, devices, can, row.added_by, row.added_at, shown, trouble)

    def _record(
        self, now: datetime, action: str, summary: str, details: Mapping[str, object], devices: int = 0
    ) -> None:
        self._store.audit.append(
            AuditEntry(
                at=now,
                actor=self._actor.name,
                origin=self._actor.origin,
                action=action,
                summary=summary,
                devices=devices,
                details=details,
            )
        )

    @staticmethod
    def _refuse(refusal: Refusal | None) -> None:
        if refusal is not None:
            raise Refused(refusal.what, refusal.why, refusal.instead)


def _switch(on: bool) -> str:
    return "on" if on else "off"
