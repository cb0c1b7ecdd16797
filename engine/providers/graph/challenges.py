"""What a service demands of the next sign-in when it refuses a token in mid-run (continuous access evaluation).

`calling` reads it out of a 401 or 403; the token source hands it to the sign-in service. Pure.
"""

from __future__ import annotations

import base64
import json
import re

_CLAIMS = re.compile(r"""\bclaims\s*=\s*"((?:[^"\\]|\\.){1,8000})\"""")


def claims_in(www_authenticate: str) -> str:
    """The demanded claims as JSON text, out of a WWW-Authenticate header; "" without any, or with unreadable ones.

    Source: "Claims challenges, claims requests, and client capabilities" (Microsoft identity platform).
    """
    found = _CLAIMS.search(www_authenticate)
    if not found:
        return ""
    written = found[1].replace('\\"', '"')
    for text in (written, _unpacked(written)):
        try:
            if isinstance(json.loads(text), dict):
                return text
        except (ValueError, RecursionError):
            continue
    return ""


def _unpacked(written: str) -> str:
    """Base64, in either alphabet, with or without its padding."""
    plain = written.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except ValueError:
        return ""
