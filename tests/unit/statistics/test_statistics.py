"""Figures for Prometheus."""

from __future__ import annotations

from datetime import timedelta

import pytest
from apiflask import APIFlask

from labyard.clock import utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Command, Node, Notice, Orphan, Run, State, Worker
from labyard.models.base import begin_writing
from labyard.statistics import prometheus_text
from tests.unit.conftest import end_command, make_person


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


def ended_command(name: str, seconds: float, state: State = State.COMPLETED, **columns: object) -> Command:
    """An install that has ended so many seconds after it was asked for, five minutes ago."""
    command = submit_command(
        session(),
        session().merge(make_person(name)),
        CommandRequest("install", plan="notebook", name=name),
        context().sealer,
    )
    command.created_at = utc_now() - timedelta(minutes=5)
    command.finished_at = command.created_at + timedelta(seconds=seconds)
    end_command(command, state)
    for column, value in columns.items():
        setattr(command, column, value)
    session().commit()
    return command


def test_recent_commands_when_ended_then_counted_and_timed_by_phase(app: APIFlask) -> None:
    for place, seconds in enumerate((10, 40, 20, 30)):
        ended_command(f"p{place}", seconds)
    ended_command("late", 600, State.FAILED, reason="timeout")
    ended_command("stopped", 1, State.FAILED, reason="cancelled")
    ended_command("asked", 500, check_only=True)
    ended_command("old", 500, created_at=utc_now() - timedelta(hours=1))
    found = figures()
    assert found['labyard_recent_commands{phase="install",outcome="completed"}'] == 4
    assert found['labyard_recent_commands{phase="install",outcome="timeout"}'] == 1
    assert found['labyard_recent_commands{phase="install",outcome="cancelled"}'] == 1
    assert found['labyard_recent_commands{phase="start",outcome="failed"}'] == 0
    assert found['labyard_recent_command_seconds{phase="install",quantile="0.5"}'] == 20
    assert found['labyard_recent_command_seconds{phase="install",quantile="0.95"}'] == 40
    assert found['labyard_recent_command_seconds{phase="install",quantile="1"}'] == 40


@pytest.mark.usefixtures("_busy_console")
def test_queue_age_when_the_issuer_may_have_no_more_then_nobody_is_late() -> None:
    assert figures()["labyard_queue_age_seconds"] == pytest.approx(90, abs=60)
    running = session().query(Command).order_by(Command.created_at.desc()).first()
    assert running is not None
    running.state = State.PENDING
    session().commit()
    text = prometheus_text(session(), command_limit=1)
    assert "\nlabyard_queue_age_seconds 0.0\n" in text


def test_nodes_when_one_is_down_and_one_drained_then_that_is_told(app: APIFlask) -> None:
    seen = utc_now() - timedelta(seconds=20)
    for ident, columns in {
        "a": {"state": "ready", "availability": "active", "manager": "leader"},
        "b": {"state": "down", "availability": "active"},
        "c": {"state": "ready", "availability": "drain", "manager": "unreachable"},
    }.items():
        session().add(Node(id=ident, hostname=f"node-{ident}", seen_at=seen, **columns))
    session().commit()
    found = figures()
    assert found['labyard_node_up{node="node-a",role="manager"}'] == 1
    assert found['labyard_node_up{node="node-b",role="worker"}'] == 0
    assert found['labyard_node_up{node="node-c",role="manager"}'] == 0
    assert found['labyard_node_active{node="node-c",role="manager"}'] == 0
    assert found["labyard_nodes_age_seconds"] >= 20
