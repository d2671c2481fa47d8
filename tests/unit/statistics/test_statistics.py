"""Figures for Prometheus."""

from __future__ import annotations

from datetime import timedelta

import pytest
from apiflask import APIFlask

from labyard.clock import utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Notice, Orphan, Run, Worker
from labyard.models.base import begin_writing
from labyard.statistics import prometheus_text
from tests.unit.conftest import make_person


def figures() -> dict[str, float]:
    """Name and labels to value."""
    lines = [line for line in prometheus_text(session()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
def _busy_console(app: APIFlask) -> None:
    person = make_person()
    begin_writing()
    old, new = (
        submit_command(
            session(), person, CommandRequest("install", plan="notebook", name=name), context().sealer
        )
        for name in ("old", "new")
    )
    old.created_at = utc_now() - timedelta(seconds=90)
    new.created_at = utc_now()
    now = utc_now()
    for fence, (ended, status) in enumerate(
        [(None, ""), (now, "successful"), (now, "successful"), (now, "failed"), (now, "")]
    ):
        session().add(
            Run(command=old, fence=fence, folder="f", started_at=now, ended_at=ended, status=status)
        )
    for channel, sent, due in (
        ("webhook", now, None),
        ("webhook", None, now),
        ("webhook", None, None),
        ("mail", None, now),
    ):
        about = {"user_id": person.id, "event": "command.completed"}
        notice = Notice(channel=channel, sent_at=sent, **about)
        session().add(notice)
        session().flush()
        notice.next_at = due
    session().add(Orphan(kind="stack", ident="a", confirmed=True))
    session().add(Orphan(kind="stack", ident="b", confirmed=False))
    session().add(Orphan(kind="volume", ident="c", confirmed=True, action="forget"))
    session().add(Worker(name='host"1\\2:7', beat_at=now))
    session().commit()


@pytest.mark.usefixtures("_busy_console")
def test_figures_tell_what_waits_what_failed_and_what_is_orphaned() -> None:
    found = figures()
    assert found['labyard_commands_waiting{seconds="0"}'] == 2
    assert found['labyard_commands_waiting{seconds="60"}'] == 1
    assert found['labyard_commands_waiting{seconds="300"}'] == 0
    assert found['labyard_runs{outcome="running"}'] == 1
    assert found['labyard_runs{outcome="successful"}'] == 2
    assert found['labyard_runs{outcome="failed"}'] == 1
    assert found['labyard_runs{outcome="cut_off"}'] == 1
    assert found['labyard_notices{channel="webhook",state="sent"}'] == 1
    assert found['labyard_notices{channel="webhook",state="waiting"}'] == 1
    assert found['labyard_notices{channel="webhook",state="failed"}'] == 1
    assert found['labyard_notices{channel="mail",state="waiting"}'] == 1
    assert found['labyard_orphans{kind="stack"}'] == 1
    assert found['labyard_orphans{kind="volume"}'] == 0
    assert found['labyard_commands{phase="install",state="INITIATED"}'] == 2


@pytest.mark.usefixtures("_busy_console")
def test_names_are_escaped() -> None:
    assert r'worker="host\"1\\2:7"' in prometheus_text(session())


def test_empty_console_has_figures_too(app: APIFlask) -> None:
    assert figures()['labyard_orphans{kind="stack"}'] == 0
