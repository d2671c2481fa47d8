"""What stands on one side only: on the swarm without a deployment, or the other way round."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column


class Orphan(db.Model):
    """A thing that the sweep found and nobody has repaired yet."""

    __tablename__ = "orphans"
    __table_args__ = (UniqueConstraint("kind", "ident"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # stack, volume, network, port or deployment
    ident: Mapped[str] = mapped_column(String(255))  # its name on the swarm, or the deployment's id
    deployment_id: Mapped[str] = mapped_column(String(8), default="", index=True)  # as its label says
    detail: Mapped[str] = mapped_column(Text, default="")
    found_at: Mapped[datetime] = utc_column(default=utc_now)
    # Seen by a second look some time later: what is just being made or removed is no orphan.
    confirmed: Mapped[bool] = mapped_column(default=False)
    action: Mapped[str] = mapped_column(String(16), default="")  # what an admin chose: remove or forget
    error: Mapped[str] = mapped_column(Text, default="")  # why the last try to remove it did not succeed
