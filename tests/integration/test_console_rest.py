"""The main path by REST and by the command line, on the real swarm."""

from __future__ import annotations

import json
from typing import Any

import docker
import pytest
import requests

from tests.conftest import PLAN, RunningConsole, wait_until
from tests.integration.jupyter import compute, server_status

LABELS = ("labyard.deployment", "labyard.plan", "labyard.project", "labyard.owner")


def get_in(console: RunningConsole, deployment_id: str) -> tuple[str, str]:
    """The base address of the deployment's server and its token."""
    access = console.call("POST", f"deployments/{deployment_id}/access").json()
    return str(access["url"]).removesuffix("/lab"), str(access["token"])


def objects_of(engine: docker.DockerClient, deployment_id: str) -> dict[str, list[dict[str, Any]]]:
    """What the swarm holds of the deployment, by kind."""
    filters = {"label": f"labyard.deployment={deployment_id}"}
    api = engine.api
    return {
        "services": api.services(filters=filters),
        "networks": api.networks(filters=filters),
        "secrets": api.secrets(filters=filters),
        "configs": api.configs(filters=filters),
        "volumes": api.volumes(filters=filters)["Volumes"] or [],
    }


def test_install_gives_a_notebook_that_computes_and_remove_keeps_its_volume(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    body = {"plan": PLAN, "phase": "install", "name": unique, "params": {}}
    answer = console.call("POST", "commands", body)
    assert answer.status_code == 202
    location = answer.headers["Location"]
    assert requests.get(
        console.url + location, headers={"Authorization": f"Bearer {console.api_key}"}, timeout=10
    ).ok

    command = console.finish(answer.json())
    assert (command["state"], command["state_name"], command["reason"]) == (5, "COMPLETED", None), command
    assert all(task["state"] == 5 and task["seconds"] is not None for task in command["tasks"])
    deployment = command["deployment"]
    assert (deployment["state"], deployment["health"]) == (5, "running")

    base, token = get_in(console, deployment["id"])
    assert base == deployment["endpoints"][0]["url"].removesuffix("/lab")
    assert requests.get(f"{base}/api/status", timeout=60).status_code == 403
    assert server_status(base, token).status_code == 200
    assert compute(base, token, "6 * 7") == "42"

    held = objects_of(engine, deployment["id"])
    assert {kind: len(items) for kind, items in held.items()} == {
        "services": 1,
        "networks": 1,
        "secrets": 1,
        "configs": 1,
        "volumes": 1,
    }
    for label in LABELS:
        assert label in held["services"][0]["Spec"]["Labels"]
        assert label in held["networks"][0]["Labels"]
        assert label in held["secrets"][0]["Spec"]["Labels"]
        assert label in held["volumes"][0]["Labels"]
    assert held["services"][0]["Spec"]["Name"].startswith(f"{PLAN}-{deployment['id']}")

    removed = console.finish(console.issue(deployment=deployment["id"], phase="remove", params={}))
    assert (removed["state"], removed["deployment"]["state"]) == (5, 8), removed
    left = {kind: len(items) for kind, items in objects_of(engine, deployment["id"]).items()}
    assert left == {"services": 0, "networks": 0, "secrets": 0, "configs": 0, "volumes": 1}


def shapes_of(engine: docker.DockerClient, deployment_id: str, state: str) -> set[str]:
    """The shapes that the tasks in that state say they have, those that ended too."""
    (service,) = engine.services.list(filters={"label": f"labyard.deployment={deployment_id}"})
    found = [task for task in service.tasks() if task["Status"]["State"] == state]
    return {task["Spec"]["ContainerSpec"]["Labels"]["labyard.shape"] for task in found}


def test_life_of_a_deployment_shows_in_its_health(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    installed = console.finish(console.issue(plan=PLAN, phase="install", name=unique, params={}))
    assert installed["state"] == 5, installed
    deployment_id = installed["deployment"]["id"]
    base, token = get_in(console, deployment_id)

    stopped = console.finish(console.issue(deployment=deployment_id, phase="stop"))
    assert (stopped["state"], stopped["deployment"]["health"]) == (5, "stopped")
    started = console.finish(console.issue(deployment=deployment_id, phase="start"))
    assert (started["state"], started["deployment"]["health"]) == (5, "running"), started
    assert server_status(base, token).status_code == 200

    assert shapes_of(engine, deployment_id, "running") == {"medium"}

    small = {"cpu_limit": 0.5, "memory_limit": 512}
    scaled = console.finish(console.issue(deployment=deployment_id, phase="scale", params=small))
    assert scaled["state"] == 5, scaled
    assert shapes_of(engine, deployment_id, "running") == {"small"}
    assert "medium" in shapes_of(engine, deployment_id, "shutdown"), "what has ended is billed as it was"
    updated = console.finish(
        console.issue(deployment=deployment_id, phase="update", params={"environment": {"COLOUR": "red"}})
    )
    assert updated["state"] == 5, updated
    assert get_in(console, deployment_id) == (base, token)
    assert compute(base, token, "import os; os.environ['COLOUR']") == "'red'"
    seen = console.call("GET", f"deployments/{deployment_id}").json()
    assert seen["params"]["cpu_limit"] == 0.5

    checked = console.finish(console.issue(deployment=deployment_id, phase="check"))
    assert checked["state"] == 5, checked
    gone = console.finish(
        console.issue(deployment=deployment_id, phase="remove", params={"keep_data": False})
    )
    assert gone["deployment"]["state"] == 8, gone


def test_health_follows_what_happens_on_the_swarm(
    console: RunningConsole, engine: docker.DockerClient, unique: str
) -> None:
    installed = console.finish(console.issue(plan=PLAN, phase="install", name=unique, params={}))
    assert installed["state"] == 5, installed
    deployment_id = installed["deployment"]["id"]
    for service in engine.services.list(filters={"label": f"labyard.deployment={deployment_id}"}):
        service.remove()

    def health() -> bool:
        return bool(console.call("GET", f"deployments/{deployment_id}").json()["health"] == "missing")

    wait_until(health, 60, "health is missing")
    again = console.finish(console.issue(deployment=deployment_id, phase="install"))
    assert (again["state"], again["deployment"]["health"]) == (5, "running"), again
    removed = console.finish(console.issue(deployment=deployment_id, phase="remove"))
    assert removed["deployment"]["state"] == 8


def test_command_line_deploys_and_deletes(console: RunningConsole, unique: str) -> None:
    assert PLAN in console.labyard("listservices").stdout
    assert "cpu_limit" in console.labyard("listservices", PLAN).stdout
    done = console.labyard(
        "deployservice", "--service", PLAN, "--name", unique, "-p", "cpu_limit=0.5", "--wait", "--json"
    )
    command = json.loads(done.stdout)
    assert (command["state"], command["params"]["cpu_limit"]) == (5, 0.5)
    shown = json.loads(console.labyard("access", unique, "--json").stdout)
    assert compute(shown["url"].removesuffix("/lab"), shown["token"], "print('hello')") == "hello\n"
    assert unique in console.labyard("listservices", "--deployments").stdout
    gone = console.labyard("deleteservice", "--service", PLAN, "--name", unique, "--wait", "--delete-data")
    assert "COMPLETED" in gone.stdout


def test_command_line_refuses_in_the_words_of_the_console(console: RunningConsole, unique: str) -> None:
    params = {"cpu_limit": "much", "colour": "red", "memory_limit": 1}
    told = console.call(
        "POST", "commands", {"plan": PLAN, "phase": "install", "name": unique, "params": params}
    )
    assert told.status_code == 422
    refused = console.labyard(
        "deployservice",
        "--service",
        PLAN,
        "--name",
        unique,
        "--params",
        json.dumps(params),
        check=False,
    )
    assert refused.returncode == 2
    for field, words in told.json()["errors"].items():
        assert f"{field}: {words}" in refused.stderr


# More than one person may have under way at once, in the short form too.
@pytest.mark.parametrize("count", [5, pytest.param(10, marks=pytest.mark.long)])
def test_many_notebooks_at_once_all_complete(console: RunningConsole, unique: str, count: int) -> None:
    issued = [
        console.issue(plan=PLAN, phase="install", name=f"{unique}-{n}", params={"memory_limit": 512})
        for n in range(count)
    ]
    ended = [console.finish(command, 400) for command in issued]
    assert [c["state"] for c in ended] == [5] * count, [c["message"] for c in ended]
    urls = {c["deployment"]["endpoints"][0]["url"] for c in ended}
    assert len(urls) == count
    removals = [console.issue(deployment=c["deployment"]["id"], phase="remove") for c in ended]
    assert [console.finish(r, 400)["deployment"]["state"] for r in removals] == [8] * count


def read_stream(
    console: RunningConsole, command_id: str, after: int | None = None
) -> list[tuple[str, int, Any]]:
    """All messages of a command's stream: kind, id (0 for none), data."""
    headers = {"Authorization": f"Bearer {console.api_key}", "Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    url = f"{console.url}/api/v1/commands/{command_id}/events"
    messages, fields = [], {}
    with requests.get(url, headers=headers, stream=True, timeout=120) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for line in answer.iter_lines(decode_unicode=True):
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                messages.append((fields["event"], int(fields.get("id", 0)), json.loads(fields["data"])))
                fields = {}
    return messages


def test_stream_tells_the_whole_story_and_resumes(console: RunningConsole, unique: str) -> None:
    installed = console.issue(plan=PLAN, phase="install", name=unique, params={})
    stream = read_stream(console, installed["id"])
    assert stream[-1][0] == "end"
    assert [data for kind, _, data in stream if kind == "command"][-1]["state"] == 5
    ids = [number for kind, number, _ in stream if kind == "log"]
    assert ids == sorted(set(ids))
    middle = ids[len(ids) // 2]
    resumed = [number for kind, number, _ in read_stream(console, installed["id"], middle) if kind == "log"]
    assert resumed == [number for number in ids if number > middle]
    console.finish(console.issue(deployment=installed["deployment"]["id"], phase="remove"))
