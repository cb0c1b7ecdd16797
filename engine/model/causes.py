"""Classes of causes that an install fails for, and what holds for each class where nothing closer is known.

Error knowledge, triage and runbooks import it; it imports nothing of the project and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct


class Cause(StrEnum):
    """Why an install failed, as the person who has to repair it would sort it.

    Server-side HTTP answers are split by who can help. ``service``: the update server itself answered that it
    cannot (HTTP 409, 500, 503, a SOAP fault, too many round trips). The way there works, so the network team can
    do nothing; one waits, or looks at WSUS. ``network``: the answer may come from something on the way, or none
    came (HTTP 400, 401, 403, 404, 407, 408, 502, 504); proxy, firewall or address are to be looked at.
    """

    NETWORK = "network"
    DISK_SPACE = "disk-space"
    COMPONENT_STORE = "component-store"
    SERVICING_STACK = "servicing-stack"
    POLICY = "policy"
    PERMISSIONS = "permissions"
    DRIVER_OR_FILTER = "driver-or-filter"
    RESTART_PENDING = "restart-pending"
    NOT_APPLICABLE = "not-applicable"
    SERVICE = "service"
    SIGNATURE = "signature"
    HOTPATCH_PREREQUISITE = "hotpatch-prerequisite"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        """The class in words: ``Component store``."""
        return "Unclear" if self is Cause.UNKNOWN else self.value.replace("-", " ").capitalize()

    @property
    def advice(self) -> Advice:
        """What to do about a failure of this class when its code says nothing closer."""
        return _ADVICE[self]


class RetryWorth(StrEnum):
    """Whether a second attempt is worth it."""

    YES = "yes"
    """By itself, after a while."""
    AFTER_FIX = "after-fix"
    """Only when something has been put right first."""
    NO = "no"
    """It would end the same."""


WAITS: Mapping[str, timedelta] = {
    "a few minutes": timedelta(minutes=15),
    "an hour": timedelta(hours=1),
    "four hours": timedelta(hours=4),
    "a day": timedelta(days=1),
    "the restart": timedelta(0),
    "the repair": timedelta(0),
    "the clean-up": timedelta(0),
    "the change of settings": timedelta(0),
}
"""What a retry waits for, in the words shown to people, with the shortest time between two attempts."""


class Advice(Struct, frozen=True):
    """The general remedy of a cause class. `retry_after` is a key of WAITS, "" where a retry is of no use."""

    remedy: str
    retry: RetryWorth
    retry_after: str


_LOGS = (
    "Collect CBS.log and the Windows Update log for the minutes before the failure, "
    "and act on the first code that stands there."
)
_ADVICE: Mapping[Cause, Advice] = {
    Cause.NETWORK: Advice(
        "Test the way from the device to the update service: DNS, proxy, firewall, TLS inspection.",
        RetryWorth.YES,
        "an hour",
    ),
    Cause.DISK_SPACE: Advice(
        "Make about 20 GB free on the system drive, then install again.", RetryWorth.AFTER_FIX, "the clean-up"
    ),
    Cause.COMPONENT_STORE: Advice(
        "Repair the component store (DISM RestoreHealth, then sfc /scannow), restart and install again.",
        RetryWorth.AFTER_FIX,
        "the repair",
    ),
    Cause.SERVICING_STACK: Advice(
        "Install the newest LCU, which brings the servicing stack, restart and install again.",
        RetryWorth.AFTER_FIX,
        "the restart",
    ),
    Cause.POLICY: Advice(
        "Compare the policies on the device with what its ring should have, and change the one that stands in the way.",
        RetryWorth.AFTER_FIX,
        "the change of settings",
    ),
    Cause.PERMISSIONS: Advice(
        "Find in CBS.log which object was refused, and give SYSTEM and TrustedInstaller their rights on it back.",
        RetryWorth.AFTER_FIX,
        "the repair",
    ),
    Cause.DRIVER_OR_FILTER: Advice(
        "Find the driver or security product that is in the way, update or exempt it, and install again.",
        RetryWorth.AFTER_FIX,
        "the repair",
    ),
    Cause.RESTART_PENDING: Advice(
        "Restart the device in its maintenance window, then read its build before another try.",
        RetryWorth.AFTER_FIX,
        "the restart",
    ),
    Cause.NOT_APPLICABLE: Advice(
        "Compare build, edition and baseline with the release; the same package will not fit later either.",
        RetryWorth.NO,
        "",
    ),
    Cause.SERVICE: Advice(
        "See that Windows Update, BITS and Cryptographic Services can start; if they do, wait for a later scan.",
        RetryWorth.YES,
        "an hour",
    ),
    Cause.SIGNATURE: Advice(
        "Set the clock right, bring the root certificates up to date, and download the update again.",
        RetryWorth.AFTER_FIX,
        "the repair",
    ),
    Cause.HOTPATCH_PREREQUISITE: Advice(
        "Check that VBS is running, CHPE is off on Arm64, and the baseline is the current one.",
        RetryWorth.AFTER_FIX,
        "the repair",
    ),
    Cause.UNKNOWN: Advice(_LOGS, RetryWorth.YES, "an hour"),
}
