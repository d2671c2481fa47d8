"""Signing in: with a password of this console, or with one that the directory knows."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.errors import Forbidden, Unauthorized
from labyard.models import User
from labyard.models.accounts import LOCAL
from labyard.models.base import lock_name
from labyard.settings_directory import DirectorySettings

from .audit import record_action
from .directory import Directory, DirectoryAnswer
from .ldap_people import adopt_person, may_enter
from .people import SIGN_IN_REFUSED, find_user, is_password, refuse_too_many, wrong_password


@dataclass(frozen=True)
class Attempt:
    """What somebody has typed, and from where it came."""

    username: str
    password: str = field(repr=False)
    address: str


@dataclass(frozen=True)
class Door:
    """The directory, if there is one, and what its groups mean."""

    directory: Directory
    settings: DirectorySettings


def sign_in(
    session: Session,
    begin_writing: Callable[[], None],
    door: Door | None,
    attempt: Attempt,
    clock: Clock = utc_now,
) -> User:
    """The person who may come in. Accounts of this console come first, and need no directory.

    No transaction is open while the directory is asked. Refusals are recorded and committed; the
    caller commits the rest. All refusals look alike, and take the same questions to the directory.

    Raises Unauthorized, TooMany, Forbidden (the password is right, but that is not enough), and
    DirectoryAway.
    """
    refuse_too_many(session, (attempt.username,), attempt.address, clock)
    user = find_user(session, attempt.username)
    if is_password(user, attempt.password):
        assert user is not None  # noqa: S101 - nobody has no password
        return user
    if door is None:
        raise _refuse(session, attempt, attempt.username)
    if user is not None and user.source == LOCAL:
        refusal = _refuse(session, attempt, attempt.username)
        door.directory.check(attempt.username, _no_password())
        raise refusal
    session.rollback()
    answer = door.directory.check(attempt.username, attempt.password)
    begin_writing()
    return _take(session, door, attempt, answer, clock)


def _take(session: Session, door: Door, attempt: Attempt, answer: DirectoryAnswer, clock: Clock) -> User:
    """The row of the person that the directory has found, if everything else lets them in, too."""
    lock_name(session, f"labyard.sign-in.{answer.username}")
    # Once more, under the directory's own name and one at a time: it takes many spellings of a name,
    # and tries that were made side by side have not seen each other.
    refuse_too_many(session, (attempt.username, answer.username), attempt.address, clock)
    if answer.person is None:
        raise _refuse(session, attempt, answer.username)
    try:
        if not may_enter(door.settings, answer.person):
            raise Forbidden("None of your groups in the directory lets you in. Ask an operator.")
        user = adopt_person(session, door.settings, answer.person)
    except Forbidden:
        session.rollback()
        raise
    if not user.active:
        raise _refuse(session, attempt, answer.username)
    return user


def _refuse(session: Session, attempt: Attempt, username: str) -> Unauthorized:
    session.flush()
    record_action(session, username, SIGN_IN_REFUSED, attempt.address)
    session.commit()
    return wrong_password()


def _no_password() -> str:
    """A password that nobody has: the directory gets no password of this console's own accounts."""
    return secrets.token_urlsafe(16)
