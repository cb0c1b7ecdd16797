"""Windows builds and the platforms they belong to: parse, print, compare.

Everybody may import this module; it imports nothing of the project.
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

# One SQLite INTEGER orders builds as Windows does: 26100.8390 -> 26100_00008390.
_REVISION_SPAN = 100_000_000
_BUILD = re.compile(r"^\s*(?:10\.0\.)?(?P<number>\d{4,6})\.(?P<revision>\d{1,8})\s*$")


class OsBuild(Struct, frozen=True, order=True):
    """Build number and revision (UBR), for example ``26100.8390``.

    The order is that of Windows within one platform. Across tracks it says nothing about protection:
    a hotpatched device carries a lower revision than one on the LCU of the same month, and since 2026
    client and Server 2025 share build 26100 with two revision series (MSRC CVRF, January 2026 on).
    """

    number: int
    revision: int

    @classmethod
    def parse(cls, text: str) -> OsBuild:
        """Read ``26100.8390`` or ``10.0.26100.8390``.

        Raises:
            ValueError: the text is not a build.
        """
        found = _BUILD.match(text)
        if found is None:
            raise ValueError(f"{text!r} is not a Windows build; write it like 26100.8390")
        return cls(int(found["number"]), int(found["revision"]))

    @classmethod
    def from_int(cls, value: int) -> OsBuild:
        """The build that `as_int` made this number from."""
        return cls(*divmod(value, _REVISION_SPAN))

    def as_int(self) -> int:
        """One number that sorts like the build; the store keeps builds in this form."""
        return self.number * _REVISION_SPAN + self.revision

    def __str__(self) -> str:
        return f"{self.number}.{self.revision}"


class Architecture(StrEnum):
    """Processor architecture of a device or a release."""

    X64 = "x64"
    ARM64 = "arm64"


class Platform(StrEnum):
    """A Windows version that Microsoft serves hotpatches for."""

    WIN11_24H2 = "win11-24h2"
    WIN11_25H2 = "win11-25h2"
    SERVER_2025 = "server-2025"
    SERVER_2022 = "server-2022"

    @property
    def label(self) -> str:
        """The name as people say it."""
        return _LABELS[self]

    @property
    def build_number(self) -> int:
        """The build number before the revision. 26100 is shared by Windows 11 24H2 and Server 2025."""
        return _BUILD_NUMBERS[self]

    @property
    def is_server(self) -> bool:
        """Whether server rules (Azure Edition, Arc) and server restarts apply."""
        return self in (Platform.SERVER_2025, Platform.SERVER_2022)

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """The architectures that Microsoft serves this platform for."""
        return (Architecture.X64,) if self.is_server else (Architecture.X64, Architecture.ARM64)


_LABELS = {
    Platform.WIN11_24H2: "Windows 11 24H2",
    Platform.WIN11_25H2: "Windows 11 25H2",
    Platform.SERVER_2025: "Server 2025",
    Platform.SERVER_2022: "Server 2022",
}
_BUILD_NUMBERS = {
    Platform.WIN11_24H2: 26100,
    Platform.WIN11_25H2: 26200,
    Platform.SERVER_2025: 26100,
    Platform.SERVER_2022: 20348,
}


def parse_kb(text: str) -> int:
    """The article number in ``KB5089466``, ``kb5089466`` or ``5089466``.

    Raises:
        ValueError: the text is not a KB number.
    """
    digits = text.strip().upper().removeprefix("KB").strip()
    if not (digits.isascii() and digits.isdigit() and 6 <= len(digits) <= 8):
        raise ValueError(f"{text!r} is not a KB number; write it like KB5089466")
    return int(digits)


def kb_text(kb: int) -> str:
    """``KB5089466`` for 5089466."""
    return f"KB{kb}"
