"""A console of its own for a benchmark: on a free port, with a state folder that goes with it."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import docker

REPOSITORY = Path(__file__).resolve().parents[1]


def load_test_helpers() -> ModuleType:
    """The helpers of the tests (tests/conftest.py), which are in no package."""
    spec = importlib.util.spec_from_file_location(
        "labyard_test_helpers", REPOSITORY / "tests" / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def started_console(engine: docker.DockerClient) -> Iterator[Any]:
    """A RunningConsole with web, worker and the plans of inventories/local; all it made goes at the end."""
    helpers = load_test_helpers()
    with tempfile.TemporaryDirectory(prefix="labyard-bench-") as folder:
        home = Path(folder)
        url = f"http://127.0.0.1:{helpers.free_port()}"
        console = helpers.RunningConsole(url, home, helpers.console_environment(home))
        console.set_up(REPOSITORY / "inventories" / "local" / "plans.yml")
        console.start("web", "worker")
        try:
            helpers.wait_until(lambda: helpers.is_ready(console), 60, f"{url}/readyz")
            yield console
        finally:
            console.stop("web", "worker")
            helpers.remove_deployments_of(console, engine)
