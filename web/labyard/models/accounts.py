"""People, their keys, their projects, and what they did."""

from __future__ import annotations

from datetime import datetime

from flask_login import UserMixin
from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from labyard.clock import utc_now

from .base import db, utc_column
from .texts import binary_text
from .versions import Versioned

LOCAL = "local"
LDAP = "ldap"


class User(UserMixin, Versioned, db.Model):
    """Somebody who can sign in."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(binary_text(64), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))  # argon2id
    is_admin: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    email: Mapped[str] = mapped_column(String(254), default="")
    mail_on_end: Mapped[bool] = mapped_column(default=False)  # a mail when a command of theirs has ended
    # How many of their commands may run at once; None: as many as the settings say.
    command_limit: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: the ETag of the REST interface
    created_at: Mapped[datetime] = utc_column(default=utc_now)
    # Changed to end all sessions of the person: a session holds a copy.
    session_epoch: Mapped[int] = mapped_column(default=0)
    # Who checks the password: LOCAL, this console; LDAP, the directory.
    source: Mapped[str] = mapped_column(String(16), default=LOCAL)
    directory_id: Mapped[str | None] = mapped_column(String(64))  # of the entry in the directory
    # Since when the directory does not know them any more; it is what set `active` to false then.
    absent_since: Mapped[datetime | None] = utc_column()

    projects: Mapped[list[Project]] = relationship(secondary="memberships", order_by="Project.name")

    @property
    def is_active(self) -> bool:
        """Whether the person may sign in; flask-login asks at every request."""
        return self.active

    def get_id(self) -> str:
        """What a session holds of the person."""
        return f"{self.id}:{self.session_epoch}"


class Project(db.Model):
    """A group of people who work on one thing; every deployment stands in one."""

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(binary_text(64), unique=True)
    created_at: Mapped[datetime] = utc_column(default=utc_now)


class Membership(db.Model):
    """Who may put deployments into which project."""

    __tablename__ = "memberships"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)


class ApiKey(db.Model):
    """A bearer key; only its hash is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)  # sha256, hexadecimal
    created_at: Mapped[datetime] = utc_column(default=utc_now)
    expires_at: Mapped[datetime | None] = utc_column()
    revoked_at: Mapped[datetime | None] = utc_column()

    user: Mapped[User] = relationship()


class AuditEntry(db.Model):
    """Who did what, when, from where. Only ever added to."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = utc_column(default=utc_now, index=True)
    username: Mapped[str] = mapped_column(String(64), index=True)
    action: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
