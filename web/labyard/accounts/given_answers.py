"""Answers that were given under an Idempotency-Key: kept sealed for a day, given again.

An answer may hold a secret (a new API key, the way into a notebook), so all of them are sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.errors import Conflict
from labyard.models import GivenAnswer, User
from labyard.sealing import Sealer

LIFETIME = timedelta(hours=24)
_PATIENCE = "5s"  # how long a second request waits for the first, where the database can wait for a row
_BATCH = 200  # rows forgotten at once


@dataclass(frozen=True)
class Answer:
    """An answer as it went over the line."""

    status: int
    headers: Mapping[str, str]
    body: str = field(repr=False)


def reserve_key(
    session: Session,
    person: User,
    key: str,
    request_hash: str,
    sealer: Sealer,
    clock: Clock = utc_now,
) -> Answer | None:
    """The answer that `person` got to the same request under `key`, or None: then the key is taken
    for this request, in its own transaction.

    Raises Conflict if the key was used for another request, or if the first one is still at work.
    """
    prune_answers(session, clock)
    row = GivenAnswer(user_id=person.id, key=key, request_hash=request_hash, status=0, created_at=clock())
    try:
        with session.begin_nested():
            _limit_wait(session, f"'{_PATIENCE}'")
            session.add(row)
            session.flush()
            _limit_wait(session, "DEFAULT")
    except IntegrityError:
        return _find(session, person, key, request_hash, sealer)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != "55P03":  # lock_not_available
            raise
        raise Conflict(
            "The first request with this Idempotency-Key is still at work. Send it again in a moment.",
            retry_after=1,
        ) from error
    return None


def keep_answer(session: Session, person: User, key: str, answer: Answer, sealer: Sealer) -> None:
    """Write down what was answered under a key that this transaction took."""
    row = session.get_one(GivenAnswer, (person.id, key))
    row.status, row.headers = answer.status, dict(answer.headers)
    row.body = sealer.seal({"body": answer.body})


def prune_answers(session: Session, clock: Clock = utc_now) -> None:
    """Forget answers older than LIFETIME, at most a batch of them."""
    names = tuple_(GivenAnswer.user_id, GivenAnswer.key)
    old = select(GivenAnswer.user_id, GivenAnswer.key).where(GivenAnswer.created_at < clock() - LIFETIME)
    # Two requests that prune at once leave each other's rows alone.
    old = old.limit(_BATCH).with_for_update(skip_locked=True)
    session.execute(delete(GivenAnswer).where(names.in_(old)).execution_options(synchronize_session=False))


def _find(session: Session, person: User, key: str, request_hash: str, sealer: Sealer) -> Answer:
    row = session.get_one(GivenAnswer, (person.id, key), populate_existing=True)
    if row.request_hash != request_hash:
        raise Conflict(
            "This Idempotency-Key belongs to another request of yours. Take a new key for a new request."
        )
    return Answer(row.status, row.headers, sealer.open(row.body)["body"])


def _limit_wait(session: Session, limit: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL lock_timeout = {limit}"))
