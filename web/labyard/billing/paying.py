"""What people and admins ask for: pay an invoice, fill a wallet, give a payment back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from labyard.accounts.audit import record_action
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, Forbidden, InvalidInput, NotFound
from labyard.models import BillingAccount, GatewayOrder, Invoice, Payment, User, Wallet
from labyard.models.billing_payments import MANUAL, STRIPE, WALLET
from labyard.settings_payments import PaymentSettings

from .accounts import get_account
from .balances import read_amount, show_amount
from .gateway_manual import ManualGateway
from .gateway_stripe import StripeGateway
from .gateways import Gateway
from .orders import order_checkout, order_refund
from .payments import (
    NewPayment,
    balance_of,
    get_payable_invoice,
    get_payment,
    pay_invoice,
    refund_payment,
    refundable,
)
from .wallets import pay_from_wallet, refund_to_wallet, take_out, top_up


@dataclass(frozen=True)
class Wish:
    """What is to be paid: an invoice by number or id, or else into the wallet of an account."""

    invoice: str | None = None
    account: str | None = None
    amount: str | None = None  # None: what is left to pay of the invoice
    currency: str | None = None  # None: that of the invoice or of the wallet
    gateway: str = MANUAL
    reference: str = ""
    received_at: datetime | None = None
    key: str = ""


def gateways_of(settings: PaymentSettings | None) -> dict[str, Gateway]:
    """The gateways of these settings, by name."""
    found: dict[str, Gateway] = {MANUAL: ManualGateway()}
    if settings is not None:
        found[STRIPE] = StripeGateway(settings)
    return found


def make_payment(
    session: Session, person: User, wish: Wish, *, address: str = "", clock: Clock = utc_now
) -> Payment:
    """Record money that came in (admins), or pay an invoice from its account's wallet.

    Raises InvalidInput, Forbidden, Conflict.
    """
    account, invoice, amount, currency = _read(session, person, wish)
    if wish.gateway == WALLET:
        if invoice is None:
            raise InvalidInput("A wallet pays invoices.", {"invoice": "is required to pay from the wallet"})
        payment = pay_from_wallet(session, invoice, amount, wish.key, person.username, clock)
    else:
        if not person.is_admin:
            raise Forbidden(
                "Only admins record money that came in. Pay with `gateway: wallet`, or order a payment "
                "at Stripe.",
                {"gateway": f"{MANUAL} is for admins"},
            )
        if wish.received_at is not None and wish.received_at > clock():
            raise InvalidInput("The payment is not right.", {"received_at": "lies in the future"})
        new = NewPayment(
            amount, currency, MANUAL, wish.key, wish.reference, person.username, wish.received_at
        )
        payment = (
            top_up(session, account, new, clock)
            if invoice is None
            else pay_invoice(session, invoice, new, clock)
        )
    _note(session, person, "payment recorded", address, payment)
    return payment


def order_payment(
    session: Session,
    person: User,
    wish: Wish,
    gateway: Gateway | None,
    *,
    address: str = "",
    clock: Clock = utc_now,
) -> GatewayOrder:
    """Ask `gateway` for a page where `person` pays; raises InvalidInput, Conflict."""
    if gateway is None:
        raise Conflict(
            "Nobody can pay at Stripe here: LABYARD_STRIPE_KEY_FILE is not set. Ask an admin how to pay."
        )
    account, invoice, amount, currency = _read(session, person, wish)
    new = NewPayment(amount, currency, gateway.name, wish.key, username=person.username)
    order = order_checkout(session, gateway, account, invoice, new, clock)
    words = {"order": order.id, "account": account.name, "amount": show_amount(amount, currency)}
    record_action(session, person.username, "payment ordered", address, **words)
    return order


def give_back(
    session: Session,
    person: User,
    payment_id: str,
    document: Mapping[str, Any],
    gateways: Mapping[str, Gateway],
    *,
    address: str = "",
    clock: Clock = utc_now,
) -> tuple[Payment | None, GatewayOrder | None]:
    """Give money of a payment back (admins): amount, reason, to, reference and key stand in `document`.

    Returns the refund where it is done, or the order where a gateway is asked. Raises NotFound, Conflict.
    """
    payment = get_payment(session, person, payment_id)
    key, reason = document.get("key", ""), document["reason"]
    if document.get("amount") is None:
        amount = refundable(session, payment)
        if not amount:
            raise Conflict("Nothing is left of this payment that could be given back.")
    else:
        amount = read_amount(document["amount"], payment.currency)
    if document.get("to") == WALLET or payment.gateway == WALLET:
        made = refund_to_wallet(session, payment, amount, key, reason, person.username, clock)
    elif payment.gateway == MANUAL:
        new = NewPayment(
            amount, payment.currency, MANUAL, key, document.get("reference", ""), person.username
        )
        made = refund_payment(session, payment, new, reason, clock)
        if payment.invoice_id is None:
            take_out(session, payment, amount, f"payment {made.id}", reason, person.username, clock)
    else:
        return None, _order_refund(session, person, payment, amount, key, reason, gateways, address, clock)
    _note(session, person, "payment refunded", address, made)
    return made, None


def _order_refund(
    session: Session,
    person: User,
    payment: Payment,
    amount: Decimal,
    key: str,
    reason: str,
    gateways: Mapping[str, Gateway],
    address: str,
    clock: Clock,
) -> GatewayOrder:
    gateway = gateways.get(payment.gateway)
    if gateway is None:
        raise Conflict(
            f"The payment came by {payment.gateway}, which is not set up here any more. "
            "Set it up again, or give the money back as credits (`to: wallet`)."
        )
    new = NewPayment(amount, payment.currency, gateway.name, key, username=person.username)
    order = order_refund(session, gateway, payment, new, reason, clock)
    words = {"order": order.id, "payment": payment.id, "amount": show_amount(amount, payment.currency)}
    record_action(session, person.username, "refund ordered", address, **words)
    return order


def _read(session: Session, person: User, wish: Wish) -> tuple[BillingAccount, Invoice | None, Decimal, str]:
    """Account, invoice, amount and currency; raises InvalidInput at the field that is wrong."""
    if (wish.invoice is None) == (wish.account is None):
        text = "name either an invoice or an account"
        raise InvalidInput("It is not clear what is paid.", {"invoice": text, "account": text})
    try:
        if wish.invoice is not None:
            invoice = get_payable_invoice(session, person, wish.invoice)
            currency = wish.currency or invoice.currency
            if wish.amount is not None:
                return invoice.account, invoice, read_amount(wish.amount, currency), currency
            left = balance_of(invoice).payable
            if not left:
                raise Conflict(f"Nothing is left to pay of {invoice.number}.")
            return invoice.account, invoice, left, currency
        account = get_account(session, person, str(wish.account))
    except NotFound as error:
        field = "account" if wish.invoice is None else "invoice"
        raise InvalidInput("It cannot be paid.", {field: error.detail}) from error
    wallet = session.get(Wallet, account.id)
    found = wish.currency or (wallet.currency if wallet else None)
    if found is None:
        text = "is required for the first payment into a wallet"
        raise InvalidInput("The currency is missing.", {"currency": text})
    if wish.amount is None:
        raise InvalidInput("The amount is missing.", {"amount": "is required to top up a wallet"})
    return account, None, read_amount(wish.amount, found), found


def _note(session: Session, person: User, action: str, address: str, payment: Payment) -> None:
    about = {"payment": payment.id, "account": payment.account.name, "gateway": payment.gateway}
    amount = show_amount(payment.amount, payment.currency)
    invoice = {"invoice": str(payment.invoice.number)} if payment.invoice else {}
    record_action(session, person.username, action, address, amount=amount, **about, **invoice)
