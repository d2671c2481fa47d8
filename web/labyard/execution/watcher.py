"""Writing what a run says into the database while it goes on, and renewing its lease."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from labyard.context import session
from labyard.deployments.progress import Follower
from labyard.models import Command
from labyard.models.base import begin_writing
from labyard.runs.claim import GIVE_UP, Claim, LeaseLost, lease_clock, renew_lease
from labyard.runs.folder import artifacts_of
from labyard.runs.guard import Held
from labyard.runs.lifeline import throw_lifeline

log = logging.getLogger(__name__)


@dataclass
class DatabaseWatcher:
    """What `supervise_run` tells. `shared`: other hosts use the database too."""

    claim: Claim
    held: Held
    shared: bool
    _follower: Follower | None = field(default=None, init=False)

    def take_events(self, folder: Path) -> None:
        """Take over what the run wrote; a database that is away keeps it waiting."""
        if self._follower is None:
            self._follower = Follower(self.claim.command_id, self.claim.fence, artifacts_of(folder))
        if not self._follower.has_news():
            return
        try:
            begin_writing()
            self._follower.take(session())
            session().commit()
            self._follower.taken()
        except OperationalError as error:
            # The files keep, the next look takes them.
            session().rollback()
            log.warning("events of command %s wait: %s", self.claim.command_id, error)

    def beat(self) -> bool:
        """Renew the lease; whether a person asked to cancel. Raises LeaseLost."""
        if self.held.given_up:
            raise LeaseLost(self.claim.command_id)
        asked = Held.asking()
        try:
            begin_writing()
            renew_lease(session(), self.claim.command_id, self.claim.fence, lease_clock(session()))
            cancel = session().scalar(
                select(Command.cancel_requested).where(Command.id == self.claim.command_id)
            )
            session().commit()
        except OperationalError as error:
            session().rollback()
            log.warning("the lease of command %s was not renewed: %s", self.claim.command_id, error)
            return False
        self.held.renew(asked)
        if self.shared:
            prolong(self.held.folder)
        return bool(cancel)


def prolong(folder: Path) -> None:
    """Let the run in `folder` live on; a disk that refuses that is the run's trouble too."""
    try:
        throw_lifeline(folder, GIVE_UP.total_seconds())
    except OSError as error:
        log.warning("the lifeline of %s was not prolonged: %s", folder, error)
