"""A person at a hub, as a browser and as a program of theirs: sign in, start, compute, stop."""

from __future__ import annotations

import time
from typing import Any

import requests

from tests.conftest import wait_until
from tests.integration.jupyter import compute

ANSWER = 30  # seconds
START = 120  # seconds until a notebook answers


class HubPerson:
    """A browser that is signed in nowhere yet.

    :param url: of the hub
    :param ca: the file of the authority that signed its certificate
    """

    def __init__(self, url: str, ca: str | None = None) -> None:
        self.url, self.ca, self.name, self.token = url, ca, "", ""
        self.browser = requests.Session()
        self.browser.trust_env, self.browser.verify = False, ca or True

    def sign_in(self, name: str, password: str) -> requests.Response:
        """Fill in the form; where that is right, the person has a token from then on."""
        self.name = name
        self.browser.get(f"{self.url}/hub/login", timeout=ANSWER)
        form = {"username": name, "password": password, "_xsrf": self._xsrf()}
        done = self.browser.post(
            f"{self.url}/hub/login?next=/hub/home", data=form, timeout=ANSWER, allow_redirects=False
        )
        if done.status_code == 302:
            made = self.call("POST", f"users/{name}/tokens", json={"note": "a program", "expires_in": 3600})
            assert made.status_code == 201, made.text
            self.token = made.json()["token"]
        return done

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Ask the hub's REST interface as the page does."""
        headers = {"X-XSRFToken": self._xsrf(), "Referer": f"{self.url}/hub/home"}
        return self.browser.request(
            method, f"{self.url}/hub/api/{path}", headers=headers, timeout=ANSWER, **arguments
        )

    def start(self, server: str = "", **options: str) -> float:
        """Start a notebook and wait until it is ready; the seconds that it took."""
        begin = time.monotonic()
        asked = self.call("POST", f"users/{self.name}/{self._path(server)}", json=options)
        assert asked.status_code in (201, 202), asked.text
        wait_until(lambda: self.server(server).get("ready"), START, f"{self.name} is as wanted")
        return time.monotonic() - begin

    def stop(self, server: str = "") -> None:
        """Stop a notebook and wait until it is gone."""
        asked = self.call("DELETE", f"users/{self.name}/{self._path(server)}")
        assert asked.status_code in (202, 204), asked.text
        wait_until(lambda: not self.server(server), START, f"{self.name} is as wanted")

    def server(self, server: str = "") -> dict[str, Any]:
        """How the hub says it does; empty if it is not there."""
        answer = self.call("GET", f"users/{self.name}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()["servers"].get(server) or {}
        return found if found.get("ready") or found.get("pending") else {}

    def lab(self) -> requests.Response:
        """Open JupyterLab as a browser."""
        return self.browser.get(f"{self.url}/hub/user-redirect/lab", timeout=ANSWER)

    def compute(self, origin: str, code: str) -> str:
        """Run `code` over a WebSocket in the first notebook, which is found at `origin`."""
        return compute(f"{origin}/user/{self.name}", self.token, code, ca=self.ca)

    def _path(self, server: str) -> str:
        return f"servers/{server}" if server else "server"

    def _xsrf(self) -> str:
        """The newest token for forms that the hub has sent."""
        return next(c.value or "" for c in self.browser.cookies if c.name == "_xsrf" and c.path == "/hub/")
