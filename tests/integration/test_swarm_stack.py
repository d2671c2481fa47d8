"""The module swarm_stack on a real swarm."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError, StackError
from tests.integration.stack_helpers import (
    IMAGE,
    docker_command,
    port_held,
    run_play,
    service,
    stack_module,
)
from tests.services.executing import execute

pytestmark = pytest.mark.usefixtures("image")

LABEL = "com.docker.stack.namespace"
HELD_PORT = 27390  # away from the ports that the kernel lends
KINDS = ("services", "networks", "secrets", "configs", "volumes")
NOTHING: dict[str, list[str]] = {kind: [] for kind in KINDS}


@pytest.fixture(scope="module")
def shop(new_name: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """An installed stack with something of every kind, and its document."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "password").write_text("first-password")
    source = {
        "services": {
            "web": service(
                environment={"PRICE": "5$ ${HOME} $$"},
                networks={"back": {"aliases": ["www"]}},
                healthcheck={"test": ["CMD", "true"], "interval": "1s"},
            ),
            "db": service(secrets=["password"], configs=["conf"], volumes=["data:/data"], networks=["back"]),
        },
        "networks": {"back": {"attachable": True}},
        "volumes": {"data": {}},
        "secrets": {"password": {"file": str(folder / "password")}},
        "configs": {"conf": {"content": "a: 1\n"}},
    }
    name = new_name()
    outcome = stack_module(name, source, interpolate=False, labels={"team": "tests"})
    assert outcome.changed
    return name, source


def own(engine: docker.DockerClient, stack: str) -> dict[str, list[str]]:
    """What the swarm has of a stack, by kind."""
    filters = {"label": f"{LABEL}={stack}"}
    return {
        "services": sorted(item["Spec"]["Name"] for item in engine.api.services(filters=filters)),
        "networks": sorted(item["Name"] for item in engine.api.networks(filters=filters)),
        "secrets": sorted(item["Spec"]["Name"] for item in engine.api.secrets(filters=filters)),
        "configs": sorted(item["Spec"]["Name"] for item in engine.api.configs(filters=filters)),
        "volumes": sorted(item["Name"] for item in engine.api.volumes(filters=filters)["Volumes"] or []),
    }


def versions(engine: docker.DockerClient, stack: str) -> dict[str, int]:
    """Version numbers of the services of a stack; an update raises them."""
    services = engine.api.services(filters={"label": f"{LABEL}={stack}"})
    return {item["Spec"]["Name"]: item["Version"]["Index"] for item in services}


def failure_of(stack: str, *documents: Any, **options: Any) -> StackError:
    """The error that a deployment ends with."""
    with pytest.raises(StackError) as caught:
        stack_module(stack, *documents, **options)
    return caught.value


def test_install_then_everything_runs_with_labels(engine: docker.DockerClient, shop: Any) -> None:
    name, _ = shop
    assert own(engine, name) == {
        "services": [f"{name}_db", f"{name}_web"],
        "networks": [f"{name}_back"],
        "secrets": [f"{name}_password"],
        "configs": [f"{name}_conf"],
        "volumes": [f"{name}_data"],
    }
    assert own(engine, name) == own_with_label(engine, "team=tests", name)
    assert f"{name}" in docker_command("stack", "ls", "--format", "{{.Name}}").split()
    tasks = docker_command(
        "stack", "ps", name, "--filter", "desired-state=running", "--format", "{{.CurrentState}}"
    )
    assert [line.split()[0] for line in tasks.splitlines()] == ["Running", "Running"]


def own_with_label(engine: docker.DockerClient, label: str, stack: str) -> dict[str, list[str]]:
    """Like `own`, but found by another label too."""
    found = own(engine, stack)
    filters = {"label": label}
    wanted = {
        "services": {item["Spec"]["Name"] for item in engine.api.services(filters=filters)},
        "networks": {item["Name"] for item in engine.api.networks(filters=filters)},
        "secrets": {item["Spec"]["Name"] for item in engine.api.secrets(filters=filters)},
        "configs": {item["Spec"]["Name"] for item in engine.api.configs(filters=filters)},
        "volumes": {item["Name"] for item in engine.api.volumes(filters=filters)["Volumes"] or []},
    }
    return {kind: [name for name in names if name in wanted[kind]] for kind, names in found.items()}


def test_dollars_without_interpolation_then_kept(engine: docker.DockerClient, shop: Any) -> None:
    name, _ = shop
    env = engine.services.get(f"{name}_web").attrs["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"]
    assert env == ["PRICE=5$ ${HOME} $$"]


def test_install_again_then_nothing_is_sent(engine: docker.DockerClient, shop: Any) -> None:
    name, source = shop
    before = versions(engine, name)
    outcome = stack_module(name, source, interpolate=False, labels={"team": "tests"})
    assert (outcome.changed, outcome.actions) == (False, [])
    assert [(item["replicas"], item["running"]) for item in outcome.services] == [(1, 1), (1, 1)]
    assert versions(engine, name) == before


def test_check_mode_then_plan_and_nothing_changed(engine: docker.DockerClient, shop: Any) -> None:
    name, source = shop
    more = {
        "services": {"new": service(), "web": {"image": IMAGE, "hostname": "x"}},
        "networks": {"front": {}},
    }
    more["services"]["new"]["networks"] = ["front"]
    before, versions_before = own(engine, name), versions(engine, name)
    outcome = stack_module(name, source, more, check_mode=True, interpolate=False, labels={"team": "tests"})
    assert [f"{item['action']} {item['kind']} {item['name']}" for item in outcome.actions] == [
        f"create network {name}_front",
        f"create service {name}_new",
        f"update service {name}_web",
    ]
    assert (own(engine, name), versions(engine, name)) == (before, versions_before)
    assert stack_module(name, state="absent", check_mode=True).changed
    assert own(engine, name) == before


def test_play_with_diff_then_shown_without_secrets(shop: Any, tmp_path: Path) -> None:
    name, source = shop
    (tmp_path / "password").write_text("second-password")
    more = {
        "secrets": {"password": {"file": str(tmp_path / "password")}},
        "services": {"db": service(hostname="h")},
    }
    task = {"name": name, "compose": [source, more], "interpolate": False, "labels": {"team": "tests"}}
    done = run_play(tmp_path, task, "--check", "--diff", "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"Hostname": "h"' in done.stdout
    assert f"{name}_password-v2" in done.stdout
    assert "first-password" not in done.stdout + done.stderr
    assert "second-password" not in done.stdout + done.stderr


def test_scale_then_as_many_run_and_gone_at_zero(engine: docker.DockerClient, shop: Any) -> None:
    name, _ = shop
    up = stack_module(name, replicas={"web": 2})
    assert {item["name"]: item["running"] for item in up.services}[f"{name}_web"] == 2
    assert not stack_module(name, replicas={"web": 2}).changed
    down = stack_module(name, replicas={f"{name}_web": 0})
    assert {item["name"]: item["running"] for item in down.services}[f"{name}_web"] == 0
    filters = {"label": f"com.docker.swarm.service.name={name}_web"}
    assert engine.containers.list(filters=filters) == []
    assert "no service 'nope'" in str(failure_of(name, replicas={"nope": 1}))
    stack_module(name, replicas={"web": 1})


def test_update_that_fails_then_what_ran_before_runs_again(engine: docker.DockerClient, shop: Any) -> None:
    name, source = shop
    options: dict[str, Any] = {"interpolate": False, "labels": {"team": "tests"}}
    bad = {"services": {"web": {"image": "labyard-test/missing:1"}, "new": service()}}
    error = failure_of(name, source, bad, **options)
    assert f"Service {name}_web cannot start: the image labyard-test/missing:1 is not there" in str(error)
    assert "What ran before was put back and runs." in str(error)
    assert not stack_module(name, source, **options).changed
    assert own(engine, name)["services"] == [f"{name}_db", f"{name}_web"]


def test_secret_changed_then_new_version_is_used_and_old_one_kept(
    engine: docker.DockerClient, shop: Any, tmp_path: Path
) -> None:
    name, source = shop
    (tmp_path / "password").write_text("third-password")
    more = {"secrets": {"password": {"file": str(tmp_path / "password")}}}
    options: dict[str, Any] = {"interpolate": False, "labels": {"team": "tests"}}
    changed = stack_module(name, source, more, **options)
    assert [item["name"] for item in changed.actions] == [f"{name}_password-v2", f"{name}_db"]
    again = stack_module(name, source, more, **options, keep_versions=0)
    assert [f"{item['action']} {item['name']}" for item in again.actions] == [f"remove {name}_password"]
    container = engine.containers.list(filters={"label": f"com.docker.swarm.service.name={name}_db"})[0]
    assert execute(container, ["cat", "/run/secrets/password"]).output == b"third-password"
    labels = engine.secrets.list(filters={"name": f"{name}_password-v2"})[0].attrs["Spec"]["Labels"]
    assert "third-password" not in json.dumps(labels)


def test_absent_when_the_swarm_has_forgotten_a_container_then_its_volume_goes_all_the_same(
    engine: docker.DockerClient, stack: str
) -> None:
    source = {"services": {"web": service(volumes=["data:/data"])}, "volumes": {"data": {}}}
    stack_module(stack, source)
    # What the engine keeps of a task after it was killed.
    engine.containers.create(IMAGE, "true", labels={LABEL: stack}, volumes=[f"{stack}_data:/data"])
    stack_module(stack, state="absent", remove_volumes=True)
    assert own(engine, stack) == NOTHING
    assert engine.containers.list(all=True, filters={"label": f"{LABEL}={stack}"}) == []


def test_absent_then_gone_but_volumes_and_redeployed_at_once(engine: docker.DockerClient, stack: str) -> None:
    source = {"services": {"web": service(volumes=["data:/data"])}, "volumes": {"data": {}}}
    assert stack_module(stack, source).changed
    removed = stack_module(stack, state="absent")
    assert removed.changed
    assert removed.volumes == [f"{stack}_data"]
    assert own(engine, stack) == {**NOTHING, "volumes": [f"{stack}_data"]}
    assert stack_module(stack, source).changed
    assert stack_module(stack, state="absent", remove_volumes=True).changed
    assert own(engine, stack) == NOTHING
    assert not stack_module(stack, state="absent").changed


def test_absent_with_a_lone_network_then_removed(engine: docker.DockerClient, stack: str) -> None:
    engine.networks.create(f"{stack}_left", driver="overlay", labels={LABEL: stack})
    assert [item["name"] for item in stack_module(stack, state="absent").actions] == [f"{stack}_left"]
    assert own(engine, stack)["networks"] == []


#: Deployments that cannot run: what is asked for, the cause that is wanted, words of its sentence.
HOPELESS: dict[str, tuple[dict[str, Any], str, str]] = {
    "crash": (
        {"command": ["sh", "-c", "echo key $(cat /run/secrets/key); exit 3"], "secrets": ["key"]},
        "crash_loop",
        'ends with exit code 3 again and again; see its log for the cause. Its last words: "key ********".',
    ),
    "command": ({"command": ["nope"], "init": False}, "rejected", "its command nope is not in the image"),
    "image": (
        {"image": "labyard-test/none:2"},
        "image_missing",
        "the image labyard-test/none:2 is not",
    ),
    "memory": (
        {"deploy": {"resources": {"reservations": {"memory": "9000g"}}}},
        "resources",
        "no node has 9216000 MiB of memory",
    ),
    "constraint": (
        {"deploy": {"placement": {"constraints": ["node.labels.gpu == 1"]}}},
        "constraints",
        "no node meets its constraints (node.labels.gpu == 1)",
    ),
    "health": (
        {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 1}},
        "unhealthy",
        "its health check fails",
    ),
    "mount": ({"volumes": ["/nowhere/at/all:/x"]}, "mount_missing", "the path /nowhere/at/all"),
    "port of a program": (
        {"ports": [{"target": 80, "published": HELD_PORT, "mode": "host"}]},
        "port_taken",
        f"its published port {HELD_PORT} is taken on the node",
    ),
    "port of a service": (
        {"ports": [{"target": 80, "published": 27391, "mode": "host"}], "deploy": {"replicas": 2}},
        "port_taken",
        "its published port 27391 is taken on every node",
    ),
}


@dataclass(frozen=True)
class Failed:
    """How a hopeless deployment ended."""

    stack: str
    error: StackError
    left: dict[str, list[str]]  # of the stack on the swarm


@pytest.fixture(scope="module")
def failures(
    engine: docker.DockerClient, new_name: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Failed]:
    """All hopeless deployments, each a stack of its own, at the same time."""
    key = tmp_path_factory.mktemp("hopeless") / "key"
    key.write_text("very-secret-words")
    stacks = {name: new_name() for name in HOPELESS}

    def deploy(name: str) -> Failed:
        source = {"services": {"web": service(**HOPELESS[name][0])}, "secrets": {"key": {"file": str(key)}}}
        error = failure_of(stacks[name], source, interpolate=False)
        return Failed(stacks[name], error, own(engine, stacks[name]))

    with port_held(HELD_PORT), ThreadPoolExecutor(len(HOPELESS)) as pool:
        return dict(zip(HOPELESS, pool.map(deploy, HOPELESS), strict=True))


@pytest.mark.parametrize("name", HOPELESS)
def test_install_that_cannot_run_then_cause_in_words_and_nothing_left(
    failures: dict[str, Failed], name: str
) -> None:
    failed = failures[name]
    _, cause, words = HOPELESS[name]
    assert [reason["cause"] for reason in failed.error.reasons] == [cause]
    assert f"Service {failed.stack}_web" in str(failed.error)
    assert words in str(failed.error)
    assert "What this call had created was removed again." in str(failed.error)
    assert failed.left == NOTHING


def test_install_that_cannot_run_when_left_then_still_there(engine: docker.DockerClient, stack: str) -> None:
    source = {"services": {"web": service(image="labyard-test/none:2")}}
    error = failure_of(stack, source, on_failure="leave")
    assert f"The stack {stack} is left as it is." in str(error)
    assert own(engine, stack)["services"] == [f"{stack}_web"]


def test_jobs_and_one_shots_then_converged_when_they_have_ended(stack: str) -> None:
    source = {
        "services": {
            "job": service(command=["true"], deploy={"mode": "replicated-job", "replicas": 2}),
            "once": service(command=["true"], deploy={"restart_policy": {"condition": "none"}}),
            "everywhere": service(deploy={"mode": "global"}),
        }
    }
    assert stack_module(stack, source).changed
    assert not stack_module(stack, source).changed


def test_prune_then_what_is_no_longer_named_goes(engine: docker.DockerClient, stack: str) -> None:
    old = {"services": {"old": service(networks=["back"])}, "networks": {"back": {}}}
    new = {"services": {"web": service(deploy={"replicas": 0})}}
    stack_module(stack, new, old)
    pruned = stack_module(stack, new, prune=True)
    assert pruned.warnings == []
    assert [f"{item['action']} {item['name']}" for item in pruned.actions] == [
        f"remove {stack}_old",
        f"remove {stack}_back",
    ]
    assert own(engine, stack)["services"] == [f"{stack}_web"]
    assert own(engine, stack)["networks"] == [f"{stack}_default"]


def test_external_network_missing_then_nothing_made(engine: docker.DockerClient, stack: str) -> None:
    source = {"services": {"web": service(networks=["out"])}, "networks": {"out": {"external": True}}}
    with pytest.raises(ComposeError, match="the external network 'out' does not exist"):
        stack_module(stack, source)
    assert own(engine, stack) == NOTHING


def test_stack_of_the_command_line_then_adopted_without_change(stack: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("words")
    source = {
        "version": "3.9",
        "services": {
            "web": service(
                environment={"B": "2", "A": ""},
                secrets=[{"source": "key", "target": "k", "mode": 0o400}],
                ports=[{"target": 80, "published": 27392, "mode": "host"}],
                volumes=["/etc:/host:ro", {"type": "tmpfs", "target": "/t", "tmpfs": {"size": 1048576}}],
                ulimits={"nofile": 1024},
                cap_drop=["ALL"],
                cap_add=["kill"],
                extra_hosts=["a:10.0.0.9"],
                logging={"driver": "json-file", "options": {"max-size": "1m"}},
                deploy={
                    "endpoint_mode": "dnsrr",
                    "resources": {"limits": {"memory": "64m"}},
                    "update_config": {"order": "stop-first", "delay": "1s"},
                    "placement": {"constraints": ["node.role==manager"]},
                },
            )
        },
        "secrets": {"key": {"file": "./key"}},
    }
    path = tmp_path / "compose.json"
    path.write_text(json.dumps(source))
    docker_command("stack", "deploy", "--resolve-image", "never", "-c", str(path), stack)
    assert stack_module(stack, str(path), check_mode=True).actions == []
    assert stack_module(stack, str(path)).actions == []
    (tmp_path / "key").write_text("other words")
    assert [item["name"] for item in stack_module(stack, str(path)).actions] == [
        f"{stack}_key-v2",
        f"{stack}_web",
    ]


def test_play_then_returned_as_documented(stack: str, tmp_path: Path) -> None:
    task = {"name": stack, "compose": [{"services": {"web": service(container_name="ignored")}}]}
    done = run_play(tmp_path, task)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compose[0]: services.web.container_name: ignored" in done.stderr + done.stdout
    result = json.loads(done.stdout.split("=> ", 1)[1].split("\n\n", 1)[0])
    assert sorted(result) == ["actions", "changed", "message", "networks", "services", "volumes"]
    assert result["services"][0].keys() == {"name", "id", "image", "replicas", "running", "ports"}
    assert result["networks"] == [f"{stack}_default"]


def test_play_when_document_is_wrong_then_one_sentence(stack: str, tmp_path: Path) -> None:
    done = run_play(tmp_path, {"name": stack, "compose": [{"services": {"web": {"imagee": "x"}}}]})
    assert done.returncode == 2
    assert "compose[0]: services.web.imagee: this key is not known; did you mean 'image'?" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
