"""What every foreign file has that is read bit by bit: how far it is, and an end. A base for readers."""

from __future__ import annotations

from typing import Self

from engine.files.lines import Lines


class LineFile:
    """A file over its lines; whoever makes it opens them as `_lines`."""

    _lines: Lines

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._lines.size

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._lines.position

    def close(self) -> None:
        """Let go of the file; reading all of its rows does it too."""
        self._lines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
