"""The help desk's answer about one device, in plain words, and the ticket that is written from it. Pure.

The engine's reads bring the facts together; the device screen, `hotpatch device` and the copied ticket show them.
"""

from engine.rules.helpdesk.answer import HelpDeskAnswer, Offer, RestartNeed, answer, due_release
from engine.rules.helpdesk.restarts import RestartReason
from engine.rules.helpdesk.ticket import Ticket, ticket

__all__ = ["HelpDeskAnswer", "Offer", "RestartNeed", "RestartReason", "Ticket", "answer", "due_release", "ticket"]
