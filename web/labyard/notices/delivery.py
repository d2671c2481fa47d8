"""Sending what is in the outbox: at least once, by one worker at a time.

A row is claimed by compare-and-set on its number of attempts: a worker that dies with it loses the
claim when its time is over, and another one sends the message again under the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import Notice, Webhook
from labyard.sealing import Sealer, SealError

from .mail import Mailer
from .outbox import WEBHOOK
from .posting import NotSent, Poster
from .schedule import TRIES, next_try

log = logging.getLogger(__name__)

_BATCH = 16  # messages claimed at once, and sent side by side: a slow receiver holds up no other
_CLAIM = timedelta(minutes=3)  # longer than a mail may take: six words with the server, 15 s each
_GONE = 410  # the receiver wants no more messages (Standard Webhooks)
_LONGEST_ERROR = 500


@dataclass(frozen=True)
class Transports:
    """How messages leave the console."""

    poster: Poster
    mailer: Mailer
    sealer: Sealer


@dataclass(frozen=True)
class Outgoing:
    """A claimed message, apart from the database."""

    id: str
    attempt: int
    address: str  # the webhook's URL, or the person's mail address
    secret: str | None  # None: a mail
    body: dict[str, Any]
    webhook: str | None


@dataclass(frozen=True)
class Answer:
    """What became of a try."""

    status: int | None
    error: str = ""


def deliver_due(
    session: Session, begin_writing: Callable[[], None], transports: Transports, clock: Clock = utc_now
) -> int:
    """Send every message whose time has come; how many were tried.

    `begin_writing` opens a writing transaction of `session`; each batch takes one to claim and one
    to write down the answers, and none is open while messages are on their way.
    """
    tried = 0
    with ThreadPoolExecutor(_BATCH, thread_name_prefix="notice") as pool:
        while True:
            begin_writing()
            batch = claim_due(session, transports.sealer, clock())
            session.commit()
            if not batch:
                return tried
            answers = list(pool.map(lambda message: send(message, transports, clock()), batch))
            begin_writing()
            for message, answer in zip(batch, answers, strict=True):
                record_answer(session, message, answer, clock())
            session.commit()
            tried += len(batch)


def claim_due(session: Session, sealer: Sealer, now: datetime) -> list[Outgoing]:
    """Claim up to a batch of messages whose time has come; no other worker sends them meanwhile."""
    due = select(Notice).where(Notice.next_at <= now).order_by(Notice.next_at).limit(_BATCH)
    claimed = []
    for notice in session.scalars(due).all():
        obstacle = _obstacle(notice)
        if obstacle:
            _give_up(session, notice, obstacle)
        elif _claim(session, notice, now):
            message = _take_out(session, notice, sealer)
            if message is not None:
                claimed.append(message)
    return claimed


def send(message: Outgoing, transports: Transports, now: datetime) -> Answer:
    """Try to send `message` once. Touches no database."""
    try:
        if message.secret is None:
            return Answer(transports.mailer.send(message.address, message.id, message.body, now))
        return Answer(transports.poster.post(message.address, message.secret, message.id, message.body, now))
    except NotSent as error:
        return Answer(error.status, str(error)[:_LONGEST_ERROR])
    except Exception as error:
        # A message that trips over a fault of ours must not hold up the others in its batch.
        log.exception("notice %s met an unexpected error", message.id)
        return Answer(None, f"Labyard itself made a mistake ({type(error).__name__}).")


def record_answer(session: Session, message: Outgoing, answer: Answer, now: datetime) -> None:
    """Write down what became of the try, unless another worker has taken the message over."""
    gone = answer.status == _GONE and message.webhook is not None
    values: dict[str, Any] = {"status": answer.status, "error": answer.error}
    if answer.error:
        values["next_at"] = None if gone else next_try(message.attempt, now)
    else:
        values |= {"next_at": None, "sent_at": now}
    held = (Notice.id == message.id, Notice.attempts == message.attempt, Notice.sent_at.is_(None))
    _write(session, held, values)
    if gone:
        session.execute(update(Webhook).where(Webhook.id == message.webhook).values(active=False))
    if answer.error and values["next_at"] is None:
        log.warning("notice %s was given up: %s", message.id, answer.error)


def _obstacle(notice: Notice) -> str:
    """Why the message cannot be sent any more, or ""."""
    if notice.attempts >= TRIES:
        return notice.error or "The worker was cut off when it sent this for the last time."
    if not notice.user.active:
        return "The person's account is switched off."
    if notice.channel == WEBHOOK and not (notice.webhook and notice.webhook.active):
        return "The webhook is switched off."
    if notice.channel != WEBHOOK and not notice.user.email:
        return "The person has no mail address any more."
    return ""


def _claim(session: Session, notice: Notice, now: datetime) -> bool:
    held = (Notice.id == notice.id, Notice.attempts == notice.attempts, Notice.next_at == notice.next_at)
    return _write(session, held, {"next_at": now + _CLAIM, "attempts": notice.attempts + 1}) == 1


def _give_up(session: Session, notice: Notice, why: str) -> None:
    held = (Notice.id == notice.id, Notice.attempts == notice.attempts)
    _write(session, held, {"next_at": None, "error": why})


def _take_out(session: Session, notice: Notice, sealer: Sealer) -> Outgoing | None:
    session.refresh(notice)
    hook = notice.webhook
    if hook is None:
        return Outgoing(notice.id, notice.attempts, notice.user.email, None, dict(notice.body), None)
    try:
        secret = sealer.open(hook.sealed_secret)["secret"]
    except SealError as error:
        _give_up(session, notice, f"The webhook must be made again: {error}.")
        return None
    return Outgoing(notice.id, notice.attempts, hook.url, secret, dict(notice.body), hook.id)


def _write(session: Session, held: Sequence[Any], values: dict[str, Any]) -> int:
    statement = update(Notice).where(*held).values(**values).execution_options(synchronize_session=False)
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
