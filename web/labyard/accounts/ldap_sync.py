"""Looking whether people of the directory are still there, and what has changed about them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from labyard.clock import Clock, utc_now
from labyard.errors import Conflict
from labyard.models import User
from labyard.models.accounts import LDAP
from labyard.models.base import lock_name

from .directory import DirectoryPerson
from .ldap_people import is_theirs, mark_absent, may_enter, refresh_person
from .sign_in import Door

log = logging.getLogger(__name__)

_FEW = 3  # so many may go at once, however few there are


@dataclass(frozen=True)
class SyncOutcome:
    """Who came back and who is gone, by user name."""

    back: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def sync_people(
    session: Session,
    begin_writing: Callable[[], None],
    door: Door,
    *,
    force: bool = False,
    clock: Clock = utc_now,
) -> SyncOutcome:
    """Refresh everybody who is of the directory; who is there no more loses all ways in, until they are back.

    No transaction is open while the directory is asked. If more than half of the people would lose
    their way in at once, that is taken for a fault of the directory, and nothing is changed unless
    `force`. Raises DirectoryAway, Conflict.
    """
    names = list(session.scalars(select(User.username).where(User.source == LDAP)))
    session.rollback()
    if not names:
        return SyncOutcome()
    found = door.directory.find_people(names)
    begin_writing()
    lock_name(session, "labyard.people")  # every worker syncs, one at a time
    query = select(User).options(selectinload(User.projects)).where(User.source == LDAP)
    people = [user for user in session.scalars(query) if user.username in set(names)]
    there = {user.username: person for user in people if (person := _present(door, user, found))}
    gone = [
        user for user in people if user.username not in there and user.absent_since is None and user.active
    ]
    living = sum(user.active for user in people)
    if not force and len(gone) > max(_FEW, living / 2):
        session.rollback()
        raise Conflict(
            f"The directory does not know {len(gone)} of {living} people any more, which looks like a fault"
            " of it or of its settings: nobody was disabled. If it is right, run `labyard user sync --force`."
        )
    back = [user.username for user in people if user.username in there and user.absent_since is not None]
    for user in people:
        if user.username in there:
            refresh_person(session, door.settings, user, there[user.username])
    for user in gone:
        mark_absent(session, user, clock)
    session.commit()
    outcome = SyncOutcome(tuple(back), tuple(user.username for user in gone))
    if outcome != SyncOutcome():
        log.info("people of the directory: %s", outcome)
    return outcome


def _present(door: Door, user: User, found: dict[str, DirectoryPerson]) -> DirectoryPerson | None:
    person = found.get(user.username)
    if person is None or not is_theirs(user, person) or not may_enter(door.settings, person):
        return None
    return person
