"""The help desk's answer about one device, in plain words, and the ticket that is written from it. Pure.

The engine's reads bring the facts together; the device screen, `hotpatch device` and the copied ticket show them.
"""

from engine.rules.helpdesk.answer import HelpDeskAnswer, NextKind, NextStep, Offer, RestartNeed, answer, wanted_releases
from engine.rules.helpdesk.restarts import RestartReason
from engine.rules.helpdesk.ticket import Ticket, ticket

__all__ = [
    "HelpDeskAnswer",
    "NextKind",
    "NextStep",
    "Offer",
    "RestartNeed",
    "RestartReason",
    "Ticket",
    "answer",
    "ticket",
    "wanted_releases",
]
