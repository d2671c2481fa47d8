"""Stripe: pages of its own (Checkout) where people pay, refunds, and signed messages. No card is seen here.

API reference: https://docs.stripe.com/api, of the version that the library is made for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

import stripe

from ansible_collections.labyard.platform.plugins.module_utils._billing.currencies import CREDITS, DECIMALS
from labyard.errors import InvalidInput
from labyard.models.billing_payments import CANCELLED, DONE, FAILED, OPEN, STRIPE
from labyard.settings_payments import PaymentSettings

from .gateways import Forged, GatewayAway, GatewayRefused, Message, Order, Report

_TIMEOUT = 20.0  # seconds
_RETRIES = 2  # by the library, under the same key
_TOLERANCE = 300  # seconds that a message may be old
_ORDER = "labyard_order"  # our name in Stripe's metadata
# Amounts are in the smallest unit, and for these Stripe's is not ISO 4217's (docs.stripe.com/currencies).
_PLACES = {"ISK": 2, "UGX": 2, "MGA": 0}
_SESSIONS = (
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
)
_REFUNDS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
_REFUND_STATES = {"succeeded": DONE, "failed": FAILED, "canceled": CANCELLED}  # else it is on its way


class StripeGateway:
    """Stripe's API by its own library, with the key of the settings."""

    name = STRIPE
    at_once = False

    def __init__(self, settings: PaymentSettings):
        self._settings = settings

    @cached_property
    def _client(self) -> stripe.StripeClient:
        stripe.enable_telemetry = False
        return stripe.StripeClient(
            self._settings.stripe_key(),
            base_addresses={"api": self._settings.stripe_url},
            max_network_retries=_RETRIES,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT),
        )

    def begin_checkout(self, order: Order) -> Report:
        """A page of Stripe's where the order is paid."""
        price = {
            "currency": order.currency.lower(),
            "unit_amount": to_smallest(order.amount, order.currency),
            "product_data": {"name": order.description},
        }
        params: dict[str, Any] = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "success_url": order.back_to,
            "cancel_url": order.back_to,
            "client_reference_id": order.key,
            "metadata": {_ORDER: order.key},
            "payment_intent_data": {"metadata": {_ORDER: order.key}, "description": order.description},
            **({"customer_email": order.email} if order.email else {}),
        }
        options = {"idempotency_key": f"labyard-checkout-{order.key}"}
        return _of_session(_ask(lambda: self._client.v1.checkout.sessions.create(params, options)))  # type: ignore[arg-type]  # TypedDicts

    def look_at_checkout(self, reference: str) -> Report:
        """How the page stands."""
        return _of_session(_ask(lambda: self._client.v1.checkout.sessions.retrieve(reference)))

    def close_checkout(self, reference: str) -> Report:
        """Close the page; one that was paid or has ended stays as it is."""
        found = self.look_at_checkout(reference)
        if found.state != OPEN or not found.url:
            return found
        return _of_session(_ask(lambda: self._client.v1.checkout.sessions.expire(reference)))

    def begin_refund(self, order: Order) -> Report:
        """Give money of a payment back to where it came from."""
        params = {
            "payment_intent": order.payment,
            "amount": to_smallest(order.amount, order.currency),
            "metadata": {_ORDER: order.key},
        }
        options = {"idempotency_key": f"labyard-refund-{order.key}"}
        return _of_refund(_ask(lambda: self._client.v1.refunds.create(params, options)))  # type: ignore[arg-type]  # TypedDicts

    def look_at_refund(self, reference: str) -> Report:
        """How the refund stands."""
        return _of_refund(_ask(lambda: self._client.v1.refunds.retrieve(reference)))

    def read_message(self, body: bytes, signature: str) -> Message:
        """The event in `body`; raises Forged if none of the secrets signed it within five minutes."""
        for secret in self._settings.webhook_secrets():
            try:
                stripe.WebhookSignature.verify_header(body, signature, secret, _TOLERANCE)
                return _of_event(json.loads(body))
            except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError):
                continue
        raise Forged(
            "The message is not signed with this console's secret, or was signed more than five minutes ago."
        )


def to_smallest(amount: Decimal, currency: str) -> int:
    """An amount in the unit in which Stripe counts; raises GatewayRefused for what it does not take."""
    if currency == CREDITS:
        raise GatewayRefused(f"Nobody can pay {CREDITS} at Stripe: they are credits of this platform.")
    number = amount.scaleb(_places(currency))
    if number != int(number):
        raise GatewayRefused(f"{amount} {currency} has more decimals than Stripe takes.")
    if _places(currency) == 3 and int(number) % 10:
        raise GatewayRefused(f"{amount} {currency}: Stripe takes two decimals of this currency.")
    return int(number)


def from_smallest(number: int, currency: str) -> Decimal:
    """An amount as Stripe counts it, in the decimals of its currency."""
    return Decimal(number).scaleb(-_places(currency)).quantize(Decimal(1).scaleb(-DECIMALS[currency]))


def _places(currency: str) -> int:
    return _PLACES.get(currency, DECIMALS[currency])


def _ask(call: Callable[[], stripe.StripeObject]) -> dict[str, Any]:
    """The answer of `call`; its errors in our words, without what the key or the request was."""
    try:
        return call().to_dict()
    except InvalidInput as error:  # the file of the key
        raise GatewayAway(error.detail) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise GatewayAway("Stripe does not accept the key in LABYARD_STRIPE_KEY_FILE.") from error
    except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        raise GatewayRefused(f"Stripe says: {error.user_message}") from error
    except stripe.StripeError as error:
        raise GatewayAway(f"Stripe does not answer as it should ({type(error).__name__}).") from error


def _of_session(session: Mapping[str, Any]) -> Report:
    """What a Checkout session says."""
    paid = session["payment_status"] in ("paid", "no_payment_required")
    state = DONE if paid else CANCELLED if session["status"] == "expired" else OPEN
    currency = str(session.get("currency") or "").upper()
    number = session.get("amount_total") or 0
    return Report(
        state,
        session["id"],
        url=session.get("url") or "",
        amount=from_smallest(number, currency) if paid and currency else None,
        currency=currency,
        payment=_ident(session.get("payment_intent")),
    )


def _of_refund(refund: Mapping[str, Any]) -> Report:
    """What a refund says."""
    currency = str(refund["currency"]).upper()
    reason = refund.get("failure_reason")
    return Report(
        _REFUND_STATES.get(refund["status"], OPEN),
        refund["id"],
        amount=from_smallest(refund["amount"], currency),
        currency=currency,
        payment=_ident(refund.get("payment_intent")),
        error=f"Stripe says: {reason}" if reason else "",
    )


def _of_event(event: Mapping[str, Any]) -> Message:
    kind, about = event["type"], event["data"]["object"]
    order = str((about.get("metadata") or {}).get(_ORDER, ""))
    if kind in _SESSIONS:
        report = _of_session(about)
        if kind == "checkout.session.async_payment_failed":
            report = Report(FAILED, report.reference, error="Stripe says: the payment failed")
        return Message(event["id"], kind, order, report=report)
    if kind in _REFUNDS:
        return Message(event["id"], kind, order, refund=True, report=_of_refund(about))
    return Message(event["id"], kind)


def _ident(value: Any) -> str:
    """The id of what may be an id, an object or nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value["id"])
