# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images of a registry may go. Pure: what is there comes in, what may go comes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from .errors import RegistryError
from .names import parse_name


@dataclass(frozen=True)
class Manifest:
    """One image in a registry, with all its tags."""

    repository: str  # without the registry's host
    digest: str
    tags: tuple[str, ...]
    created: datetime  # when it was made, as it says itself


@dataclass(frozen=True)
class Decision:
    """What becomes of one image, and why it stays; no reason: it goes."""

    manifest: Manifest
    reason: str

    @property
    def goes(self) -> bool:
        """Whether it goes."""
        return not self.reason


def decide(
    manifests: Iterable[Manifest], registry: str, in_use: Iterable[str], protect: Sequence[str], keep: int
) -> list[Decision]:
    """Decide about each image.

    :param in_use: names that services and containers have, in any form
    :param protect: patterns of `repository:tag`, as a shell has them
    :param keep: so many of each repository stay, the newest
    """
    digests, tags = _used(registry, in_use)
    by_repository: dict[str, list[Manifest]] = defaultdict(list)
    for manifest in manifests:
        by_repository[manifest.repository].append(manifest)
    return [
        Decision(manifest, _reason(manifest, place, digests, tags, protect, keep))
        for _name, group in sorted(by_repository.items())
        for place, manifest in enumerate(sorted(group, key=_age, reverse=True))
    ]


def _reason(
    manifest: Manifest,
    place: int,
    digests: set[tuple[str, str]],
    tags: set[tuple[str, str]],
    protect: Sequence[str],
    keep: int,
) -> str:
    names = [f"{manifest.repository}:{tag}" for tag in manifest.tags]
    if (manifest.repository, manifest.digest) in digests:
        return "in use"
    if any((manifest.repository, tag) in tags for tag in manifest.tags):
        return "in use"
    if any(fnmatchcase(name, pattern) for name in names for pattern in protect):
        return "protected"
    return f"among the {keep} newest" if place < keep else ""


def _used(registry: str, in_use: Iterable[str]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Digests and tags of this registry that are in use."""
    digests: set[tuple[str, str]] = set()
    tags: set[tuple[str, str]] = set()
    for text in in_use:
        try:
            name = parse_name(text)
        except RegistryError:  # an id alone, or a name from elsewhere
            continue
        if name.registry != registry:
            continue
        if name.digest:
            digests.add((name.path, name.digest))
        if name.tag or not name.digest:
            tags.add((name.path, name.tag or "latest"))
    return digests, tags


def _age(manifest: Manifest) -> tuple[datetime, str]:
    return manifest.created, manifest.digest
