"""Which platform and architecture a product of the MSRC documents is.

Called by the reader, once for each product of a document. Products that hotpatching does not concern give None.
"""

from __future__ import annotations

import re

from msgspec import Struct

from engine.model.build import Architecture, Platform

# Whole names only: ".NET Framework ... on Windows Server 2022" and "Windows HLK for Windows Server 2022"
# are other products, and "Windows Server 2022, 23H2 Edition" is another build that has no hotpatches.
_CLIENT = re.compile(
    r"windows 11,? version (?P<version>24h2|25h2) for (?P<cpu>x64|amd64|arm64|arm)(-based)? systems?",
)
_SERVER = re.compile(
    r"windows server,? (?P<version>2022|2025)"
    r"(,? ?(datacenter)?:? ?azure edition)?( core)?( ?\(?(server core installation|hotpatch)\)?)*",
)
_CLIENTS = {"24h2": Platform.WIN11_24H2, "25h2": Platform.WIN11_25H2}
_SERVERS = {"2022": Platform.SERVER_2022, "2025": Platform.SERVER_2025}


class Product(Struct, frozen=True):
    """A product that hotpatches are made for."""

    platform: Platform
    architecture: Architecture
    is_hotpatch: bool = False
    """Whether the product's own name says hotpatch, as in documents of 2022."""


def product_of(name: str) -> Product | None:
    """The platform and architecture that a product name means, or None for any other product.

    Names vary between documents: "for ARM64-based Systems" is also written "for ARM systems" (March 2026),
    and documents of 2022 name "Windows Server 2022 Azure Edition Core Hotpatch" as a product of its own.
    """
    text = " ".join(name.split()).lower()
    if client := _CLIENT.fullmatch(text):
        is_arm = client["cpu"].startswith("arm")
        return Product(_CLIENTS[client["version"]], Architecture.ARM64 if is_arm else Architecture.X64)
    if server := _SERVER.fullmatch(text):
        return Product(_SERVERS[server["version"]], Architecture.X64, "hotpatch" in text)
    return None
