"""Tariffs by name and the moment from which each version counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column
from .texts import binary_text
from .versions import Versioned


class TariffVersion(Versioned, db.Model):
    """A version of a tariff. Once something final was rated by it, triggers keep all but its end."""

    __tablename__ = "tariffs"
    __table_args__ = (
        UniqueConstraint("name", "valid_from"),
        Index("ix_tariffs_valid_from_id", "valid_from", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(binary_text(64))
    currency: Mapped[str] = mapped_column(String(3))
    valid_from: Mapped[datetime] = utc_column()
    valid_to: Mapped[datetime | None] = utc_column()  # not included; None: until the next one
    document: Mapped[dict[str, Any]] = mapped_column(JSON)  # as it was written; its end stands above
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: the ETag of the REST interface
    created_at: Mapped[datetime] = utc_column(default=utc_now)
