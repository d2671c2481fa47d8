"""What the directory says of a person becomes their row here."""

from __future__ import annotations

from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.errors import Forbidden
from labyard.models import User
from labyard.models.accounts import LDAP
from labyard.settings_directory import DirectorySettings

from .administration import end_sessions
from .audit import record_action
from .directory import DirectoryPerson
from .people import DEFAULT_PROJECT, ensure_project, find_user, is_username

_LONGEST_MAIL = 254
_ASK = "Ask an operator of this console."


def may_enter(settings: DirectorySettings, person: DirectoryPerson) -> bool:
    """Whether the groups of `person` let them in."""
    return not settings.allowed_groups or _in_any(person, settings.allowed_groups)


def adopt_person(session: Session, settings: DirectorySettings, person: DirectoryPerson) -> User:
    """The row of somebody whose password was right, made or refreshed.

    Raises Forbidden where the row of that name is not theirs, or the name cannot be one here.
    """
    user = find_user(session, person.username)
    if user is None:
        if not is_username(person.username):
            raise Forbidden(f"The directory's name for you cannot be a user name here. {_ASK}")
        user = User(username=person.username, source=LDAP)
        user.projects.append(ensure_project(session, DEFAULT_PROJECT))
        session.add(user)
        session.flush()
        record_action(session, user.username, "user made", user=user.username, source=LDAP)
    if not is_theirs(user, person):
        raise Forbidden(f"The account {user.username} here belongs to somebody else of that name. {_ASK}")
    refresh_person(session, settings, user, person)
    return user


def is_theirs(user: User, person: DirectoryPerson) -> bool:
    """Whether the row `user` is that of `person`, and not of somebody who had the name before."""
    return user.source == LDAP and user.directory_id in (None, person.entry_id or None)


def refresh_person(
    session: Session, settings: DirectorySettings, user: User, person: DirectoryPerson
) -> None:
    """Let the row say what the directory says: mail, admin, projects. What it does not know of stays."""
    user.directory_id = person.entry_id or None
    if person.email and len(person.email) <= _LONGEST_MAIL:
        user.email = person.email
    if settings.admin_groups:
        user.is_admin = _in_any(person, settings.admin_groups)
    _set_projects(session, settings, user, person)
    if user.absent_since is not None:
        user.active, user.absent_since = True, None
    session.flush()


def mark_absent(session: Session, user: User, clock: Clock = utc_now) -> None:
    """Take away all ways in of somebody whom the directory does not know any more."""
    user.active, user.absent_since = False, clock()
    end_sessions(session, user, clock)
    record_action(session, user.username, "user disabled", user=user.username, source=LDAP)


def _set_projects(session: Session, settings: DirectorySettings, user: User, person: DirectoryPerson) -> None:
    governed = {project for _, project in settings.projects}
    wanted = {project for group, project in settings.projects if group.lower() in person.groups}
    present = {project.name for project in user.projects}
    for project in list(user.projects):
        if project.name in governed - wanted:
            user.projects.remove(project)
    for name in sorted(wanted - present):
        user.projects.append(ensure_project(session, name))


def _in_any(person: DirectoryPerson, groups: tuple[str, ...]) -> bool:
    return not person.groups.isdisjoint(group.lower() for group in groups)
