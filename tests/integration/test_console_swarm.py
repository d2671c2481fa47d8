"""The console as services of a stack, with database, queue and ingress, on a swarm: it deploys notebooks
through that swarm, and is upgraded while people work."""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from tests.conftest import PLAN, RunningConsole, free_port, wait_until, write_plans
from tests.services.nginx_server import APPS, DOMAIN

from .edge_house import Browser, lead_names_here
from .jupyter import ask, compute, open_kernel
from .role_plays import play, role, write_inventory

SMALL = {"cpu_limit": 0.2, "memory_limit": 256}
PARTS = ("ingress", "database", "queue", "console")


@dataclass
class Platform:
    """All parts as services, and the console as a client sees it."""

    folder: Path
    variables: dict[str, Any]
    console: RunningConsole
    ca: str

    def browser(self) -> Browser:
        """A browser with the administrator signed in."""
        browser = Browser(self.ca, self.console.url)
        browser.sign_in("admin", self.console.password)
        return browser

    def origin(self, deployment: str) -> str:
        """Where a deployment is."""
        return f"https://{deployment}.{self.variables['console_edge_domain']}"

    def service(self, engine: docker.DockerClient, name: str) -> Any:
        """A service of the console."""
        return engine.services.get(f"{self.variables['console_stack']}_{name}")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Platform]:
    """The platform, on ports and names of its own."""
    folder, word = tmp_path_factory.mktemp("swarm"), f"t{secrets.token_hex(3)}"
    write_inventory(folder)
    (folder / "key").write_text(secrets.token_urlsafe(48), encoding="ascii")
    variables = variables_of(folder, word)
    inner = engine.networks.create(variables["database_networks"][0], driver="overlay")
    images = role("image", image_names=["ingress", "database", "queue", "console"])
    try:
        with pytest.MonkeyPatch.context() as patch:
            lead_names_here(patch)
            play(folder, variables, role("certificates"), images, *map(role, PARTS))
            patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "certificates" / "ca.crt"))
            made = Platform(
                folder, variables, console_of(variables, folder), str(folder / "certificates" / "ca.crt")
            )
            wait_until(lambda: answers(made, "readyz"), 60, "all parts answer")
            yield made
            ((installation,),) = made.console.query("SELECT id FROM installations")
            # What this console has deployed goes with it.
            variables["console_deployment_label"] = f"labyard.console={installation}"
    finally:
        gone = {"console_deployment_label": word, "database_keep_data": False, "queue_keep_data": False}
        play(folder, gone | variables, *(role(part, tasks_from="remove") for part in reversed(PARTS)))
        inner.remove()
        for image in engine.images.list(name=f"{word}/console"):
            engine.images.remove(image.id, force=True)


def variables_of(folder: Path, word: str) -> dict[str, Any]:
    """What an operator writes, with names of the test."""
    https, database = free_port(), free_port()
    inner, edge = f"test_inner_{word}", f"test_edge_{word}"
    passwords = {name: secrets.token_urlsafe(16) for name in ("database", "queue")}
    certificates = folder / "certificates"
    return {
        "certificates_folder": str(certificates),
        "certificates_wanted": [
            {"name": "ingress", "dns_names": [DOMAIN, f"*.{APPS}"]},
            {"name": "database", "dns_names": ["database"]},
            {"name": "queue", "dns_names": ["queue"]},
        ],
        "ingress_domain": DOMAIN,
        "ingress_apps_domain": APPS,
        "ingress_console": f"test-console-{word}_web:8080",
        "ingress_secret": (edge_secret := secrets.token_urlsafe(32)),
        "ingress_stack": f"test-ingress-{word}",
        "ingress_network": edge,
        "ingress_network_subnet": "10.98.97.0/24",
        "ingress_http_port": free_port(),
        "ingress_https_port": https,
        "ingress_constraints": [],
        "ingress_drain_seconds": 1,
        "database_stack": f"test-database-{word}",
        "database_networks": [inner],
        "database_port": database,
        "database_memory_limit": 256,
        "database_databases": [{"name": "labyard", "password": passwords["database"]}],
        "queue_stack": f"test-queue-{word}",
        "queue_networks": [inner],
        "queue_password": passwords["queue"],
        "console_runs_on": "swarm",
        "console_stack": f"test-console-{word}",
        "console_networks": [inner],
        "console_edge_network": edge,
        "console_edge_domain": f"{APPS}:{https}",
        "console_edge_secret": edge_secret,
        "console_url": f"https://{DOMAIN}:{https}",
        "console_plans": str(write_plans(folder)),
        "console_admin_file": str(folder / "admin.json"),
        "console_key_file": str(folder / "key"),
        "console_inner_ca_file": str(certificates / "ca.crt"),
        "console_database_url": "postgresql://labyard@database/labyard",
        "console_database_password": passwords["database"],
        "console_queue_url": "rediss://labyard@queue:6379/0",
        "console_queue_password": passwords["queue"],
    }


def console_of(variables: dict[str, Any], folder: Path) -> RunningConsole:
    """The console as its clients see it; its tables are asked through the port of the database."""
    credentials = json.loads((folder / "admin.json").read_text(encoding="utf-8"))
    place = f"labyard:{variables['console_database_password']}@127.0.0.1:{variables['database_port']}"
    environment = {"LABYARD_DATABASE_URL": f"postgresql://{place}/labyard?sslmode=require"}
    return RunningConsole(
        variables["console_url"],
        folder,
        environment,
        password=credentials["password"],
        api_key=credentials["api_key"],
    )


def answers(platform: Platform, path: str) -> bool:
    """Whether the console answers, through the ingress."""
    try:
        return requests.get(f"{platform.console.url}/{path}", timeout=10).ok
    except requests.RequestException:
        return False


def test_notebook_when_deployed_by_a_console_of_the_swarm_then_its_owner_computes(
    platform: Platform, engine: docker.DockerClient
) -> None:
    console = platform.console
    done = console.finish(console.issue(plan=PLAN, phase="install", name="first", params=SMALL))
    assert done["state"] == 5, done
    ident = done["deployment"]["id"]
    owner = platform.browser()
    wait_until(lambda: owner.get(f"{platform.origin(ident)}/lab").ok, 30, "the notebook answers")
    cookie = owner.cookies_for(f"{platform.origin(ident)}/")
    assert compute(platform.origin(ident), "", "6 * 7", cookie=cookie, ca=platform.ca) == "42"
    # A run belongs to the container of its worker: nobody else could go on with it.
    (worker,) = engine.containers.list(filters={"name": f"{platform.variables['console_stack']}_worker"})
    assert console.query("SELECT host FROM runs") == [(worker.id[:12],)]
    logs = console.call("GET", f"deployments/{ident}/logs")
    assert logs.status_code == 200, logs.text


def test_upgrade_when_people_work_then_nothing_is_lost_or_done_twice(
    platform: Platform, engine: docker.DockerClient
) -> None:
    console, old = platform.console, platform.service(engine, "worker")
    ((ident,),) = console.query("SELECT id FROM deployments")
    owner = platform.browser()
    owner.get(f"{platform.origin(ident)}/lab")
    cookie = owner.cookies_for(f"{platform.origin(ident)}/")
    newer = another_version(engine, platform.variables["console_stack"].removeprefix("test-console-"))
    with open_kernel(platform.origin(ident), "", cookie=cookie, ca=platform.ca) as channel:
        assert ask(channel, "kept = 42") == ""
        with asking(platform) as said, ThreadPoolExecutor(1) as pool:
            commands = [
                console.issue(plan=PLAN, phase="install", name=f"during{n}", params=SMALL) for n in range(3)
            ]
            upgrade = role("console", console_image_prefix=newer)
            rolled = pool.submit(play, platform.folder, platform.variables, upgrade)
            # Some come while there is an old worker and a new one.
            wait_until(
                lambda: rolled.done() or is_replaced(platform, engine, old), 180, "a new worker is there"
            )
            commands += [console.issue(plan=PLAN, phase="install", name="later", params=SMALL)]
            rolled.result()
            ended = [console.finish(command) for command in commands]
        assert ask(channel, "kept") == "42"
    assert [command["state"] for command in ended] == [5] * len(commands), ended
    runs = Counter(command for (command,) in console.query("SELECT command_id FROM runs"))
    assert {runs[command["id"]] for command in commands} == {1}, "a command was begun twice"
    assert said.pop("ok") > 0
    assert not said, f"requests during the upgrade: {said}"
    for name in ("web", "worker"):
        spec = platform.service(engine, name).attrs["Spec"]["TaskTemplate"]["ContainerSpec"]
        assert spec["Image"].startswith(newer)


def another_version(engine: docker.DockerClient, prefix: str) -> str:
    """An image of the console that is another one; its prefix."""
    text = f"FROM labyard/console:current\nLABEL labyard.hash={prefix}\n"
    image, _ = engine.images.build(fileobj=BytesIO(text.encode()), tag=f"{prefix}/console:current", rm=True)
    image.tag(f"{prefix}/console", prefix)
    return prefix


def is_replaced(platform: Platform, engine: docker.DockerClient, old: Any) -> bool:
    """Whether a worker of another version runs."""
    now = platform.service(engine, "worker")
    tasks = now.tasks({"desired-state": "running"})
    before = old.attrs["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    return any(
        task["Status"]["State"] == "running" and task["Spec"]["ContainerSpec"]["Image"] != before
        for task in tasks
    )


@contextmanager
def asking(platform: Platform) -> Iterator[Counter[str]]:
    """Asks the console for its deployments again and again meanwhile; counts what comes of it."""
    said: Counter[str] = Counter()
    over = threading.Event()

    def ask_on() -> None:
        while not over.wait(0.1):
            try:
                answer = platform.console.call("GET", "deployments")
                said["ok" if answer.ok else f"{answer.status_code} {answer.text[:200]}"] += 1
            except requests.RequestException as error:
                said[repr(error)[:200]] += 1

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield said
    finally:
        over.set()
        thread.join()
