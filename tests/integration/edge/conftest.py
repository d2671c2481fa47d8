"""One house for all tests of the edge: it takes longer to start than most of them to run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.edge_house import Browser, EdgeHouse, edge_house, lead_names_here
from tests.services.databases import database_of_its_own


@pytest.fixture(scope="session")
def edge_console_database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Variables for its database, which is on the chosen server and its own."""
    with database_of_its_own(request) as variables:
        yield variables


@pytest.fixture(scope="session")
def running_house(
    tmp_path_factory: pytest.TempPathFactory, edge_console_database: dict[str, str]
) -> Iterator[EdgeHouse]:
    """The house, with ada, bob and the admin root."""
    with edge_house(tmp_path_factory.mktemp("edge"), edge_console_database) as made:
        made.make_person("ada")
        made.make_person("bob")
        made.make_person("root", is_admin=True)
        yield made


@pytest.fixture(scope="module")
def house(running_house: EdgeHouse) -> Iterator[EdgeHouse]:
    """The house, to which its names lead."""
    with pytest.MonkeyPatch.context() as patch:
        lead_names_here(patch)
        yield running_house


@pytest.fixture(scope="module")
def ada(house: EdgeHouse) -> Browser:
    """A browser in which ada is signed in at the console."""
    browser = house.browser()
    browser.sign_in("ada")
    return browser


@pytest.fixture
def demo(house: EdgeHouse) -> str:
    """A deployment of ada's."""
    return house.deploy("ada")
