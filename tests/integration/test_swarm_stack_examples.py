"""The examples in the documentation of swarm_stack, run as a play with the files that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from ansible_collections.labyard.platform.plugins.modules.swarm_stack import EXAMPLES
from tests.integration.stack_helpers import IMAGE, ensure_image, run_tasks, service, stack_module, stack_names

MODULE = "labyard.platform.swarm_stack"


@pytest.fixture
def names(engine: docker.DockerClient) -> Iterator[dict[str, str]]:
    """Names of the tests' own for the stacks of the examples."""
    ensure_image(engine)
    with stack_names() as make:
        yield {"blog": make(), "notes": make()}


def write_files(folder: Path) -> None:
    """What the examples refer to."""
    (folder / "compose.yml").write_text(
        yaml.safe_dump(
            {
                "services": {
                    "web": service(hostname="${TAG:-web}${SUFFIX}"),
                    "metrics": service(profiles=["metrics"]),
                }
            }
        )
    )
    (folder / "production.yml").write_text("services: {web: {environment: {MODE: production}}}\n")
    (folder / ".env").write_text("SUFFIX=-blog\n")
    (folder / "password").write_text("secret words")


def prepared(names: dict[str, str], folder: Path) -> list[dict[str, Any]]:
    """The examples with the tests' names, folder and image, and a check of idempotence after each."""
    text = EXAMPLES.replace("/srv/blog", str(folder)).replace("/etc/notes", str(folder))
    tasks = []
    for number, task in enumerate(yaml.safe_load(text)):
        options = task[MODULE]
        options["name"] = names[options["name"]]
        for document in options.get("compose", []):
            if isinstance(document, dict) and "image" in document["services"].get("db", {}):
                document["services"]["db"].update(service(), image=IMAGE)
                document["services"]["db"]["healthcheck"]["test"] = ["CMD", "true"]
        again, register = f"again_{number}", f"done_{number}"
        tasks += [
            {**task, "register": register},
            {**task, "register": again},
            {"ansible.builtin.assert": {"that": [f"{register} is changed", f"{again} is not changed"]}},
        ]
    return tasks


def test_examples_then_each_does_what_it_says_and_nothing_when_run_again(
    engine: docker.DockerClient, names: dict[str, str], tmp_path: Path
) -> None:
    write_files(tmp_path)
    tasks = prepared(names, tmp_path)
    assert len(tasks) >= 3 * 6
    done = run_tasks(tmp_path, tasks)
    assert done.returncode == 0, done.stdout + done.stderr
    blog = {service.name.removeprefix(f"{names['blog']}_"): service for service in stack_of(engine, names)}
    assert set(blog) == {"web", "metrics"}
    container = blog["web"].attrs["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert (container["Hostname"], container["Env"]) == ("1.4-blog", ["MODE=production"])
    assert stack_module(names["notes"], state="absent", check_mode=True).volumes == [f"{names['notes']}_data"]


def stack_of(engine: docker.DockerClient, names: dict[str, str]) -> list[Any]:
    """The services of the blog."""
    found: list[Any] = engine.services.list(filters={"label": f"com.docker.stack.namespace={names['blog']}"})
    return found
