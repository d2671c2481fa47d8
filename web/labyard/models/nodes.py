"""The nodes of the swarm, as a worker saw them last: what a command can ever be given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column


class Node(db.Model):
    """A machine of the swarm and what it has. What fits is judged by all of them, up or not."""

    __tablename__ = "nodes"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    hostname: Mapped[str] = mapped_column(String(255), default="")
    cpus: Mapped[float] = mapped_column(Float, default=0.0)  # cores
    memory: Mapped[int] = mapped_column(BigInteger, default=0)  # bytes
    generic: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)  # generic resources, GPUs among them
    # What constraints ask for: {"node.role": "manager", "node.labels.disk": "ssd", ...}.
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[str] = mapped_column(String(16), default="")  # ready, down, disconnected or unknown
    availability: Mapped[str] = mapped_column(String(16), default="")  # active, pause or drain
    manager: Mapped[str] = mapped_column(
        String(16), default=""
    )  # leader, reachable, unreachable; "": a worker
    seen_at: Mapped[datetime] = utc_column(default=utc_now)

    @property
    def up(self) -> bool:
        """Whether it answers: ready and, where it is a manager, reachable for the others."""
        return self.state == "ready" and self.manager != "unreachable"
