# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images, as Docker writes them: `host:port/path:tag@digest`. No I/O.

See https://distribution.github.io/reference/ for the grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import RegistryError

DOCKER_HUB = "docker.io"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class ImageName:
    """One name. `host` is empty where none is written, which means Docker Hub."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """The name without tag and digest."""
        return f"{self.host}/{self.path}" if self.host else self.path

    @property
    def tagged(self) -> str:
        """The name with its tag; `latest` is the one that Docker takes where there is none."""
        return f"{self.repository}:{self.tag or 'latest'}"

    @property
    def registry(self) -> str:
        """Whose registry it is."""
        return self.host or DOCKER_HUB


def parse_name(text: str) -> ImageName:
    """Read a name; raises RegistryError for one that no registry takes."""
    rest, _, digest = text.strip().partition("@")
    first, slash, others = rest.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, rest = (first, others) if is_host else ("", rest)
    path, _, tag = rest.partition(":")
    right = _PATH.fullmatch(path) and (not tag or _TAG.fullmatch(tag))
    if not right or (digest and not _DIGEST.fullmatch(digest)):
        raise RegistryError(
            f"{text!r} is no name of an image: write it as host:port/path:tag, in small letters."
        )
    return ImageName(host, path, tag, digest)
