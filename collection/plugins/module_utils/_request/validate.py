# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters as given by anyone to clean values, or one message for each field that is wrong.

Form, REST API, command line and request file all come through `clean_params`, so all four
refuse the same things in the same words.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .spec import Field, PhaseSpec

_SCALARS = (str, int, float, bool)
_TYPE_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping of names to values",
}
# Serialisation profiles of Ansible read these keys as instructions, never as data.
_RESERVED_KEY = "__ansible"
_LONGEST_TEXT = 4096


class InvalidParams(ValueError):
    """Some parameters are wrong; `errors` maps the public name of each to what is wrong with it."""

    def __init__(self, errors: Mapping[str, str]):
        self.errors = dict(errors)
        super().__init__("; ".join(f"{name}: {text}" for name, text in self.errors.items()))


def clean_params(phase: PhaseSpec, params: Mapping[str, Any], *, defaults: bool = True) -> dict[str, Any]:
    """The person's `params` for `phase`, converted to the types of its fields.

    With `defaults`, fields that were not given get their default. Raises InvalidParams with one
    message for each wrong field; unknown names are errors too.
    """
    return _clean(phase.fields, params, defaults)


def clean_fixed(phase: PhaseSpec, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's fixed values that concern `phase`: operators' options are allowed here as well."""
    fields = (*phase.fields, *phase.operator_fields)
    known = {f.name for f in fields}
    return _clean(fields, {k: v for k, v in fixed.items() if k in known}, False)


def _clean(fields: Iterable[Field], params: Mapping[str, Any], defaults: bool) -> dict[str, Any]:
    by_name = {f.name: f for f in fields}
    errors: dict[str, str] = {}
    clean: dict[str, Any] = {}
    for name in params:
        if name not in by_name:
            errors[str(name)] = _unknown(str(name), by_name)
    for name, field in by_name.items():
        value = params.get(name)
        if value is None:
            if field.required and field.default is None:
                errors[name] = "is required"
            elif defaults and field.default is not None:
                clean[name] = field.default
            continue
        try:
            clean[name] = clean_value(field, value)
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        raise InvalidParams(errors)
    return clean


def clean_value(field: Field, value: Any) -> Any:
    """`value` as the type of `field`; raises ValueError with what is wrong, in words."""
    _refuse_shape(field, value)
    value = _convert(field, value)
    if field.choices and not isinstance(value, list):
        _check_choice(field, value)
    if field.type in ("int", "float"):
        _check_range(field, value)
    elif field.type == "str":
        _check_text(value, field.pattern, field.max_length, field.rule)
    elif field.type == "list":
        return _check_items(field, value)
    elif field.type == "dict":
        return _check_entries(field, value)
    return value


def _unknown(name: str, by_name: Mapping[str, Field]) -> str:
    near = difflib.get_close_matches(name, by_name, n=1)
    if near:
        return f"is not a parameter here; did you mean {near[0]}?"
    return f"is not a parameter here; known are: {', '.join(by_name) or 'none'}"


def _refuse_shape(field: Field, value: Any) -> None:
    """Ansible turns almost anything into a text and true into 1; a person would be surprised."""
    wanted = _TYPE_WORDS[field.type]
    if field.type == "list":
        fits = isinstance(value, (list, tuple))
    elif field.type == "dict":
        fits = isinstance(value, Mapping)
    elif field.type == "bool":
        fits = isinstance(value, (bool, str)) or value in (0, 1)
    else:
        fits = isinstance(value, _SCALARS) and not isinstance(value, bool)
        fits = fits and not (field.type == "int" and isinstance(value, float) and value != int_or_nan(value))
    if not fits:
        raise ValueError(f"must be {wanted}")


def int_or_nan(value: float) -> float:
    """`value` without its fraction, or nan where it has no whole part (inf, nan)."""
    return math.trunc(value) if math.isfinite(value) else math.nan


def _convert(field: Field, value: Any) -> Any:
    kind = field.type
    if kind == "str":
        return str(value)
    if kind == "int" and isinstance(value, float):
        value = int(value)
    spec: dict[str, Any] = {"type": kind}
    result = ArgumentSpecValidator({"value": spec}).validate({"value": value})
    if result.error_messages:
        raise ValueError(f"must be {_TYPE_WORDS[kind]}")
    return result.validated_parameters["value"]


def _check_choice(field: Field, value: Any) -> None:
    if value not in field.choices:
        raise ValueError(f"must be one of: {', '.join(map(str, field.choices))}")


def _check_range(field: Field, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"must be {_TYPE_WORDS[field.type]}")
    unit = f" {field.unit}" if field.unit else ""
    low, high = field.minimum, field.maximum
    if low is not None and high is not None and not low <= value <= high:
        raise ValueError(f"must be between {_number(low)} and {_number(high)}{unit}")
    if low is not None and value < low:
        raise ValueError(f"must be at least {_number(low)}{unit}")
    if high is not None and value > high:
        raise ValueError(f"must be at most {_number(high)}{unit}")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _check_text(text: str, pattern: str, max_length: int | None, rule: str) -> None:
    longest = max_length or _LONGEST_TEXT
    if len(text) > longest:
        raise ValueError(f"is too long: at most {longest} characters")
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    if pattern and not re.fullmatch(pattern, text):
        raise ValueError(
            f"{_shorten(text)} is not allowed here; it must be {rule or f'text of the form {pattern}'}"
        )


def _check_items(field: Field, items: list[Any]) -> list[Any]:
    _check_count(field, len(items))
    clean = []
    for position, item in enumerate(items, 1):
        inner = Field(
            name=field.name,
            option=field.option,
            type=field.elements or "str",
            title=field.title,
            choices=field.choices,
            pattern=field.item_pattern,
            max_length=field.max_length,
            rule=field.rule,
        )
        try:
            clean.append(clean_value(inner, item))
        except ValueError as error:
            raise ValueError(f"entry {position}: {error}") from None
    return clean


def _check_entries(field: Field, entries: Mapping[Any, Any]) -> dict[str, str]:
    _check_count(field, len(entries))
    clean = {}
    for key, value in entries.items():
        if not isinstance(key, str):
            raise ValueError("names must be texts")
        if key.startswith(_RESERVED_KEY):
            raise ValueError(f"the name {_shorten(key)} is reserved")
        if not isinstance(value, _SCALARS):
            raise ValueError(f"{_shorten(key)}: must be a text or a number")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        _check_text(key, field.key_pattern, 256, field.rule)
        try:
            _check_text(text, field.item_pattern, field.max_length, field.rule)
        except ValueError as error:
            raise ValueError(f"{_shorten(key)}: {error}") from None
        clean[key] = text
    return clean


def _check_count(field: Field, count: int) -> None:
    if field.max_items is not None and count > field.max_items:
        raise ValueError(f"has {count} entries; at most {field.max_items} are allowed")


def _shorten(text: str) -> str:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return repr(shown)
