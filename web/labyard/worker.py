"""The worker: serves the queue, and looks after what no message tells it."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from huey.consumer import Consumer
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from .clock import utc_now
from .context import context, session
from .deployments.reconcile import reconcile
from .deployments.swarm import engine, read_services
from .errors import Unavailable
from .execution import see_through
from .jobs import register_job, sender
from .models import Worker, db
from .models.base import begin_writing
from .queueing import open_queue
from .runs.claim import commands_to_look_at

log = logging.getLogger(__name__)

_FORGET_WORKER = timedelta(hours=1)


def worker_name() -> str:
    """This process, as it signs its claims."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def run_worker(app: Flask, concurrency: int) -> None:
    """Serve the queue, `concurrency` commands at a time, until the process is told to end."""
    settings = context(app).settings
    queue = open_queue(settings)
    name = worker_name()

    def look_at(command_id: str) -> None:
        with app.app_context():
            see_through(command_id, name)

    register_job(queue, look_at)
    send = sender(open_queue(settings))
    _repeat(app, "beat", 10, lambda: beat(name))
    _repeat(app, "sweep", 5, lambda: sweep(send))
    _repeat(app, "reconcile", 15, look_at_swarm)
    Consumer(queue, workers=concurrency, periodic=False, initial_delay=0.05, max_delay=0.25).run()


def beat(name: str) -> None:
    """Say that this worker lives; forget workers that have been silent for an hour."""
    begin_writing()
    now = utc_now()
    worker = session().get(Worker, name)
    if worker is None:
        session().add(Worker(name=name, started_at=now, beat_at=now))
    else:
        worker.beat_at = now
    session().execute(delete(Worker).where(Worker.beat_at < now - _FORGET_WORKER))
    session().commit()


def sweep(send: Callable[[str], None]) -> None:
    """Send again what waits: a message may have been lost, or a worker has died."""
    for command_id in commands_to_look_at(session()):
        send(command_id)


def look_at_swarm() -> None:
    """Correct the health of all deployments."""
    with engine(context().settings.docker_host) as client:
        seen = read_services(client)
    begin_writing()
    reconcile(session(), seen)
    session().commit()


def _repeat(app: Flask, name: str, seconds: float, job: Callable[[], None]) -> None:
    """Run `job` now and every `seconds` s in a thread of its own, as long as the process lives."""
    pause = threading.Event()

    def loop() -> None:
        while True:
            with app.app_context():
                try:
                    job()
                except (Unavailable, OperationalError) as error:
                    log.warning("%s: %s", name, error)
                finally:
                    db.session.rollback()
            pause.wait(seconds)

    threading.Thread(target=loop, name=name, daemon=True).start()
