"""A console with a service that is ready at once, for tests of what talks to a console."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.conftest import RunningConsole, console_environment, free_port, is_ready, wait_until
from tests.services.cheap_collection import NAME, write_collection
from tests.services.databases import database_of_its_own

CHEAP_PLAN = "test-sleeper"


@pytest.fixture(scope="session")
def cheap_console_database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Variables for its database, which is on the chosen server and its own."""
    with database_of_its_own(request) as variables:
        yield variables


@pytest.fixture(scope="session")
def cheap_console(
    tmp_path_factory: pytest.TempPathFactory, cheap_console_database: dict[str, str]
) -> Iterator[RunningConsole]:
    """A console whose one plan does nothing, with all phases; it touches no engine."""
    home = tmp_path_factory.mktemp("cheap")
    url = f"http://127.0.0.1:{free_port()}"
    settings = {**cheap_console_database, "ANSIBLE_CONFIG": str(write_collection(home))}
    made = RunningConsole(url, home, console_environment(home, **settings))
    (home / "plans.yml").write_text(yaml.safe_dump([{"name": CHEAP_PLAN, "configuration": NAME}]))
    made.labyard("db", "upgrade")
    made.labyard("db", "load-plans", str(home / "plans.yml"))
    made.labyard("user", "ensure-admin", "--credentials", str(home / "admin.json"), "--url", url)
    made.api_key = json.loads((home / "admin.json").read_text(encoding="utf-8"))["api_key"]
    made.start("web", "worker")
    try:
        wait_until(lambda: is_ready(made), 120, f"{url}/readyz: {made.log('web')[-2000:]}")
        yield made
    finally:
        made.stop(*list(made.processes))
