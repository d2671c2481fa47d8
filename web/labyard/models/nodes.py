"""The nodes of the swarm, as a worker saw them last: what a command can ever be given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column


class Node(db.Model):
    """A machine of the swarm and what it has; whether it is up now does not matter here."""

    __tablename__ = "nodes"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    hostname: Mapped[str] = mapped_column(String(255), default="")
    cpus: Mapped[float] = mapped_column(Float, default=0.0)  # cores
    memory: Mapped[int] = mapped_column(BigInteger, default=0)  # bytes
    generic: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)  # generic resources, GPUs among them
    # What constraints ask for: {"node.role": "manager", "node.labels.disk": "ssd", ...}.
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    seen_at: Mapped[datetime] = utc_column(default=utc_now)
