# SPDX-License-Identifier: GPL-3.0-or-later
"""References to images, as docker writes them. Pure."""

from __future__ import annotations


def normal_image(reference: str) -> str:
    """A reference in short form, with ``:latest`` where it names neither tag nor digest."""
    short = reference.removeprefix("docker.io/").removeprefix("library/")
    if "@" in short or ":" in short.rpartition("/")[2]:
        return short
    return f"{short}:latest"


def with_digest(reference: str, digest: str) -> str:
    """A reference in short form with its digest appended, unless it has one."""
    return reference if "@" in reference else f"{normal_image(reference)}@{digest}"


def registry_of(reference: str) -> str:
    """The host of the registry that a reference names; docker.io where it names none."""
    first, slash, _ = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def repository_of(reference: str) -> str:
    """The reference without tag and digest, written out in full as docker does it."""
    name = reference.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    name = head + slash + tail.partition(":")[0]
    if registry_of(name) != "docker.io":
        return name
    path = name.removeprefix("docker.io/")
    return "/".join(("docker.io", *(("library",) if "/" not in path else ()), path))
