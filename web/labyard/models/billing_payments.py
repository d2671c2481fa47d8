"""Payments and refunds, what a gateway is asked to do for them, wallets and their entries."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labyard.clock import utc_now

from .base import db, random_id, utc_column
from .billing_accounts import BillingAccount
from .billing_invoices import Invoice
from .decimals import ExactDecimal
from .texts import binary_text
from .versions import Versioned

PAYMENT, REFUND = "payment", "refund"
MANUAL, STRIPE, WALLET = "manual", "stripe", "wallet"
GATEWAYS = (MANUAL, STRIPE, WALLET)

CHECKOUT = "checkout"
# waiting: the gateway was not asked yet; open: it has an address where people pay, or works on a refund;
# closing: it is to be taken back; review: money came that does not fit, and a person must look.
WAITING, OPEN, CLOSING, DONE, FAILED, CANCELLED, REVIEW = (
    *("waiting", "open", "closing", "done", "failed", "cancelled", "review"),
)
ORDER_STATES = (WAITING, OPEN, CLOSING, DONE, FAILED, CANCELLED, REVIEW)
LIVING_ORDERS = (WAITING, OPEN, CLOSING)

_LIVING_CHECKOUT = text("kind = 'checkout' AND invoice_id IS NOT NULL AND state IN ('waiting', 'open')")


class Payment(db.Model):
    """Money that came in or went back. Rows are added; triggers let nobody change or delete them."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("account_id", "key"),
        Index("ix_payments_created_at_id", "created_at", "id"),
        Index("ix_payments_account_id_created_at_id", "account_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=lambda: random_id(12))
    key: Mapped[str] = mapped_column(
        binary_text(128)
    )  # the payer's own name of it: the same again is the same
    kind: Mapped[str] = mapped_column(String(16), default=PAYMENT)
    account_id: Mapped[int] = mapped_column(ForeignKey("billing_accounts.id"))
    invoice_id: Mapped[str | None] = mapped_column(
        ForeignKey("invoices.id"), index=True
    )  # None: for the wallet
    refund_of: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)
    amount: Mapped[Decimal] = mapped_column(ExactDecimal())  # above 0, of a refund too
    currency: Mapped[str] = mapped_column(String(3))
    gateway: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str] = mapped_column(binary_text(255), default="")  # of the bank or the gateway
    reason: Mapped[str] = mapped_column(Text, default="")  # of a refund
    username: Mapped[str] = mapped_column(String(64), default="")  # who recorded or asked for it
    received_at: Mapped[datetime] = utc_column(default=utc_now)  # when the money came, as the payer says
    created_at: Mapped[datetime] = utc_column(default=utc_now)

    account: Mapped[BillingAccount] = relationship(lazy="joined")
    invoice: Mapped[Invoice | None] = relationship()


class GatewayOrder(db.Model):
    """What a gateway is asked for: to take a payment (checkout) or to give one back (refund).

    Workers carry it out as they send notices: claimed by compare-and-set on the number of attempts.
    """

    __tablename__ = "gateway_orders"
    __table_args__ = (
        UniqueConstraint("account_id", "key"),
        # An invoice is paid at one place at a time.
        Index(
            "uq_gateway_orders_invoice_id",
            "invoice_id",
            unique=True,
            sqlite_where=_LIVING_CHECKOUT,
            postgresql_where=_LIVING_CHECKOUT,
        ),
        Index("ix_gateway_orders_created_at_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=lambda: random_id(16))
    key: Mapped[str] = mapped_column(binary_text(128))
    kind: Mapped[str] = mapped_column(String(16), default=CHECKOUT)
    state: Mapped[str] = mapped_column(String(16), default=WAITING)
    gateway: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[int] = mapped_column(ForeignKey("billing_accounts.id"))
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"))  # None: a top-up
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)  # that is refunded
    amount: Mapped[Decimal] = mapped_column(ExactDecimal())
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str] = mapped_column(Text, default="")
    username: Mapped[str] = mapped_column(String(64), default="")
    reference: Mapped[str | None] = mapped_column(binary_text(255), index=True)  # the gateway's name of it
    url: Mapped[str] = mapped_column(Text, default="")  # where a person pays
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = utc_column(default=utc_now, index=True)  # None: nothing is to be done
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = utc_column(default=utc_now)
    settled_at: Mapped[datetime | None] = utc_column()

    account: Mapped[BillingAccount] = relationship(lazy="joined")
    invoice: Mapped[Invoice | None] = relationship()
    payment: Mapped[Payment | None] = relationship()


class GatewayEvent(db.Model):
    """A message of a gateway that was taken: the same id again is the same message."""

    __tablename__ = "gateway_events"

    gateway: Mapped[str] = mapped_column(String(16), primary_key=True)
    event_id: Mapped[str] = mapped_column(binary_text(255), primary_key=True)
    kind: Mapped[str] = mapped_column(String(100))
    outcome: Mapped[str] = mapped_column(String(32))
    received_at: Mapped[datetime] = utc_column(default=utc_now)


class Wallet(Versioned, db.Model):
    """Credits of an account, in one currency. The balance is the sum of its entries."""

    __tablename__ = "wallets"

    account_id: Mapped[int] = mapped_column(ForeignKey("billing_accounts.id"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3))
    debt_limit: Mapped[Decimal] = mapped_column(
        ExactDecimal(), default=Decimal(0)
    )  # how far below 0 it may go
    low_at: Mapped[Decimal] = mapped_column(ExactDecimal(), default=Decimal(0))  # below this it is called low
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: the ETag of the REST interface
    created_at: Mapped[datetime] = utc_column(default=utc_now)

    account: Mapped[BillingAccount] = relationship(lazy="joined")


class WalletEntry(db.Model):
    """A line of a wallet's ledger. Rows are added; triggers let nobody change or delete them."""

    __tablename__ = "wallet_entries"
    __table_args__ = (
        UniqueConstraint("account_id", "key"),
        UniqueConstraint("account_id", "position"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("wallets.account_id"))
    position: Mapped[int]  # from 1, without gaps
    key: Mapped[str] = mapped_column(binary_text(140))
    kind: Mapped[str] = mapped_column(String(16))  # see billing/wallets.py
    classification: Mapped[str] = mapped_column(String(32))
    amount: Mapped[Decimal] = mapped_column(ExactDecimal())  # below 0: taken out
    balance: Mapped[Decimal] = mapped_column(ExactDecimal())  # after it
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"))
    reason: Mapped[str] = mapped_column(Text, default="")
    username: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = utc_column(default=utc_now)
