"""The modules that drive a console, in plays against a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.labyard.platform.plugins.modules import (
    service_deployment,
    service_deployment_info,
    service_plan,
)
from tests.conftest import RunningConsole
from tests.integration.conftest import CHEAP_PLAN
from tests.integration.stack_helpers import run_tasks
from tests.services.cheap_collection import NAME

DEPLOYMENT = "labyard.platform.service_deployment"
INFO = "labyard.platform.service_deployment_info"
PLAN = "labyard.platform.service_plan"

Play = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def play(cheap_console: RunningConsole, tmp_path: Path) -> Play:
    """Runs tasks with the console of the action group; the result of each, in order."""

    def run(*tasks: dict[str, Any], arguments: tuple[str, ...] = (), fails: bool = False) -> Any:
        steps = []
        for number, task in enumerate(tasks):
            steps += [{**task, "register": f"done_{number}", "ignore_errors": fails}]
        where = tmp_path / "results.json"
        names = ", ".join(f"done_{number}" for number in range(len(tasks)))
        steps.append(
            {
                "ansible.builtin.copy": {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(where)},
                "check_mode": False,
                "diff": False,
            }
        )
        connection = {"url": cheap_console.url, "api_key": cheap_console.api_key}
        done = run_tasks(
            tmp_path, steps, *arguments, module_defaults={"group/labyard.platform.console": connection}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert cheap_console.api_key not in done.stdout + done.stderr
        run.printed = done.stdout
        return json.loads(where.read_text(encoding="utf-8"))

    return run


def deployment(name: str, **options: Any) -> dict[str, Any]:
    return {DEPLOYMENT: {"name": name, "plan": CHEAP_PLAN, **options}}


def commands_of(console: RunningConsole, ident: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = console.call("GET", f"commands?deployment={ident}&sort=created_at").json()[
        "items"
    ]
    return found


def test_deployment_when_wanted_in_each_state_then_it_gets_there_and_a_second_time_changes_nothing(
    play: Play, cheap_console: RunningConsole, unique: str
) -> None:
    states = [
        ({"state": "present", "params": {"words": "one"}}, ["install"], "running"),
        ({"state": "stopped"}, ["stop"], "stopped"),
        ({"state": "present", "params": {"words": "two", "size": "3"}}, ["update", "scale"], "running"),
        ({"state": "started", "params": {"size": 3, "settings": {"a": 1}}}, ["update"], "running"),
        ({"state": "absent"}, ["remove"], None),
    ]
    tasks = [deployment(unique, **options) for options, _, _ in states for _ in range(2)]
    results = play(*tasks)
    for position, (_, phases, health) in enumerate(states):
        first, second = results[2 * position], results[2 * position + 1]
        assert (first["changed"], first["phases"]) == (True, phases)
        assert [c["state_name"] for c in first["commands"]] == ["COMPLETED"] * len(phases)
        assert (second["changed"], second["phases"], second["commands"]) == (False, [], [])
        assert (first["deployment"] or {}).get("health") == health
    changed = results[6]["deployment"]
    assert changed["params"]["words"] == "two"
    assert changed["params"]["size"] == 3
    assert len(commands_of(cheap_console, changed["id"])) == 6


def test_deployment_when_in_check_mode_then_it_says_what_would_be_done_and_does_nothing(
    play: Play, cheap_console: RunningConsole, unique: str
) -> None:
    (new,) = play(deployment(unique, params={"words": "one"}), arguments=("--check", "--diff"))
    assert (new["changed"], new["phases"], new["deployment"]) == (True, ["install"], None)
    assert new["diff"]["before"] == {"state": "absent"}
    assert new["diff"]["after"]["params"]["words"] == "one"
    assert new["diff"]["after"]["params"]["size"] == 1
    assert cheap_console.call("GET", f"deployments?name={unique}").json()["items"] == []

    wanted = {"state": "stopped", "params": {"settings": {"DB_PASSWORD": "hush-hush", "a": "b"}}}
    play(deployment(unique))
    (change,) = play(deployment(unique, **wanted), arguments=("--check", "--diff"))
    assert (change["changed"], change["phases"]) == (True, ["update", "stop"])
    assert change["diff"]["after"]["params"]["settings"] == {"DB_PASSWORD": "VALUE_HIDDEN", "a": "b"}
    assert change["diff"]["after"]["health"] == "stopped"
    (live,) = cheap_console.call("GET", f"deployments?name={unique}").json()["items"]
    assert (live["params"]["settings"], live["health"]) == ({}, "running")


def test_deployment_when_the_same_play_runs_twice_at_once_then_one_is_made(
    play: Play, cheap_console: RunningConsole, unique: str, tmp_path: Path
) -> None:
    task = {
        DEPLOYMENT: {
            **deployment(unique, params={"seconds": 2})[DEPLOYMENT],
            "url": cheap_console.url,
            "api_key": cheap_console.api_key,
        }
    }
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        plays = list(pool.map(lambda folder: run_tasks(folder, [task]), folders))
    assert [done.returncode for done in plays] == [0, 0], plays[0].stdout + plays[1].stdout
    (made,) = cheap_console.call("GET", f"deployments?name={unique}&removed=true").json()["items"]
    assert [c["phase"] for c in commands_of(cheap_console, made["id"])] == ["install"]


def test_deployment_when_made_again_after_its_removal_then_it_is_a_new_one(play: Play, unique: str) -> None:
    first, _, second = play(deployment(unique), deployment(unique, state="absent"), deployment(unique))
    assert second["changed"]
    assert second["deployment"]["id"] != first["deployment"]["id"]


def test_deployment_when_it_is_for_somebody_else_then_it_is_theirs_and_a_second_time_changes_nothing(
    play: Play, cheap_console: RunningConsole, unique: str
) -> None:
    person = {"username": unique, "password": "a long password 1", "projects": ["default"]}
    assert cheap_console.call("POST", "users", person).status_code == 201
    first, second, stopped = play(
        deployment(unique, owner=unique),
        deployment(unique, owner=unique),
        deployment(unique, owner=unique, state="stopped"),
    )
    assert (first["deployment"]["owner"], first["commands"][0]["issuer"]) == (unique, "admin")
    assert (second["changed"], stopped["phases"]) == (False, ["stop"])


def test_deployment_when_a_command_runs_on_it_then_the_task_waits_and_then_acts(
    play: Play, cheap_console: RunningConsole, unique: str
) -> None:
    slow, change = play(
        deployment(unique, params={"seconds": 3}, wait=False),
        deployment(unique, params={"words": "after"}),
    )
    assert slow["deployment"]["state_name"] in ("INITIATED", "PENDING")
    assert change["phases"] == ["update"]
    done = commands_of(cheap_console, change["deployment"]["id"])
    assert [c["phase"] for c in done] == ["install", "update"]
    assert done[1]["created_at"] >= done[0]["finished_at"]


def test_deployment_when_it_takes_longer_than_it_may_then_the_task_fails_and_the_command_goes_on(
    play: Play, cheap_console: RunningConsole, unique: str
) -> None:
    (late,) = play(deployment(unique, params={"seconds": 4}, wait_timeout=1), fails=True)
    assert late["failed"]
    assert "goes on" in late["msg"]
    (live,) = cheap_console.call("GET", f"deployments?name={unique}").json()["items"]
    assert cheap_console.finish(commands_of(cheap_console, live["id"])[0])["state_name"] == "COMPLETED"


def test_deployment_when_a_phase_fails_then_the_task_says_so_and_a_further_run_mends_it(
    play: Play, unique: str
) -> None:
    failed, mended = play(
        deployment(unique, params={"fails": True}), deployment(unique, params={"fails": False}), fails=True
    )
    assert failed["failed"]
    assert failed["msg"].startswith(f"install of {unique} failed: ")
    assert failed["commands"][0]["state_name"] == "FAILED"
    assert failed["deployment"]["state_name"] == "FAILED"
    assert (failed["changed"], failed["phases"]) == (True, ["install"])
    assert (mended["phases"], mended["deployment"]["state_name"]) == (["install"], "COMPLETED")


def test_deployment_when_it_cannot_be_then_the_cause_is_said(play: Play, unique: str) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"params": {"wrods": "x"}}, "has no parameter wrods. It has: born, fails"),
        ({"params": {"size": "large"}}, "size: "),
        ({"plan": "no-such-plan"}, "no such plan"),
        ({"project": "elsewhere"}, "project: is not one of your projects"),
        ({"plan": None}, "say in plan what it is to be"),
        ({"name": "-bad"}, "name: must be"),
        ({"url": "http://127.0.0.1:1", "timeout": 2}, "does not answer"),
        ({"url": "labyard.example.org"}, "must begin with http"),
        ({"api_key": "lyk_wrong"}, "key"),
    ]
    results = play(*(deployment(**{"name": unique, **options}) for options, _ in cases), fails=True)
    assert [result["failed"] for result in results] == [True] * len(cases)
    said = [(words, result["msg"]) for (_, words), result in zip(cases, results, strict=True)]
    assert [(words, message) for words, message in said if words not in message] == []


def test_deployment_when_a_parameter_is_for_good_or_the_plan_differs_then_it_is_refused(
    play: Play, unique: str
) -> None:
    _, born, other = play(
        deployment(unique),
        deployment(unique, params={"born": "there"}),
        {DEPLOYMENT: {"name": unique, "plan": "another"}},
        fails=True,
    )
    assert "born cannot be changed" in born["msg"]
    assert f"is a deployment of the plan {CHEAP_PLAN}" in other["msg"]


def test_info_when_asked_with_filters_then_tells_of_those_alone(play: Play, unique: str) -> None:
    *_, by_search, stopped, none = play(
        deployment(f"{unique}-1"),
        deployment(f"{unique}-2", state="stopped"),
        {INFO: {"search": unique}},
        {INFO: {"search": unique, "health": "stopped", "state": "COMPLETED", "plan": CHEAP_PLAN}},
        {INFO: {"name": unique}},
    )
    assert [d["name"] for d in by_search["deployments"]] == [f"{unique}-1", f"{unique}-2"]
    assert [d["name"] for d in stopped["deployments"]] == [f"{unique}-2"]
    assert (none["changed"], none["deployments"]) == (False, [])


def test_plan_when_made_changed_and_retired_then_each_once(play: Play, unique: str) -> None:
    name = f"p{unique}"
    full = {"name": name, "configuration": NAME, "title": "One", "fixed": {"size": 2}}
    results = play(
        {PLAN: full}, {PLAN: full},
        {PLAN: {"name": name, "title": "Two"}}, {PLAN: {"name": name, "title": "Two"}},
        {PLAN: {"name": name, "state": "absent"}}, {PLAN: {"name": name, "state": "absent"}},
        arguments=("--diff",),
    )  # fmt: skip
    assert [result["changed"] for result in results] == [True, False] * 3
    assert (results[2]["plan"]["title"], results[2]["plan"]["fixed"]) == ("Two", {"size": 2})
    assert results[2]["diff"]["before"]["title"] == "One"
    assert results[4]["plan"] is None


def test_plan_when_in_check_mode_then_nothing_is_made(
    play: Play, cheap_console: RunningConsole, unique: str
) -> None:
    name = f"p{unique}"
    (made,) = play({PLAN: {"name": name, "configuration": NAME}}, arguments=("--check", "--diff"))
    assert made["changed"]
    assert made["diff"] == {"before": {}, "after": {"configuration": NAME}}
    assert cheap_console.call("GET", f"plans/{name}").status_code == 404


def examples(unique: str) -> list[dict[str, Any]]:
    """The examples of the three modules, with names and the plan of the tests."""
    names = {"demo": unique, "notebook": CHEAP_PLAN, "small-notebook": f"p{unique}", "ada": "admin"}
    params = {"cpu_limit": "words", "memory_limit": "size"}
    tasks: list[dict[str, Any]] = []
    for module in (service_plan, service_deployment, service_deployment_info):
        for task in yaml.safe_load(module.EXAMPLES):
            options = task.get(f"labyard.platform.{module.__name__.rpartition('.')[2]}")
            if options:
                for key in ("name", "plan", "owner"):
                    options |= {key: names[options[key]]} if key in options else {}
                for key in ("params", "fixed"):
                    options |= (
                        {key: {params[k]: v for k, v in options[key].items()}} if key in options else {}
                    )
                if "shapes" in options:
                    options["shapes"] = {
                        shape: {params[k]: str(v) for k, v in values.items()}
                        for shape, values in options["shapes"].items()
                    }
                options |= {"configuration": NAME} if "configuration" in options else {}
            tasks.append(task)
    return tasks


def test_examples_then_each_runs(cheap_console: RunningConsole, tmp_path: Path, unique: str) -> None:
    connection = {"url": cheap_console.url, "api_key": cheap_console.api_key}
    done = run_tasks(
        tmp_path, examples(unique), module_defaults={"group/labyard.platform.console": connection}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert cheap_console.call("GET", f"deployments?name={unique}").json()["items"] == []


def test_connection_when_it_is_in_the_environment_then_it_is_taken_from_there(
    cheap_console: RunningConsole, tmp_path: Path
) -> None:
    where = {"LABYARD_URL": cheap_console.url, "LABYARD_API_KEY": cheap_console.api_key}
    done = run_tasks(tmp_path, [{INFO: {}}], environment=where)
    assert done.returncode == 0, done.stdout + done.stderr
    bare = run_tasks(tmp_path, [{INFO: {}}], environment={"LABYARD_URL": cheap_console.url})
    assert "set api_key, or the environment variable LABYARD_API_KEY" in bare.stdout
