"""A console with settings of its own, for tests that a shared one would get in the way of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from tests.conftest import (
    RunningConsole,
    console_environment,
    free_port,
    is_ready,
    remove_deployments_of,
    wait_until,
    write_plans,
)


@contextmanager
def running_console(home: Path, engine: docker.DockerClient, **settings: str) -> Iterator[RunningConsole]:
    """Web and worker with the environment variables `settings`, and the plan of the tests."""
    url = f"http://127.0.0.1:{free_port()}"
    console = RunningConsole(url, home, console_environment(home, **settings))
    console.set_up(write_plans(home))
    console.start("web", "worker")
    try:
        wait_until(lambda: is_ready(console), 60, f"{url}/readyz")
        yield console
    finally:
        console.stop(*list(console.processes))
        remove_deployments_of(console, engine)
