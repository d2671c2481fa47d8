"""The gateway that is always there: an admin has seen the money, or has sent it."""

from __future__ import annotations

from labyard.models.billing_payments import DONE, MANUAL

from .gateways import Forged, GatewayRefused, Message, Order, Report


class ManualGateway:
    """Believes the admin: what they record has come in, or has gone back."""

    name = MANUAL
    at_once = True

    def begin_checkout(self, order: Order) -> Report:
        """It has come in."""
        return Report(
            DONE, order.payment, amount=order.amount, currency=order.currency, payment=order.payment
        )

    def look_at_checkout(self, reference: str) -> Report:
        """There is nothing to look at."""
        raise GatewayRefused(f"{reference}: what was recorded by hand is done.")

    def close_checkout(self, reference: str) -> Report:
        """There is nothing to close."""
        raise GatewayRefused(f"{reference}: what was recorded by hand is done.")

    def begin_refund(self, order: Order) -> Report:
        """It has gone back."""
        return Report(DONE, order.payment, amount=order.amount, currency=order.currency)

    def look_at_refund(self, reference: str) -> Report:
        """There is nothing to look at."""
        raise GatewayRefused(f"{reference}: what was recorded by hand is done.")

    def read_message(self, body: bytes, signature: str) -> Message:
        """Nobody sends messages about bank transfers."""
        raise Forged("No messages are taken about payments that are recorded by hand.")
