"""Writing down who is to be told of what. Nothing is sent here: see `delivery`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import Command, Notice, State, User, Webhook

OF_COMMANDS = ("command.completed", "command.failed")
OF_BUDGETS = ("budget.reached", "budget.ended", "budget.requested", "budget.approved", "budget.declined")
EVENTS = (*OF_COMMANDS, *OF_BUDGETS)
TEST_EVENT = "webhook.test"
WEBHOOK, MAIL = "webhook", "mail"  # the channels


def write_notices(session: Session, command: Command, clock: Clock = utc_now) -> list[Notice]:
    """Note that the end of `command` is to be told; belongs into the transaction of that end.

    Told are the person who issued it and the owner of its deployment: each of their webhooks that
    asks for this event, and by mail who wants mail. Nothing for a command that has not ended.
    """
    if not command.state.final:
        return []
    event = "command.completed" if command.state == State.COMPLETED else "command.failed"
    now = clock()
    body = _event(event, now, _about(command))
    people = {p.id: p for p in (command.issuer, command.deployment.owner) if p.active}
    notices = [
        Notice(webhook_id=hook.id, user_id=hook.owner_id, channel=WEBHOOK)
        for hook in _webhooks(session, people)
        if not hook.events or event in hook.events
    ]
    notices += [
        Notice(user_id=person.id, channel=MAIL)
        for person in people.values()
        if person.mail_on_end and person.email
    ]
    for notice in notices:
        notice.command_id, notice.event, notice.body = command.id, event, body
        notice.created_at = notice.next_at = now
    session.add_all(notices)
    return notices


def write_event(
    session: Session,
    people: Sequence[User],
    event: str,
    data: Mapping[str, Any],
    clock: Clock = utc_now,
) -> list[Notice]:
    """Note that `people` are to be told of `event`, in the transaction of what it tells of.

    Each of their webhooks that asks for it is told, and by mail everybody who has an address; `data` has
    `subject` and `message`, in words, beside what programs read.
    """
    now = clock()
    living = {person.id: person for person in people if person.active}
    notices = [
        Notice(webhook_id=hook.id, user_id=hook.owner_id, channel=WEBHOOK)
        for hook in _webhooks(session, living)
        if not hook.events or event in hook.events
    ]
    notices += [Notice(user_id=person.id, channel=MAIL) for person in living.values() if person.email]
    for notice in notices:
        notice.event, notice.body = event, _event(event, now, dict(data))
        notice.created_at = notice.next_at = now
    session.add_all(notices)
    return notices


def write_test_notice(session: Session, webhook: Webhook, clock: Clock = utc_now) -> Notice:
    """Note that `webhook` is to be sent a message that tells of nothing."""
    now = clock()
    data = {"message": "This is a test of the webhook.", "webhook": webhook.id}
    notice = Notice(
        webhook_id=webhook.id,
        user_id=webhook.owner_id,
        channel=WEBHOOK,
        event=TEST_EVENT,
        body=_event(TEST_EVENT, now, data),
        created_at=now,
        next_at=now,
    )
    session.add(notice)
    session.flush()
    return notice


def _webhooks(session: Session, people: Iterable[int]) -> Iterable[Webhook]:
    query = select(Webhook).where(Webhook.owner_id.in_(list(people)), Webhook.active.is_(True))
    return session.scalars(query.order_by(Webhook.id))


def _event(kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    """The body that the Standard Webhooks specification proposes: type, timestamp, data."""
    return {"type": kind, "timestamp": _time(at), "data": data}


def _about(command: Command) -> dict[str, Any]:
    deployment = command.deployment
    return {
        "command": {
            "id": command.id,
            "phase": command.phase,
            "check": command.check_only,
            "state": int(command.state),
            "state_name": command.state.name,
            "reason": command.reason,
            "message": command.message,
            "issuer": _name(command.issuer),
            "created_at": _time(command.created_at),
            "finished_at": _time(command.finished_at),
        },
        "deployment": {
            "id": deployment.id,
            "name": deployment.name,
            "plan": deployment.plan.name,
            "project": deployment.project.name,
            "owner": _name(deployment.owner),
            "state": int(deployment.state),
            "state_name": deployment.state.name,
            "health": deployment.health,
            "endpoints": [{"name": e.get("name"), "url": e.get("url")} for e in deployment.endpoints],
        },
    }


def _name(person: User) -> str:
    return str(person.username)


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
