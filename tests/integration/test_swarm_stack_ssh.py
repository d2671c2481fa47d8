"""swarm_stack and swarm_stack_info with an engine that is reached over SSH."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import EngineUnreachable
from ansible_collections.labyard.platform.plugins.modules import swarm_stack_info
from tests.integration.ssh_engine import ssh_engine, write_key
from tests.integration.stack_helpers import ensure_image, run_tasks, service, stack_module, stack_names


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder from which the engine can be reached."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def address(engine: docker.DockerClient, home: Path) -> Iterator[str]:
    """The engine's address over SSH."""
    ensure_image(engine)
    with ssh_engine(home) as found:
        yield found


@pytest.fixture(autouse=True)
def at_home(address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, known hosts and the SSH client of that home folder."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def new_name() -> Iterator[Callable[[], str]]:
    """Gives names for stacks that are removed at the end."""
    with stack_names() as make:
        yield make


def look(**options: Any) -> dict[str, Any]:
    """Call swarm_stack_info within this process."""
    given = {**dict.fromkeys(swarm_stack_info.argument_spec()), "use_ssh_client": False, **options}
    return swarm_stack_info.run(given)


@pytest.mark.parametrize("use_ssh_client", [False, True], ids=["paramiko", "program ssh"])
def test_play_over_ssh_then_deployed_seen_and_removed(
    address: str, new_name: Callable[[], str], tmp_path: Path, use_ssh_client: bool
) -> None:
    name = new_name()
    common = {"name": name, "docker_host": address, "use_ssh_client": use_ssh_client}
    document = {"services": {"web": service(deploy={"endpoint_mode": "dnsrr"})}}
    deploy = {"labyard.platform.swarm_stack": {**common, "compose": [document]}}
    tasks = [
        deploy,
        {**deploy, "register": "again"},
        {"labyard.platform.swarm_stack_info": common, "register": "seen"},
        {
            "ansible.builtin.assert": {
                "that": ["again is not changed", "seen.exists", "seen.services[0].running == 1"]
            }
        },
        {"labyard.platform.swarm_stack": {**common, "state": "absent"}},
    ]
    done = run_tasks(tmp_path, tasks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("changed: [localhost]") == 2


def test_failure_over_ssh_then_its_reason_and_log(address: str, new_name: Callable[[], str]) -> None:
    source = {"services": {"web": service(command=["sh", "-c", "echo over ssh; exit 3"])}}
    with pytest.raises(Exception, match=r"ends with exit code 3 .*Its last words: \"over ssh\"") as caught:
        stack_module(new_name(), source, docker_host=address)
    assert "What this call had created was removed again." in str(caught.value)


def test_look_by_environment_then_found(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert look(name="no-such-stack")["exists"] is False


def test_play_without_paramiko_then_what_to_install(address: str, tmp_path: Path) -> None:
    (tmp_path / "paramiko.py").write_text("raise ImportError('not installed')\n")
    task = {"labyard.platform.swarm_stack_info": {"docker_host": address}}
    done = run_tasks(tmp_path, [{**task, "environment": {"PYTHONPATH": str(tmp_path)}}])
    assert done.returncode == 2, done.stdout + done.stderr
    assert "cannot be reached over SSH without the Python package 'paramiko'" in done.stdout
    assert f"install it for {sys.executable} with: pip install paramiko" in done.stdout


def test_look_when_the_host_is_unknown_then_said(address: str, home: Path) -> None:
    known = home / ".ssh" / "known_hosts"
    kept = known.read_text()
    known.write_text("")
    try:
        with pytest.raises(EngineUnreachable, match=f"The Docker engine at {address} .*known_hosts"):
            look(docker_host=address)
    finally:
        known.write_text(kept)


def test_look_when_the_key_is_another_then_said(address: str, home: Path, tmp_path: Path) -> None:
    key = home / ".ssh" / "id"
    kept = key.read_bytes()
    write_key(key)
    try:
        with pytest.raises(EngineUnreachable, match=f"engine at {address} .*Authentication failed"):
            look(docker_host=address)
    finally:
        key.write_bytes(kept)
