"""Service plans: what the catalogue offers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column
from .texts import binary_text
from .versions import Versioned


class Plan(Versioned, db.Model):
    """An offering: a service configuration with fixed values and shapes."""

    __tablename__ = "plans"
    UNCOUNTED = frozenset({"updated_at", "fetched_at"})

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(binary_text(30), unique=True)
    title: Mapped[str] = mapped_column(String(120))
    summary: Mapped[str] = mapped_column(Text, default="")
    configuration: Mapped[str] = mapped_column(String(200))  # namespace.collection.role
    fixed: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    shapes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    visible: Mapped[bool] = mapped_column(default=True)
    # Names of the projects whose members may see it; empty: everybody.
    projects: Mapped[list[str]] = mapped_column(JSON, default=list)
    # Where the configuration is fetched from at each run: {"repository", "ref", "path"}; empty: installed.
    source: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    # Of a configuration that is fetched: {"commit", "specs", "sidecar"} as it was seen last, and {"error"}
    # if the last look failed. Forms and checks are made from these.
    fetched: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    fetched_at: Mapped[datetime | None] = utc_column()  # when a worker looked last
    version: Mapped[int] = mapped_column(default=1)  # counts the changes: the ETag of the REST interface
    created_at: Mapped[datetime] = utc_column(default=utc_now)
    updated_at: Mapped[datetime] = utc_column(default=utc_now)
    # A plan that is no longer offered stays for the history of its deployments.
    retired_at: Mapped[datetime | None] = utc_column()
