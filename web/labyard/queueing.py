"""The queue. It carries "look at command N" and nothing else: losing a message loses nothing."""

from __future__ import annotations

from huey import SqliteHuey
from huey.api import Huey

from .settings import Settings


def open_queue(settings: Settings) -> Huey:
    """The queue of these settings, a SQLite file that is made when it is not there."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SqliteHuey("labyard", filename=settings.queue_url, results=False)
