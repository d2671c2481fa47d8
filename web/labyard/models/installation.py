"""What there is once for a console, however many processes it has."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column


class Installation(db.Model):
    """This console. Its one row is made with the table."""

    __tablename__ = "installations"

    # Stands on the label `labyard.console` of all that it makes: several consoles may share a swarm.
    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    created_at: Mapped[datetime] = utc_column(default=utc_now)


def installation_id(session: Session) -> str:
    """This console, as the label `labyard.console` names it: 12 of a-z and 0-9."""
    return session.scalars(select(Installation.id)).one()
