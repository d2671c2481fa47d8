"""Which folders of runs go, and which stay."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from apiflask import APIFlask

from labyard.clock import utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Command, State
from labyard.models.base import begin_writing
from labyard.runs.retention import find_old_runs, remove_folders
from labyard.settings import Settings
from tests.unit.conftest import make_person


@pytest.fixture
def keeping(app: APIFlask) -> Settings:
    return replace(context().settings, keep_runs_days=14, keep_runs=2)


def make_run(settings: Settings, command: Command, days_ago: int, state: State) -> Path:
    """The folder of a run of `command`, which ended some days ago."""
    command.state = State.PENDING if state != State.INITIATED else command.state
    session().flush()
    command.state = state
    command.created_at = command.finished_at = utc_now() - timedelta(days=days_ago)
    session().commit()
    folder = settings.runs / f"{command.id}-1"
    folder.mkdir(parents=True)
    return folder


def new_command(name: str, deployment: str | None = None) -> Command:
    from labyard.accounts.people import find_user

    person = find_user(session(), "ada") or make_person("ada")
    begin_writing()
    about = {"deployment": deployment} if deployment else {"plan": "notebook", "name": name}
    return submit_command(session(), person, CommandRequest("install", **about), context().sealer)


def test_folders_when_they_are_old_then_go_unless_their_command_runs(keeping: Settings) -> None:
    old = make_run(keeping, new_command("old"), 15, State.COMPLETED)
    make_run(keeping, new_command("young"), 13, State.FAILED)
    make_run(keeping, new_command("runs"), 99, State.PENDING)
    assert find_old_runs(session(), keeping) == [old]


def test_folders_when_a_deployment_has_too_many_then_the_oldest_go(keeping: Settings) -> None:
    first = new_command("one")
    folders = [make_run(keeping, first, 3, State.COMPLETED)]
    for days in (2, 1):
        later = new_command("one", first.deployment_id)
        folders.append(make_run(keeping, later, days, State.COMPLETED))
    assert find_old_runs(session(), keeping) == folders[:1]


def test_folders_when_nobody_knows_their_command_then_go_when_they_are_old(keeping: Settings) -> None:
    for name, days in (("abcdefabcdef-1", 20), ("abcdefabcdeg-1", 1)):
        folder = keeping.runs / name
        folder.mkdir(parents=True)
        then = (utc_now() - timedelta(days=days)).timestamp()
        os.utime(folder, (then, then))
    found = find_old_runs(session(), keeping)
    assert [folder.name for folder in found] == ["abcdefabcdef-1"]
    remove_folders(found)
    assert [folder.name for folder in keeping.runs.iterdir()] == ["abcdefabcdeg-1"]
