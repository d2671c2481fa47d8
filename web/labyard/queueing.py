"""The queue. It carries "look at command N" and nothing else: losing a message loses nothing."""

from __future__ import annotations

from huey import SqliteHuey
from huey.api import Huey

from .settings import Settings


def open_queue(settings: Settings) -> Huey:
    """The queue of these settings: a SQLite file, or Redis for a redis:// address."""
    if settings.queue_url.startswith(("redis://", "rediss://", "unix://")):
        from huey import RedisHuey  # needs the redis package, which one machine does without

        return RedisHuey("labyard", url=settings.queue_url, results=False)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SqliteHuey("labyard", filename=settings.queue_url, results=False)
