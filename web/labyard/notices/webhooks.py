"""A person's webhooks: made, changed, looked at."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from labyard.addresses import AddressError, split_url
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import Notice, User, Webhook
from labyard.sealing import Sealer

from .outbox import EVENTS, write_test_notice

_MOST = 20  # webhooks of one person
_SECRET_BYTES = 32


def create_webhook(
    session: Session, person: User, url: str, sealer: Sealer, events: Sequence[str] = ()
) -> tuple[Webhook, str]:
    """A new webhook of `person` and the secret that its messages are signed with.

    `events` are some of EVENTS; empty: all. The secret is returned this once. Whether the host's
    address is permitted is looked at when a message is sent, for it may change. Raises InvalidInput,
    or Conflict if the person has too many.
    """
    wanted = _check(url, events)
    count = session.scalar(select(func.count()).select_from(webhooks_of(person).subquery())) or 0
    if count >= _MOST:
        raise Conflict(f"You have {count} webhooks, and more than {_MOST} are not kept: delete one first.")
    secret = make_secret()
    webhook = Webhook(owner_id=person.id, sealed_secret=sealer.seal({"secret": secret}), **wanted)
    session.add(webhook)
    session.flush()
    return webhook, secret


def change_webhook(
    session: Session,
    person: User,
    webhook_id: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    active: bool | None = None,
) -> Webhook:
    """Change what is given of a webhook; raises NotFound or InvalidInput."""
    webhook = get_webhook(session, person, webhook_id)
    wanted = _check(webhook.url if url is None else url, webhook.events if events is None else events)
    webhook.url, webhook.events = wanted["url"], wanted["events"]
    if active is not None:
        webhook.active = active
    return webhook


def renew_secret(session: Session, person: User, webhook_id: str, sealer: Sealer) -> str:
    """Give a webhook a new secret, which is returned this once; raises NotFound."""
    webhook = get_webhook(session, person, webhook_id)
    secret = make_secret()
    webhook.sealed_secret = sealer.seal({"secret": secret})
    return secret


def delete_webhook(session: Session, person: User, webhook_id: str) -> None:
    """Delete a webhook with its messages; raises NotFound."""
    webhook = get_webhook(session, person, webhook_id)
    session.execute(delete(Notice).where(Notice.webhook_id == webhook.id))
    session.delete(webhook)
    session.flush()


def list_webhooks(session: Session, person: User) -> list[Webhook]:
    """The person's webhooks, oldest first."""
    return list(session.scalars(webhooks_of(person).order_by(Webhook.created_at, Webhook.id)))


def webhooks_of(person: User) -> Select[Any]:
    """The webhooks of `person`. An admin too sees only their own: a URL may hold a secret."""
    return select(Webhook).where(Webhook.owner_id == person.id)


def get_webhook(session: Session, person: User, webhook_id: str) -> Webhook:
    """The person's webhook of that id; raises NotFound."""
    found = session.scalar(webhooks_of(person).where(Webhook.id == webhook_id))
    if found is None:
        raise NotFound(f"You have no webhook {webhook_id[:40]}.")
    webhook: Webhook = found
    return webhook


def notices_of(session: Session, person: User, webhook_id: str) -> Select[Any]:
    """The messages of a webhook, to be sorted and cut by the caller; raises NotFound."""
    return select(Notice).where(Notice.webhook_id == get_webhook(session, person, webhook_id).id)


def send_test(session: Session, person: User, webhook_id: str, clock: Clock = utc_now) -> Notice:
    """Let a webhook be sent a test message; raises NotFound, or Conflict if it is switched off."""
    webhook = get_webhook(session, person, webhook_id)
    if not webhook.active:
        raise Conflict("The webhook is switched off: switch it on, then test it.")
    return write_test_notice(session, webhook, clock)


def send_again(
    session: Session, person: User, webhook_id: str, notice_id: str, clock: Clock = utc_now
) -> Notice:
    """Let a message that was given up be tried again; raises NotFound, or Conflict if it was not."""
    found = session.scalar(notices_of(session, person, webhook_id).where(Notice.id == notice_id))
    if found is None:
        raise NotFound(f"The webhook has no message {notice_id[:40]}.")
    notice: Notice = found
    if notice.next_at is not None or notice.sent_at is not None:
        raise Conflict(
            "The message was taken, or waits to be sent: only one that was given up is sent again."
        )
    notice.attempts, notice.error, notice.next_at = 0, "", clock()
    return notice


def forget_notices(session: Session, before: datetime) -> None:
    """Delete the messages from `before` that were sent or given up."""
    session.execute(delete(Notice).where(Notice.next_at.is_(None), Notice.created_at < before))


def make_secret() -> str:
    """A new secret in the form of the Standard Webhooks specification: whsec_ and base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def _check(url: str, events: Sequence[str]) -> dict[str, Any]:
    """URL and events as columns; raises InvalidInput."""
    errors = {}
    try:
        split_url(url)
    except AddressError as error:
        errors["url"] = str(error)
    unknown = [event for event in events if event not in EVENTS]
    if unknown:
        errors["events"] = f"must be some of {', '.join(EVENTS)}, or none for all of them"
    if errors:
        raise InvalidInput("The webhook was not saved.", errors)
    return {"url": url, "events": list(dict.fromkeys(events))}
