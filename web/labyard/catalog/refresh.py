"""Looking whether the repositories of fetched configurations have something new."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from typing import cast as as_type

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import Plan
from labyard.settings import Settings

from .configurations import ConfigurationUnavailable, fetched_configuration
from .sources import Source, fetch_source, read_texts, source_of

log = logging.getLogger(__name__)

_PAUSE = timedelta(minutes=1)  # between two looks at a repository


def refresh_sources(
    session: Session, begin_writing: Callable[[], None], settings: Settings, clock: Clock = utc_now
) -> int:
    """Look at the source of every plan whose time has come; how many changed.

    One worker looks at a plan at a time. No transaction is open while git is at work.
    """
    changed = 0
    for name, seen_at in _due(session, clock()):
        begin_writing()
        plan = _claim(session, name, seen_at, clock())
        if plan is None:
            session.rollback()
            continue
        source, configuration, before = source_of(plan), plan.configuration, dict(plan.fetched)
        session.commit()
        after = look(source, configuration, before, settings)
        begin_writing()
        changed += _write(session, name, source, after)
        session.commit()
    return changed


def look(source: Source, configuration: str, before: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """What is to stand in `plans.fetched` after a look: what it was `before` and the error, if it failed."""
    kept = {key: text for key, text in before.items() if key != "error"}
    try:
        fetched = fetch_source(source, settings)
        if fetched.role_path is None or (fetched.commit == before.get("commit") and "error" not in before):
            return dict(before)
        texts = read_texts(fetched.role_path)
        fetched_configuration(configuration, texts["specs"], texts["sidecar"])
    except ConfigurationUnavailable as error:
        log.warning("the configuration %s: %s", configuration, error.detail)
        return {**kept, "error": error.detail}
    return {"commit": fetched.commit, **texts}


def _due(session: Session, now: datetime) -> list[tuple[str, datetime | None]]:
    query = (
        select(Plan.name, Plan.fetched_at, Plan.source)
        .where(Plan.retired_at.is_(None))
        .where(or_(Plan.fetched_at.is_(None), Plan.fetched_at < now - _PAUSE))
        .order_by(Plan.fetched_at, Plan.name)
    )
    found = [(row.name, row.fetched_at) for row in session.execute(query) if row.source]
    session.rollback()
    return found


def _claim(session: Session, name: str, seen_at: datetime | None, now: datetime) -> Plan | None:
    statement = (
        update(Plan)
        .where(Plan.name == name, Plan.fetched_at == seen_at if seen_at else Plan.fetched_at.is_(None))
        .values(fetched_at=now)
        .execution_options(synchronize_session=False)
    )
    if as_type("CursorResult[Any]", session.execute(statement)).rowcount != 1:
        return None
    return session.scalar(select(Plan).where(Plan.name == name).execution_options(populate_existing=True))


def _write(session: Session, name: str, source: Source, after: Mapping[str, str]) -> bool:
    """Write down what was seen, unless the plan was given another source meanwhile."""
    plan = session.scalar(select(Plan).where(Plan.name == name).execution_options(populate_existing=True))
    if plan is None or source_of(plan) != source or plan.fetched == after:
        return False
    plan.fetched = dict(after)
    return True
