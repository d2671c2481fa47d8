"""People and passwords."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, InvalidInput, NotFound, TooMany, Unauthorized
from labyard.models import AuditEntry, Project, User
from labyard.models.accounts import LOCAL

DEFAULT_PROJECT = "default"

_hasher = PasswordHasher()  # argon2id, the library's own costs
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
_SHORTEST_PASSWORD = 10
SIGN_IN_REFUSED = "sign-in refused"
_TRIES = 10
_TRIES_WINDOW = timedelta(minutes=5)
# Checked when there is no such user, so that both answers take the same time.
_NO_HASH = _hasher.hash("no such user")


def create_user(session: Session, username: str, password: str, *, is_admin: bool = False) -> User:
    """A new person, member of the default project.

    Raises InvalidInput for a bad name or a short password, Conflict if the name is taken.
    """
    errors = {}
    if not is_username(username):
        errors["username"] = "must be 1 to 63 letters, digits, dots, dashes, underscores or @"
    if len(password) < _SHORTEST_PASSWORD:
        errors["password"] = f"must have at least {_SHORTEST_PASSWORD} characters"
    if errors:
        raise InvalidInput("The user was not made.", errors)
    if find_user(session, username):
        raise Conflict(f"There is a user {username} already.", {"username": "is taken"})
    user = User(username=username, password_hash=_hasher.hash(password), is_admin=is_admin)
    user.projects.append(ensure_project(session, DEFAULT_PROJECT))
    session.add(user)
    session.flush()
    return user


def is_username(text: str) -> bool:
    """Whether `text` can be the name of a person here."""
    return _USERNAME.fullmatch(text) is not None


def set_password(session: Session, user: User, password: str) -> None:
    """Give `user` a new password and end all of their sessions.

    Raises InvalidInput if it is short, Conflict if it is the directory that knows the password.
    """
    if user.source != LOCAL:
        raise Conflict(f"The password of {user.username} is kept in the directory. Change it there.")
    check_new_password(password)
    user.password_hash = _hasher.hash(password)
    user.session_epoch += 1
    session.flush()


def check_new_password(password: str) -> None:
    """Raises InvalidInput for a password that is too short."""
    if len(password) < _SHORTEST_PASSWORD:
        raise InvalidInput(
            "The password was not changed.",
            {"password": f"must have at least {_SHORTEST_PASSWORD} characters"},
        )


def find_user(session: Session, username: str) -> User | None:
    """The person of that name, or None."""
    return session.scalar(select(User).where(User.username == username))


def get_user(session: Session, username: str) -> User:
    """The person of that name; raises NotFound."""
    user = find_user(session, username)
    if user is None:
        raise NotFound(f"There is no user {username}; `labyard user list` shows all.")
    return user


def ensure_project(session: Session, name: str) -> Project:
    """The project of that name, made if it is not there."""
    project = session.scalar(select(Project).where(Project.name == name))
    if project is None:
        project = Project(name=name)
        session.add(project)
        session.flush()
    return project


def check_password(
    session: Session, username: str, password: str, address: str, clock: Clock = utc_now
) -> User:
    """The person of this console who signs in with that name and password.

    Raises Unauthorized with the same words whether the name or the password is wrong, TooMany
    after ten failed tries in five minutes for one name or from one address.
    """
    refuse_too_many(session, (username,), address, clock)
    user = find_user(session, username)
    if user is None or not is_password(user, password):
        raise wrong_password()
    return user


def refuse_too_many(session: Session, usernames: Iterable[str], address: str, clock: Clock = utc_now) -> None:
    """Raises TooMany after ten failed tries in five minutes for one of the names or from one address."""
    since = clock() - _TRIES_WINDOW
    names = [name[:64] for name in usernames]
    failed = session.scalar(
        select(func.count())
        .select_from(AuditEntry)
        .where(AuditEntry.action == SIGN_IN_REFUSED, AuditEntry.at > since)
        .where(or_(AuditEntry.username.in_(names), AuditEntry.address == address))
    )
    if failed and failed >= _TRIES:
        raise TooMany("Too many failed tries to sign in. Wait five minutes and try again.")


def is_password(user: User | None, password: str) -> bool:
    """Whether that is the password of `user`, who may sign in here; takes the same time for nobody."""
    stored = user.password_hash if user and user.source == LOCAL and user.password_hash else None
    try:
        _hasher.verify(stored or _NO_HASH, password)
    except VerificationError:
        return False
    return stored is not None and user is not None and user.active


def wrong_password() -> Unauthorized:
    """The one answer to a wrong name and to a wrong password."""
    return Unauthorized("The user name or the password is not right.")
