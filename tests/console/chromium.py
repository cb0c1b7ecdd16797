"""Headless Chromium for tests and pictures: opens one file in a profile of its own, without the network."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSER = Path(shutil.which("chromium") or "/usr/bin/chromium")
ABSENT = "needs headless Chromium, which is not installed here"
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    "--virtual-time-budget=2000",
    "--enable-logging=stderr",
)


def is_there() -> bool:
    return BROWSER.exists()


def browse(page: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Open a page with more flags; what it logs, its console among it, comes on stderr."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        return subprocess.run(
            [str(BROWSER), *_FLAGS, f"--user-data-dir={profile}", *more, page.resolve().as_uri()],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=True,
        )


def picture(page: Path, to: Path, width: int, height: int, scale: float = 1.0) -> None:
    """A picture of the beginning of a page."""
    browse(page, f"--window-size={width},{height}", f"--force-device-scale-factor={scale}", f"--screenshot={to}")
