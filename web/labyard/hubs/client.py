"""What a JupyterHub says of its servers over its REST interface.

Format: the page "JupyterHub REST API" of its documentation, version 6.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from labyard.errors import Conflict, NotFound, Unavailable

log = logging.getLogger(__name__)

_SECONDS = 10
_PAGE = {"Accept": "application/jupyterhub-pagination+json"}
_AWAY = "The hub does not answer. Notebooks that run go on; try again in a moment."


@dataclass(frozen=True)
class HubServer:
    """One notebook of one person."""

    owner: str
    name: str  # empty for a person's first
    state: str  # running, starting or stopping
    plan: str  # the profile that was chosen; empty: the hub's first
    started_at: datetime | None
    last_activity_at: datetime | None
    url: str  # where its owner opens it


class HubClient:
    """One hub.

    :param url: where people and we reach it, without a slash at the end
    :param token: of a service of the hub that may list and stop servers
    :param ca_bundle: who signs its certificate; None: whom the system trusts
    """

    def __init__(self, url: str, token: str, ca_bundle: Path | None = None) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"token {token}"
        self._session.verify = str(ca_bundle) if ca_bundle else True

    def list_servers(self, owner: str | None = None) -> list[HubServer]:
        """The servers that are there, of one person or of all; raises Unavailable."""
        people = self._all_people() if owner is None else self._person(owner)
        return [
            self._server(person["name"], server)
            for person in people
            for server in (person.get("servers") or {}).values()
            if server.get("ready") or server.get("pending")
        ]

    def stop(self, owner: str, name: str) -> None:
        """Have a server stopped; raises NotFound, Conflict while it starts or stops, or Unavailable."""
        path = f"users/{quote(owner, safe='')}/"
        answer = self._ask("DELETE", path + (f"servers/{quote(name, safe='')}" if name else "server"))
        if answer.status_code == 404:
            raise NotFound(f"{owner} has no such notebook at the hub.")
        if answer.status_code == 400:
            raise Conflict("It is being started or stopped now. Try again in a moment.")
        self._check(answer)

    def _person(self, owner: str) -> list[dict[str, Any]]:
        answer = self._ask("GET", f"users/{quote(owner, safe='')}")
        if answer.status_code == 404:  # has never been at the hub
            return []
        return [self._check(answer).json()]

    def _all_people(self) -> Iterator[dict[str, Any]]:
        """Everybody who has a server, page by page."""
        offset: int | None = 0
        while offset is not None:
            answer = self._ask("GET", f"users?state=active&limit=200&offset={offset}", headers=_PAGE)
            page = self._check(answer).json()
            yield from page["items"]
            further = page["_pagination"].get("next")
            offset = further["offset"] if further else None

    def _server(self, owner: str, server: dict[str, Any]) -> HubServer:
        pending = server.get("pending")
        place = f"{quote(owner, safe='')}/{quote(server['name'], safe='')}".rstrip("/")
        return HubServer(
            owner=owner,
            name=server["name"],
            state={"spawn": "starting", "stop": "stopping"}.get(pending or "", "running"),
            plan=str((server.get("user_options") or {}).get("profile") or ""),
            started_at=_moment(server.get("started")),
            last_activity_at=_moment(server.get("last_activity")),
            # The hub leads on to the person's own name, where it gives them one.
            url=f"{self._url}/hub/user/{place}/",
        )

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(
                method, f"{self._url}/hub/api/{path}", timeout=_SECONDS, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            log.warning("the hub at %s: %s", urlsplit(self._url).netloc, error)
            raise Unavailable(_AWAY) from error

    def _check(self, answer: requests.Response) -> requests.Response:
        if answer.status_code in (401, 403):
            log.warning("the hub does not take the token of LABYARD_HUB_TOKEN_FILE (%s)", answer.status_code)
            raise Unavailable("The hub does not know this console. An admin has to give both the same token.")
        if not answer.ok:
            log.warning("the hub answers with status %s", answer.status_code)
            raise Unavailable(_AWAY)
        return answer


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
