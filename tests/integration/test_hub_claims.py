"""Several consoles name one hub of a real swarm: one of them bills it, and the others are told which."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import docker
import pytest
from apiflask import APIFlask
from docker.errors import NotFound
from sqlalchemy import select

from labyard.billing.hub_claims import HubTaken, claim_hub, claim_name
from labyard.billing.ingest import take_records
from labyard.billing.metering import meter_usage
from labyard.context import context, session
from labyard.models import Meter, MeterRun
from labyard.models.base import begin_writing
from tests.conftest import REPOSITORY, SCRIPTS
from tests.integration.stack_helpers import service, stack_module
from tests.unit.conftest import app, make_person, settings  # noqa: F401 - fixtures, and a factory

THERE = "https://there.example"


@pytest.fixture
def hub(image: str, new_name: Callable[[], str], engine: docker.DockerClient) -> Iterator[str]:
    """A hub with a notebook of ada's; its claim goes with the test."""
    name = new_name()
    labels = {"labyard.hub": name, "labyard.owner": "ada", "labyard.hub.key": "1"}
    stack_module(name, {"services": {"notebook": service()}}, labels=labels)
    yield name
    with suppress(NotFound):
        engine.api.remove_config(claim_name(name))
    stack_module(name, state="absent")


def test_hub_when_many_consoles_claim_it_at_once_then_one_has_it(hub: str) -> None:
    def claim(console: int) -> bool:
        client = docker.from_env().api
        try:
            return claim_hub(client, hub, f"console{console}", f"https://{console}.example")
        except HubTaken:
            return False
        finally:
            client.close()

    with ThreadPoolExecutor(8) as several:
        assert sum(several.map(claim, range(8))) == 1


def test_command_when_another_console_has_the_hub_then_names_it(hub: str, tmp_path: Path) -> None:
    def labyard(home: str, *words: str) -> subprocess.CompletedProcess[str]:
        about = {"LABYARD_HOME": str(tmp_path / home), "LABYARD_PUBLIC_URL": f"https://{home}.example"}
        about |= {"LABYARD_HUB_URL": "https://hub.example", "LABYARD_HUB_STACK": hub}
        return subprocess.run(
            [str(SCRIPTS / "labyard"), *words],
            env=os.environ | about, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    for home in ("first", "second"):
        assert labyard(home, "db", "upgrade").returncode == 0
    taken = labyard("first", "billing", "claim-hub")
    assert (taken.returncode, taken.stdout) == (0, f"changed: the hub {hub} is billed here\n"), taken.stderr
    assert labyard("first", "billing", "claim-hub").stdout == "unchanged\n"
    refused = labyard("second", "billing", "claim-hub")
    assert refused.returncode == 6
    assert "billed by another console, https://first.example" in refused.stderr
    assert f"docker config rm {claim_name(hub)}" in refused.stderr


def test_console_when_another_has_the_hub_then_meters_it_only_once_it_is_given_up(
    app: APIFlask,  # noqa: F811
    hub: str,
    engine: docker.DockerClient,
) -> None:
    make_person()
    claim_hub(engine.api, hub, "there", THERE)
    inventory = REPOSITORY / "inventories" / "local"
    chosen = replace(context().settings, inventory=inventory, hub_url="https://hub.example", hub_stack=hub)

    def metered() -> list[str]:
        session().expire_all()
        beats = session().scalars(select(Meter)).one().beats
        session().rollback()
        return [task["names"]["account"] for task in beats["tasks"].values()]

    assert meter_usage(session(), begin_writing, chosen, "here:1", take_records)
    (first,) = session().scalars(select(MeterRun)).all()
    assert first.good, first.message
    assert THERE in first.message
    later = lambda: first.started_at + timedelta(seconds=301)  # noqa: E731 - a clock
    assert metered() == []
    engine.api.remove_config(claim_name(hub))
    assert meter_usage(session(), begin_writing, chosen, "here:1", take_records, clock=later)
    assert metered() == ["user:ada"]
    with pytest.raises(HubTaken):
        claim_hub(engine.api, hub, "there", THERE)
