"""Which parts of the platform answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from .clock import Clock, utc_now
from .deployments.swarm import check_swarm, engine
from .errors import Unavailable
from .models import Worker
from .queueing import QUEUE_ERRORS, check_queue
from .settings import Settings

_SILENT = timedelta(seconds=30)


def check_parts(session: Session, settings: Settings, clock: Clock = utc_now) -> dict[str, str]:
    """Each part with "ok" or what is wrong with it, in words."""
    checks: dict[str, Callable[[], None]] = {
        "database": lambda: _check_database(session),
        "queue": lambda: _check_queue(settings),
        "worker": lambda: _check_worker(session, clock),
        "swarm": lambda: _check_swarm(settings),
    }
    return {name: _result(check) for name, check in checks.items()}


def _result(check: Callable[[], Any]) -> str:
    try:
        check()
    except Unavailable as error:
        return error.detail
    except (SQLAlchemyError, OSError) as error:
        return f"does not answer ({type(error).__name__})"
    return "ok"


def _check_database(session: Session) -> None:
    try:
        session.execute(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError as error:
        session.rollback()
        raise Unavailable("has no tables yet: run `labyard db upgrade`") from error


def _check_queue(settings: Settings) -> None:
    try:
        check_queue(settings)
    except QUEUE_ERRORS as error:
        raise Unavailable(f"does not answer ({type(error).__name__})") from error


def _check_worker(session: Session, clock: Clock) -> None:
    last = session.scalar(select(func.max(Worker.beat_at)))
    if last is None or last < clock() - _SILENT:
        raise Unavailable("no worker has been heard of for 30 s: start `labyard worker`")


def _check_swarm(settings: Settings) -> None:
    with engine(settings.docker_host) as client:
        check_swarm(client)
