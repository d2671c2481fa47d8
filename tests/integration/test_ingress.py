"""The ingress on a swarm: a notebook is deployed in the console and reached by its own name."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import yaml

from tests.conftest import (
    PLAN,
    RunningConsole,
    console_environment,
    free_port,
    is_ready,
    remove_deployments_of,
    wait_until,
    write_plans,
)
from tests.services.nginx_server import APPS, DOMAIN

from .edge_house import Browser, lead_names_here
from .jupyter import ask, compute, open_kernel
from .role_plays import play, role, write_inventory

SMALL = {"cpu_limit": 0.5, "memory_limit": 512}


@dataclass
class Platform:
    """The ingress, a console behind it, and what they need."""

    folder: Path
    variables: dict[str, Any]
    console: RunningConsole

    @property
    def ca(self) -> str:
        """The authority that browsers trust."""
        return str(self.folder / "certificates" / "ca.crt")

    def browser(self) -> Browser:
        """A browser that is signed in nowhere."""
        return Browser(self.ca, self.console.environment["LABYARD_PUBLIC_URL"])

    def origin(self, deployment: str) -> str:
        """Where a deployment is."""
        return f"https://{deployment}.{self.console.environment['LABYARD_EDGE_DOMAIN']}"


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory,
    engine: docker.DockerClient,
    module_console_database: dict[str, str],
) -> Iterator[Platform]:
    """The platform, on ports and names of its own."""
    folder, word = tmp_path_factory.mktemp("ingress"), f"t{secrets.token_hex(3)}"
    # Where containers find this machine.
    here = engine.networks.get("docker_gwbridge").attrs["IPAM"]["Config"][0]["Gateway"]
    console_port, https = free_port(), free_port()
    variables = {
        "certificates_folder": str(folder / "certificates"),
        "certificates_wanted": [{"name": "ingress", "dns_names": [DOMAIN, f"*.{APPS}"]}],
        "ingress_domain": DOMAIN,
        "ingress_apps_domain": APPS,
        "ingress_console": f"{here}:{console_port}",
        "ingress_secret": secrets.token_urlsafe(32),
        "ingress_stack": f"test-ingress-{word}",
        "ingress_network": f"test_edge_{word}",
        "ingress_network_subnet": "10.98.96.0/24",
        "ingress_http_port": free_port(),
        "ingress_https_port": https,
        "ingress_constraints": [],
        "ingress_drain_seconds": 1,
    }
    console = _console(folder, variables, f"http://{here}:{console_port}", module_console_database)
    try:
        play(folder, variables, role("certificates"), role("image", image_names=["ingress"]), role("ingress"))
        console.start("web", "worker")
        wait_until(lambda: is_ready(console), 60, f"{console.url}/readyz: {console.log('web')[-2000:]}")
        with pytest.MonkeyPatch.context() as patch:
            lead_names_here(patch)
            yield Platform(folder, variables, console)
    finally:
        console.stop(*list(console.processes))
        remove_deployments_of(console, engine)
        play(folder, variables, role("ingress", tasks_from="remove"))


def _console(folder: Path, variables: dict[str, Any], url: str, database: dict[str, str]) -> RunningConsole:
    """A console whose notebooks are proxied; not started yet."""
    domain = f"{APPS}:{variables['ingress_https_port']}"
    inventory = write_inventory(folder)
    settings = {
        "labyard_edge_mode": "proxied",
        "notebook_apps_domain": domain,
        "notebook_edge_network": variables["ingress_network"],
    }
    (inventory / "group_vars" / "all.yml").write_text(yaml.safe_dump(settings))
    (folder / "edge_secret").write_text(variables["ingress_secret"])
    environment = console_environment(
        folder,
        LABYARD_INVENTORY=str(inventory),
        LABYARD_PUBLIC_URL=f"https://{DOMAIN}:{variables['ingress_https_port']}",
        LABYARD_EDGE_DOMAIN=domain,
        LABYARD_EDGE_SECRET_FILE=str(folder / "edge_secret"),
        **database,
    )
    console = RunningConsole(url, folder, environment)
    console.set_up(write_plans(folder))
    return console


def test_notebook_when_deployed_then_its_owner_computes_at_its_own_name_and_nobody_else_does(
    platform: Platform, engine: docker.DockerClient
) -> None:
    console = platform.console
    done = console.finish(console.issue(plan=PLAN, phase="install", name="edge", params=SMALL))
    assert done["state"] == 5, done
    ident = done["deployment"]["id"]
    origin = platform.origin(ident)
    assert [e["url"] for e in done["deployment"]["endpoints"]] == [f"{origin}/lab"]
    (service,) = engine.services.list(filters={"label": f"labyard.deployment={ident}"})
    assert not service.attrs["Endpoint"].get("Ports"), "a port is published"

    owner = platform.browser()
    owner.sign_in("admin", console.password)
    lab = owner.get(f"{origin}/lab")
    assert lab.url == f"{origin}/lab"
    assert "jupyter-config-data" in lab.text, lab.text[:500]
    cookie = owner.cookies_for(f"{origin}/")
    assert compute(origin, "", "6 * 7", cookie=cookie, ca=platform.ca) == "42"

    stranger = platform.browser()
    made = console.call("POST", "users", {"username": "bob", "password": "correct horse battery"})
    assert made.status_code == 201, made.text
    stranger.sign_in("bob")
    assert stranger.get(f"{origin}/lab").status_code == 403
    fetched = {"Sec-Fetch-Mode": "cors"}
    assert (
        requests.get(f"{origin}/api/status", headers=fetched, verify=platform.ca, timeout=20).status_code
        == 401
    )

    for phase, status in (("stop", 503), ("start", 200)):
        ended = console.finish(console.issue(deployment=ident, phase=phase, params={}))
        assert ended["state"] == 5, ended
        wait_until(
            lambda status=status: owner.get(f"{origin}/lab").status_code == status, 30, f"{phase}: {status}"
        )
    assert compute(origin, "", "'again'", cookie=cookie, ca=platform.ca) == "'again'"
    assert console.finish(console.issue(deployment=ident, phase="check", params={}))["state"] == 5
    assert (
        console.finish(console.issue(deployment=ident, phase="update", params={"idle_timeout": 60}))["state"]
        == 5
    )
    wait_until(lambda: owner.get(f"{origin}/lab").status_code == 200, 30, "it is there after an update")
    gone = console.finish(console.issue(deployment=ident, phase="remove", params={"keep_data": False}))
    assert gone["state"] == 5, gone
    wait_until(lambda: owner.get(f"{origin}/lab").status_code == 404, 30, "it is gone")


def test_notebook_when_the_ingress_gets_another_certificate_and_site_then_its_kernel_stays_connected(
    platform: Platform, engine: docker.DockerClient
) -> None:
    console, variables = platform.console, platform.variables
    done = console.finish(console.issue(plan=PLAN, phase="install", name="stays", params=SMALL))
    assert done["state"] == 5, done
    ident = done["deployment"]["id"]
    origin, owner = platform.origin(ident), platform.browser()
    owner.sign_in("admin", console.password)
    owner.get(f"{origin}/lab")
    nginx = {"label": f"com.docker.swarm.service.name={variables['ingress_stack']}_nginx"}
    containers = [container.id for container in engine.containers.list(filters=nginx)]
    with open_kernel(origin, "", cookie=owner.cookies_for(f"{origin}/"), ca=platform.ca) as channel:
        assert ask(channel, "x = 6; x") == "6"
        former = _certificate(platform)
        for kind in ("crt", "key"):
            (platform.folder / "certificates" / f"ingress.{kind}").unlink()
        site = f"site.{DOMAIN}"
        variables["certificates_wanted"][0]["dns_names"].append(site)
        variables["ingress_sites"] = [{"domain": site, "upstream": "nobody:80"}]
        play(platform.folder, variables, role("certificates"), role("ingress"))
        assert _certificate(platform) != former
        assert ask(channel, "x * 7") == "42"
    assert [container.id for container in engine.containers.list(filters=nginx)] == containers
    gone = console.finish(console.issue(deployment=ident, phase="remove", params={"keep_data": False}))
    assert gone["state"] == 5, gone


def _certificate(platform: Platform) -> str:
    """What a new connection is shown."""
    address = (DOMAIN, platform.variables["ingress_https_port"])
    return ssl.get_server_certificate(address, ca_certs=platform.ca, timeout=20)


def test_ingress_when_run_again_then_nothing_changes(platform: Platform) -> None:
    said = play(platform.folder, platform.variables, role("certificates"), role("ingress"))
    assert "changed=0" in said
