"""A console with settings of its own, for tests that a shared one would get in the way of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import requests

from tests.conftest import (
    RunningConsole,
    console_environment,
    free_port,
    remove_deployments_of,
    wait_until,
    write_plans,
)


@contextmanager
def running_console(home: Path, engine: docker.DockerClient, **settings: str) -> Iterator[RunningConsole]:
    """Web and worker with the environment variables `settings`, and the plan of the tests."""
    url = f"http://127.0.0.1:{free_port()}"
    console = RunningConsole(url, home, console_environment(home, **settings))
    console.labyard("db", "upgrade")
    console.labyard("db", "load-plans", str(write_plans(home)))
    console.labyard("user", "ensure-admin", "--credentials", str(home / "admin.json"), "--url", url)
    console.api_key = json.loads((home / "admin.json").read_text(encoding="utf-8"))["api_key"]
    console.start("web", "worker")
    try:
        wait_until(lambda: _is_ready(url), 60, f"{url}/readyz")
        yield console
    finally:
        console.stop(*list(console.processes))
        remove_deployments_of(console, engine)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False
