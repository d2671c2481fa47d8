"""A hub on a swarm, behind the ingress, with a directory: as people meet it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import yaml

from ansible_collections.labyard.platform.plugins.module_utils._billing.moments import read_time
from ansible_collections.labyard.platform.plugins.modules.usage_info import argument_spec, run
from labyard.errors import NotFound, Unavailable
from labyard.hubs.client import HubClient
from tests.conftest import free_port, wait_until
from tests.hub.person import HubPerson
from tests.services.executing import execute
from tests.services.nginx_server import APPS, DOMAIN

from .edge_house import lead_names_here
from .test_ingress import play, role

HUB = f"hub.{DOMAIN}"
BASE = "dc=hub,dc=test"
PASSWORD = "correct horse battery"
PROFILES = [
    {"name": "small", "title": "Small", "cpu_limit": 0.5, "memory_limit": 512},
    {"name": "huge", "title": "Huge", "cpu_limit": 900.0, "memory_limit": 512},
]


@dataclass
class Hub:
    """A hub, and what it needs."""

    folder: Path
    variables: dict[str, Any]
    engine: docker.DockerClient

    @property
    def ca(self) -> str:
        """The authority that browsers trust."""
        return str(self.folder / "certificates" / "ca.crt")

    def person(self, name: str) -> HubPerson:
        """Somebody who has signed in."""
        person = HubPerson(self.variables["jupyterhub_url"], self.ca)
        done = person.sign_in(name, PASSWORD)
        assert done.status_code == 302, done.text[:2000]
        return person

    def origin(self, name: str) -> str:
        """Where a person's notebooks are."""
        return f"https://{name}.{HUB}:{self.variables['ingress_https_port']}"

    def containers(self, name: str) -> list[str]:
        """Ids of the containers of a person that run."""
        return [found.id for found in self.engine.containers.list(filters=self._labels(name))]

    def services(self, name: str) -> list[Any]:
        """The services of a person's notebooks."""
        found: list[Any] = self.engine.services.list(filters=self._labels(name))
        return found

    def _labels(self, name: str) -> dict[str, list[str]]:
        return {"label": [f"labyard.owner={name}", f"labyard.hub={self.variables['jupyterhub_stack']}"]}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Hub]:
    """The hub, on ports and names of its own."""
    folder, word = tmp_path_factory.mktemp("hub"), f"t{secrets.token_hex(3)}"
    variables = _variables(folder, word)
    inventory = {
        "swarm_managers": {
            "hosts": {
                "localhost": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                }
            }
        }
    }
    (folder / "inventory").write_text(yaml.safe_dump(inventory))
    images = role("image", image_names=["directory", "hub", "ingress", "notebook-minimal"])
    parts = ("certificates", images, "directory", "ingress", "jupyterhub")
    try:
        play(folder, variables, *(role(part) if isinstance(part, str) else part for part in parts))
        with pytest.MonkeyPatch.context() as patch:
            lead_names_here(patch)
            yield Hub(folder, variables, engine)
    finally:
        gone = {"jupyterhub_keep_data": False, "directory_keep_data": False}
        parts = ("jupyterhub", "directory", "ingress")
        play(folder, {**variables, **gone}, *(role(part, tasks_from="remove") for part in parts))


def _variables(folder: Path, word: str) -> dict[str, Any]:
    names, https = [DOMAIN, f"*.{APPS}", HUB, f"*.{HUB}"], free_port()
    certificates = folder / "certificates"
    return {
        "certificates_folder": str(certificates),
        "certificates_wanted": [
            {"name": "ingress", "dns_names": names},
            {"name": "directory", "dns_names": ["directory"]},
        ],
        "directory_stack": f"test-people-{word}",
        "directory_base": BASE,
        "directory_console_password": secrets.token_urlsafe(16),
        "directory_certificate_file": str(certificates / "directory.crt"),
        "directory_key_file": str(certificates / "directory.key"),
        "directory_dir": str(folder / "directory"),
        "directory_people": [{"name": name, "password": PASSWORD} for name in ("ada", "bob", "dan", "eve")],
        "directory_groups": [
            {"name": "physics", "members": ["ada", "bob"]},
            {"name": "staff", "members": ["dan"]},
        ],
        "ingress_domain": DOMAIN,
        "ingress_apps_domain": APPS,
        "ingress_secret": secrets.token_urlsafe(32),
        "ingress_stack": f"test-hub-edge-{word}",
        "ingress_network": f"test_hub_edge_{word}",
        "ingress_network_subnet": "10.211.97.0/24",
        "ingress_http_port": free_port(),
        "ingress_https_port": https,
        "ingress_constraints": [],
        "ingress_drain_seconds": 1,
        "ingress_sites": [{"domain": HUB, "upstream": f"test-hub-{word}_proxy:8000", "subdomains": True}],
        "jupyterhub_stack": f"test-hub-{word}",
        "jupyterhub_url": f"https://{HUB}:{https}",
        "jupyterhub_secret": secrets.token_urlsafe(32),
        "jupyterhub_ldap": {
            "url": "ldaps://directory:1636",
            "base": f"ou=people,{BASE}",
            "group_base": f"ou=groups,{BASE}",
            "bind_dn": f"cn=console,ou=services,{BASE}",
        },
        "jupyterhub_allowed_groups": ["physics"],
        "jupyterhub_admin_groups": ["staff"],
        "jupyterhub_console_token": secrets.token_urlsafe(32),
        "jupyterhub_metrics_token": secrets.token_urlsafe(32),
        "jupyterhub_ca_file": str(certificates / "ca.crt"),
        "jupyterhub_networks": [f"test-people-{word}_default"],
        "jupyterhub_edge_network": f"test_hub_edge_{word}",
        "jupyterhub_network_subnet": "10.211.98.0/24",
        "jupyterhub_control_subnet": "10.211.99.0/27",
        "jupyterhub_pending_timeout": 3,
        "jupyterhub_profiles": [
            {**profile, "image": "labyard/notebook-minimal:current"} for profile in PROFILES
        ],
    }


def test_person_when_signed_in_then_computes_and_stops_and_starts_again_at_once(hub: Hub) -> None:
    ada = hub.person("ada")
    ada.start(profile="small")
    page = ada.lab()
    assert page.url.startswith(f"{hub.origin('ada')}/user/ada/lab")
    assert "jupyter-config-data" in page.text, page.text[:500]
    kept = "from pathlib import Path; Path('kept').write_text('yes')"
    assert ada.compute(hub.origin("ada"), kept) == "3"
    first = hub.containers("ada")
    (service,) = hub.services("ada")
    placement = service.attrs["Spec"]["TaskTemplate"]["Placement"]
    assert [text for text in placement["Constraints"] if text.startswith("node.hostname==")], (
        "kept by its home"
    )
    assert len(service.tasks()) == 1, "and went on all the same"

    ada.stop()
    assert hub.containers("ada") == []
    ada.start()
    assert hub.containers("ada") != first
    assert ada.compute(hub.origin("ada"), "open('kept').read()") == "'yes'"
    ada.stop()


def test_person_when_not_the_owner_then_is_refused(hub: Hub) -> None:
    ada, bob = hub.person("ada"), hub.person("bob")
    ada.start()
    theirs = f"{hub.origin('ada')}/user/ada"
    assert bob.browser.get(f"{theirs}/lab", timeout=30).status_code == 403
    asked = {"Authorization": f"token {bob.token}"}
    assert bob.browser.get(f"{theirs}/api/contents", headers=asked, timeout=30).status_code == 403
    assert bob.call("DELETE", "users/ada/server").status_code == 404, "not even that there is one"
    stranger = HubPerson(hub.variables["jupyterhub_url"], hub.ca)
    assert stranger.browser.get(f"{theirs}/api/contents", timeout=30).status_code == 403
    ada.stop()


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("ada", ""), ("ada)(uid=*", PASSWORD), ("eve", PASSWORD)]
)
def test_sign_in_when_wrong_or_not_allowed_then_refused(hub: Hub, name: str, password: str) -> None:
    assert HubPerson(hub.variables["jupyterhub_url"], hub.ca).sign_in(name, password).status_code == 403


def test_person_when_in_a_group_of_admins_then_is_an_admin(hub: Hub) -> None:
    found = {name: hub.person(name).call("GET", "user").json()["admin"] for name in ("ada", "dan")}
    assert found == {"ada": False, "dan": True}


def test_notebook_when_there_is_no_room_then_the_swarms_reason_is_told(hub: Hub) -> None:
    ada = hub.person("ada")
    asked = ada.call("POST", "users/ada/server", json={"profile": "huge"})
    assert asked.status_code == 202, asked.text
    told = ada.call("GET", "users/ada/server/progress").text
    events = [
        json.loads(line.removeprefix("data: ")) for line in told.splitlines() if line.startswith("data")
    ]
    assert "insufficient resources" in " ".join(event["message"] for event in events), events
    assert events[-1]["failed"]
    wait_until(lambda: hub.containers("ada") == [], 30, "nothing is left of it")
    ada.start(profile="small")
    ada.stop()


def test_hub_when_killed_then_notebooks_go_on_and_are_known_again(hub: Hub) -> None:
    ada = hub.person("ada")
    ada.start()
    before = hub.containers("ada")
    name = f"{hub.variables['jupyterhub_stack']}_hub"
    (killed,) = hub.engine.containers.list(filters={"label": f"com.docker.swarm.service.name={name}"})
    killed.kill()

    assert ada.browser.get(f"{hub.origin('ada')}/user/ada/api", timeout=30).ok, "the proxy leads to it still"
    health = f"{hub.variables['jupyterhub_url']}/hub/health"
    wait_until(lambda: ada.browser.get(health, timeout=30).status_code != 200, 30, "the hub is away")
    wait_until(lambda: ada.browser.get(health, timeout=30).status_code == 200, 90, "it is there again")
    assert hub.containers("ada") == before
    assert ada.server()["ready"]
    assert ada.compute(hub.origin("ada"), "6 * 7") == "42"
    ada.stop()


def test_figures_when_asked_for_then_only_with_the_token_and_not_from_outside(hub: Hub) -> None:
    from_outside = requests.get(f"{hub.variables['jupyterhub_url']}/hub/metrics", verify=hub.ca, timeout=30)
    assert from_outside.status_code == 404

    name = f"{hub.variables['jupyterhub_stack']}_hub"
    (container,) = hub.engine.containers.list(filters={"label": f"com.docker.swarm.service.name={name}"})
    ask = ["curl", "-sS", "http://127.0.0.1:8081/hub/metrics"]
    assert b"jupyterhub_" not in execute(container, ask).output
    token = f"Authorization: Bearer {hub.variables['jupyterhub_metrics_token']}"
    assert b"jupyterhub_server_spawn_duration_seconds" in execute(container, [*ask, "-H", token]).output


def test_console_when_it_asks_the_hub_then_lists_and_stops(hub: Hub) -> None:
    ada = hub.person("ada")
    ada.start(profile="small")
    ada.start("second")
    url, token = hub.variables["jupyterhub_url"], hub.variables["jupyterhub_console_token"]
    console = HubClient(url, token, Path(hub.ca))
    found = console.list_servers()
    assert [(server.owner, server.name, server.state) for server in found] == [
        ("ada", "", "running"),
        ("ada", "second", "running"),
    ]
    assert found[0].plan == "small"
    assert found[0].started_at is not None
    assert console.list_servers("ada") == found
    assert console.list_servers("nobody") == []
    assert ada.browser.get(found[0].url, timeout=30).url.startswith(hub.origin("ada"))

    console.stop("ada", "")
    console.stop("ada", "second")
    wait_until(lambda: console.list_servers() == [], 30, "both are gone")
    with pytest.raises(NotFound):
        console.stop("nobody", "")
    with pytest.raises(Unavailable, match="same token"):
        HubClient(url, "another", Path(hub.ca)).list_servers()


def test_notebook_when_it_runs_then_is_metered_and_its_owner_pays(hub: Hub) -> None:
    stack = hub.variables["jupyterhub_stack"]
    defaults = {key: option.get("default") for key, option in argument_spec().items()}

    def look(beats: dict[str, Any], hub_name: str = stack) -> dict[str, Any]:
        labels = [f"labyard.hub={hub_name}"]
        return run({**defaults, "labels": labels, "beats": beats, "statistics": True, "cut": 1})

    before = look({})
    assert before["beats"]["tasks"] == {}, "neither hub nor proxy is anybody's"
    ada = hub.person("ada")
    ada.start(profile="small")
    (service,) = hub.services("ada")
    (task,) = service.tasks()
    began = read_time(task["Status"]["Timestamp"]) or 0
    done = look(before["beats"])
    found = [*done["records"], *done["pending"]]
    assert {(one["account"], one["user"], one["plan"], one["shape"]) for one in found} == {
        ("user:ada", "ada", "small", "small")
    }
    key = service.attrs["Spec"]["Labels"]["labyard.hub.key"]
    assert {(one["deployment"], one["deployment_name"]) for one in found} == {(f"{stack}-{key}", "notebook")}
    amounts = {name: sum_of(found, name) for name in ("wall", "cpu", "memory", "cpu_used")}
    length = Decimal((read_time(done["until"]) or 0) - began) / 1000
    assert amounts["wall"] == length
    assert amounts["cpu"] == length / 20, "a tenth of half a core is set aside"
    assert amounts["memory"] == length * 512 * 1024**2
    assert amounts["cpu_used"] > 0
    assert look({}, "another-hub")["beats"]["tasks"] == {}, "which another console would meter"

    ada.stop()
    ended = look(done["beats"])
    assert ended["pending"] == []
    records = [*done["records"], *ended["records"]]
    assert len({one["key"] for one in records}) == len(records)
    assert sum_of(records, "wall") >= length


def sum_of(records: list[dict[str, Any]], resource: str) -> Decimal:
    """What was metered of a resource."""
    return sum((Decimal(one["quantity"]) for one in records if one["resource"] == resource), Decimal(0))


def test_notebook_when_idle_for_too_long_then_is_stopped_and_its_home_may_move(hub: Hub) -> None:
    ada = hub.person("ada")
    ada.start()
    homes = hub.folder / "homes"
    homes.mkdir()
    options = {"type": "none", "o": "bind", "device": f"{homes}/{{user}}"}
    home = {"type": "volume", "source": f"{hub.variables['jupyterhub_stack']}-new-{{user}}"}
    soon = {"jupyterhub_idle_timeout": 15, "jupyterhub_cull_every": 1}
    changed = {**hub.variables, **soon, "jupyterhub_home": {**home, "driver_opts": options}}
    play(hub.folder, changed, role("jupyterhub"))
    wait_until(lambda: hub.containers("ada") == [], 60, "it is stopped")
    wait_until(lambda: ada.server() == {}, 30, "the hub knows it")

    ada.start()
    assert (homes / "ada").stat().st_uid == 1000, "her home in the folder that nodes share"
    assert (homes / "ada").stat().st_mode & 0o777 == 0o700
