"""Deployments: one instance of a plan, owned by a person in a project."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labyard.clock import utc_now

from .accounts import Project, User
from .base import StateNumber, db, random_id, utc_column
from .catalog import Plan
from .states import Health, State

if TYPE_CHECKING:
    from .commands import Command


class Deployment(db.Model):
    """What a person asked for and what became of it. Rows are never deleted."""

    __tablename__ = "deployments"
    __table_args__ = (
        # A name is free again once its deployment is removed (state 8).
        Index(
            "uq_deployments_name",
            "owner_id",
            "project_id",
            "name",
            unique=True,
            sqlite_where=text("state != 8"),
            postgresql_where=text("state != 8"),
        ),
        # What lists sort by and where a page goes on.
        Index("ix_deployments_created_at_id", "created_at", "id"),
        Index("ix_deployments_owner_id_created_at_id", "owner_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(8), primary_key=True, default=lambda: random_id(8))
    name: Mapped[str] = mapped_column(String(63))
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    state: Mapped[State] = mapped_column(StateNumber(), default=State.INITIATED, index=True)
    health: Mapped[str] = mapped_column(String(16), default=Health.UNKNOWN.value)
    health_detail: Mapped[str] = mapped_column(Text, default="")
    health_at: Mapped[datetime | None] = utc_column()
    message: Mapped[str] = mapped_column(Text, default="")
    params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # by public name
    services: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    endpoints: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    volumes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    sealed_secrets: Mapped[str] = mapped_column(Text, default="")
    # Counts the changes of the row, those of its health apart: the ETag of the REST interface.
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = utc_column(default=utc_now)
    updated_at: Mapped[datetime] = utc_column(default=utc_now)
    removed_at: Mapped[datetime | None] = utc_column()

    plan: Mapped[Plan] = relationship(lazy="joined")
    owner: Mapped[User] = relationship(lazy="joined")
    project: Mapped[Project] = relationship(lazy="joined")
    commands: Mapped[list[Command]] = relationship(
        back_populates="deployment", order_by="Command.created_at.desc()"
    )
