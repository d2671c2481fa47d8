"""Who is told of what: webhooks, and each message that was or is to be sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labyard.clock import utc_now

from .accounts import User
from .base import db, random_id, utc_column


class Webhook(db.Model):
    """An address of a person that is told when commands end."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=lambda: random_id(12))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(JSON, default=list)  # empty: all
    sealed_secret: Mapped[str] = mapped_column(Text)  # what messages are signed with
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = utc_column(default=utc_now)

    owner: Mapped[User] = relationship(lazy="joined")


class Notice(db.Model):
    """One message to a webhook or by mail. Written in the transaction of what it tells of."""

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=lambda: random_id(16))
    webhook_id: Mapped[str | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    command_id: Mapped[str | None] = mapped_column(ForeignKey("commands.id"))
    channel: Mapped[str] = mapped_column(String(16))  # webhook or mail
    event: Mapped[str] = mapped_column(String(64))  # command.completed, command.failed
    body: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = utc_column(default=utc_now, index=True)  # None: sent, or given up
    sent_at: Mapped[datetime | None] = utc_column()
    status: Mapped[int | None]  # of the last HTTP answer
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = utc_column(default=utc_now)

    user: Mapped[User] = relationship(lazy="joined")
    webhook: Mapped[Webhook | None] = relationship(lazy="joined")
