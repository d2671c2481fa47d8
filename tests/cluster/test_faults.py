"""Nodes that are lost, managers without their leader, a network that is cut: what people notice of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from tests.cluster.platform import APPS, CONSOLE, HUB, Platform, hub_origin
from tests.conftest import wait_until
from tests.integration.jupyter import compute
from tests.services.executing import execute

#: Holds no data and is no edge: what runs there can be lost.
VICTIM, OTHER, LAST = "node1", "node2", "node3"
#: Seconds that are enough on a machine that does other things meanwhile; docs/faults.md has what it took.
PATIENCE = 180
KEEP = "from pathlib import Path; Path('kept').write_text('yes')"


@pytest.fixture
def leader(platform: Platform) -> str:
    """The node that will be lost, which leads the managers."""
    for _ in range(6):  # of the two others each may be chosen
        if (now := leader_of(platform)) == VICTIM:
            break
        take_lead_from(platform, now)
    assert leader_of(platform) == VICTIM
    wait_until(lambda: answers(f"https://{CONSOLE}/readyz", platform), PATIENCE, "the console answers")
    wait_until(lambda: answers(f"https://{HUB}/hub/health", platform), PATIENCE, "the hub answers")
    return VICTIM


@pytest.fixture
def notebook(platform: Platform) -> Iterator[str]:
    """A notebook of ada's on the node that will be lost, with a file in its home; its id."""
    for node in (OTHER, LAST):
        platform.on(LAST, "docker", "node", "update", "--availability", "pause", node)
    deployment = platform.deploy("ada", "on-a-node-that-is-lost")
    for node in (OTHER, LAST):
        platform.on(LAST, "docker", "node", "update", "--availability", "active", node)
    assert node_of(platform, deployment) == VICTIM
    assert ask(platform, deployment, KEEP) == "3"
    yield deployment
    machines = platform.machines()
    if machines.container(VICTIM).status != "running":
        machines.restart(VICTIM)
    machines.heal(VICTIM)
    # the engine of a machine is started by the play, as the platform's other parts are
    platform.play("playbooks/site.yml", "--tags", "preflight,always")
    wait_until(lambda: state_of(platform, VICTIM) == "ready", 90, f"{VICTIM} is ready again")
    platform.remove(deployment)


def test_leader_when_lost_then_people_go_on_and_its_notebook_is_elsewhere_with_its_home(
    platform: Platform, leader: str, notebook: str, record_property: pytest.RecordProperty
) -> None:
    platform.machines().kill(leader)
    begin = time.monotonic()
    wait_until(lambda: answers(f"https://{CONSOLE}/readyz", platform), PATIENCE, "the console answers")
    record_property("console_seconds", round(time.monotonic() - begin, 1))
    wait_until(lambda: node_of(platform, notebook) in (OTHER, LAST), PATIENCE, "the notebook is elsewhere")
    wait_until(lambda: lab_answers(platform, notebook), PATIENCE, "the notebook answers")
    record_property("notebook_seconds", round(time.monotonic() - begin, 1))
    assert ask(platform, notebook, "open('kept').read()") == "'yes'"
    assert leader_of(platform) in (OTHER, LAST)

    # people go on: at the console, and at the hub
    another = platform.deploy("ada", "while-a-node-is-away")
    assert ask(platform, another, "6 * 7") == "42"
    platform.remove(another)
    wait_until(lambda: answers(f"https://{HUB}/hub/health", platform), PATIENCE, "the hub answers")
    ada = platform.at_the_hub("ada")
    ada.start()
    assert ada.compute(hub_origin("ada"), "6 * 7") == "42"
    ada.stop()


def test_node_when_cut_off_and_healed_then_nothing_runs_twice(platform: Platform, notebook: str) -> None:
    machines = platform.machines()
    machines.cut(VICTIM)
    wait_until(lambda: state_of(platform, VICTIM) == "down", PATIENCE, "the node counts as down")
    wait_until(lambda: lab_answers(platform, notebook), PATIENCE, "the notebook answers from elsewhere")
    assert ask(platform, notebook, "open('kept').read()") == "'yes'"
    machines.heal(VICTIM)
    wait_until(lambda: state_of(platform, VICTIM) == "ready", PATIENCE, "the node is back")
    wait_until(lambda: containers_of(platform, notebook) == 1, PATIENCE, "what ran on it has ended")
    assert ask(platform, notebook, "6 * 7") == "42"


def ask(platform: Platform, deployment: str, code: str) -> str:
    """What ada's notebook answers, through the ingress."""
    origin = f"https://{deployment}.{APPS}"
    browser = platform.signed_in("ada")
    browser.get(f"{origin}/lab")
    return compute(origin, "", code, cookie=browser.cookies_for(f"{origin}/"), ca=platform.ca)


def lab_answers(platform: Platform, deployment: str) -> bool:
    """Whether ada sees JupyterLab."""
    try:
        return "jupyter-config-data" in platform.signed_in("ada").get(f"https://{deployment}.{APPS}/lab").text
    except (requests.RequestException, AssertionError):  # the console is just moving, too
        return False


def answers(url: str, platform: Platform) -> bool:
    """Whether a page is there."""
    try:
        return requests.get(url, verify=platform.ca, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def node_of(platform: Platform, deployment: str) -> str:
    """The node that a notebook runs on; empty if it runs on none, or no manager leads who knows."""
    name = f"notebook-{deployment}_notebook"
    command = ["docker", "service", "ps", "--filter", "desired-state=running", "--format"]
    said = execute(platform.machines().container(LAST), [*command, "{{.Node}} {{.CurrentState}}", name])
    return next((line.split()[0] for line in said.output.decode().splitlines() if " Running" in line), "")


def state_of(platform: Platform, node: str) -> str:
    """How the managers see a node; what no manager says while none leads is no state."""
    command = ["docker", "node", "inspect", "--format", "{{.Status.State}}", node]
    return execute(platform.machines().container(LAST), command).output.decode().strip()


def leader_of(platform: Platform, seen_from: str = LAST) -> str:
    """The manager that leads; empty while there is none, when managers answer with an error."""
    command = ["docker", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"]
    lines = execute(platform.machines().container(seen_from), command).output.decode().splitlines()
    return next((line.split()[0] for line in lines if line.endswith("Leader")), "")


def take_lead_from(platform: Platform, leader: str) -> None:
    """Have another manager lead; `leader`, not the victim, is a manager again afterwards."""
    platform.on(VICTIM, "docker", "node", "demote", leader)
    wait_until(lambda: leader_of(platform, VICTIM) not in ("", leader), 60, "another one leads")
    platform.on(VICTIM, "docker", "node", "promote", leader)
    wait_until(lambda: is_manager(platform, leader), 60, f"{leader} is a manager again")


def is_manager(platform: Platform, node: str) -> bool:
    """Whether a node counts as a manager that the others reach."""
    form = "{{with .ManagerStatus}}{{.Reachability}}{{end}}"
    return platform.on(VICTIM, "docker", "node", "inspect", "--format", form, node).strip() == "reachable"


def containers_of(platform: Platform, deployment: str) -> int:
    """How many containers of a notebook run on all nodes together."""
    command = ["docker", "ps", "--quiet", "--filter", f"label=labyard.deployment={deployment}"]
    return sum(len(platform.on(node, *command).split()) for node in (VICTIM, OTHER, LAST))
