"""A console with a service that is ready at once, for tests of what talks to a console."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import docker
import pytest
import yaml

from tests.conftest import RunningConsole, console_environment, free_port
from tests.integration.site_console import running_console, started
from tests.integration.stack_helpers import ensure_image, stack_names
from tests.services.cheap_collection import NAME, write_collection
from tests.services.databases import database_of_its_own
from tests.unit.catalog.git_server import GitServer, serving

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
    with started(made, home / "plans.yml", patience=120):
        yield made


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> str:
    """The image that the services of the tests run."""
    return ensure_image(engine)


@pytest.fixture(scope="module")
def new_name() -> Iterator[Callable[[], str]]:
    """Gives names for stacks; what the tests of a file leave of them is removed at its end, all at once."""
    with stack_names() as make:
        yield make


@pytest.fixture
def stack(new_name: Callable[[], str]) -> str:
    """A name for a stack of the test."""
    return new_name()


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """Serves git repositories over HTTPS."""
    with serving(tmp_path_factory.mktemp("git")) as made:
        yield made


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    engine: docker.DockerClient,
    git_server: GitServer,
    module_console_database: dict[str, str],
) -> Iterator[RunningConsole]:
    """A console that may fetch from `git_server` and send to this machine."""
    settings = {
        **module_console_database,
        "LABYARD_SOURCE_HOSTS": git_server.host,
        "LABYARD_CA_BUNDLE": str(git_server.ca_bundle),
        "LABYARD_NOTICE_NETWORKS": "127.0.0.0/8",
    }
    with running_console(tmp_path_factory.mktemp("site"), engine, **settings) as made:
        yield made
