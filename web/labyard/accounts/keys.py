"""API keys: shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput, NotFound, Unauthorized
from labyard.models import ApiKey, User

_PREFIX = "lyk_"
_SHORTEST = 43  # characters after the prefix: 256 bits


def create_key(
    session: Session, user: User, name: str, expires_at: datetime | None = None, text: str | None = None
) -> str:
    """A new key of `user` under `name`; the text returned can never be read again.

    The text is made here unless one is given. Raises Conflict if the person has a living key of that
    name, InvalidInput if a text that was given is none of a key.
    """
    if text is not None and not (text.startswith(_PREFIX) and len(text) >= len(_PREFIX) + _SHORTEST):
        raise InvalidInput(f"A key is {_PREFIX} and {_SHORTEST} or more random characters.")
    old = session.scalar(select(ApiKey).where(ApiKey.user_id == user.id, ApiKey.name == name))
    if old is not None and old.revoked_at is None:
        raise Conflict(f"{user.username} has a key {name} already: revoke it or choose another name.")
    if old is not None:
        session.delete(old)
        session.flush()
    key = text or _PREFIX + secrets.token_urlsafe(32)
    session.add(ApiKey(user_id=user.id, name=name, key_hash=_hash(key), expires_at=expires_at))
    session.flush()
    return key


def find_key_owner(session: Session, key: str, clock: Clock = utc_now) -> User:
    """The person to whom `key` belongs; raises Unauthorized if it is unknown, revoked or expired."""
    return find_living_key(session, key, clock).user


def find_living_key(session: Session, key: str, clock: Clock = utc_now) -> ApiKey:
    """The row of `key` with its person; raises Unauthorized if it is unknown, revoked or expired."""
    found = select(ApiKey).where(ApiKey.key_hash == _hash(key)).options(joinedload(ApiKey.user))
    row = session.scalar(found)
    expired = row is not None and row.expires_at is not None and row.expires_at <= clock()
    if row is None or row.revoked_at is not None or expired or not row.user.active:
        raise Unauthorized("The API key is not valid. Make a new one with `labyard apikey create`.")
    return row


def revoke_key(session: Session, user: User, name: str, clock: Clock = utc_now) -> None:
    """End the key `name` of `user`; raises NotFound."""
    row = session.scalar(select(ApiKey).where(ApiKey.user_id == user.id, ApiKey.name == name))
    if row is None or row.revoked_at is not None:
        raise NotFound(f"{user.username} has no living key {name}; `labyard apikey list` shows all.")
    row.revoked_at = clock()


def list_keys(session: Session, user: User) -> list[ApiKey]:
    """All keys of `user`, by name."""
    return list(session.scalars(select(ApiKey).where(ApiKey.user_id == user.id).order_by(ApiKey.name)))


def _hash(key: str) -> str:
    # A key has 256 bits of its own; a slow hash would only slow every request down.
    return hashlib.sha256(key.encode()).hexdigest()
