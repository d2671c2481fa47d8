"""Who looks at what the swarm uses, and when: one worker at a time, each so many seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from labyard.clock import Clock
from labyard.models import Meter, MeterRun
from labyard.models.base import lock_name
from labyard.models.billing_meter import CUT_OFF

# A run takes this long at most; until its lease has ended no other one begins.
LONGEST = timedelta(seconds=240)
_LEASE = LONGEST + timedelta(seconds=60)
_KEEP = timedelta(days=90)
_LOCK = "labyard.meter"


@dataclass(frozen=True)
class Metering:
    """How it goes with metering, for admins."""

    interval: int  # seconds; 0: nothing is metered
    age: float | None  # seconds since the last good look; None: there was none
    runs: Sequence[MeterRun]  # the newest first

    @property
    def late(self) -> bool:
        """Whether three looks or more are missing."""
        if not self.interval:
            return False
        if self.age is None:
            return bool(self.runs) and not any(run.good or run.ended_at is None for run in self.runs)
        return self.age > 3 * self.interval


NOT_METERED = Metering(0, None, ())


def begin_meter_run(session: Session, interval: int, worker: str, clock: Clock) -> MeterRun | None:
    """A run that `worker` may begin now, or None: it is not due yet, or another one has it.

    A run whose worker has gone is ended when its lease is over.
    """
    lock_name(session, _LOCK)
    now = clock()
    last = session.scalar(select(MeterRun).order_by(MeterRun.id.desc()).limit(1))
    if last is not None and last.ended_at is None:
        if last.lease_until > now:
            return None
        last.ended_at, last.message = now, f"{CUT_OFF} its worker is gone."
    elif last is not None and not last.cut_off and _is_recent(last, interval, now):
        return None
    session.execute(delete(MeterRun).where(MeterRun.started_at < now - _KEEP))
    run = MeterRun(worker=worker, started_at=now, lease_until=now + _LEASE)
    session.add(run)
    session.flush()
    return run


def _is_recent(run: MeterRun, interval: int, now: datetime) -> bool:
    """Whether a run began less than `interval` seconds ago; one in the future does not count."""
    return run.started_at <= now < run.started_at + timedelta(seconds=interval)


def release_meter_runs(session: Session, worker: str, clock: Clock) -> None:
    """Let another worker look at once: `worker` ends, and its run counts no more."""
    lock_name(session, _LOCK)
    for run in session.scalars(
        select(MeterRun).where(MeterRun.worker == worker, MeterRun.ended_at.is_(None))
    ):
        run.ended_at, run.message = clock(), f"{CUT_OFF} its worker has ended."


def hold_meter_run(session: Session, run_id: int) -> MeterRun | None:
    """The run, if nobody else has begun one or ended this; nobody does until the transaction ends."""
    lock_name(session, _LOCK)
    run = session.get(MeterRun, run_id, populate_existing=True)
    return None if run is None or run.ended_at is not None else run


def the_meter(session: Session, clock: Clock) -> Meter:
    """What the meter remembers; metering begins with its first call."""
    meter = session.scalar(select(Meter))
    if meter is None:
        meter = Meter(beats={}, since=clock())
        session.add(meter)
        session.flush()
    return meter


def read_metering(session: Session, interval: int, now: datetime, count: int = 5) -> Metering:
    """How it goes, with the last `count` runs."""
    beat = session.scalar(select(Meter.beat_at))
    runs = session.scalars(select(MeterRun).order_by(MeterRun.id.desc()).limit(count)).all()
    return Metering(interval, None if beat is None else (now - beat).total_seconds(), runs)
