"""The audit trail."""

from __future__ import annotations

from sqlalchemy.orm import Session

from labyard.models import AuditEntry


def record_action(session: Session, username: str, action: str, address: str = "", **detail: str) -> None:
    """Add an entry; `detail` must hold no secret."""
    session.add(AuditEntry(username=username[:64], action=action, address=address[:64], detail=detail))
