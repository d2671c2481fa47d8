"""swarm_stack within Ansible's process: what a task can ask of a module holds for it too."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from tests.conftest import wait_until
from tests.integration.stack_helpers import (
    DEFAULTS,
    ROOT,
    run_tasks,
    service,
)

pytestmark = pytest.mark.usefixtures("image")

MODULE = "labyard.platform.swarm_stack"
INFO = "labyard.platform.swarm_stack_info"
GROUP = "group/labyard.platform.docker"
NO_ENGINE = "unix:///no/such/socket"
NOWHERE = {"placement": {"constraints": ["node.labels.nowhere == 1"]}}


def task(stack: str, **options: Any) -> dict[str, Any]:
    """A task that deploys one sleeping service."""
    return {MODULE: {**DEFAULTS, "name": stack, "compose": [{"services": {"web": service()}}], **options}}


def hopeless(stack: str) -> dict[str, Any]:
    """A task that waits for a service which no node takes."""
    compose = [{"services": {"web": service(deploy=NOWHERE)}}]
    return task(stack, compose=compose, pending_grace=600, wait_timeout=600)


def processes_of(done: subprocess.CompletedProcess[str]) -> int:
    """How often swarm_stack ran in a process of its own; the play ran with -vvv."""
    return len(re.findall(r"Using module file .*/swarm_stack(?:_info)?\.py", done.stdout))


def services_of(engine: docker.DockerClient, stack: str) -> list[str]:
    return [
        found.name for found in engine.services.list(filters={"label": f"com.docker.stack.namespace={stack}"})
    ]


def results_of(
    folder: Path, tasks: list[dict[str, Any]], *arguments: str, **play: Any
) -> list[dict[str, Any]]:
    """What the tasks return, whether they fail or not; there was one process for each that says so."""
    kept = [{**one, "register": f"result_{n}", "ignore_errors": True} for n, one in enumerate(tasks)]
    names = ", ".join(f"result_{n}" for n in range(len(tasks)))
    copy = {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(folder / "out")}
    write = {"ansible.builtin.copy": copy, "check_mode": False, "diff": False, "environment": {}}
    done = run_tasks(folder, [*kept, write], "-vvv", *arguments, **play)
    assert done.returncode == 0, done.stdout + done.stderr
    apart = sum(bool(one.get("environment") or one.get("async")) for one in tasks)
    assert processes_of(done) == apart
    found: list[dict[str, Any]] = json.loads((folder / "out").read_text())
    return [{key: value for key, value in one.items() if key != "exception"} for one in found]


def test_deploy_when_in_process_then_changed_and_then_not(stack: str, tmp_path: Path) -> None:
    first, second = results_of(tmp_path, [task(stack), task(stack)])
    assert (first["changed"], second["changed"]) == (True, False)
    assert [one["name"] for one in second["services"]] == [f"{stack}_web"]
    assert "diff" not in first


def test_check_and_diff_mode_when_in_process_then_nothing_is_made_and_all_is_said(
    stack: str, tmp_path: Path, engine: docker.DockerClient
) -> None:
    noisy = task(stack, compose=[{"services": {"web": service(privileged=True)}}])
    apart = {**noisy, "environment": {"LABYARD_TEST": "1"}}
    here, there = results_of(tmp_path, [noisy, apart], "--check", "--diff")
    assert here == there
    assert f"service {stack}_web" in here["diff"]["after"]
    assert "privileged" in str(here["warnings"])
    assert services_of(engine, stack) == []


@pytest.mark.parametrize(
    "options",
    [
        {"compose": [{"services": {"web": {"imagee": "x"}}}]},
        {"compose": []},
        {"no_such_option": 1},
        {"wait_timeout": "soon"},
        {"state": "gone"},
        {"docker_host": NO_ENGINE},
        {"docker_host": NO_ENGINE, "docker_url": NO_ENGINE},
    ],
)
def test_failure_when_in_process_then_said_in_the_same_words(options: dict[str, Any], tmp_path: Path) -> None:
    wrong = task("test-no-such-stack", **options)
    here, there = results_of(tmp_path, [wrong, {**wrong, "environment": {"LABYARD_TEST": "1"}}])
    for one in (here, there):
        one.pop("invocation", None)
    assert here == there
    assert here["failed"]


def test_failure_of_a_service_when_in_process_then_carries_its_reasons(stack: str, tmp_path: Path) -> None:
    broken = service(image="labyard-test/no-such-image:1")
    options = {"compose": [{"services": {"web": broken}}], "resolve_image": "never"}
    (failed,) = results_of(tmp_path, [task(stack, **options)])
    assert [reason["cause"] for reason in failed["reasons"]] == ["image_missing"]
    assert failed["msg"].startswith(failed["reasons"][0]["message"].split(";")[0])


def test_environment_of_a_task_then_says_which_engine_and_what_variables_mean(
    stack: str, tmp_path: Path
) -> None:
    lost = {INFO: {"name": stack}, "environment": {"DOCKER_HOST": NO_ENGINE}}
    label = {"web": service(labels={"tag": "${LABYARD_TAG}"})}
    tagged = task(stack, compose=[{"services": label}]) | {"environment": {"LABYARD_TAG": "seven"}}
    failed, planned = results_of(tmp_path, [lost, {**tagged, "check_mode": True, "diff": True}])
    assert NO_ENGINE in failed["msg"]
    assert "seven" in str(planned["diff"])


def test_defaults_of_the_action_group_when_in_process_then_apply(stack: str, tmp_path: Path) -> None:
    asked = [{INFO: {"name": stack}}, task(stack)]
    found = results_of(tmp_path, asked, module_defaults={GROUP: {"docker_host": NO_ENGINE}})
    assert all(NO_ENGINE in one["msg"] for one in found)


def test_no_log_when_in_process_then_nothing_is_shown(stack: str, tmp_path: Path) -> None:
    hidden = task(stack, labels={"word": "quite-confidential"}) | {"no_log": True}
    done = run_tasks(tmp_path, [hidden], "-vvv", "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "quite-confidential" not in done.stdout + done.stderr
    assert processes_of(done) == 0


def test_templates_of_the_answer_when_in_process_then_stay_text(stack: str, tmp_path: Path) -> None:
    mark = "{{ 6 * 7 }}"
    text = {"web": service(labels={"word": mark})}
    deploy = task(stack, compose=[str(tmp_path / "c.yml")]) | {
        "register": "found",
        "diff": True,
        "check_mode": True,
    }
    show = {"ansible.builtin.debug": {"msg": "{{ found.diff }}"}}
    (tmp_path / "c.yml").write_text(json.dumps({"services": text}))
    done = run_tasks(tmp_path, [deploy, show])
    assert done.returncode == 0, done.stdout + done.stderr
    assert mark in done.stdout


def test_loop_and_delegation_when_in_process_then_each_has_its_own_result(
    new_name: Callable[[], str], tmp_path: Path, engine: docker.DockerClient
) -> None:
    stacks = [new_name() for _ in range(3)]
    hosts = [f"{name} ansible_python_interpreter=/no/such/python" for name in stacks]
    here = f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}"
    (tmp_path / "hosts").write_text("\n".join([here, *hosts]))
    mine = {**task("{{ inventory_hostname }}{{ item }}"), "delegate_to": "localhost", "loop": ["", ""]}
    arguments = ("-i", str(tmp_path / "hosts"), "--forks", "3", "-vvv")
    done = run_tasks(tmp_path, [mine], *arguments, hosts="all:!localhost", connection="ssh", vars={})
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_of(done) == 0
    assert "errantly" not in done.stdout + done.stderr
    assert [services_of(engine, name) for name in stacks] == [[f"{name}_web"] for name in stacks]


def test_two_plays_in_one_process_then_the_second_sees_what_the_first_made(
    stack: str, tmp_path: Path
) -> None:
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    check = {"ansible.builtin.assert": {"that": ["again is not changed"]}}
    plays = [
        {**play, "tasks": [task(stack)]},
        {**play, "tasks": [task(stack) | {"register": "again"}, check]},
    ]
    done = playbook(tmp_path, plays).communicate(timeout=120)[0]
    assert "failed=0" in done
    assert "changed=1" in done


def test_async_task_then_runs_as_a_module(stack: str, tmp_path: Path) -> None:
    (found,) = results_of(tmp_path, [{**task(stack), "async": 60, "poll": 1}])
    assert found["changed"]
    assert [one["name"] for one in found["services"]] == [f"{stack}_web"]


def test_other_interpreter_then_runs_as_a_module(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    asked = {INFO: {"name": "test-no-such-stack"}, "vars": {"ansible_python_interpreter": str(other)}}
    done = run_tasks(tmp_path, [asked], "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_of(done) == 1


def test_timeout_of_a_task_when_in_process_then_it_ends_with_the_deployment(
    stack: str, tmp_path: Path, engine: docker.DockerClient
) -> None:
    (failed,) = results_of(tmp_path, [{**hopeless(stack), "timeout": 3}])
    assert "Timed out after 3 second" in failed["msg"]
    assert services_of(engine, stack) == [f"{stack}_web"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_ansible_when_in_process_then_all_processes_end(
    number: signal.Signals, stack: str, tmp_path: Path, engine: docker.DockerClient
) -> None:
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [hopeless(stack)]}
    ansible = playbook(tmp_path, [play])
    wait_until(lambda: services_of(engine, stack), 30, "the service is made")
    family = [psutil.Process(ansible.pid), *psutil.Process(ansible.pid).children(recursive=True)]
    assert len(family) > 1
    ansible.send_signal(number)
    ansible.communicate(timeout=60)
    left = psutil.wait_procs(family, timeout=60)[1]
    assert left == []
    assert ansible.returncode != 0


def playbook(folder: Path, plays: list[dict[str, Any]]) -> subprocess.Popen[str]:
    """Start ansible-playbook with these plays."""
    path = folder / "plays.yml"
    path.write_text(json.dumps(plays))
    program = Path(sys.executable).parent / "ansible-playbook"
    return subprocess.Popen(
        [str(program), "-i", "localhost,", str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
