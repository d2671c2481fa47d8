# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of secrets and configs: their content cannot be changed, so changed content is a new one. Pure.

The first version bears the plain name, as ``docker stack deploy`` names it; later ones ``<name>-v<number>``.
A label holds a keyed hash of the content, so that a change is noticed and nothing can be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .desired import DesiredFile
from .live import Objects, labels_of

BASE = "labyard.stack.name"
VERSION = "labyard.stack.version"
DIGEST = "labyard.stack.digest"


def digest(key: bytes, stack: str, file: DesiredFile) -> str:
    """The keyed hash of the content, or nothing where there is no key or no content.

    Stack and name are part of it, so that equal contents cannot be told from equal hashes.
    """
    if not key or file.data is None:
        return ""
    message = b"\0".join((stack.encode(), file.name.encode(), file.data))
    return hmac.new(key, message, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class FilePlan:
    """What becomes of one secret or config."""

    current: str  # the name of the version that services get
    create: DesiredFile | None = None
    relabel: DesiredFile | None = None  # the same content, other labels
    before: str = ""  # the version that services had
    old: tuple[str, ...] = ()  # superseded versions, newest first


def versions(file: DesiredFile, live: Objects) -> list[tuple[int, str]]:
    """(number, name) of the live versions of a file, oldest first. Names are matched exactly."""
    found = []
    for name, item in live.items():
        labels = labels_of(item)
        if labels.get(BASE, name) == file.name:
            number = labels.get(VERSION, "1")
            found.append((int(number) if number.isdigit() else 1, name))
    return sorted(found)


def plan_file(
    file: DesiredFile,
    live: Objects,
    content_digest: str,
    same: Collection[str] = (),
    *,
    assume_same: bool = False,
    taken: Collection[str] = (),
) -> FilePlan:
    """Choose the live version with the wanted content, or make a new one.

    :param live: secrets (or configs) of the stack
    :param content_digest: see :func:`digest`
    :param same: names of live versions whose content is known to be the wanted one
    :param assume_same: take a version without a hash for the same (it cannot be known without writing)
    :param taken: names that a new version cannot have: of other objects, and of other entries of the document
    """
    existing = versions(file, live)
    names = [name for _, name in reversed(existing)]
    newest = names[0] if names else ""
    for name in names:
        have = labels_of(live[name]).get(DIGEST, "")
        unknown = assume_same and name == newest and (not have or file.data is None)
        if name in same or (have and have == content_digest) or unknown:
            labels = _labels(file, content_digest or have, _number(existing, name))
            mine = {DIGEST, BASE, VERSION}
            differ = _without(labels, mine) != _without(labels_of(live[name]), mine)
            relabelled = replace(file, name=name, labels=labels) if differ else None
            return FilePlan(name, None, relabelled, newest, tuple(other for other in names if other != name))
    number = existing[-1][0] + 1 if existing else 1
    name = f"{file.name}-v{number}" if existing else file.name
    while name in live or name in taken:
        number += 1
        name = f"{file.name}-v{number}"
    create = replace(file, name=name, labels=_labels(file, content_digest, number))
    return FilePlan(name, create, None, newest, tuple(names))


def _labels(file: DesiredFile, content_digest: str, number: int) -> dict[str, str]:
    labels = {**file.labels, BASE: file.name, VERSION: str(number)}
    return {**labels, DIGEST: content_digest} if content_digest else labels


def _number(existing: list[tuple[int, str]], name: str) -> int:
    return next(number for number, other in existing if other == name)


def _without(labels: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in labels.items() if key not in keys}
