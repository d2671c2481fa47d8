"""What goes wrong ends FAILED with its cause in a sentence, leaves nothing behind, and can be retried."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from tests.conftest import PLAN, RunningConsole, free_port, wait_until
from tests.integration.test_console_rest import objects_of


def make_plan(console: RunningConsole, name: str, **fixed: Any) -> str:
    """A plan of its own with fixed operator's options."""
    plan = {"name": name, "configuration": "labyard.platform.notebook", "fixed": fixed, "visible": False}
    answer = console.call("POST", "plans", plan)
    assert answer.status_code in (200, 201), answer.text
    return name


def install(console: RunningConsole, plan: str, name: str, **params: Any) -> dict[str, Any]:
    """The ended install of a deployment `name`."""
    return console.finish(console.issue(plan=plan, phase="install", name=name, params=params))


def remove(console: RunningConsole, command: dict[str, Any]) -> None:
    ended = console.finish(
        console.issue(deployment=command["deployment"]["id"], phase="remove", params={"keep_data": False})
    )
    assert ended["deployment"]["state"] == 8, ended


def assert_failed_in_words(command: dict[str, Any], *words: str, reason: str = "failed") -> None:
    assert (command["state"], command["reason"]) == (9, reason), command
    assert command["deployment"]["state"] == 9
    for word in words:
        assert word in command["message"], command["message"]
    assert "Traceback" not in command["message"]
    failed = [task for task in command["tasks"] if task["state"] == 9]
    assert [task["error"] for task in failed] == [command["message"]]


def assert_nothing_left(engine: docker.DockerClient, command: dict[str, Any]) -> None:
    left = objects_of(engine, command["deployment"]["id"])
    assert {kind: len(items) for kind, items in left.items()} == dict.fromkeys(left, 0)


def test_missing_image_is_named_and_a_retry_works_once_it_is_there(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    plan = make_plan(console, unique, image_prefix=f"{unique}/none")
    failed = install(console, plan, unique)
    assert_failed_in_words(failed, f"{unique}/none/notebook-minimal", reason="no-capacity")
    assert_nothing_left(engine, failed)
    make_plan(console, unique)  # the operator mends the plan
    retried = console.finish(console.issue(deployment=failed["deployment"]["id"], phase="install"))
    assert retried["state"] == 5, retried
    remove(console, retried)


def test_memory_that_no_node_has_is_refused_at_once(console: RunningConsole, unique: str) -> None:
    params = {"memory_limit": 1024 * 1024}
    refused = console.call(
        "POST", "commands", {"plan": PLAN, "phase": "install", "name": unique, "params": params}
    )
    assert refused.status_code == 422, refused.text
    assert "no node has 1024 GiB; the largest has" in refused.json()["errors"]["memory_limit"]
    assert not console.call("GET", f"deployments?name={unique}").json()["items"]


def test_used_up_port_range_is_said(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    port = free_port()
    plan = make_plan(console, unique, port_range=[port, port])
    first = install(console, plan, f"{unique}-1")
    assert first["state"] == 5, first
    second = install(console, plan, f"{unique}-2")
    assert_failed_in_words(second, f"{port}", reason="no-capacity")
    assert_nothing_left(engine, second)
    remove(console, first)
    retried = console.finish(console.issue(deployment=second["deployment"]["id"], phase="install"))
    assert retried["state"] == 5, retried
    remove(console, retried)


def test_crashing_container_is_explained_by_its_own_last_words(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    failed = install(console, PLAN, unique, pip_packages=[f"{unique}-is-no-package"])
    assert_failed_in_words(failed, f"{unique}-is-no-package")
    assert_nothing_left(engine, failed)
    remove(console, failed)


def test_phase_that_takes_too_long_is_stopped_with_all_it_started(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    command = console.issue(plan=PLAN, phase="install", name=unique, params={})
    console.query("UPDATE commands SET timeout = 1 WHERE id = :id", id=command["id"])
    ended = console.finish(command)
    assert (ended["state"], ended["reason"]) == (9, "timeout"), ended
    assert not processes_of(console, command)
    remove(console, ended)
    assert_nothing_left(engine, ended)


def test_cancelled_command_ends_and_leaves_no_process(console: RunningConsole, unique: str) -> None:
    command = console.issue(plan=PLAN, phase="install", name=unique, params={})
    wait_until(lambda: processes_of(console, command), 60, "the play runs")
    assert console.call("POST", f"commands/{command['id']}/cancel").status_code == 202
    ended = console.finish(command, 60)
    assert (ended["state"], ended["reason"]) == (9, "cancelled"), ended
    assert not processes_of(console, command)
    remove(console, ended)


def test_worker_that_is_killed_loses_nothing(console: RunningConsole, unique: str) -> None:
    command = console.issue(plan=PLAN, phase="install", name=unique, params={})
    wait_until(lambda: processes_of(console, command), 60, "the play runs")
    console.stop("worker", how=signal.SIGKILL)
    console.start("worker")
    ended = console.finish(command, 180)
    assert ended["state"] == 5, ended
    events = console.call("GET", f"commands/{command['id']}/tasks").json()["items"]
    assert all(task["state"] == 5 for task in events)
    remove(console, ended)


def kill_run(console: RunningConsole, command: dict[str, Any]) -> None:
    """Kill every process of the command's run once it has one."""
    for process in wait_until(lambda: processes_of(console, command), 60, "the play runs"):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_run_that_is_killed_is_run_again_by_itself(console: RunningConsole, unique: str) -> None:
    command = console.issue(plan=PLAN, phase="install", name=unique, params={})
    kill_run(console, command)
    ended = console.finish(command, 180)
    assert (ended["state"], ended["attempts"]) == (5, 2), ended
    remove(console, ended)


def test_run_that_is_killed_twice_ends_failed_and_can_be_retried(
    console: RunningConsole, unique: str
) -> None:
    command = console.issue(plan=PLAN, phase="install", name=unique, params={})
    kill_run(console, command)
    wait_until(
        lambda: console.call("GET", f"commands/{command['id']}").json()["attempts"] == 2, 60, "it runs again"
    )
    kill_run(console, command)
    ended = console.finish(command, 60)
    assert (ended["state"], ended["reason"]) == (9, "lost"), ended
    assert not processes_of(console, command)
    again = console.call("POST", f"commands/{command['id']}/retry")
    assert again.status_code == 202, again.text
    retried = console.finish(again.json())
    assert (retried["state"], retried["retry_of"]) == (5, command["id"]), retried
    remove(console, retried)


def test_update_says_what_it_would_change_before_it_changes_it(console: RunningConsole, unique: str) -> None:
    installed = install(console, PLAN, unique)
    assert installed["state"] == 5, installed
    deployment = installed["deployment"]["id"]
    params = {"environment": {"COLOUR": "green"}}
    before = console.call("GET", f"deployments/{deployment}").json()
    asked = console.finish(console.issue(deployment=deployment, phase="update", params=params, check=True))
    assert (asked["state"], asked["check"]) == (5, True), asked
    assert any("green" in part["after"] for part in asked["difference"]), asked["difference"]
    assert not any("green" in part["before"] for part in asked["difference"])
    after = console.call("GET", f"deployments/{deployment}").json()
    assert (after["params"], after["state"]) == (before["params"], before["state"])
    done = console.finish(console.issue(deployment=deployment, phase="update", params=params))
    assert done["state"] == 5, done
    assert any("green" in part["after"] for part in done["difference"]), done["difference"]
    remove(console, done)


def test_engine_that_does_not_answer_is_said(
    engine: docker.DockerClient, console: RunningConsole, unique: str, tmp_path: Path
) -> None:
    worker_environment = dict(console.environment)
    console.stop("worker")
    console.environment["DOCKER_HOST"] = f"unix://{tmp_path}/none.sock"
    try:
        console.start("worker")
        failed = install(console, PLAN, unique)
    finally:
        console.stop("worker")
        console.environment.clear()
        console.environment.update(worker_environment)
        console.start("worker")
    assert_failed_in_words(failed, "Docker")
    retried = console.finish(console.issue(deployment=failed["deployment"]["id"], phase="install"))
    assert retried["state"] == 5, retried
    remove(console, retried)


@pytest.mark.parametrize("phase", ["install", "remove"])
def test_token_is_nowhere_to_be_read(console: RunningConsole, unique: str, phase: str) -> None:
    ended = install(console, PLAN, unique)
    assert ended["state"] == 5, ended
    deployment_id = ended["deployment"]["id"]
    token = console.call("POST", f"deployments/{deployment_id}/access").json()["token"]
    if phase == "remove":
        remove(console, ended)
    for path in console.home.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
    for process in psutil.process_iter(["cmdline"]):
        assert token not in " ".join(process.info["cmdline"] or ())
    for where in ("commands", "deployments?removed=true", f"commands/{ended['id']}/events"):
        assert token not in console.call("GET", where).text
    if phase == "install":
        remove(console, ended)


def processes_of(console: RunningConsole, command: dict[str, Any]) -> list[psutil.Process]:
    """The processes of the command's runs, known by the run's folder on their command line."""
    mark = str(console.home / "runs" / command["id"])
    return [p for p in psutil.process_iter(["cmdline"]) if mark in " ".join(p.info["cmdline"] or ())]
