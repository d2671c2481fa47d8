"""A console behind an ingress, with a program that plays the part of everybody's deployment."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from labyard.accounts.people import create_user
from labyard.app import create_app
from labyard.context import context
from labyard.models import Deployment, Plan, State, User, db
from labyard.settings import read_settings
from tests.conftest import RunningConsole, answers, console_environment, free_port, wait_until
from tests.services.echo_server import EchoServer
from tests.services.name_server import NameServer
from tests.services.nginx_server import APPS, DOMAIN, NginxServer

PASSWORD = "correct horse battery"
TOKEN = "the-notebooks-own-token"
ENTERED = "__Host-labyard-app"  # the cookie of who was let in


@dataclass
class EdgeHouse:
    """All parts."""

    console: RunningConsole
    nginx: NginxServer
    names: NameServer
    program: EchoServer
    secret: str

    def origin(self, deployment: str) -> str:
        """Where a browser finds a deployment."""
        return f"https://{deployment}.{self.nginx.apps_domain}"

    def browser(self) -> Browser:
        """A browser that knows the authority and is signed in nowhere."""
        return Browser(self.nginx.ca, self.nginx.console_url)

    def deploy(self, owner: str, **columns: Any) -> str:
        """A deployment of `owner` that runs; its id."""
        with self._database() as app:
            person = db.session.scalars(select(User).where(User.username == owner)).one()
            plan = db.session.scalars(select(Plan)).one()
            sealed = context(app).sealer.seal({"token": TOKEN})
            row = Deployment(
                name=f"d{secrets.token_hex(4)}", owner=person, plan=plan, project=person.projects[0],
                state=State.COMPLETED, health="running", sealed_secrets=sealed,
            )  # fmt: skip
            db.session.add(row)
            db.session.flush()
            upstream = f"{plan.name}-{row.id}_notebook:{self.program.port}"
            url = f"{self.origin(row.id)}/lab"
            row.endpoints = [{"name": "JupyterLab", "url": url, "access": "token", "upstream": upstream}]
            for name, value in columns.items():
                setattr(row, name, value)
            db.session.commit()
            return row.id

    def change(self, deployment: str, **columns: Any) -> None:
        """Change the row of a deployment."""
        with self._database():
            row = db.session.get_one(Deployment, deployment)
            for name, value in columns.items():
                setattr(row, name, value)
            db.session.commit()

    def make_person(self, username: str, *, is_admin: bool = False) -> None:
        """A person with PASSWORD."""
        with self._database():
            create_user(db.session, username, PASSWORD, is_admin=is_admin)
            db.session.commit()

    @contextmanager
    def _database(self) -> Iterator[Any]:
        app = create_app(read_settings(self.console.environment))
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


class Browser(requests.Session):
    """Cookies and redirects as browsers have them, but no scripts."""

    def __init__(self, ca: str, console: str) -> None:
        super().__init__()
        self.verify = ca
        self.trust_env = False
        self.headers["Accept"] = "text/html,*/*"
        self._console = console

    def submit(self, page: requests.Response, **fields: str) -> requests.Response:
        """Send the page's only form of this kind, with its token."""
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
        assert token, page.text[:500]
        return self.post(page.url, data={"csrf_token": token[1], **fields}, headers={"Referer": page.url})

    def sign_in(self, username: str, password: str = PASSWORD) -> requests.Response:
        """Sign in at the console."""
        done = self.submit(self.get(f"{self._console}/sign-in"), username=username, password=password)
        assert done.status_code == 200, done.text[:500]
        return done

    def cookies_for(self, url: str) -> str:
        """The header that is sent there."""
        return self.prepare_request(requests.Request("GET", url)).headers.get("Cookie", "")


@contextmanager
def edge_house(home: Path, database: dict[str, str]) -> Iterator[EdgeHouse]:
    """All parts, running; web process only, for nothing is carried out here."""
    secret, port = secrets.token_urlsafe(32), free_port()
    (home / "edge_secret").write_text(secret)
    names, program = NameServer(), EchoServer()
    nginx = NginxServer(f"127.0.0.1:{port}", secret, f"127.0.0.1:{names.port}")
    environment = console_environment(
        home,
        LABYARD_PUBLIC_URL=nginx.console_url,
        LABYARD_EDGE_DOMAIN=nginx.apps_domain,
        LABYARD_EDGE_SECRET_FILE=str(home / "edge_secret"),
        **database,
    )
    console = RunningConsole(f"http://127.0.0.1:{port}", home, environment)
    try:
        console.labyard("db", "upgrade")
        with create_app(read_settings(environment)).app_context():
            db.session.add(Plan(name="t-edge", title="Edge", configuration="labyard.platform.notebook"))
            db.session.commit()
            db.engine.dispose()
        console.start("web")
        nginx.start()
        wait_until(lambda: answers(f"{console.url}/healthz"), 60, "the console answers")
        yield EdgeHouse(console, nginx, names, program, secret)
    finally:
        console.stop(*list(console.processes))
        nginx.remove()
        program.close()
        names.close()


def lead_names_here(patch: pytest.MonkeyPatch) -> None:
    """Have this process find the ingress under the names of its certificate."""
    real = socket.getaddrinfo

    def find(host: Any, *arguments: Any, **options: Any) -> Any:
        ours = isinstance(host, str) and host.endswith((DOMAIN, APPS))
        return real("127.0.0.1" if ours else host, *arguments, **options)

    patch.setattr(socket, "getaddrinfo", find)
