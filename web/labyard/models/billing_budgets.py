"""Budgets, what was said about them, and requests for more."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labyard.clock import utc_now

from .accounts import User
from .base import db, random_id, utc_column
from .decimals import ExactDecimal
from .texts import binary_text
from .versions import Versioned

ASKED, APPROVED, DECLINED = "asked", "approved", "declined"
REQUEST_STATES = (ASKED, APPROVED, DECLINED)

_OPEN_ALERT = text("ended_at IS NULL")


class Budget(Versioned, db.Model):
    """How much of something a person, a project or the platform may have, and what happens then."""

    __tablename__ = "budgets"
    __table_args__ = (
        UniqueConstraint("scope", "subject", "measure"),
        Index("ix_budgets_created_at_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=lambda: random_id(12))
    scope: Mapped[str] = mapped_column(String(16))  # user, project or platform
    # Whose: a user name or the name of a project; empty: each one's that has no own, or the platform's.
    subject: Mapped[str] = mapped_column(binary_text(64), default="")
    measure: Mapped[str] = mapped_column(String(16))  # see billing/budgets.py
    most: Mapped[Decimal] = mapped_column(ExactDecimal())
    currency: Mapped[str] = mapped_column(String(3), default="")  # of money
    action: Mapped[str] = mapped_column(String(16))  # at 100 %: warn, refuse or stop
    grace_minutes: Mapped[int] = mapped_column(default=0)  # from 100 % to the stop
    set_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: the ETag of the REST interface
    created_at: Mapped[datetime] = utc_column(default=utc_now)

    set_by: Mapped[User] = relationship(lazy="joined")


class BudgetAlert(db.Model):
    """That a threshold was reached: people are told once; it ends when its cause has ended."""

    __tablename__ = "budget_alerts"
    __table_args__ = (
        Index(
            "uq_budget_alerts_open",
            "budget_id",
            "subject",
            "threshold",
            unique=True,
            sqlite_where=_OPEN_ALERT,
            postgresql_where=_OPEN_ALERT,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    budget_id: Mapped[str] = mapped_column(ForeignKey("budgets.id", ondelete="CASCADE"))
    subject: Mapped[str] = mapped_column(binary_text(64))  # whose it is; a budget may be for each person
    threshold: Mapped[int]  # percent
    used: Mapped[Decimal] = mapped_column(ExactDecimal())  # when it was reached
    raised_at: Mapped[datetime] = utc_column(default=utc_now)
    ended_at: Mapped[datetime | None] = utc_column()

    budget: Mapped[Budget] = relationship(lazy="joined")


class BudgetRequest(db.Model):
    """Somebody asks for more of a budget; an admin says yes or no."""

    __tablename__ = "budget_requests"
    __table_args__ = (Index("ix_budget_requests_created_at_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=lambda: random_id(12))
    budget_id: Mapped[str] = mapped_column(ForeignKey("budgets.id", ondelete="CASCADE"), index=True)
    subject: Mapped[str] = mapped_column(binary_text(64))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    most: Mapped[Decimal] = mapped_column(ExactDecimal())  # what is asked for
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default=ASKED)
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_by: Mapped[str] = mapped_column(String(64), default="")
    answered_at: Mapped[datetime | None] = utc_column()
    created_at: Mapped[datetime] = utc_column(default=utc_now)

    user: Mapped[User] = relationship(lazy="joined")
    budget: Mapped[Budget] = relationship(lazy="joined")
