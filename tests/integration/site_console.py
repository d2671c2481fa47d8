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
    with started(console, write_plans(home)):
        try:
            yield console
        finally:
            console.stop(*list(console.processes))
            remove_deployments_of(console, engine)


@contextmanager
def started(console: RunningConsole, plans: Path, patience: float = 60) -> Iterator[None]:
    """Web and worker of `console`, ready within `patience` seconds, with the plans of that file."""
    console.set_up(plans)
    console.start("web", "worker")
    try:
        wait_until(lambda: is_ready(console), patience, f"{console.url}/readyz")
        yield
    finally:
        console.stop(*list(console.processes))
