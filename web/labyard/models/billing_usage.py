"""What was used, and what others say it cost. Rows are added, and never changed or deleted."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import JSON, BigInteger, Date, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column
from .decimals import ExactDecimal
from .texts import account_text, binary_text

# SQLite counts rows by itself only in a column of that very type.
_ROW = BigInteger().with_variant(Integer, "sqlite")


class UsageRow(db.Model):
    """A usage record as `_billing/usage.py` has it; triggers of the database keep it as it is."""

    __tablename__ = "usage_records"
    __table_args__ = (
        UniqueConstraint("source", "key"),
        Index("ix_usage_records_start_id", "start", "id"),
        Index("ix_usage_records_account_start_id", "account", "start", "id"),
        Index("ix_usage_records_user_start_id", "user", "start", "id"),
        Index("ix_usage_records_deployment_start_id", "deployment", "start", "id"),
        # No index knows of `invoice_id`: PostgreSQL writes the mark beside the row, into the room that is
        # left for it, and need not write to each of the indexes.
    )

    id: Mapped[int] = mapped_column(_ROW, primary_key=True)
    source: Mapped[str] = mapped_column(binary_text(64))
    key: Mapped[str] = mapped_column(binary_text(128))
    account: Mapped[str] = mapped_column(account_text())
    resource: Mapped[str] = mapped_column(String(32))
    unit: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[Decimal] = mapped_column(ExactDecimal())
    start: Mapped[datetime] = utc_column()
    end: Mapped[datetime] = utc_column()
    deployment: Mapped[str] = mapped_column(binary_text(64))
    deployment_name: Mapped[str] = mapped_column(String(63))
    plan: Mapped[str] = mapped_column(String(64))
    shape: Mapped[str] = mapped_column(String(64))
    project: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(binary_text(64))
    details: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    fingerprint: Mapped[str] = mapped_column(String(32))  # of usage.py: what makes the same key a conflict
    received_at: Mapped[datetime] = utc_column(default=utc_now)
    # The invoice that covers it, set once; None: the next one will. Only a void invoice lets go of it.
    invoice_id: Mapped[str | None] = mapped_column(String(12))


class UnbilledUsage(db.Model):
    """Which records no invoice covers: what the next one is made of. Triggers of the database keep it."""

    __tablename__ = "unbilled_usage"
    __table_args__ = (Index("ix_unbilled_usage_account_end", "account", "end"),)

    usage_id: Mapped[int] = mapped_column(_ROW, primary_key=True, autoincrement=False)
    account: Mapped[str] = mapped_column(account_text())
    start: Mapped[datetime] = utc_column()
    end: Mapped[datetime] = utc_column()


class ImportedCost(db.Model):
    """What somebody else's report says that a day's use of something cost."""

    __tablename__ = "imported_costs"
    __table_args__ = (
        UniqueConstraint("source", "key"),
        Index("ix_imported_costs_day_id", "day", "id"),
        Index("ix_imported_costs_account_day_id", "account", "day", "id"),
        Index("ix_imported_costs_source_day_id", "source", "day", "id"),
        Index("ix_imported_costs_user_day_id", "user", "day", "id"),
    )

    id: Mapped[int] = mapped_column(_ROW, primary_key=True)
    source: Mapped[str] = mapped_column(binary_text(64))  # whose report
    key: Mapped[str] = mapped_column(binary_text(128))
    account: Mapped[str] = mapped_column(account_text())
    day: Mapped[date] = mapped_column(Date)  # in UTC
    description: Mapped[str] = mapped_column(String(200), default="")
    deployment: Mapped[str] = mapped_column(binary_text(64), default="")
    project: Mapped[str] = mapped_column(String(64), default="")
    user: Mapped[str] = mapped_column(String(64), default="")
    amount: Mapped[Decimal] = mapped_column(ExactDecimal())
    currency: Mapped[str] = mapped_column(String(3))
    details: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    fingerprint: Mapped[str] = mapped_column(String(32))
    received_at: Mapped[datetime] = utc_column(default=utc_now)


class ImportedDay(db.Model):
    """What the imported costs of a day come to: the sum of those that share all names here."""

    __tablename__ = "imported_days"
    __table_args__ = (
        UniqueConstraint(
            *("source", "day", "account", "deployment", "project", "user", "currency"),
            name="uq_imported_days_sum",
        ),
        Index("ix_imported_days_currency_day", "currency", "day"),
        Index("ix_imported_days_day", "day"),
        Index("ix_imported_days_project_day", "project", "day"),
        Index("ix_imported_days_user_day", "user", "day"),
    )

    id: Mapped[int] = mapped_column(_ROW, primary_key=True)
    source: Mapped[str] = mapped_column(binary_text(64))
    day: Mapped[date] = mapped_column(Date)  # in UTC
    account: Mapped[str] = mapped_column(account_text())
    deployment: Mapped[str] = mapped_column(binary_text(64))
    project: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[Decimal] = mapped_column(ExactDecimal())
    lines: Mapped[int] = mapped_column(Integer)  # imported costs in it
