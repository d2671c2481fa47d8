"""What the swarm takes for a template: filled in as docker does, or text that arrives as it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import docker
import pytest

from tests.integration.stack_helpers import ensure_image, service, stack_module, stack_names
from tests.services.executing import execute

TEXTS = [
    "{{.Node.ID}}",
    "{{",
    "{{{",
    "{{{{}}",
    '{{ "{{" }}',
    "{{/* x */}}",
    "}} {{- 1 -}} $HOME",
    "{{.Nothing}}",
]


@pytest.fixture(scope="module")
def new_name(engine: docker.DockerClient) -> Iterator[Callable[[], str]]:
    """Gives names for stacks that are removed at the end."""
    ensure_image(engine)
    with stack_names() as make:
        yield make


def test_literal_texts_then_the_container_sees_them_and_nothing_changes_afterwards(
    engine: docker.DockerClient, new_name: Callable[[], str]
) -> None:
    name = new_name()
    given = {f"T{number}": text for number, text in enumerate(TEXTS)}
    document = {
        "services": {
            "web": service(environment=given, volumes=["data:/d{{.Node.ID}}"]),
        },
        "volumes": {"data": {"name": f"{name}_data", "labels": {"text": "{{.Node.ID}}"}}},
    }
    options = {"interpolate": False, "templates": "literal"}
    stack_module(name, document, **options)
    (container,) = engine.containers.list(filters={"label": f"com.docker.swarm.service.name={name}_web"})
    seen = dict(entry.split("=", 1) for entry in container.attrs["Config"]["Env"])
    assert {key: seen[key] for key in given} == given
    assert execute(container, ["sh", "-c", 'echo "$T0"']).output.decode().strip() == TEXTS[0]
    (mount,) = container.attrs["Mounts"]
    assert mount["Destination"] == "/d{{.Node.ID}}"
    assert engine.volumes.get(f"{name}_data").attrs["Labels"]["text"] == "{{.Node.ID}}"
    assert not stack_module(name, document, **options).changed


def test_templates_by_default_then_the_swarm_fills_them_in(
    engine: docker.DockerClient, new_name: Callable[[], str]
) -> None:
    name = new_name()
    source = {"services": {"web": service(environment={"NODE": "{{.Node.ID}}"}, hostname="n-{{.Task.Slot}}")}}
    stack_module(name, source, interpolate=False)
    (container,) = engine.containers.list(filters={"label": f"com.docker.swarm.service.name={name}_web"})
    assert f"NODE={engine.info()['Swarm']['NodeID']}" in container.attrs["Config"]["Env"]
    assert container.attrs["Config"]["Hostname"] == "n-1"
