"""What the suites share: a real engine, a real console, and a way to wait for conditions."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
import requests
import yaml
from sqlalchemy import NullPool, create_engine, text

from labyard.settings import read_settings
from tests.services.stripe_server import StripeServer

pytest_plugins = (
    "tests.groups",
    "tests.services.databases",
    "tests.services.fixtures",
    "tests.services.kept_work",
)

REPOSITORY = Path(__file__).resolve().parents[1]
# The plan of the tests' consoles: stacks are named after it, so nobody's own are taken for a test's.
PLAN = "test-notebook"
SCRIPTS = Path(sys.executable).parent
# Several commands of the command line in one process: most of each one's time goes into its start.
COMMANDS = """
import json, sys
from labyard.cli import cli
for words in json.loads(sys.argv[1]):
    cli.main(words, standalone_mode=False)
"""


def wait_until(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """The first true value of `condition`; fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    pytest.fail(f"not within {timeout:g} s: {what}")


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Engine of this machine; it must be the manager of a swarm."""
    client = docker.from_env(timeout=60)
    assert client.info()["Swarm"]["ControlAvailable"], "run `make engine` first: no swarm on this machine"
    yield client
    client.close()


@dataclass
class RunningConsole:
    """A console of its own: web and worker processes with a state folder that goes with them."""

    url: str
    home: Path
    environment: dict[str, str]
    username: str = "admin"
    password: str = ""
    api_key: str = field(default="", repr=False)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def labyard(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line against this console."""
        return self._run(str(SCRIPTS / "labyard"), *arguments, check=check)

    def _run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def set_up(self, plans: Path) -> None:
        """Make tables, plans and the admin, in whose name this object speaks from now on."""
        credentials = self.home / "admin.json"
        commands = [
            ["db", "upgrade"],
            ["db", "load-plans", str(plans)],
            ["user", "ensure-admin", "--credentials", str(credentials), "--url", self.url],
        ]
        self._run(sys.executable, "-c", COMMANDS, json.dumps(commands))
        found = json.loads(credentials.read_text(encoding="utf-8"))
        self.password, self.api_key = found["password"], found["api_key"]

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> requests.Response:
        """One call of the REST interface with the admin's key, or with `key`."""
        headers = {"Authorization": f"Bearer {key or self.api_key}"}
        return requests.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=60)

    def issue(self, **body: Any) -> dict[str, Any]:
        """Ask for a command that must be accepted."""
        answer = self.call("POST", "commands", body)
        assert answer.status_code == 202, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def finish(self, command: dict[str, Any], timeout: float = 240) -> dict[str, Any]:
        """The command once it has ended."""

        def ended() -> dict[str, Any] | None:
            seen: dict[str, Any] = self.call("GET", f"commands/{command['id']}").json()
            return seen if seen["state"] in (5, 9) else None

        found: dict[str, Any] = wait_until(ended, timeout, f"command {command['id']} ended")
        return found

    def start(self, *names: str) -> None:
        """Start the named processes (web, worker)."""
        arguments = {"web": ["web", "--bind", self.url.removeprefix("http://")], "worker": ["worker"]}
        for name in names:
            with (self.home / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [str(SCRIPTS / "labyard"), *arguments[name]],
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def stop(self, *names: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End the named processes."""
        for name in names:
            process = self.processes.pop(name)
            process.send_signal(how)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=15)

    def query(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Carry out one SQL statement in the console's database, whichever it is; the rows it gives."""
        url = read_settings(self.environment).database_url
        database = create_engine(url, poolclass=NullPool)
        with database.begin() as connection:
            done = connection.execute(text(statement), values)
            return [tuple(row) for row in done] if done.returns_rows else []

    def log(self, name: str) -> str:
        """What a process has printed."""
        return (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def console_environment(home: Path, **further: str) -> dict[str, str]:
    """An environment for a console whose state lies in `home`; `further` variables name its database."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LABYARD_")}
    own = {"LABYARD_HOME": str(home), "LABYARD_CREDENTIALS": str(home / "admin.json")}
    # Many consoles share this machine's swarm: those that are to meter it say so.
    return {**kept, **own, "LABYARD_USAGE_INTERVAL": "0", **further}


@pytest.fixture
def stripe_server() -> Iterator[StripeServer]:
    """What stands in for Stripe's HTTP interface."""
    server = StripeServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def console(
    tmp_path_factory: pytest.TempPathFactory,
    engine: docker.DockerClient,
    session_console_database: dict[str, str],
) -> Iterator[RunningConsole]:
    """A console with the plans of inventories/local, ready to take commands, on the chosen database."""
    home = tmp_path_factory.mktemp("console")
    url = f"http://127.0.0.1:{free_port()}"
    made = RunningConsole(url, home, console_environment(home, **session_console_database))
    made.set_up(write_plans(home))
    made.start("web", "worker")
    try:
        wait_until(lambda: is_ready(made), 60, f"{url}/readyz: {made.log('web')[-2000:]}")
        yield made
    finally:
        made.stop(*list(made.processes))
        remove_deployments_of(made, engine)
        leftovers = [
            p for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or ())
        ]
        for process in leftovers:
            process.kill()


def write_plans(home: Path) -> Path:
    """The plans of inventories/local under the tests' own name."""
    (plan,) = yaml.safe_load((REPOSITORY / "inventories" / "local" / "plans.yml").read_text(encoding="utf-8"))
    path = home / "plans.yml"
    path.write_text(yaml.safe_dump([{**plan, "name": PLAN}]), encoding="utf-8")
    return path


def is_ready(console: RunningConsole) -> bool:
    """Whether the console takes commands."""
    return answers(f"{console.url}/readyz")


def answers(url: str) -> bool:
    """Whether a GET of `url` succeeds."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def remove_deployments_of(console: RunningConsole, engine: docker.DockerClient) -> None:
    """Remove from the swarm whatever deployments of `console` are left on it."""
    for (deployment_id,) in console.query("SELECT id FROM deployments"):
        remove_labelled(engine, f"labyard.deployment={deployment_id}")


def remove_labelled(engine: docker.DockerClient, label: str) -> None:
    """Remove all swarm objects with `label`, and wait until they are gone."""
    filters: dict[str, Any] = {"label": label}
    for service in engine.services.list(filters=filters):
        service.remove()
    wait_until(
        lambda: not engine.containers.list(all=True, filters=filters, ignore_removed=True),
        60,
        f"containers of {label} gone",
    )
    for kind in (engine.secrets, engine.configs):
        for item in kind.list(filters=filters):
            item.remove()
    for network in engine.networks.list(filters=filters):
        network.remove()
    for volume in engine.volumes.list(filters=filters):
        volume.remove(force=True)


@pytest.fixture
def unique() -> str:
    """A word that no other test uses."""
    return f"t{secrets.token_hex(4)}"
