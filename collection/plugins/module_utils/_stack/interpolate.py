# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables in a compose document: ``$VAR``, ``${VAR}``, ``${VAR:-default}`` and their kin.

Rules: https://docs.docker.com/reference/compose-file/interpolation/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import ComposeError

_TOKEN = re.compile(r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|(?P<brace>\{))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")

#: Top-level sections whose values docker interpolates.
SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "include")

#: Told of something odd: a sentence and the path of the key.
Warn = Callable[[str, str], None]


def _nobody(message: str, path: str) -> None:
    """Tell nobody."""


def interpolate_document(
    document: Mapping[str, Any], variables: Mapping[str, str], warn: Warn = _nobody
) -> dict[str, Any]:
    """Replace variables in all values (never in keys) of the sections of a compose document.

    :param warn: told of variables that are not set and have no default
    :raises ComposeError: malformed, or a variable marked as required is missing
    """
    return {
        key: _interpolate(value, variables, str(key), warn) if key in SECTIONS else value
        for key, value in document.items()
    }


def _interpolate(value: Any, variables: Mapping[str, str], path: str, warn: Warn) -> Any:
    if isinstance(value, str):
        return substitute(value, variables, path, warn)
    if isinstance(value, Mapping):
        return {key: _interpolate(item, variables, f"{path}.{key}", warn) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolate(item, variables, f"{path}[{index}]", warn) for index, item in enumerate(value)]
    return value


def substitute(text: str, variables: Mapping[str, str], path: str = "", warn: Warn = _nobody) -> str:
    """Replace the variables in one text; an unset one without a default becomes the empty text.

    :param warn: told of variables that are not set and have no default
    :raises ComposeError: malformed, or a variable marked as required is missing
    """
    result, position = [], 0
    for _ in range(len(text) + 1):
        match = _TOKEN.search(text, position)
        dollar = text.find("$", position)
        if dollar >= 0 and (match is None or dollar < match.start()):
            raise ComposeError(
                f"{text!r} has a '$' that starts no variable; write '$$' for a plain '$'.", path
            )
        if match is None:
            break
        result.append(text[position : match.start()])
        if match["escaped"]:
            result.append("$")
            position = match.end()
        elif match["plain"]:
            result.append(_value(match["plain"], variables, path, warn))
            position = match.end()
        else:
            end = _closing_brace(text, match.end(), path)
            result.append(_expression(text[match.end() : end], variables, path, warn))
            position = end + 1
    result.append(text[position:])
    return "".join(result)


def _closing_brace(text: str, start: int, path: str) -> int:
    depth = 1
    for index in range(start, len(text)):
        if text[index] == "{" and text[index - 1] == "$":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    raise ComposeError(
        f"{text!r} has a '${{' without its '}}'; close it, or write '$$' for a plain '$'.", path
    )


def _value(name: str, variables: Mapping[str, str], path: str, warn: Warn) -> str:
    if name not in variables:
        warn(f"the variable {name} is not set, the empty text stands in for it.", path)
    return variables.get(name, "")


def _expression(inner: str, variables: Mapping[str, str], path: str, warn: Warn) -> str:
    name = _NAME.match(inner)
    if name is None:
        raise ComposeError(f"'${{{inner}}}' does not start with the name of a variable.", path)
    key, rest = name[0], inner[name.end() :]
    value = variables.get(key)
    if not rest:
        return _value(key, variables, path, warn)
    operator = _OPERATOR.match(rest)
    if operator is None:
        raise ComposeError(f"'${{{inner}}}' is malformed; after the name come :- - :? ? :+ or +.", path)
    argument = rest[operator.end() :]
    present = bool(value) if operator[0].startswith(":") else value is not None
    kind = operator[0][-1]
    if kind == "+":
        return substitute(argument, variables, path, warn) if present else ""
    if present:
        return value or ""
    if kind == "-":
        return substitute(argument, variables, path, warn)
    words = substitute(argument, variables, path, warn) or "it is required"
    raise ComposeError(f"the variable {key} is not set: {words}; set it in the environment.", path)
