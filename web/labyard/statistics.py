"""Figures for Prometheus, counted in the database when asked."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .clock import Clock, utc_now
from .models import Command, Deployment, State, Worker


def prometheus_text(session: Session, clock: Clock = utc_now) -> str:
    """The console's figures in Prometheus' text format, version 0.0.4."""
    by_health = session.execute(
        select(Deployment.health, func.count())
        .where(Deployment.state != State.REMOVED)
        .group_by(Deployment.health)
    )
    by_state = session.execute(
        select(Command.state, Command.phase, func.count()).group_by(Command.state, Command.phase)
    )
    beats = session.execute(select(Worker.name, Worker.beat_at))
    now = clock()
    lines = [
        *_family(
            "labyard_deployments",
            "Deployments that are not removed, by health.",
            ((f'health="{health}"', count) for health, count in by_health),
        ),
        *_family(
            "labyard_commands",
            "Commands, by phase and state.",
            ((f'phase="{phase}",state="{state.name}"', count) for state, phase, count in by_state),
        ),
        *_family(
            "labyard_worker_silence_seconds",
            "Seconds since a worker was last heard of.",
            ((f'worker="{name}"', round((now - beat).total_seconds(), 1)) for name, beat in beats),
        ),
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, text: str, values: Iterable[tuple[str, float]]) -> list[str]:
    rows = [f"{name}{{{labels}}} {value}" for labels, value in values]
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", *rows]
