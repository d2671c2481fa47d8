"""How commands fared lately: what the figures for Prometheus and the status page are made of."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labyard.models import Command, State
from labyard.settings import Settings

from .order import next_commands

WINDOW = timedelta(minutes=30)
DEPLOYING = ("install", "start")  # the phases after which somebody waits for something to run
_COMPLETED = "completed"


@dataclass(frozen=True)
class Recent:
    """Commands of one phase that have ended within `WINDOW`."""

    outcomes: Mapping[str, int] = field(default_factory=dict)  # "completed", or the reason of the failure
    seconds: tuple[float, ...] = ()  # of the completed ones, from the request to the end, rising

    @property
    def completed(self) -> int:
        """How many did what they should."""
        return self.outcomes.get(_COMPLETED, 0)

    @property
    def failed(self) -> int:
        """How many did not; those that a person cancelled are not counted."""
        return sum(n for reason, n in self.outcomes.items() if reason not in (_COMPLETED, "cancelled"))

    def quantile(self, share: float) -> float | None:
        """The seconds within which that share (0 to 1) was done; None if none was."""
        if not self.seconds:
            return None
        return self.seconds[max(0, math.ceil(share * len(self.seconds)) - 1)]


def read_recent(session: Session, now: datetime, phases: Sequence[str] = DEPLOYING) -> dict[str, Recent]:
    """What became of the commands of `phases` that were asked for within `WINDOW`; checks are left out."""
    columns = (Command.phase, Command.state, Command.reason, Command.created_at, Command.finished_at)
    query = select(*columns).where(
        Command.phase.in_(phases),
        Command.created_at >= now - WINDOW,
        Command.state.in_((State.COMPLETED, State.FAILED)),
        Command.check_only.is_(False),
    )
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, list[float]] = defaultdict(list)
    for phase, state, reason, created_at, finished_at in session.execute(query):
        outcomes[phase][_COMPLETED if state == State.COMPLETED else reason or "failed"] += 1
        if state == State.COMPLETED and finished_at is not None:
            seconds[phase].append((finished_at - created_at).total_seconds())
    return {phase: Recent(dict(outcomes[phase]), tuple(sorted(seconds[phase]))) for phase in phases}


def queue_age(session: Session, now: datetime, limit: int = Settings.command_limit) -> float:
    """Seconds for which the oldest command that could run now has been waiting; 0 if there is none.

    One that waits because its issuer has as many running as allowed is not late. `limit`: see
    `next_commands`.
    """
    ready = next_commands(session, limit, lambda: now)
    if not ready:
        return 0.0
    # A few thousand at most are named at once; the first of each part are as good as all.
    oldest = [
        session.scalar(select(func.min(Command.created_at)).where(Command.id.in_(ready[i : i + 500])))
        for i in range(0, len(ready), 500)
    ]
    return max(0.0, *((now - moment).total_seconds() for moment in oldest if moment is not None))
