"""The meter: what it remembers of the swarm, when it looked, and what the nodes had."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from labyard.clock import utc_now

from .base import db, utc_column

#: How the message of a run begins whose worker did not see its end.
CUT_OFF = "It was cut off:"


class Meter(db.Model):
    """What one look tells the next; there is at most one row."""

    __tablename__ = "meters"

    id: Mapped[int] = mapped_column(primary_key=True)
    beats: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # as usage_info returned them
    since: Mapped[datetime] = utc_column(default=utc_now)  # nothing before is metered
    until: Mapped[datetime | None] = utc_column()  # the last look, by the Engine's clock
    beat_at: Mapped[datetime | None] = utc_column()  # when its records were taken in
    volumes_at: Mapped[datetime | None] = utc_column()  # when volumes were measured last


class MeterRun(db.Model):
    """One run of the play that meters, and what became of its records."""

    __tablename__ = "meter_runs"
    __table_args__ = (Index("ix_meter_runs_started_at", "started_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(String(64))  # host:pid
    started_at: Mapped[datetime] = utc_column(default=utc_now)
    lease_until: Mapped[datetime] = utc_column()  # until when no other worker begins one
    ended_at: Mapped[datetime | None] = utc_column()
    good: Mapped[bool] = mapped_column(default=False)
    until: Mapped[datetime | None] = utc_column()  # the look, by the Engine's clock
    taken: Mapped[int] = mapped_column(default=0)  # records that were new
    known: Mapped[int] = mapped_column(default=0)  # that were there already
    refused: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Text, default="")  # why it failed, or what people should know

    @property
    def cut_off(self) -> bool:
        """Whether its worker did not see its end, so that another run need not wait."""
        return not self.good and self.message.startswith(CUT_OFF)


class NodeCapacity(db.Model):
    """What a node had from one look to another, as long as it was up and had the same."""

    __tablename__ = "node_capacities"
    __table_args__ = (
        Index("ix_node_capacities_end", "end"),
        # What the next look goes on with.
        Index(
            "uq_node_capacities_open",
            "node",
            unique=True,
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(64))  # its id on the swarm
    name: Mapped[str] = mapped_column(String(255))  # of its host
    cpu: Mapped[int] = mapped_column(BigInteger)  # billionths of a core
    memory: Mapped[int] = mapped_column(BigInteger)  # bytes
    gpu: Mapped[int]
    start: Mapped[datetime] = utc_column()
    end: Mapped[datetime] = utc_column()
    is_open: Mapped[bool] = mapped_column(default=True)  # the last look saw it so
