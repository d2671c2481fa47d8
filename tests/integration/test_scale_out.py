"""One console on several hosts: PostgreSQL and Redis shared, two workers that know nothing of each other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.models.networks import Network

from tests.conftest import RunningConsole, console_environment, free_port, is_ready, wait_until
from tests.services.mark_collection import NAME, write_collection
from tests.services.postgres_server import USER, PostgresServer
from tests.services.redis_server import RedisServer
from tests.services.worker_host import WorkerHost

CONCURRENCY = 4  # of each worker


class Site:
    """The console, its servers and its two hosts."""

    def __init__(self, console: RunningConsole, servers: tuple[PostgresServer, RedisServer], marks: Path):
        self.console = console
        self.postgresql, self.redis = servers
        self.marks = marks
        self.hosts: list[WorkerHost] = []

    def runs(self) -> list[tuple[Any, ...]]:
        """All runs: command, fence, host, whether it has ended."""
        return self.console.query(
            "SELECT command_id, fence, host, ended_at IS NOT NULL FROM runs ORDER BY id"
        )

    def marks_of(self, command: dict[str, Any]) -> list[str]:
        """The marks of the runs for the deployment of `command`."""
        path = self.marks / command["deployment"]["id"]
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    def logs(self) -> str:
        """What the workers said last."""
        return "\n".join(f"--- {host.name}\n{host.log()[-3000:]}" for host in self.hosts)


@pytest.fixture
def network(engine: docker.DockerClient) -> Iterator[Network]:
    """A network of this machine that only the hosts are on."""
    made = engine.networks.create(f"labyard-test-scale-{free_port()}", driver="bridge")
    made.reload()
    yield made
    made.remove()


@pytest.fixture
def site(engine: docker.DockerClient, network: Network, tmp_path: Path) -> Iterator[Site]:
    """Two hosts with a worker each; web, PostgreSQL and Redis are this machine's."""
    gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
    servers = PostgresServer(["127.0.0.1", gateway]), RedisServer(["127.0.0.1", gateway])
    try:
        for server in servers:
            server.start()
        with _web(tmp_path, servers, gateway) as site:
            site.hosts = [_host(site, engine, network, name, tmp_path) for name in ("worker1", "worker2")]
            try:
                for host in site.hosts:
                    host.start()
                wait_until(lambda: _workers(site) == {"worker1", "worker2"}, 60, "both workers are there")
                wait_until(lambda: is_ready(site.console), 60, site.console.log("web")[-2000:])
                yield site
            finally:
                for host in site.hosts:
                    host.remove()
    finally:
        for server in servers:
            server.remove()


@contextmanager
def _web(folder: Path, servers: tuple[PostgresServer, RedisServer], gateway: str) -> Iterator[Site]:
    """The console's web process, with a plan that leaves marks. Passwords come from files."""
    postgresql, redis = servers
    marks, home = folder / "marks", folder / "home"
    marks.mkdir()
    home.mkdir()
    for name, text in (("database", postgresql.password), ("queue", redis.password), ("key", "k" * 64)):
        (folder / name).write_text(text, encoding="ascii")
    settings = {
        "LABYARD_DATABASE_URL": f"postgresql://{USER}@{gateway}:{postgresql.port}/{postgresql.create_database()}",
        "LABYARD_DATABASE_PASSWORD_FILE": str(folder / "database"),
        "LABYARD_QUEUE_URL": f"redis://{gateway}:{redis.port}/0",
        "LABYARD_QUEUE_PASSWORD_FILE": str(folder / "queue"),
        "LABYARD_KEY_FILE": str(folder / "key"),
        "LABYARD_COMMAND_LIMIT": "1000",
        "ANSIBLE_CONFIG": str(write_collection(folder, marks)),
    }
    url = f"http://127.0.0.1:{free_port()}"
    console = RunningConsole(url, home, console_environment(home, **settings))
    (folder / "plans.yml").write_text(yaml.safe_dump([{"name": "mark", "configuration": NAME}]))
    console.set_up(folder / "plans.yml")
    console.start("web")
    try:
        yield Site(console, servers, marks)
    finally:
        console.stop("web")


def _host(site: Site, engine: docker.DockerClient, network: Network, name: str, shared: Path) -> WorkerHost:
    kept = ("LABYARD_DATABASE", "LABYARD_QUEUE", "LABYARD_KEY", "LABYARD_COMMAND", "ANSIBLE_CONFIG")
    settings = {k: v for k, v in site.console.environment.items() if k.startswith(kept)}
    settings["LABYARD_HOME"] = "/var/lib/labyard"
    return WorkerHost(engine, network, name, settings, shared, CONCURRENCY)


def _workers(site: Site) -> set[str]:
    return {host for (host,) in site.console.query("SELECT host FROM workers")}


def _issue_all(site: Site, count: int) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(8) as pool:
        names = [f"mark{number}" for number in range(count)]
        return list(pool.map(lambda name: site.console.issue(plan="mark", phase="install", name=name), names))


def _takes_commands(site: Site, host: str) -> bool:
    """Ask for four commands; whether this host has taken one since the first two runs."""
    begun = len(site.runs())
    for number in range(4):
        site.console.issue(plan="mark", phase="install", name=f"after{begun}-{number}", params={"seconds": 5})
    wait_until(lambda: _all_ended(site), 120, site.logs())
    return host in {name for _, _, name, _ in site.runs()[2:]}


def _all_ended(site: Site) -> bool:
    ((left,),) = site.console.query("SELECT count(*) FROM commands WHERE state IN (0, 1)")
    return not left


@pytest.mark.parametrize("count", [60, pytest.param(200, marks=pytest.mark.long)])
def test_commands_when_two_hosts_share_them_then_each_is_executed_once(site: Site, count: int) -> None:
    started = time.monotonic()
    commands = _issue_all(site, count)
    wait_until(lambda: _some_ended(site, count // 4), 300, site.logs())
    site.redis.kill()  # what it had not handed out yet is told by nobody but the sweep
    site.redis.start()
    wait_until(lambda: _all_ended(site), 600, site.logs())
    seconds = time.monotonic() - started

    states = site.console.query("SELECT state, count(*) FROM commands GROUP BY state")
    assert states == [(5, count)], site.logs()
    runs = site.runs()
    assert len(runs) == count
    assert len({(command, fence) for command, fence, *_ in runs}) == count
    assert {command for command, *_ in runs} == {command["id"] for command in commands}
    assert all(ended for *_, ended in runs)
    by_host = {name: [c for c, _, host, _ in runs if host == name] for name in ("worker1", "worker2")}
    assert all(by_host.values()), {name: len(found) for name, found in by_host.items()}
    print(f"{count} commands in {seconds:.0f} s:", {name: len(found) for name, found in by_host.items()})
    host_of = {command: host for command, _, host, _ in runs}
    for command in commands:
        host = host_of[command["id"]]
        assert site.marks_of(command) == [f"begin {host}", f"end {host}"]


def _some_ended(site: Site, count: int) -> bool:
    ((ended,),) = site.console.query("SELECT count(*) FROM commands WHERE state = 5")
    return ended >= count


def test_host_when_cut_off_in_mid_run_then_the_other_carries_its_command_out(site: Site) -> None:
    seconds = 75  # longer than a lease: the run would outlive it
    command = site.console.issue(plan="mark", phase="install", name="cut", params={"seconds": seconds})
    (begun,) = wait_until(lambda: site.marks_of(command), 60, "the run has begun")
    lost = next(host for host in site.hosts if begun == f"begin {host.name}")
    other = next(host for host in site.hosts if host is not lost)
    lost.cut()
    wait_until(lambda: len(site.marks_of(command)) == 2, 180, f"the other host begins\n{site.logs()}")
    # What was begun on the host that nobody can reach has been ended there, before others began.
    assert not lost.processes("sleep"), lost.log()
    lost.heal()
    ended = site.console.finish(command, 300)
    assert ended["state"] == 5, ended
    assert site.marks_of(command) == [begun, f"begin {other.name}", f"end {other.name}"]
    first, second = [(host, ended) for _, _, host, ended in site.runs()]
    assert (first, second) == ((lost.name, True), (other.name, True))
    fences = site.console.query("SELECT fence FROM runs ORDER BY id")
    assert fences[0] < fences[1]
    wait_until(lambda: _takes_commands(site, lost.name), 180, f"it takes commands as before\n{site.logs()}")
