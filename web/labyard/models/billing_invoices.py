"""Invoices and credit notes, their lines, and the counters of their numbers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labyard.clock import utc_now

from .base import db, random_id, utc_column
from .billing_accounts import BillingAccount
from .decimals import ExactDecimal
from .texts import binary_text
from .versions import Versioned

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
# In the order of an invoice's life; `void` may follow `finalized`.
DRAFT, FINALIZED, PARTLY_PAID, PAID, VOID = "draft", "finalized", "partly_paid", "paid", "void"
STATES = (DRAFT, FINALIZED, PARTLY_PAID, PAID, VOID)

_ONE_PER_PERIOD = text("kind = 'invoice' AND state <> 'void'")


class InvoiceSeries(db.Model):
    """The counter of a series and the end of its chain: who finalizes locks this row."""

    __tablename__ = "invoice_series"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)  # numbers begin with it
    last: Mapped[int] = mapped_column(default=0)  # of the last document; the next one is one more
    last_hash: Mapped[str] = mapped_column(String(64), default="")


class Invoice(Versioned, db.Model):
    """A draft, which is replaced whenever it is made again, or a final document, which stays as it is.

    Triggers keep what is final: only state, payments and the reason of a void may still be written.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("series", "sequence"),
        Index(
            "uq_invoices_account_period",
            "account_id",
            "period_start",
            unique=True,
            sqlite_where=_ONE_PER_PERIOD,
            postgresql_where=_ONE_PER_PERIOD,
        ),
        Index("ix_invoices_created_at_id", "created_at", "id"),
        Index("ix_invoices_account_id_created_at_id", "account_id", "created_at", "id"),
        Index("ix_invoices_state_created_at_id", "state", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=lambda: random_id(12))
    kind: Mapped[str] = mapped_column(String(16), default=INVOICE)
    state: Mapped[str] = mapped_column(String(16), default=DRAFT)
    number: Mapped[str | None] = mapped_column(binary_text(32), unique=True)  # a draft has none
    series: Mapped[str | None] = mapped_column(ForeignKey("invoice_series.name"))
    sequence: Mapped[int | None]
    account_id: Mapped[int] = mapped_column(ForeignKey("billing_accounts.id"))
    # Of a credit note: the invoice that it corrects.
    corrects_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    period_start: Mapped[datetime] = utc_column()
    period_end: Mapped[datetime] = utc_column()  # not included
    net: Mapped[Decimal] = mapped_column(ExactDecimal())
    tax: Mapped[Decimal] = mapped_column(ExactDecimal())
    total: Mapped[Decimal] = mapped_column(ExactDecimal())  # of a credit note, what is given back
    paid: Mapped[Decimal] = mapped_column(ExactDecimal(), default=Decimal(0))  # payments less refunds
    credited: Mapped[Decimal] = mapped_column(ExactDecimal(), default=Decimal(0))  # by credit notes, above 0
    # How many usage records it covers, and a hash of them that does not depend on their order.
    records: Mapped[int] = mapped_column(default=0)
    records_digest: Mapped[str] = mapped_column(String(64), default="")
    usage_from: Mapped[datetime | None] = utc_column()  # when the first of them begins; None: it covers none
    document: Mapped[dict[str, Any]] = mapped_column(JSON)  # what the customer gets, amounts as text
    hash: Mapped[str] = mapped_column(String(64), default="")  # of the document and the hash before it
    previous_hash: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(Text, default="")  # of a credit note
    void_reason: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: the ETag of the REST interface
    created_at: Mapped[datetime] = utc_column(default=utc_now)
    finalized_at: Mapped[datetime | None] = utc_column()
    due_at: Mapped[datetime | None] = utc_column()
    voided_at: Mapped[datetime | None] = utc_column()

    account: Mapped[BillingAccount] = relationship(lazy="joined")

    @property
    def is_final(self) -> bool:
        """Whether it has a number."""
        return self.number is not None


class InvoiceLine(db.Model):
    """A line of an invoice, for lists, filters and explanations; the document holds the same."""

    __tablename__ = "invoice_lines"
    __table_args__ = (
        Index("ix_invoice_lines_deployment", "deployment"),
        Index("ix_invoice_lines_tariff", "tariff", "tariff_version"),
    )

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)  # from 1
    deployment: Mapped[str] = mapped_column(String(64), default="")
    deployment_name: Mapped[str] = mapped_column(String(63), default="")
    plan: Mapped[str] = mapped_column(String(64), default="")
    shape: Mapped[str] = mapped_column(String(64), default="")
    project: Mapped[str] = mapped_column(String(64), default="")
    user: Mapped[str] = mapped_column(String(64), default="")
    resource: Mapped[str] = mapped_column(String(32), default="")
    description: Mapped[str] = mapped_column(String(300), default="")
    price_name: Mapped[str] = mapped_column(String(64), default="")
    model: Mapped[str] = mapped_column(String(16), default="")  # of the price
    tariff: Mapped[str] = mapped_column(String(64), default="")
    tariff_version: Mapped[datetime] = utc_column()  # its valid_from
    unit: Mapped[str] = mapped_column(String(32), default="")
    quantity: Mapped[Decimal] = mapped_column(ExactDecimal())
    unit_price: Mapped[Decimal | None] = mapped_column(ExactDecimal())
    amount: Mapped[Decimal] = mapped_column(ExactDecimal())
    start: Mapped[datetime] = utc_column()  # of the first usage
    end: Mapped[datetime] = utc_column()  # of the last
    records: Mapped[int] = mapped_column(default=0)
    steps: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
