# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring in what a document takes from outside: files, folders, the deployer's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .errors import ComposeError
from .load import parse_env_file, read_text
from .merge import Document
from .values import absolute_path

#: Where the content of a secret or config may come from.
_ORIGINS = ("file", "content", "environment")


def resolve_document(document: Document, folder: str, variables: Mapping[str, str]) -> Document:
    """Fill in ``env_file``, unset environment values, absolute binds, and the content of files.

    Secrets and configs get the key ``data`` (bytes) unless they are external or kept by a driver. This is
    done before documents are merged, so that a later ``env_file`` wins over an earlier ``environment``, as
    with docker.

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
            name: _with_data(entry, f"{section}.{name}", folder, variables)
            for name, entry in document.get(section, {}).items()
        }
    return result


def _service(service: dict[str, Any], path: str, folder: str, variables: Mapping[str, str]) -> dict[str, Any]:
    result = dict(service)
    given: dict[str, str | None] = {}
    for index, entry in enumerate(result.pop("env_file", [])):
        given.update(_read_env_file(entry, f"{path}.env_file[{index}]", folder, variables))
    given.update(service.get("environment", {}))
    if given:
        result["environment"] = {
            key: variables[key] if not value and key in variables else value for key, value in given.items()
        }
    if "volumes" in service:
        result["volumes"] = [_mount(mount, folder) for mount in service["volumes"]]
    return result


def _read_env_file(
    entry: Mapping[str, Any], path: str, folder: str, variables: Mapping[str, str]
) -> dict[str, str | None]:
    file = absolute_path(entry["path"], folder)
    if not (entry["required"] or os.path.exists(file)):
        return {}
    try:
        return parse_env_file(read_text(file), variables, file)
    except ComposeError as error:
        raise ComposeError(f"{error}", path) from error


def _mount(mount: dict[str, Any], folder: str) -> dict[str, Any]:
    if mount["type"] != "bind":
        return mount
    return {**mount, "source": absolute_path(mount["source"], folder)}


def _with_data(entry: dict[str, Any], path: str, folder: str, variables: Mapping[str, str]) -> dict[str, Any]:
    if entry.get("external"):
        return entry
    origins = [origin for origin in _ORIGINS if origin in entry]
    if len(origins) > 1:
        raise ComposeError(f"{' and '.join(origins)} cannot stand together; remove one.", path)
    if "driver" in entry:
        if origins:
            raise ComposeError(f"driver and {origins[0]} cannot stand together; remove one.", path)
        return entry
    if "content" in entry:
        return {**entry, "data": entry["content"].encode()}
    if "environment" in entry:
        name = entry["environment"]
        if name not in variables:
            raise ComposeError(
                f"the variable {name} is not set; set it in the environment.", f"{path}.environment"
            )
        return {**entry, "data": variables[name].encode()}
    if not entry.get("file"):
        raise ComposeError("file is missing: the path of the file with the content.", path)
    return {**entry, "data": _read_bytes(absolute_path(entry["file"], folder), f"{path}.file")}


def _read_bytes(file: str, path: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "") or error
        raise ComposeError(
            f"the file {file} cannot be read ({reason}); check path and rights.", path
        ) from error
