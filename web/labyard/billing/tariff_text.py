"""A tariff as a person writes it: YAML, with the line of what is wrong in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from labyard.errors import InvalidInput

_PART = re.compile(r"([A-Za-z_]+)|\[(\d+)\]")
LONGEST = 100_000  # characters


def read_text(text: str) -> Any:
    """The document in a text. Raises InvalidInput that names the line."""
    if not text.strip():
        raise InvalidInput("The tariff was not added.", {"text": "paste a tariff, or choose a file"})
    if len(text) > LONGEST:
        raise InvalidInput("The tariff was not added.", {"text": f"has more than {LONGEST} characters"})
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "this is no YAML"
        raise InvalidInput("The tariff was not added.", {"text": f"{place}{problem}"}) from error


def place_errors(text: str, errors: Mapping[str, str]) -> list[str]:
    """The errors of a tariff, each with the line in `text` where its place is."""
    return [f"line {_line_of(text, place)}: {words}" for place, words in errors.items()]


def _line_of(text: str, place: str) -> int:
    """The line, from 1, of a place as `prices[2].tiers`, or of what it belongs to, if it is not there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line: int = node.start_mark.line + 1 if node else 1
    for name, index in _PART.findall(place):
        found = _step(node, name, index)
        if found is None:
            break
        node, line = found
    return line


def _step(node: yaml.Node | None, name: str, index: str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode) and name:
        for key, value in node.value:
            if key.value == name:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
        item = node.value[int(index)]
        return item, item.start_mark.line + 1
    return None
