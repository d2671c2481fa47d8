"""What every gateway of payments can do, and what it says about an order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from labyard.errors import DomainError
from labyard.models.billing_payments import CANCELLED, DONE, FAILED, OPEN

#: What a report may say of an order: people can pay or the money is on its way, done, failed, taken back.
REPORTED = (OPEN, DONE, FAILED, CANCELLED)


class GatewayAway(Exception):
    """The gateway gave no answer that can be relied on: the same is asked again later, under the same key."""


class GatewayRefused(Exception):
    """The gateway says no, and will say so again; the text is its reason."""


class Forged(DomainError):
    """A message that the gateway did not sign, or too long ago."""

    status = 400
    kind = "forged-message"
    title = "The signature is not right"


@dataclass(frozen=True)
class Order:
    """What a gateway is asked for. `key` stays the same however often it is asked."""

    key: str
    amount: Decimal  # above 0, in the decimals of its currency
    currency: str
    description: str  # what the payer reads
    back_to: str = ""  # where the payer goes on afterwards
    email: str = ""  # the payer's, to be filled in for them
    payment: str = ""  # of a refund: the gateway's name of the payment


@dataclass(frozen=True)
class Report:
    """What a gateway says of an order now."""

    state: str  # one of REPORTED
    reference: str  # the gateway's name of the order
    url: str = ""  # where a person pays
    amount: Decimal | None = None  # what came in or went back, once it is done
    currency: str = ""
    payment: str = ""  # the gateway's name of the payment, by which it is refunded
    error: str = ""


@dataclass(frozen=True)
class Message:
    """A message of the gateway whose signature was right."""

    id: str
    kind: str
    order: str = ""  # the id of the order that it is about; empty: none of ours
    refund: bool = False  # whether it is about a refund
    report: Report | None = None  # None: the message is about something else


class Gateway(Protocol):
    """A way for money to come in and to go back."""

    name: str
    at_once: bool  # the answer is there at once, and the order needs no worker

    def begin_checkout(self, order: Order) -> Report:
        """Let a payment come in. Raises GatewayAway, GatewayRefused."""

    def look_at_checkout(self, reference: str) -> Report:
        """How it stands. Raises GatewayAway, GatewayRefused."""

    def close_checkout(self, reference: str) -> Report:
        """Let nobody pay it any more, if nobody has yet; how it stands then. Raises as above."""

    def begin_refund(self, order: Order) -> Report:
        """Give money of a payment back. Raises GatewayAway, GatewayRefused."""

    def look_at_refund(self, reference: str) -> Report:
        """How it stands. Raises GatewayAway, GatewayRefused."""

    def read_message(self, body: bytes, signature: str) -> Message:
        """What the gateway says by a webhook; raises Forged."""
