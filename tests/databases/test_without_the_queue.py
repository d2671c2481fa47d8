"""The console while Redis is away: the row is the truth, so nothing is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from labyard.accounts.keys import create_key
from labyard.app import create_app
from labyard.context import session
from labyard.models import Command, User, db
from labyard.models.base import begin_writing
from labyard.runs.claim import commands_to_look_at
from labyard.settings import Settings
from tests.conftest import free_port


@pytest.fixture
def lonely(console: APIFlask, settings: Settings) -> Iterator[APIFlask]:
    """The console with a Redis at whose address nothing listens."""
    del console  # it has made the tables
    app = create_app(replace(settings, queue_url=f"redis://127.0.0.1:{free_port()}/0"), TESTING=True)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_command_when_redis_is_away_then_is_accepted_and_waits_for_the_sweep(
    lonely: APIFlask, caplog: pytest.LogCaptureFixture
) -> None:
    with lonely.app_context():
        begin_writing()
        key = create_key(session(), session().scalars(select(User)).one(), "test")
        session().commit()
        db.session.remove()
    answer = lonely.test_client().post(
        "/api/v1/commands",
        json={"plan": "notebook", "phase": "install", "name": "demo", "params": {}},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 202, answer.text
    command_id = answer.get_json()["id"]
    assert f"no worker was told of command {command_id}" in caplog.text
    with lonely.app_context():
        assert session().get_one(Command, command_id)
        assert commands_to_look_at(session()) == [command_id]
        db.session.remove()


def test_readiness_when_redis_is_away_then_names_the_queue(lonely: APIFlask) -> None:
    answer = lonely.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["parts"]["queue"].startswith("does not answer")
