# SPDX-License-Identifier: GPL-3.0-or-later
"""From compose sources to the desired stack: read, merge, choose by profile, convert."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .convert import Naming, convert
from .desired import DesiredStack
from .errors import ComposeError
from .load import Source, project_directory, read_sources
from .merge import Document, merge_documents
from .reader import Reader, with_dotenv
from .schema import Notes
from .templates import with_literal_text


def load_stack(
    sources: Sequence[str | Mapping[str, Any]],
    naming: Naming,
    *,
    variables: Mapping[str, str] | None,
    folder: str | None = None,
    dotenv: bool = False,
    profiles: Collection[str] = (),
    unsupported: str = "warn",
    templates: str = "swarm",
) -> tuple[DesiredStack, list[str]]:
    """The stack that compose sources ask for, and warnings.

    :param variables: the deployer's environment; ``None``: ``$`` is an ordinary character, and values of
        ``environment`` without content are not looked up either
    :param folder: what relative paths start from; default: the folder of the first file
    :param dotenv: take variables that the environment lacks from ``.env`` beside the first file
    :param profiles: services with profiles are left out unless they have one of these; ``*``: none is
    :param unsupported: ``error``: a key that a swarm ignores is an error, not a warning
    :param templates: ``literal``: ``{{`` is ordinary text, not the start of a template of the swarm
    :raises ComposeError: with file, path of the key, and what to do
    """
    found = read_sources(sources)
    start = project_directory(sources, folder)
    if dotenv and variables is not None and (folder or (sources and isinstance(sources[0], str))):
        variables = with_dotenv(variables, start)
    notes = Notes()
    documents = [Reader(start, variables, notes, tuple(_file_of(source))).read(source) for source in found]
    if unsupported == "error" and notes.ignored:
        raise ComposeError(
            "a swarm has no use for these keys: " + " ".join(notes.ignored) + " Remove them, or set "
            "unsupported to warn."
        )
    try:
        merged = merge_documents(documents)
        if not merged.get("services"):
            raise ComposeError("the document has no services; add at least one.")
        chosen = _with_profiles(merged, profiles)
        stack = convert(chosen, naming)
        if templates == "literal":
            services = {name: with_literal_text(spec) for name, spec in stack.services.items()}
            stack = replace(stack, services=services)
        stack = replace(stack, origins=_origins(stack, found))
    except ComposeError as error:
        raise ComposeError(error.message, error.path, error.source or _origin(error.path, found)) from error
    return stack, [*notes.warnings, *_without_effect(merged)]


def _file_of(source: Source) -> list[str]:
    return [os.path.abspath(os.path.expanduser(source.name))] if source.is_file else []


def _with_profiles(document: Document, profiles: Collection[str]) -> Document:
    """Without the services whose profiles are not wanted."""
    services = {}
    for name, service in document["services"].items():
        own = service.get("profiles", [])
        if not own or "*" in profiles or set(own) & set(profiles):
            services[name] = service
    if not services:
        raise ComposeError(
            "all services belong to profiles that are not chosen; name one of them in the option profiles."
        )
    return {**document, "services": services}


def _without_effect(document: Document) -> list[str]:
    """Warnings about what is defined and not used: networks, volumes, one of two restart policies."""
    services = document["services"].values()
    used = {
        "networks": {name for service in services for name in service.get("networks") or {"default": None}},
        "volumes": {mount.get("source") for service in services for mount in service.get("volumes", [])},
    }
    overruled = [
        f"services.{name}.restart: ignored: deploy.restart_policy says otherwise."
        for name, service in document["services"].items()
        if "restart" in service and "restart_policy" in service.get("deploy", {})
    ]
    return overruled + [
        f"{section}.{name}: no service uses it, so it is not made."
        for section, names in used.items()
        for name, entry in document.get(section, {}).items()
        if name not in names and not entry.get("external")
    ]


def _origins(stack: DesiredStack, sources: Sequence[Source]) -> dict[str, str]:
    """The files of the keys that can turn out wrong only when they are compared with the swarm."""
    paths = [
        *stack.external_networks.values(),
        *(file.path for files in (stack.secrets, stack.configs) for file in files.values()),
        *(path for _, path in stack.needs),
    ]
    return {path: _origin(path, sources) for path in paths}


def _origin(path: str, sources: Sequence[Source]) -> str:
    """The name of the last source that has the key at ``path``, or as much of the path as any has."""
    keys = path.replace("[", ".").split(".") if path else []
    best, name = 0, ""
    for source in sources:
        depth, value = 0, source.document
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                break
            depth, value = depth + 1, value[key]
        if depth and depth >= best:
            best, name = depth, source.name
    return name or (sources[0].name if len(sources) == 1 else "")
