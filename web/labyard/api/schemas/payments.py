"""Payments, orders to gateways, wallets."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import Nested, String
from apiflask.validators import Length, OneOf

from labyard.billing.wallets import CLASSIFICATIONS, KINDS
from labyard.models.billing_payments import CHECKOUT, MANUAL, ORDER_STATES, PAYMENT, REFUND, WALLET

from .billing import ACCOUNT_NAME, INVOICE_NAME
from .fields import (
    MONEY,
    Timestamp,
    named,
    number_out,
    text_out,
    time_out,
)
from .lists import created_between

_KEY = "your own name of it: sent again under the same name, nothing is done again, however much later"
_MONEY = "an amount of money as text, as 12.50"


def money_in(**options: Any) -> String:
    """An amount of a request."""
    return named(MONEY, _MONEY, **options)


def currency_in(**options: Any) -> String:
    """A currency of a request."""
    return named("[A-Z]{3}", "three capital letters of ISO 4217, as EUR", **options)


def key_in() -> String:
    """The caller's name of what they do."""
    return named(r"[\x21-\x7e]{1,100}", "1 to 100 printable ASCII characters", metadata={"description": _KEY})


def account_in(**options: Any) -> String:
    """The name of an account."""
    return named(ACCOUNT_NAME, "the name of an account, as user:ada", **options)


class PaymentOut(Schema):
    """Money that came in, or went back. It never changes."""

    id = text_out()
    kind = String(required=True, validate=OneOf((PAYMENT, REFUND)))
    account = text_out()
    invoice = text_out("the number of the invoice; null: for the wallet", null=True)
    refund_of = text_out("the payment that it gives back", null=True)
    amount = text_out("above 0, of a refund too")
    currency = text_out()
    gateway = text_out("manual, stripe or wallet")
    reference = text_out("of the bank or the gateway; may be empty")
    reason = text_out("of a refund; may be empty")
    key = text_out("the caller's own name of it")
    username = text_out("who recorded or asked for it")
    received_at = time_out("when the money came or went")
    created_at = time_out()


PAYMENT_FILTERS: dict[str, Any] = {
    "account": account_in(),
    "invoice": named(INVOICE_NAME, "the number or id of an invoice"),
    "kind": String(validate=OneOf((PAYMENT, REFUND))),
    **created_between(),
}


class PaymentIn(Schema):
    """A payment that was made (admins), or one from the wallet."""

    invoice = named(INVOICE_NAME, "the number or id of an invoice")
    account = account_in(metadata={"description": "whose wallet is topped up, where no invoice is named"})
    amount = money_in(metadata={"description": "by default what is left to pay of the invoice"})
    currency = currency_in(metadata={"description": "by default that of the invoice or of the wallet"})
    gateway = String(load_default=MANUAL, validate=OneOf((MANUAL, WALLET)))
    reference = String(load_default="", validate=Length(max=255))
    received_at = Timestamp(metadata={"description": "when the money came; by default now"})
    key = key_in()


class OrderIn(Schema):
    """A payment to be made on a page of Stripe's."""

    invoice = named(INVOICE_NAME, "the number or id of an invoice")
    account = account_in(metadata={"description": "whose wallet is topped up, where no invoice is named"})
    amount = money_in(metadata={"description": "by default what is left to pay of the invoice"})
    currency = currency_in(metadata={"description": "by default that of the invoice or of the wallet"})
    key = key_in()


class OrderOut(Schema):
    """What Stripe is asked for. `url` is there once its page is: within seconds."""

    id = text_out()
    kind = String(required=True, validate=OneOf((CHECKOUT, REFUND)))
    state = String(required=True, validate=OneOf(ORDER_STATES))
    account = text_out()
    invoice = text_out(null=True)
    payment = text_out("of a refund: the payment that it gives back", null=True)
    amount = text_out()
    currency = text_out()
    url = text_out("where it is paid; empty: not yet, or no longer")
    error = text_out("why it failed or waits; may be empty")
    key = text_out()
    username = text_out()
    created_at = time_out()
    settled_at = time_out(null=True)


ORDER_FILTERS: dict[str, Any] = {
    "account": account_in(),
    "state": String(validate=OneOf(ORDER_STATES)),
    **created_between(),
}


class RefundIn(Schema):
    """How much of a payment is to go back, and where to."""

    amount = money_in(metadata={"description": "by default all that is left of it"})
    reason = String(required=True, validate=Length(1, 500))
    to = String(
        load_default="source",
        validate=OneOf(("source", WALLET)),
        metadata={"description": "source: where the payment came from"},
    )
    reference = String(load_default="", validate=Length(max=255))
    key = key_in()


class RefundOut(Schema):
    """What was done, or what Stripe is asked to do: one of the two."""

    payment = Nested(PaymentOut, required=True, allow_none=True)
    order = Nested(OrderOut, required=True, allow_none=True)


class WalletOut(Schema):
    """Credits of an account."""

    account = text_out()
    currency = text_out()
    balance = text_out("the sum of all entries; below 0 is debt")
    debt_limit = text_out("how far below 0 it may go")
    low_at = text_out("below this it is called low")
    status = text_out("fine, low or in_debt")
    version = number_out()
    created_at = time_out()


class WalletChange(Schema):
    """What an admin may say about a wallet; it is made if there is none."""

    currency = currency_in(required=True)
    debt_limit = money_in()
    low_at = money_in()


class EntryOut(Schema):
    """A line of a wallet's ledger. It never changes."""

    position = number_out("from 1, without gaps")
    kind = String(required=True, validate=OneOf(KINDS))
    classification = String(required=True, validate=OneOf(CLASSIFICATIONS))
    status = text_out("BILLED, or IN_DEBT: the wallet was below 0 after it")
    amount = text_out("below 0: taken out")
    balance = text_out("after it")
    payment = text_out(null=True)
    reason = text_out()
    username = text_out()
    created_at = time_out()


class CorrectionIn(Schema):
    """A correction of a wallet."""

    amount = named(f"-?{MONEY}", "an amount of money as text, above or below 0", required=True)
    reason = String(required=True, validate=Length(1, 500))
    key = key_in()
