"""What usage costs, summed up for budgets: made from usage records, and anew where these sums do not fit."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import db, utc_column
from .decimals import ExactDecimal
from .texts import account_text, binary_text

_ROW = BigInteger().with_variant(Integer, "sqlite")  # which alone SQLite counts by itself


class SpendingMark(db.Model):
    """At most one row: up to which usage record, by its id, all are in the sums."""

    __tablename__ = "spending_marks"

    id: Mapped[int] = mapped_column(primary_key=True)
    upto: Mapped[int] = mapped_column(BigInteger, default=0)


class SpendingSum(db.Model):
    """The usage that began in a month, of a person in a project, by who pays."""

    __tablename__ = "spending_sums"
    __table_args__ = (
        UniqueConstraint("account", "project", "user", "month"),
        Index("ix_spending_sums_month", "month"),
        Index("ix_spending_sums_user_month", "user", "month"),
        Index("ix_spending_sums_project_month", "project", "month"),
    )

    id: Mapped[int] = mapped_column(_ROW, primary_key=True)
    account: Mapped[str] = mapped_column(account_text())
    project: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(binary_text(64))
    month: Mapped[datetime] = utc_column()  # its begin
    until: Mapped[datetime] = utc_column()  # the last end of the usage
    prices: Mapped[str] = mapped_column(String(64))  # hash of the versions of the tariff that hold for it
    sums: Mapped[list[Any]] = mapped_column(JSON)  # as of _billing/kept_sums.py
    # Whether the amount may be added to those of other sums; else all of an account are rated together.
    apart: Mapped[bool]
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[Decimal] = mapped_column(ExactDecimal())  # before discount, minimum and tax
    fault: Mapped[str] = mapped_column(Text, default="")  # why it cannot be rated
