"""Canaille, a provider of OpenID Connect, with people and groups, over TLS of an authority of its own."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from tests.conftest import REPOSITORY
from tests.integration.tls_engine import write_certificates

from .process import ServerProcess

PASSWORD = "correct horse battery"
CLIENT = "labyard-hub"
_PYTHON = REPOSITORY / ".cache" / "canaille" / "bin" / "python"


class OidcServer(ServerProcess):
    """A provider at `address` whose one client sends people back to `callback`."""

    def __init__(self, address: str, callback: str, people: Sequence[str]) -> None:
        super().__init__("oidc", "", [address])
        self.issuer = f"https://{address}:{self.port}"
        self.client_secret = secrets.token_urlsafe(24)
        self.groups: dict[str, list[str]] = {}
        for name in ("good", "foreign"):
            (self.folder / name).mkdir()
            write_certificates(self.folder / name, [address])
        self._given: dict[str, Any] = {
            "address": address,
            "port": self.port,
            "people": list(people),
            "password": PASSWORD,
            "client": self._client(callback),
        }
        self.know_client(self.client_secret)
        self.change()

    @property
    def ca(self) -> Path:
        """The authority that signed its certificate."""
        return self.folder / "good" / "ca.pem"

    def know_client(self, secret: str) -> None:
        """From its next start on the client has this secret."""
        self._given["client"]["client_secret"] = secret
        (self.folder / "given.json").write_text(json.dumps(self._given), encoding="utf-8")

    def change(self, groups: Mapping[str, Sequence[str]] | None = None, **wrong: str) -> None:
        """What it is from now on: members by group, and what is `wrong` about it until the next change: its
        name for itself, or its certificate (foreign)."""
        if groups is not None:
            self.groups = {group: list(members) for group, members in groups.items()}
        state = {"groups": self.groups, "name": "", "certificate": "good", **wrong}
        new = self.folder / "state.new"
        new.write_text(json.dumps(state), encoding="utf-8")
        new.replace(self.folder / "state.json")

    def command(self) -> list[str]:
        """The provider, in the foreground."""
        assert _PYTHON.exists(), "run `make test-services` first: no OpenID provider is installed"
        return [str(_PYTHON), str(Path(__file__).with_name("oidc_program.py")), str(self.folder)]

    def answers(self) -> bool:
        """Whether it says what it is."""
        try:
            with requests.Session() as asking:
                asking.trust_env = False
                document = f"{self.issuer}/.well-known/openid-configuration"
                return asking.get(document, verify=str(self.ca), timeout=10).ok
        except requests.RequestException:
            return False

    def as_user(self) -> dict[str, Any]:
        """Nothing of this process's settings but where programs are."""
        return {"cwd": self.folder, "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}}

    def _client(self, callback: str) -> dict[str, Any]:
        return {
            "client_id": CLIENT,
            "client_name": "The hub",
            "redirect_uris": [callback],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": ["openid", "profile", "groups"],
        }
