"""A hub whose people sign in at an OpenID provider: both real, and a browser that fills in the forms."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pytest
import requests

from tests.conftest import free_port, wait_until
from tests.hub.oidc_person import OidcPerson
from tests.services.oidc_server import CLIENT, PASSWORD, OidcServer
from tests.services.process import running

from .role_plays import play, role, write_inventory

GROUPS = {"physics": ["ada", "bob"], "staff": ["ada"]}


def told(page: requests.Response) -> str:
    """What a page of the hub says went wrong."""
    said = re.search(r'class="error">.*?</div>', page.text, re.DOTALL)
    return f"{page.status_code} {html.unescape(' '.join(said[0].split())) if said else page.text[:1000]}"


@dataclass
class Hub:
    """A hub and its provider."""

    url: str
    stack: str
    provider: OidcServer

    def visitor(self) -> OidcPerson:
        """Somebody who is signed in nowhere."""
        return OidcPerson(self.url, str(self.provider.ca))

    def person(self, name: str) -> OidcPerson:
        """Somebody who has signed in."""
        person = self.visitor()
        page = person.sign_in(name, PASSWORD)
        assert page.url == f"{self.url}/hub/home", f"{page.url}: {told(page)}"
        return person


@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Hub]:
    """Both, on ports and names of their own."""
    folder, word, port = tmp_path_factory.mktemp("oidc"), f"t{secrets.token_hex(3)}", free_port()
    write_inventory(folder)
    # Where containers find this machine.
    here = engine.networks.get("docker_gwbridge").attrs["IPAM"]["Config"][0]["Gateway"]
    url = f"http://127.0.0.1:{port}"
    with running(OidcServer(here, f"{url}/hub/oauth_callback", ["ada", "bob", "eve"])) as provider:
        variables = {
            "jupyterhub_stack": f"test-oidc-{word}",
            "jupyterhub_url": url,
            "jupyterhub_subdomains": False,
            "jupyterhub_port": port,
            "jupyterhub_secret": secrets.token_urlsafe(32),
            "jupyterhub_sign_in": "oidc",
            "jupyterhub_oidc": {
                "issuer": provider.issuer,
                "client_id": CLIENT,
                "scope": ["openid", "profile", "groups"],
                "title": "the university",
            },
            "jupyterhub_oidc_client_secret": provider.client_secret,
            "jupyterhub_ca_file": str(provider.ca),
            "jupyterhub_allowed_groups": ["physics"],
            "jupyterhub_admin_groups": ["staff"],
            "jupyterhub_refresh_seconds": 1,
            "jupyterhub_network_subnet": "10.211.94.0/24",
            "jupyterhub_control_subnet": "10.211.95.0/27",
        }
        try:
            image = role("image", image_names=["hub", "notebook-minimal"])
            play(folder, variables, image, role("jupyterhub"))
            yield Hub(url, variables["jupyterhub_stack"], provider)
        finally:
            gone = {**variables, "jupyterhub_keep_data": False}
            play(folder, gone, role("jupyterhub", tasks_from="remove"))


@pytest.fixture
def hub(site: Hub) -> Iterator[Hub]:
    """The hub, with a provider at which everybody is in their groups."""
    site.provider.change(GROUPS)
    yield site
    site.provider.change(GROUPS)


def test_person_when_signed_in_at_the_provider_then_has_the_rights_of_the_groups_there(
    hub: Hub,
) -> None:
    ada, bob = (hub.person(name).call("GET", "user").json() for name in ("ada", "bob"))
    assert (ada["name"], sorted(ada["groups"]), ada["admin"]) == ("ada", ["physics", "staff"], True)
    assert (bob["name"], bob["groups"], bob["admin"]) == ("bob", ["physics"], False)


def test_person_when_in_no_allowed_group_then_is_refused_and_told_why(hub: Hub) -> None:
    page = hub.visitor().sign_in("eve", PASSWORD)
    assert page.status_code == 403
    assert "in none of the groups that may" in told(page)
    ada = hub.person("ada")
    assert ada.call("GET", "users/eve").status_code == 404


def test_person_when_the_password_is_wrong_then_gets_no_further_than_the_provider(hub: Hub) -> None:
    page = hub.visitor().sign_in("ada", "wrong")
    assert page.url.startswith(hub.provider.issuer)


def test_person_when_taken_out_of_a_group_then_loses_its_rights_while_signed_in(
    hub: Hub, engine: docker.DockerClient
) -> None:
    ada, bob = hub.person("ada"), hub.person("bob")
    hub.provider.change({"physics": ["ada"], "staff": []})
    wait_until(lambda: not ada.call("GET", "user").json()["admin"], 30, "ada is no admin any more")
    home = f"{hub.url}/hub/home"
    wait_until(lambda: "/hub/login" in bob.browser.get(home, timeout=30).url, 30, "bob has to sign in again")
    assert hub.visitor().sign_in("bob", PASSWORD).status_code == 403
    # A program of his is no way round.
    token = {"Authorization": f"token {bob.token}"}
    server = f"{hub.url}/hub/api/users/bob/server"
    requests.post(server, headers=token, timeout=30)
    events = requests.get(f"{server}/progress", headers=token, timeout=30).text
    assert "may not sign in here any more" in events, events
    assert not engine.services.list(filters={"label": f"labyard.hub={hub.stack}"})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"certificate": "foreign"}, ["does not trust the certificate", "jupyterhub_ca_file"]),
        (
            {"name": "login.example.org"},
            ["calls itself https://login.example.org", "issuer in jupyterhub_oidc"],
        ),
    ],
)
def test_sign_in_when_the_provider_is_not_the_one_that_was_named_then_the_page_says_what_to_do(
    hub: Hub, wrong: dict[str, str], words: list[str]
) -> None:
    hub.provider.change(**wrong)
    page = hub.visitor().open_provider()
    assert page.status_code == 503
    assert page.url.startswith(hub.url)
    assert [each for each in words if each not in told(page)] == [], told(page)
    hub.provider.change()
    hub.person("ada")


def test_sign_in_when_the_provider_is_away_or_does_not_know_the_hub_then_the_page_says_so(hub: Hub) -> None:
    ada = hub.person("ada")
    hub.provider.kill()  # as a provider is away: it does not wait for who still holds a connection
    try:
        page = hub.visitor().open_provider()
        assert page.status_code == 503
        assert "nobody can sign in now. Notebooks that run go on." in told(page)
        home = f"{hub.url}/hub/home"
        assert ada.browser.get(home, timeout=30).url == home, "nobody is sent away because the provider is"
        hub.provider.know_client("another")
        hub.provider.start()
        page = hub.visitor().sign_in("ada", PASSWORD)
        assert page.status_code == 503
        assert "jupyterhub_oidc_client_secret" in told(page)
    finally:
        if hub.provider.process:
            hub.provider.kill()
        hub.provider.know_client(hub.provider.client_secret)
        hub.provider.start()
