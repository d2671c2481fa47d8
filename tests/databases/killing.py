"""A process that is killed (SIGKILL) at a chosen point of what it does in the database."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

from apiflask import APIFlask
from sqlalchemy import event

from labyard.models import db


def do_and_be_killed(app: APIFlask, job: Callable[[], Any], step: int) -> bool:
    """Do `job` in a process of its own that is killed when it comes to its `step`-th step; whether it was.

    Steps are statements, and what comes right before and right after a commit.
    """
    db.session.remove()
    with warnings.catch_warnings():
        # Newer Pythons warn of threads, of which none does anything here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            with app.app_context():
                db.engine.dispose(close=False)  # these connections are the parent's
                _die_at(step)
                job()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _die_at(step: int) -> None:
    left = step

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(db.engine, "before_cursor_execute", count)
    event.listen(db.engine, "commit", count)
    event.listen(db.session, "after_commit", count)
