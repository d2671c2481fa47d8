"""Who pays: accounts, the people who may see them, and the projects they pay for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labyard.clock import utc_now

from .accounts import Project, User
from .base import db, utc_column
from .texts import account_text, binary_text
from .versions import Versioned


class BillingAccount(Versioned, db.Model):
    """Who gets invoices. What stands here is copied into each of them."""

    __tablename__ = "billing_accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(account_text(), unique=True)  # user:ada, project:physics, or any other
    holder: Mapped[str] = mapped_column(String(200), default="")  # the person or body on the invoice
    address: Mapped[str] = mapped_column(Text, default="")
    tax_id: Mapped[str] = mapped_column(String(64), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    tariff: Mapped[str | None] = mapped_column(binary_text(64))  # its name; None: the platform's
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: the ETag of the REST interface
    created_at: Mapped[datetime] = utc_column(default=utc_now)

    people: Mapped[list[User]] = relationship(secondary="billing_account_people", order_by="User.username")
    projects: Mapped[list[Project]] = relationship(
        secondary="billing_account_projects", order_by="Project.name"
    )


class AccountPerson(db.Model):
    """Who may see what an account is billed."""

    __tablename__ = "billing_account_people"

    account_id: Mapped[int] = mapped_column(
        ForeignKey("billing_accounts.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class AccountProject(db.Model):
    """A project has at most one account that pays for it; without one, each person pays."""

    __tablename__ = "billing_account_projects"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("billing_accounts.id", ondelete="CASCADE"), index=True)
