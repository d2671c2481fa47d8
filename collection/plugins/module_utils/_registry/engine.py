# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of an engine, by its API at a socket. Only Ansible's own client is needed on the node.

https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode

from ansible.module_utils.urls import open_url

from .advice import advice_on
from .credentials import find_credentials
from .errors import RegistryError
from .names import ImageName

_SECONDS = 60
# The engine says nothing while it waits for a slow disk or registry.
_SECONDS_OF_SILENCE = 600
_NOT_THERE = ("manifest unknown", "not found", "name unknown", "no such image", "repository name not known")


@dataclass(frozen=True)
class LocalImage:
    """One image of an engine. Sizes are bytes, not compressed."""

    id: str
    size: int
    layers: tuple[str, ...]
    names: tuple[str, ...]  # with tags
    digests: tuple[str, ...]  # repository@digest, of registries it came from or went to
    labels: dict[str, str] = field(default_factory=dict)

    def digest_in(self, repository: str) -> str:
        """The digest under which a repository has it; empty if none is known."""
        return next((d.partition("@")[2] for d in self.digests if d.partition("@")[0] == repository), "")


class EngineImages:
    """The images of the engine at a socket, and its way to registries."""

    def __init__(self, socket: Path, login_folder: Path) -> None:
        self._socket, self._login_folder = socket, login_folder

    def find(self, name: str) -> LocalImage | None:
        """The image of a name or an id, or None. Raises RegistryError if the engine does not answer."""
        try:
            found = self._json("GET", f"/images/{quote(name, safe='/:@')}/json")
        except _Refused as error:
            if error.status == 404:
                return None
            raise
        return LocalImage(
            id=found["Id"],
            size=found["Size"],
            layers=tuple(found["RootFS"].get("Layers") or ()),
            names=tuple(found["RepoTags"] or ()),
            digests=tuple(found["RepoDigests"] or ()),
            labels=(found.get("Config") or {}).get("Labels") or {},
        )

    def remote_digest(self, name: ImageName) -> str:
        """The digest that the registry has under a name; empty if it has none. Raises RegistryError."""
        whole = f"{name.repository}@{name.digest}" if name.digest else name.tagged
        try:
            said = self._json("GET", f"/distribution/{whole}/json", headers=self._login(name))
        except _Refused as error:
            # An engine answers a registry that never heard of the repository with 401 or 403.
            if error.status == 404 or any(word in str(error).lower() for word in _NOT_THERE):
                return ""
            raise self._in_words(name, str(error)) from error
        return str(said["Descriptor"]["digest"])

    def push(self, name: ImageName) -> str:
        """Push an image that the engine has under this name; returns its digest. Raises RegistryError."""
        digest = ""
        query = urlencode({"tag": name.tag or "latest"})
        for line in self._stream(name, f"/images/{name.repository}/push?{query}"):
            digest = (line.get("aux") or {}).get("Digest") or digest
        return digest

    def pull(self, name: ImageName) -> None:
        """Pull an image, by its digest where there is one. Raises RegistryError."""
        query = urlencode({"fromImage": name.repository, "tag": name.digest or name.tag or "latest"})
        for _line in self._stream(name, f"/images/create?{query}"):
            pass

    def tag(self, source: str, target: ImageName) -> None:
        """Give an image one more name."""
        query = urlencode({"repo": target.repository, "tag": target.tag or "latest"})
        self._call("POST", f"/images/{quote(source, safe='/:@')}/tag?{query}").close()

    def containers(self) -> list[dict[str, Any]]:
        """All containers, running or not, as the engine lists them."""
        found: list[dict[str, Any]] = self._json("GET", "/containers/json?all=true")
        return found

    def services(self) -> list[dict[str, Any]]:
        """All services of the swarm; none where this node is no manager."""
        try:
            found: list[dict[str, Any]] = self._json("GET", "/services")
        except _Refused as error:
            if error.status == 503:
                return []
            raise
        return found

    def data_folder(self) -> Path:
        """Where the engine keeps its images."""
        return Path(self._json("GET", "/info")["DockerRootDir"])

    def volume_folder(self, volume: str) -> Path | None:
        """Where the engine keeps a volume, or None if it has none of this name."""
        try:
            return Path(self._json("GET", f"/volumes/{quote(volume)}")["Mountpoint"])
        except _Refused as error:
            if error.status == 404:
                return None
            raise

    def _login(self, name: ImageName) -> dict[str, str]:
        found = find_credentials(self._login_folder, name.registry)
        # The engine wants the header for a push, whatever is in it.
        return {"X-Registry-Auth": found.header() if found else "e30="}

    def _stream(self, name: ImageName, path: str) -> Iterator[dict[str, Any]]:
        """What the engine says as it goes; an error among it is raised as RegistryError."""
        try:
            answer = self._call("POST", path, self._login(name), _SECONDS_OF_SILENCE)
            for line in answer:
                said = json.loads(line)
                if "error" in said:
                    raise self._in_words(name, str(said["error"]))
                yield said
        except _Refused as error:
            raise self._in_words(name, str(error)) from error
        except (OSError, ValueError) as error:
            raise self._in_words(name, f"the engine's answer broke off: {error}") from error

    def _json(self, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
        answer = self._call(method, path, headers)
        try:
            return json.loads(answer.read())
        finally:
            answer.close()

    def _call(
        self, method: str, path: str, headers: dict[str, str] | None = None, seconds: int = _SECONDS
    ) -> Any:
        try:
            return open_url(
                f"http://localhost/v1.41{path}",
                method=method,
                headers=headers,
                timeout=seconds,
                unix_socket=str(self._socket),
                use_proxy=False,
            )
        except HTTPError as error:
            raise _Refused(error.code, _message_of(error)) from error
        except (URLError, OSError) as error:
            raise RegistryError(
                f"The Docker Engine does not answer at {self._socket} ({error}): start it, or run the role "
                "labyard.platform.docker_engine first."
            ) from error

    def _in_words(self, name: ImageName, said: str) -> RegistryError:
        """What went wrong with an image, and what to do."""
        return RegistryError(f"{name.tagged}: {' '.join(said.split())}. {advice_on(said, name.registry)}")


class _Refused(RegistryError):
    """The engine answered with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def _message_of(error: HTTPError) -> str:
    text = error.read().decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text or f"HTTP status {error.code}"
