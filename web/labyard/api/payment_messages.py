"""Where gateways send their messages. No key opens this: their signature does."""

from __future__ import annotations

from flask import Blueprint, Response, request

from labyard.billing.messages import take_message
from labyard.billing.paying import gateways_of
from labyard.context import context, session
from labyard.errors import NotFound
from labyard.models.billing_payments import STRIPE
from labyard.web_requests import commit_request

from .answers import answer

blueprint = Blueprint("payment_messages", __name__, url_prefix="/api/v1/payments/webhooks")


@blueprint.post("/stripe")
def take_stripe() -> Response:
    """Take a message of Stripe's: 200 for every one that is signed, known ones and strange ones too."""
    gateway = gateways_of(context().settings.payments).get(STRIPE)
    if gateway is None:
        raise NotFound("Nobody can pay at Stripe here.")
    signature = request.headers.get("Stripe-Signature", "")
    outcome = take_message(session(), gateway, request.get_data(cache=True), signature)
    commit_request()
    return answer({"outcome": outcome})
