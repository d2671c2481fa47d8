"""A console that serves real requests, with a person of each role. It has no worker: commands wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from labyard.accounts.keys import create_key
from labyard.accounts.people import create_user
from labyard.app import create_app
from labyard.clock import utc_now
from labyard.context import session
from labyard.models import Worker
from labyard.models.base import begin_writing
from labyard.settings import read_settings
from tests.conftest import RunningConsole, answers, console_environment, free_port, wait_until, write_plans

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Interface:
    """The console and a key for each role."""

    console: RunningConsole
    keys: dict[str, str]

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.console.url

    def headers(self, role: str) -> dict[str, str]:
        """What a request of that role carries; none for "nobody"."""
        return {"Authorization": f"Bearer {self.keys[role]}"} if role in self.keys else {}


@pytest.fixture(scope="session")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interface]:
    """A running console with an admin, a user, a disabled user and an expired key."""
    home = tmp_path_factory.mktemp("interface")
    url = f"http://127.0.0.1:{free_port()}"
    console = RunningConsole(url, home, console_environment(home))
    console.set_up(write_plans(home))
    keys = {**_make_people(console), "admin": console.api_key}
    console.start("web")
    try:
        wait_until(lambda: answers(f"{url}/healthz"), 60, f"{url} answers")
        yield Interface(console, keys)
    finally:
        console.stop("web")


def _make_people(console: RunningConsole) -> dict[str, str]:
    """A key for each role but the admin's."""
    app = create_app(read_settings(console.environment))
    keys = {}
    with app.app_context():
        begin_writing()
        for role in ("user", "disabled", "expired"):
            person = create_user(session(), role, PASSWORD)
            end = utc_now() - timedelta(seconds=1) if role == "expired" else None
            keys[role] = create_key(session(), person, "test", end)
            person.active = role != "disabled"
        # Stands for a worker that lives as long as the tests, so that /readyz finds every part.
        far = utc_now() + timedelta(days=1)
        session().add(Worker(name="test:1", host="test", concurrency=1, started_at=utc_now(), beat_at=far))
        session().commit()
    return keys
