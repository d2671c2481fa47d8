"""Deployments: one instance of a plan, owned by a person in a project."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from labyard.clock import utc_now

from .accounts import Project, User
from .base import StateNumber, db, random_id, utc_column
from .catalog import Plan
from .states import DEPLOYMENT_MOVES, Health, State, keep_to
from .texts import binary_text
from .versions import Versioned

if TYPE_CHECKING:
    from .commands import Command


def _living(*columns: str) -> Index:
    """An index of the deployments that are not removed."""
    where = text("state != 8")
    name = f"ix_deployments_living_{'_'.join(columns)}_id"
    return Index(name, *columns, "id", sqlite_where=where, postgresql_where=where)


class Deployment(Versioned, db.Model):
    """What a person asked for and what became of it. Rows are never deleted."""

    __tablename__ = "deployments"
    # What the sweep over the swarm writes by itself, and what only points here.
    UNCOUNTED = frozenset({"health", "health_detail", "health_at", "services", "updated_at", "commands"})
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
        # What lists filter and sort by, and where a page goes on. Removed ones stay for ever, so lists
        # without them have indexes of their own.
        Index("ix_deployments_created_at_id", "created_at", "id"),
        Index("ix_deployments_updated_at_id", "updated_at", "id"),
        Index("ix_deployments_name_id", "name", "id"),
        Index("ix_deployments_health_at", "health_at"),
        Index("ix_deployments_owner_id_created_at_id", "owner_id", "created_at", "id"),
        Index("ix_deployments_owner_id_name_id", "owner_id", "name", "id"),
        Index("ix_deployments_plan_id_created_at_id", "plan_id", "created_at", "id"),
        Index("ix_deployments_project_id_created_at_id", "project_id", "created_at", "id"),
        Index("ix_deployments_state_created_at_id", "state", "created_at", "id"),
        _living("created_at"),
        _living("updated_at"),
        _living("name"),
        _living("health", "created_at"),
        _living("owner_id", "created_at"),
        _living("owner_id", "updated_at"),
        _living("plan_id", "created_at"),
        _living("project_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(8), primary_key=True, default=lambda: random_id(8))
    name: Mapped[str] = mapped_column(binary_text(63))
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    state: Mapped[State] = mapped_column(StateNumber(), default=State.INITIATED)
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

    @validates("state")
    def _keep_to_moves(self, _name: str, new: State) -> State:
        return keep_to(DEPLOYMENT_MOVES, self.state, new)
