"""The worker: serves the queue, and looks after what no message tells it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import psutil
from flask import Flask
from huey.consumer import Consumer
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError

from .accounts.ldap_client import LdapDirectory
from .accounts.ldap_sync import sync_people
from .accounts.sign_in import Door
from .addresses import read_networks
from .billing.budget_watch import watch_budgets
from .billing.carrying_out import carry_out_orders
from .billing.ingest import take_records
from .billing.kept_spending import add_new
from .billing.meter_runs import release_meter_runs
from .billing.metering import meter_usage
from .billing.paying import gateways_of
from .catalog.refresh import refresh_sources
from .catalog.sources import remove_leftovers
from .clock import utc_now
from .context import context, session
from .crew import Crew
from .deployments.swarm import engine
from .deployments.sweep import sweep_swarm
from .errors import Conflict, Unavailable
from .execution import look_after, see_through_next
from .execution.place import this_host
from .jobs import register_job
from .models import Command, State, Worker, db
from .models.base import begin_writing
from .notices.delivery import Transports, deliver_due
from .notices.mail import Mailer
from .notices.posting import Poster
from .notices.webhooks import forget_notices
from .queueing import open_queue
from .runs.claim import (
    cancelled_commands,
    commands_left_here,
    commands_to_look_at,
    lease_clock,
    release_commands,
)
from .runs.folder import play_environment
from .runs.process import warm_up
from .runs.retention import find_old_runs, remove_folders

log = logging.getLogger(__name__)

_FORGET_WORKER = timedelta(hours=1)
_MINUTE = 60.0
_HOUR = 60 * _MINUTE
_KEEP_NOTICES = timedelta(days=30)


def worker_name() -> str:
    """This process, as it signs its claims."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def run_worker(app: Flask, concurrency: int, finish_within: float = 0) -> None:
    """Serve the queue, `concurrency` commands at a time, until the process is told to end.

    It then takes nothing new and waits up to `finish_within` seconds for what it has in hand: where runs
    end with it, as in a container. Runs that outlive it are taken over by the next worker of this host.
    """
    settings = context(app).settings
    warm_up(play_environment(settings))
    queue = open_queue(settings)
    name = worker_name()

    def take_next() -> bool:
        with app.app_context():
            return see_through_next(name)

    def take_over(command_id: str) -> None:
        with app.app_context():
            look_after(command_id, name)

    crew = Crew(concurrency, take_next)
    # A message only wakes: which command comes next is decided by their order.
    register_job(queue, lambda _command_id: crew.work())
    _repeat(app, "beat", 10, lambda: beat(name, concurrency))
    _repeat(app, "sweep", 5, lambda: sweep(crew.call, take_over))
    _repeat(app, "reconcile", 15, look_at_swarm)
    _repeat(app, "notices", 2, deliver_notices)
    _repeat(app, "sources", 5, look_at_sources)
    _repeat(app, "budgets", _MINUTE, look_at_budgets)
    _repeat(app, "spending", 5, sum_up_usage)
    if settings.payments is not None:
        _repeat(app, "payments", 2, look_at_payments)
    _repeat(app, "retention", _HOUR, tidy_up)
    if settings.usage_interval:
        _repeat(app, "usage", min(15, settings.usage_interval), lambda: look_at_usage(name))
    if settings.directory is not None:
        _repeat(app, "people", settings.directory.sync_minutes * _MINUTE, look_at_people)
    Consumer(queue, workers=concurrency, periodic=False, initial_delay=0.05, max_delay=0.25).run()
    if finish_within and not crew.finish(finish_within):
        log.warning("what is in hand has not ended within %s s: others will do it again", finish_within)
    with app.app_context():
        _once("farewell", lambda: say_farewell(name))


def beat(name: str, concurrency: int) -> None:
    """Say that this worker lives; forget workers that have been silent for an hour."""
    begin_writing()
    now = utc_now()
    worker = session().get(Worker, name) or Worker(name=name, started_at=now)
    worker.host, worker.concurrency, worker.beat_at = this_host(), concurrency, now
    session().add(worker)
    session().execute(delete(Worker).where(Worker.beat_at < now - _FORGET_WORKER))
    session().commit()


def sweep(call: Callable[[], None], take_over: Callable[[str], None]) -> None:
    """Do without messages what they should have told: one may have been lost, or a worker has died.

    `call` wakes a hand of this worker if something waits. Runs of this host that nobody watches, and
    commands that were cancelled while they waited, are handed to `take_over`, each in a thread of its
    own: they take no place.
    """
    clock = lease_clock(session())
    for owner in _dead_owners():
        begin_writing()
        release_commands(session(), owner, clock)
        session().commit()
    left = commands_left_here(session(), this_host(), clock)
    for command_id in (*left, *cancelled_commands(session(), clock)):
        threading.Thread(target=take_over, args=(command_id,), name="take-over", daemon=True).start()
    if commands_to_look_at(session(), clock):
        call()


def look_at_swarm() -> None:
    """Correct the health of all deployments, find orphans, and note what the nodes have."""
    with engine(context().settings.docker_host) as client:
        sweep_swarm(session(), begin_writing, client)


def deliver_notices() -> None:
    """Send the webhooks and mails that are due."""
    settings = context().settings
    poster = Poster(read_networks(settings.notice_networks), settings.ca_bundle)
    mailer = Mailer(
        settings.smtp_url,
        settings.mail_from,
        settings.smtp_password_file,
        settings.ca_bundle,
        settings.public_url,
    )
    deliver_due(session(), begin_writing, Transports(poster, mailer, context().sealer))


def look_at_budgets() -> None:
    """See which budgets are used up: who is told, and what is stopped."""
    watch_budgets(session(), begin_writing, context().sealer, context().notify)


def sum_up_usage() -> None:
    """Add new usage to the sums of what is spent: launches are checked by them."""
    add_new(session(), begin_writing)


def look_at_payments() -> None:
    """Ask the gateways about payments and refunds that are under way."""
    settings = context().settings
    gateways = gateways_of(settings.payments)
    carry_out_orders(session(), begin_writing, gateways, settings.public_url)


def look_at_sources() -> None:
    """See whether fetched configurations have changed; each is looked at once a minute."""
    refresh_sources(session(), begin_writing, context().settings)


def look_at_people() -> None:
    """See who of the directory is still there, and what has changed about them."""
    directory = context().settings.directory
    if directory is not None:
        sync_people(session(), begin_writing, Door(LdapDirectory(directory), directory))


def look_at_usage(name: str) -> None:
    """Meter what the swarm uses, if that is due and no other worker does it."""
    meter_usage(session(), begin_writing, context().settings, name, take_records)


def tidy_up() -> None:
    """Remove the folders of old runs, old messages, and what fetches have left that were cut off."""
    settings = context().settings
    old = find_old_runs(session(), settings)
    session().rollback()
    remove_folders(old)
    begin_writing()
    forget_notices(session(), utc_now() - _KEEP_NOTICES)
    session().commit()
    remove_leftovers(settings, time.time() - _HOUR)
    if old:
        log.info("the folders of %s old runs were removed", len(old))


def say_farewell(name: str) -> None:
    """Let another worker of this host go on with what this one leaves, at once."""
    begin_writing()
    release_commands(session(), name, lease_clock(session()))
    release_meter_runs(session(), name, utc_now)
    session().execute(delete(Worker).where(Worker.name == name))
    session().commit()


def _dead_owners() -> list[str]:
    """The workers of this host that hold commands and whose process is gone."""
    mine = f"{socket.gethostname()[:40]}:"
    unfinished = Command.state.in_((State.INITIATED, State.PENDING))
    owners = session().scalars(
        select(Command.lease_owner)
        .where(unfinished, Command.lease_owner.startswith(mine, autoescape=True))
        .distinct()
    )
    return [owner for owner in owners if owner and not psutil.pid_exists(int(owner.rpartition(":")[2]))]


def _repeat(app: Flask, name: str, seconds: float, job: Callable[[], None]) -> None:
    """Run `job` now and every `seconds` s in a thread of its own, as long as the process lives."""
    pause = threading.Event()

    def loop() -> None:
        while True:
            with app.app_context():
                _once(name, job)
            pause.wait(seconds)

    threading.Thread(target=loop, name=name, daemon=True).start()


def _once(name: str, job: Callable[[], None]) -> None:
    """Run `job`; whatever goes wrong is said, and it is tried again at its next turn."""
    try:
        job()
    except (Conflict, Unavailable, OperationalError) as error:
        log.warning("%s: %s", name, error)
    except Exception:
        # A thread that ended by a fault would be missed by nobody until it is too late.
        log.exception("%s met an unexpected error", name)
    finally:
        db.session.remove()
