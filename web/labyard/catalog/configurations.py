"""The service configurations that this installation knows, and why one of them cannot be used."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    META_FILES,
    Configuration,
    ConfigurationError,
    Field,
    parse_configuration,
    read_configuration,
)
from labyard.errors import NotFound

from .roles import find_role, installed_roles

_LARGEST_TEXT = 256 * 1024  # characters of a role's file in meta
_MOST_NODES = 20_000  # of a document, aliases written out


class ConfigurationUnavailable(NotFound):
    """A configuration is gone or broken: its plan cannot be ordered until that is mended."""

    status = 409
    kind = "plan-unavailable"
    title = "The plan is not available"


def get_configuration(name: str) -> Configuration:
    """The installed configuration of that full name; raises ConfigurationUnavailable.

    It is read again when one of its files has changed.
    """
    path = find_role(name)
    if path is None:
        raise ConfigurationUnavailable(
            f"The service configuration {name} is not installed. Install its collection, or change the plan."
        )
    return _usable(_read(name, path, _stamp(path)))


def known_configurations() -> dict[str, Configuration]:
    """All configurations of installed collections that can be used, by their full name."""
    found = {}
    for name in installed_roles():
        try:
            found[name] = get_configuration(name)
        except ConfigurationUnavailable:
            continue  # plans that use it say why; the others are not kept from working
    return found


@lru_cache(maxsize=256)
def fetched_configuration(name: str, specs: str, sidecar: str) -> Configuration:
    """The configuration `name` from the texts of a role that was fetched; raises ConfigurationUnavailable."""
    return _usable(_parse(name, specs, sidecar))


def _usable(found: Configuration | str) -> Configuration:
    if isinstance(found, str):
        raise ConfigurationUnavailable(f"The service configuration is broken: {found}")
    return found


def _stamp(path: Path) -> tuple[float, ...]:
    """Changes whenever one of the role's two files does."""
    about: list[float] = []
    for file in META_FILES:
        try:
            status = (path / "meta" / file).stat()
        except OSError:
            about.extend((0.0, 0.0))
        else:
            about.extend((status.st_mtime, float(status.st_size)))
    return tuple(about)


@lru_cache(maxsize=256)
def _read(name: str, path: Path, _stamp: tuple[float, ...]) -> Configuration | str:
    """The configuration, or what is wrong with it."""
    try:
        return check_configuration(read_configuration(path, name))
    except ConfigurationError as error:
        return str(error)


def _parse(name: str, specs: str, sidecar: str) -> Configuration | str:
    try:
        for file, text in zip(META_FILES, (specs, sidecar), strict=True):
            if len(text) > _LARGEST_TEXT:
                return f"meta/{file}: is longer than {_LARGEST_TEXT} characters"
        return check_configuration(parse_configuration(name, specs, sidecar))
    except ConfigurationError as error:
        return str(error)


def check_configuration(configuration: Configuration) -> Configuration:
    """`configuration`, if forms, schemas and validation can be made of it; raises ConfigurationError."""
    for phase in configuration.phases.values():
        for field in (*phase.fields, *phase.operator_fields):
            fault = _field_fault(field)
            if fault:
                raise ConfigurationError(f"meta/: option {field.option} of {phase.name}: {fault}")
    if "install" not in configuration.phases:
        raise ConfigurationError("meta/service.yml: there is no phase install")
    return configuration


def _field_fault(field: Field) -> str:
    for name in ("pattern", "key_pattern", "item_pattern"):
        try:
            re.compile(getattr(field, name))
        except (re.error, RecursionError, OverflowError) as error:
            return f"{name} is no regular expression: {error}"
    for name in ("minimum", "maximum", "step", "max_length", "max_items"):
        value = getattr(field, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"{name} must be a number, not {value!r:.40}"
    if field.elements is not None and not isinstance(field.elements, str):
        return "elements must be the name of a type"
    if _count_nodes((field.default, field.choices), {}) > _MOST_NODES:
        return "default or choices are too large"
    try:
        json.dumps((field.default, field.choices), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"default and choices must be texts, numbers, lists or mappings ({error})"
    return ""


def _count_nodes(node: Any, counted: dict[int, int]) -> int:
    """How many values `node` has once every alias of the YAML file is written out."""
    if not isinstance(node, dict | list | tuple):
        return 1
    if id(node) not in counted:
        counted[id(node)] = _MOST_NODES  # a list that holds itself
        inner = node.values() if isinstance(node, dict) else node
        counted[id(node)] = 1 + sum(_count_nodes(item, counted) for item in inner)
    return counted[id(node)]
