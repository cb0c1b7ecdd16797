"""The providers of a state file, made when they are first asked for. `open_engine` gives it to the runner.

Asking whether there is a simulated fleet costs nothing, and nothing here loads a network library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.model.records.fleet import ProviderRow
from engine.providers.base import Provider

if TYPE_CHECKING:
    from engine.providers.graph.signin import OnCode

SIMULATED = "simulated"


class Providers(Mapping[str, Provider]):
    """Name → provider. A row that another process has added or changed is seen at the next look."""

    def __init__(
        self,
        rows: Callable[[], Sequence[ProviderRow]],
        simulated: Callable[[], Provider] | None = None,
        *,
        read_only: bool = False,
        on_code: OnCode | None = None,
    ) -> None:
        self._rows = rows
        self._simulated = simulated
        self._read_only = read_only
        self._on_code = on_code
        self._made: dict[str, tuple[ProviderRow | None, Provider]] = {}

    def __contains__(self, name: object) -> bool:
        if name == SIMULATED:
            return self._simulated is not None
        return isinstance(name, str) and self._row(name) is not None

    def __getitem__(self, name: str) -> Provider:
        if name == SIMULATED and self._simulated is not None:
            return self._kept(SIMULATED, None) or self._keep(SIMULATED, None, self._simulated())
        row = self._row(name)
        if row is None:
            raise KeyError(name)
        return self._kept(row.name, row) or self._keep(row.name, row, self._make(row))

    def __iter__(self) -> Iterator[str]:
        if self._simulated is not None:
            yield SIMULATED
        for row in self._rows():
            yield row.name

    def __len__(self) -> int:
        return len(self._rows()) + (self._simulated is not None)

    def _row(self, name: str) -> ProviderRow | None:
        return next((row for row in self._rows() if row.name.casefold() == name.casefold()), None)

    def _make(self, row: ProviderRow) -> Provider:
        # There is one kind as yet; the table says which, so that others can stand beside it.
        from engine.providers.graph.provider import GraphProvider

        return GraphProvider(row.name, row.config, writes=row.writes and not self._read_only, on_code=self._on_code)

    def _kept(self, name: str, row: ProviderRow | None) -> Provider | None:
        found = self._made.get(name)
        return found[1] if found is not None and found[0] == row else None

    def _keep(self, name: str, row: ProviderRow | None, provider: Provider) -> Provider:
        self._made[name] = (row, provider)
        return provider
