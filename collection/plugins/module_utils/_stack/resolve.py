# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring in what a merged document takes from outside: files, folders, the deployer's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .errors import ComposeError
from .load import parse_env_file, read_text
from .merge import Document
from .values import absolute_path


def resolve_document(document: Document, folder: str, variables: Mapping[str, str]) -> Document:
    """Fill in ``env_file``, unset environment values, absolute binds, and the content of files.

    Secrets and configs of a file get the key ``data`` (bytes).

    :param folder: what relative paths start from
    :param variables: the deployer's environment; a value without content is taken from here, as docker does
    :raises ComposeError: a file cannot be read
    """
    result = dict(document)
    result["services"] = {
        name: _service(service, f"services.{name}", folder, variables)
        for name, service in document.get("services", {}).items()
    }
    for section in ("secrets", "configs"):
        result[section] = {
            name: _with_data(entry, f"{section}.{name}", folder)
            for name, entry in document.get(section, {}).items()
        }
    return result


def _service(service: dict[str, Any], path: str, folder: str, variables: Mapping[str, str]) -> dict[str, Any]:
    result = dict(service)
    environment: dict[str, str | None] = {}
    for entry in result.pop("env_file", []):
        file = absolute_path(entry, folder)
        environment.update(parse_env_file(read_text(file), variables, file))
    for key, value in service.get("environment", {}).items():
        environment[key] = variables[key] if not value and key in variables else value
    if environment:
        result["environment"] = environment
    if "volumes" in service:
        result["volumes"] = [_mount(mount, folder) for mount in service["volumes"]]
    return result


def _mount(mount: dict[str, Any], folder: str) -> dict[str, Any]:
    if mount["type"] != "bind":
        return mount
    return {**mount, "source": absolute_path(mount["source"], folder)}


def _with_data(entry: dict[str, Any], path: str, folder: str) -> dict[str, Any]:
    if entry.get("external") or "driver" in entry:
        return entry
    if "content" in entry:
        if "file" in entry:
            raise ComposeError("file and content cannot stand together; remove one.", path)
        return {**entry, "data": entry["content"].encode()}
    if not entry.get("file"):
        raise ComposeError("file is missing: the path of the file with the content.", path)
    file = absolute_path(entry["file"], folder)
    try:
        with open(file, "rb") as stream:
            return {**entry, "data": stream.read()}
    except OSError as error:
        raise ComposeError(
            f"the file {file} cannot be read ({error.strerror}); check path and rights.", f"{path}.file"
        ) from error


def deployer_environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ
