"""Workers that are alive."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column


class Worker(db.Model):
    """A worker process and when it last said that it lives."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)  # host:pid
    host: Mapped[str] = mapped_column(String(64), default="")
    concurrency: Mapped[int] = mapped_column(default=0)  # commands at a time
    started_at: Mapped[datetime] = utc_column(default=utc_now)
    beat_at: Mapped[datetime] = utc_column(default=utc_now)
