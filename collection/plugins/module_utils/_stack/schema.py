# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys a compose mapping may have, and what becomes of each."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import values
from .errors import ComposeError


@dataclass
class Notes:
    """What to tell the person beside the result."""

    warnings: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)  # those of the warnings that say: a swarm ignores this

    def warn(self, message: str, path: str) -> None:
        """Note a warning about the key at ``path``, once."""
        text = f"{path}: {message}"
        if text not in self.warnings:
            self.warnings.append(text)

    def ignore(self, reason: str, path: str) -> None:
        """Note that the key at ``path`` has no effect, and why."""
        self.warn(f"ignored: {reason}", path)
        self.ignored.append(f"{path}: {reason}")

    def take(self, other: Notes, source: str) -> None:
        """Add the notes about one document, with its name before them."""
        self.warnings += [f"{source}: {text}" for text in other.warnings]
        self.ignored += [f"{source}: {text}" for text in other.ignored]


#: Reads the value of one key: (value, path, notes) to its normalised form.
Reader = Callable[[Any, str, Notes], Any]


@dataclass(frozen=True)
class Table:
    """The keys of one kind of mapping."""

    keys: Mapping[str, Reader]
    ignored: Mapping[str, str] = field(default_factory=dict)  # key -> why, becomes a warning
    forbidden: Mapping[str, str] = field(default_factory=dict)  # key -> what to do instead, becomes an error
    silent: frozenset[str] = frozenset()  # has no meaning on a swarm and surprises nobody

    def read(self, value: Any, path: str, notes: Notes) -> dict[str, Any]:
        """Normalise a mapping; keys without a value are left out.

        :raises ComposeError: not a mapping, or an unknown or forbidden key
        """
        result = {}
        for key, item in values.mapping(value, path).items():
            here = f"{path}.{key}" if path else key
            if key in self.keys:
                if item is not None or key in _KEEP_NULL:
                    result[key] = self.keys[key](item, here, notes)
            elif key in self.ignored:
                notes.ignore(self.ignored[key], here)
            elif key in self.forbidden:
                raise ComposeError(f"this key is not possible on a swarm; {self.forbidden[key]}", here)
            elif not (key.startswith("x-") or key in self.silent):
                raise ComposeError(f"this key is not known{self._suggestion(key)}", here)
        return result

    def _suggestion(self, key: str) -> str:
        near = difflib.get_close_matches(key, [*self.keys, *self.ignored], 1)
        return f"; did you mean {near[0]!r}?" if near else "."


_KEEP_NULL = frozenset({"command", "entrypoint"})


def plain(read: Callable[[Any, str], Any]) -> Reader:
    """A reader that has nothing to note."""
    return lambda value, path, notes: read(value, path)


def choice(*allowed: str) -> Reader:
    """A text out of a few."""

    def read(value: Any, path: str, notes: Notes) -> str:
        text = values.string(value, path).lower()
        if text not in allowed:
            raise ComposeError(f"{value!r} is not possible; choose from {', '.join(allowed)}.", path)
        return text

    return read


def at_least(minimum: int) -> Reader:
    """A whole number, not below ``minimum``."""

    def read(value: Any, path: str, notes: Notes) -> int:
        number = values.integer(value, path)
        if number < minimum:
            raise ComposeError(f"{number} is too small; it is {minimum} or more.", path)
        return number

    return read


def list_of(read: Reader) -> Reader:
    """A list whose items are read by ``read``."""

    def read_list(value: Any, path: str, notes: Notes) -> list[Any]:
        if not isinstance(value, list):
            raise ComposeError(f"a list is wanted here, not {values.kind_of(value)}.", path)
        return [read(item, f"{path}[{index}]", notes) for index, item in enumerate(value)]

    return read_list


def map_of(read: Reader) -> Reader:
    """A mapping of free names whose values are read by ``read``."""

    def read_map(value: Any, path: str, notes: Notes) -> dict[str, Any]:
        return {key: read(item, f"{path}.{key}", notes) for key, item in values.mapping(value, path).items()}

    return read_map


STRING = plain(values.string)
STRINGS = plain(values.strings)
STRING_OR_STRINGS = plain(values.string_or_strings)
BOOLEAN = plain(values.boolean)
INTEGER = plain(values.integer)
NUMBER = plain(values.number)
DURATION = plain(values.duration)
SIZE = plain(values.size)
COMMAND = plain(values.command)
LABELS = plain(values.map_or_list)
STRING_MAP = map_of(STRING)
