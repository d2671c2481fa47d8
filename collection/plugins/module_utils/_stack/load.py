# SPDX-License-Identifier: GPL-3.0-or-later
"""Compose sources (paths of files and inline mappings) to plain documents."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from .errors import ComposeError


@dataclass(frozen=True)
class Source:
    """One compose document as it was given."""

    name: str  # the path of the file, or "compose[1]" for an inline mapping
    document: dict[str, Any]
    is_file: bool = False


class _Loader(yaml.SafeLoader):
    """YAML as docker reads it: no base-60 numbers, dates or yes/no booleans, no key twice."""


_Loader.yaml_implicit_resolvers = {}
_SCALARS = (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    (
        "tag:yaml.org,2002:int",
        r"^(?:[-+]?0b[01_]+|[-+]?0o[0-7_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?[0-9][0-9_]*)$",
        "-+0123456789",
    ),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:merge", r"^(?:<<)$", "<"),
)


def _prepare_loader() -> None:
    import re

    for tag, pattern, first in _SCALARS:
        _Loader.add_implicit_resolver(tag, re.compile(pattern), list(first))
    _Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    digits = text.lstrip("+-")
    if digits.isdigit():
        base = 8 if len(digits) > 1 and digits[0] == "0" and not set(digits) & {"8", "9"} else 10
        return int(text, base)
    return int(text, 0)


def _refuse_duplicates(
    node: yaml.Node, source: str, path: str = "", seen: frozenset[int] = frozenset()
) -> None:
    if id(node) in seen:
        raise ComposeError("an anchor refers to itself; remove the loop.", path, source)
    seen = seen | {id(node)}
    if isinstance(node, yaml.MappingNode):
        keys: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = str(getattr(key_node, "value", ""))
            here = f"{path}.{key}" if path else key
            line = key_node.start_mark.line + 1
            if key in keys and key != "<<":
                raise ComposeError(
                    f"this key stands twice, in lines {keys[key]} and {line}; remove one.", here, source
                )
            keys[key] = line
            _refuse_duplicates(value_node, source, here, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _refuse_duplicates(item, source, f"{path}[{index}]", seen)


_prepare_loader()


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Read one compose document.

    :param source: the name that errors carry
    :raises ComposeError: not YAML, a key that stands twice, or not a mapping
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return {}
            _refuse_duplicates(node, source)
            document = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ComposeError(f"this is not valid YAML: {error.problem or error}{where}.", "", source) from error
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ComposeError(f"this is not valid YAML: {error}.", "", source) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ComposeError("a compose document is a mapping with the key 'services'.", "", source)
    return document


def read_sources(sources: Sequence[str | Mapping[str, Any]]) -> list[Source]:
    """Read all compose sources in their order.

    :raises ComposeError: a file cannot be read or is not a compose document
    """
    result = []
    for index, source in enumerate(sources):
        if isinstance(source, Mapping):
            result.append(Source(f"compose[{index}]", dict(source)))
        elif isinstance(source, str):
            result.append(Source(source, parse_yaml(read_text(source), source), is_file=True))
        else:
            raise ComposeError("each entry is the path of a file or a mapping.", f"compose[{index}]")
    return result


def read_text(path: str) -> str:
    """Read a text file.

    :raises ComposeError: it cannot be read or is not UTF-8
    """
    try:
        with open(os.path.expanduser(path), encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise ComposeError("the file is not UTF-8 text.", "", path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "") or error
        raise ComposeError(f"the file cannot be read ({reason}); check path and rights.", "", path) from error


def project_directory(sources: Sequence[str | Mapping[str, Any]], given: str | None = None) -> str:
    """The folder that relative paths start from: ``given``, or that of the first file, or this one."""
    if given:
        return os.path.abspath(os.path.expanduser(given))
    if sources and isinstance(sources[0], str):
        return os.path.dirname(os.path.abspath(os.path.expanduser(sources[0])))
    return os.getcwd()


def parse_env_file(text: str, variables: Mapping[str, str], source: str) -> dict[str, str | None]:
    """Read an ``env_file``: ``KEY=value`` a line, ``#`` comments; ``KEY`` alone is taken from ``variables``.

    :raises ComposeError: a line has no name
    """
    result: dict[str, str | None] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.lstrip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not key or any(character.isspace() for character in key):
            raise ComposeError(f"line {number} has no name before '='; write KEY=value.", "", source)
        if equals:
            result[key] = value
        elif key in variables:
            result[key] = variables[key]
    return result
