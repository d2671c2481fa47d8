"""In check mode swarm_stack only reads, whatever it is asked to do: its calls to the engine are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.integration.stack_helpers import ensure_image, recorded_calls, service, stack_module, stack_names

Case = tuple[list[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two passwords."""
    made = tmp_path_factory.mktemp("passwords")
    (made / "one").write_text("first-password")
    (made / "two").write_text("second-password")
    return made


def document(folder: Path, content: str = "one", **web: Any) -> dict[str, Any]:
    """A document with something of every kind."""
    return {
        "services": {
            "web": service(secrets=["password"], networks=["front"], volumes=["data:/data"], **web),
            "more": service(configs=["conf"], networks=["front"]),
        },
        "networks": {"front": {}},
        "volumes": {"data": {}},
        "secrets": {"password": {"file": str(folder / content)}},
        "configs": {"conf": {"content": "a: 1\n"}},
    }


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, folder: Path) -> Iterator[str]:
    """A stack with something of every kind."""
    ensure_image(engine)
    with stack_names() as make:
        name = make()
        stack_module(name, document(folder))
        yield name


def cases(folder: Path) -> dict[str, Case]:
    """What can be asked for of a stack that is there, each with some change."""
    network = {**document(folder), "networks": {"front": {"attachable": True}}}
    lone = {"services": {"web": service(networks=["front"])}, "networks": {"front": {}}}
    return {
        "service": ([document(folder, hostname="x")], {}),
        "secret": ([document(folder, "two")], {"keep_versions": 0}),
        "label": ([document(folder)], {"labels": {"team": "x"}}),
        "network": ([network], {"recreate_networks": True}),
        "prune": ([lone], {"prune": True, "remove_volumes": True}),
        "image": ([document(folder)], {"resolve_image": "always", "labels": {"a": "b"}}),
        "scale": ([], {"replicas": {"web": 3}}),
        "absent": ([], {"state": "absent", "remove_volumes": True}),
    }


@pytest.mark.parametrize("case", sorted(cases(Path())))
def test_check_mode_when_there_is_something_to_change_then_told_and_nothing_written(
    stack: str, folder: Path, case: str
) -> None:
    documents, options = cases(folder)[case]
    with recorded_calls() as sent:
        outcome = stack_module(stack, *documents, check_mode=True, **options)
    assert outcome.changed
    assert sent
    assert {method for method, _ in sent} == {"GET"}


def test_check_mode_of_a_new_stack_then_told_and_nothing_written(stack: str, folder: Path) -> None:
    with recorded_calls() as sent:
        outcome = stack_module(f"{stack}-new", document(folder), check_mode=True)
    assert [item["kind"] for item in outcome.actions] == ["network", "secret", "config", "service", "service"]
    assert {method for method, _ in sent} == {"GET"}


def test_recorded_calls_when_something_is_written_then_seen(stack: str, folder: Path) -> None:
    with recorded_calls() as sent:
        stack_module(stack, replicas={"web": 0})
    assert "POST" in {method for method, _ in sent}
