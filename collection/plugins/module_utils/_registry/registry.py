# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry, by its own API: what it holds, and removing from it.

https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

from .credentials import Credentials
from .errors import RegistryError
from .pruning import Manifest

_SECONDS = 30
_PAGE = 100
_KINDS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Registry:
    """One registry with TLS and, if it wants one, a password.

    :param address: host:port
    :param ca: its authority; None: those that this machine trusts
    """

    def __init__(self, address: str, ca: Path | None, login: Credentials | None) -> None:
        self.address, self._ca, self._login = address, ca, login

    def manifests(self) -> Iterator[Manifest]:
        """All images that have a tag. Raises RegistryError."""
        for repository in self._pages("/v2/_catalog", "repositories"):
            by_digest: dict[str, list[str]] = {}
            for tag in self._pages(f"/v2/{repository}/tags/list", "tags"):
                digest = self._digest(repository, tag)
                if digest:  # else it was removed a moment ago
                    by_digest.setdefault(digest, []).append(tag)
            for digest, tags in by_digest.items():
                yield Manifest(repository, digest, tuple(sorted(tags)), self._created(repository, digest))

    def delete(self, manifest: Manifest) -> None:
        """Remove an image with all its tags. Its layers go at the next garbage collection."""
        answer = self._call("DELETE", f"/v2/{manifest.repository}/manifests/{manifest.digest}")
        if answer is not None:
            answer.close()

    def _pages(self, path: str, key: str) -> Iterator[str]:
        """All items of a list that comes in pages (RFC 5988 links)."""
        following: str | None = f"{path}?n={_PAGE}"
        while following:
            answer = self._call("GET", following)
            if answer is None:
                return
            yield from json.loads(answer.read()).get(key) or ()
            link = re.match(r"<([^>]+)>", answer.headers.get("Link") or "")
            following = link[1] if link else None

    def _digest(self, repository: str, tag: str) -> str:
        answer = self._call("HEAD", f"/v2/{repository}/manifests/{tag}")
        return str(answer.headers["Docker-Content-Digest"]) if answer is not None else ""

    def _created(self, repository: str, digest: str) -> datetime:
        """When an image was made; one of several platforms, or without a date, counts as very old."""
        config = (self._json(f"/v2/{repository}/manifests/{digest}").get("config") or {}).get("digest")
        text = self._json(f"/v2/{repository}/blobs/{config}").get("created") if config else None
        found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text or "")
        return datetime.fromisoformat(found[0]).replace(tzinfo=UTC) if found else _LONG_AGO

    def _json(self, path: str) -> dict[str, Any]:
        answer = self._call("GET", path)
        found: dict[str, Any] = json.loads(answer.read()) if answer is not None else {}
        return found

    def _call(self, method: str, path: str) -> Any:
        """One call; None for what is not there."""
        try:
            return open_url(
                f"https://{self.address}{path}",
                method=method,
                headers={"Accept": _KINDS},
                timeout=_SECONDS,
                ca_path=str(self._ca) if self._ca else None,
                url_username=self._login.username if self._login else None,
                url_password=self._login.password if self._login else None,
                force_basic_auth=self._login is not None,
                use_proxy=False,
            )
        except HTTPError as error:
            if error.code == 404:
                return None
            raise self._refusal(method, path, error) from error
        except (URLError, OSError, ValueError) as error:
            raise RegistryError(
                f"The registry {self.address} cannot be asked ({error}): start it, or run the role "
                "registry's entry point nodes on this node, so that it is trusted."
            ) from error

    def _refusal(self, method: str, path: str, error: HTTPError) -> RegistryError:
        advice = {
            401: "run the role registry's entry point nodes on this node, with the right password.",
            405: "it is read-only or lets nothing be deleted: see registry_read_only.",
        }
        return RegistryError(
            f"The registry {self.address} answers {method} {path} with {error.code}: "
            f"{advice.get(error.code, 'look at its log.')}"
        )
