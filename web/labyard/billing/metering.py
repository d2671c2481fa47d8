"""The console's meter: a play looks at the swarm, and what it found is taken in together.

Records, beats and what the nodes have are written in one transaction, so a look counts whole or not at all,
and the next one goes on where the last one stopped that counted.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.policies import read_policies
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import read_moment, show_moment
from labyard.artifacts.outcome import read_outcome
from labyard.clock import Clock, utc_now
from labyard.errors import Unavailable
from labyard.models import installation_id
from labyard.runs.folder import artifacts_of, forget_secrets, play_environment, prepare_own_play
from labyard.runs.process import end_leftovers, start_process
from labyard.runs.supervise import supervise_run
from labyard.settings import Settings

from .capacity import note_capacities
from .hub_claims import HubTaken, bills_a_hub, claim_own_hub
from .meter_records import complete_records
from .meter_runs import LONGEST, begin_meter_run, hold_meter_run, the_meter

log = logging.getLogger(__name__)

_PLAYBOOK = "billing.yml"
_ANSWER = "usage.json"  # what the play writes beside its request
_VOLUMES_EVERY = timedelta(hours=1)
_CUT = 3600  # seconds between the borders of records


class Taken(Protocol):
    """What became of records."""

    taken: int
    known: int
    refused: Any


Take = Callable[[Session, Iterable[Any]], Taken]


class MeterFailed(Exception):
    """The play did not end well; the text says why."""


@dataclass(frozen=True)
class Look:
    """What the play found."""

    records: Sequence[Mapping[str, Any]]
    beats: Mapping[str, Any]
    capacity: Sequence[Mapping[str, Any]]  # of the nodes
    until: datetime
    notes: str


class _Quiet:
    """Nobody follows the events of this run, and nobody cancels it."""

    def take_events(self, folder: Path) -> None:
        """They are read at the end."""

    def beat(self) -> bool:
        """Its lease is longer than it may take."""
        return False


def meter_usage(
    session: Session,
    begin_writing: Callable[[], None],
    settings: Settings,
    worker: str,
    take: Take,
    *,
    clock: Clock = utc_now,
    start: Callable[..., Any] = start_process,
    claim: Callable[[Settings, str], Any] = claim_own_hub,
) -> bool:
    """Look at what the swarm uses if that is due, and take the records in; whether it was done, well or not.

    No transaction is open while the play runs. `take` takes records in, as `ingest.take_records` does. A hub
    that another console has claimed is left out, and the run says so.
    """
    begin_writing()
    run = begin_meter_run(session, settings.usage_interval, worker, clock)
    if run is None:
        session.commit()
        return False
    run_id, with_volumes, console = run.id, _volumes_are_due(session, clock), installation_id(session)
    request = _request(session, settings, console, clock, with_volumes)
    session.commit()
    folder = settings.meter_runs / str(run_id)
    try:
        labels, refused = _hub_labels(settings, console, claim)
        request["usage"]["labels"] += labels
        look = _play(folder, request, settings, start, refused)
        policy = read_policies(request["usage"]["policy"], None).default
        patience = timedelta(milliseconds=policy.patience)
        _take_in(session, begin_writing, run_id, look, take, clock, patience, volumes=with_volumes)
    except (MeterFailed, OSError, Unavailable) as error:
        session.rollback()
        log.warning("what the swarm uses was not metered: %s", error)
        begin_writing()
        held = hold_meter_run(session, run_id)
        if held is not None:
            held.ended_at, held.message = clock(), str(error)
        session.commit()
    finally:
        forget_secrets(folder)
        _forget_old(settings, clock)
    return True


def _volumes_are_due(session: Session, clock: Clock) -> bool:
    measured = the_meter(session, clock).volumes_at
    return measured is None or clock() - measured >= _VOLUMES_EVERY


def _hub_labels(
    settings: Settings, console: str, claim: Callable[[Settings, str], Any]
) -> tuple[list[str], str]:
    """The hub's label, if it is billed here, and why it is not; raises Unavailable."""
    if not bills_a_hub(settings):
        return [], ""
    try:
        claim(settings, console)
    except HubTaken as error:
        log.warning("%s", error)
        return [], str(error)
    return [f"labyard.hub={settings.hub_stack}"], ""


def _request(
    session: Session, settings: Settings, console: str, clock: Clock, with_volumes: bool
) -> dict[str, Any]:
    """What the play is to do, as data: what people named never becomes a variable that is a template."""
    meter = the_meter(session, clock)
    return {
        "usage": {
            # Other consoles and their hubs may be on the same swarm, and have bills of their own.
            "labels": [f"labyard.console={console}"],
            "new_selection": "go_on",  # a console may be given a hub, or another one
            "beats": meter.beats,
            "since": show_moment(meter.since),
            "statistics": True,
            "volumes": with_volumes,
            "cut": _CUT,
            "policy": {"interval": settings.usage_interval},
        }
    }


def _play(
    folder: Path, request: Mapping[str, Any], settings: Settings, start: Callable[..., Any], refused: str
) -> Look:
    """Run the play; `refused` is noted as well. Raises MeterFailed, OSError."""
    shutil.rmtree(folder, ignore_errors=True)
    prepare_own_play(folder, _PLAYBOOK, request, settings)
    process, child = start(folder, play_environment(settings))
    reap = child.poll if child is not None else lambda: None
    verdict = supervise_run(process, folder, LONGEST.total_seconds(), _Quiet(), reap)
    outcome = read_outcome(artifacts_of(folder))
    if not outcome.finished:
        end_leftovers(folder)
    if verdict.reason is not None:
        raise MeterFailed(f"The play took longer than {LONGEST.total_seconds():.0f} s and was ended.")
    if not outcome.succeeded:
        step = f"{outcome.failed_task}: " if outcome.failed_task else ""
        raise MeterFailed(f"{step}{outcome.error}")
    look = _read_look(folder / _ANSWER)
    return replace(look, notes=f"{refused} {look.notes}".strip())


def _read_look(path: Path) -> Look:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Look(
            records=document["records"],
            beats=document["beats"],
            capacity=document["capacity"],
            until=read_moment(document["until"], "until"),
            notes=" ".join(document["notes"]),
        )
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise MeterFailed(f"What the play wrote cannot be read: {error}.") from error


def _take_in(
    session: Session,
    begin_writing: Callable[[], None],
    run_id: int,
    look: Look,
    take: Take,
    clock: Clock,
    patience: timedelta,
    *,
    volumes: bool,
) -> None:
    """Records, beats, capacities and the run's end, in one transaction; nothing if the lease was lost."""
    begin_writing()
    run = hold_meter_run(session, run_id)
    if run is None:
        session.rollback()
        log.warning("metering run %s was taken for lost: another has taken its place", run_id)
        return
    taken = take(session, complete_records(session, look.records))
    meter = the_meter(session, clock)
    meter.beats, meter.until, meter.beat_at = dict(look.beats), look.until, clock()
    note_capacities(session, look.capacity, look.until, patience)
    if volumes:
        meter.volumes_at = clock()
    words = [look.notes] if look.notes else []
    if taken.refused:
        first = taken.refused[0]
        words.append(f"{len(taken.refused)} records were refused, the first: {first.error}.")
        log.warning("metering run %s: %s", run_id, words[-1])
    run.ended_at, run.good, run.until, run.message = clock(), True, look.until, " ".join(words)
    run.taken, run.known, run.refused = taken.taken, taken.known, len(taken.refused)
    session.commit()


def _forget_old(settings: Settings, clock: Clock) -> None:
    """Remove the folders of runs that are old or too many, as those of a deployment."""
    if not settings.meter_runs.is_dir():
        return
    folders = sorted(
        (folder for folder in settings.meter_runs.iterdir() if folder.name.isdecimal()),
        key=lambda folder: int(folder.name),
        reverse=True,
    )
    oldest = (clock() - timedelta(days=settings.keep_runs_days)).timestamp()
    for position, folder in enumerate(folders):
        if position >= settings.keep_runs or folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)
