# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `docker login` has kept: read from its folder, as the engine's own client does."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import RegistryError
from .names import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - what helpers say in place of a name
_SECONDS = 30


@dataclass(frozen=True)
class Credentials:
    """Name and password for one registry, or a token in their place."""

    registry: str
    username: str = ""
    password: str = ""
    token: str = ""

    def header(self) -> str:
        """The value of X-Registry-Auth, as the Engine API wants it."""
        said = (
            {"identitytoken": self.token}
            if self.token
            else {"username": self.username, "password": self.password}
        )
        text = json.dumps({**said, "serveraddress": self.registry})
        return base64.urlsafe_b64encode(text.encode()).decode()


def find_credentials(folder: Path, registry: str) -> Credentials | None:
    """What the folder of `docker login` holds for a registry, or None.

    Raises RegistryError if the file there cannot be read.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path} cannot be read ({error}): mend it, or log in anew.") from error
    key = _HUB_KEY if registry == DOCKER_HUB else registry
    helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
    if helper:
        return _ask_helper(str(helper), key)
    entry = (config.get("auths") or {}).get(key) or {}
    if entry.get("identitytoken"):
        return Credentials(key, token=entry["identitytoken"])
    return _from_basic(key, entry.get("auth") or "", path)


def _from_basic(key: str, encoded: str, path: Path) -> Credentials | None:
    if not encoded:
        return None
    try:
        username, _, password = base64.b64decode(encoded).decode().partition(":")
    except ValueError as error:
        raise RegistryError(
            f"{path} holds something for {key} that is no password: log in there anew."
        ) from error
    return Credentials(key, username, password.rstrip("\0"))


def _ask_helper(helper: str, key: str) -> Credentials | None:
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=key,
            text=True,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(
            f"docker-credential-{helper}, which keeps the passwords of registries, does not work: {error}."
        ) from error
    if done.returncode:
        return None
    said = json.loads(done.stdout)
    if said["Username"] == _TOKEN_USER:
        return Credentials(key, token=said["Secret"])
    return Credentials(key, said["Username"], said["Secret"])
