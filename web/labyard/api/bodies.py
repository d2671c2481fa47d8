"""Bodies of requests, read strictly: what gets past here every JSON library and database takes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from flask import g, request

from labyard.errors import DomainError, UnsupportedMediaType

_DEEPEST = 32  # levels of lists and objects
_LARGEST = 2**63 - 1
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # what no database takes in a text


def read_body() -> None:
    """Put the body's document into `g.document` (None: no body).

    Raises UnsupportedMediaType for anything but JSON, DomainError (400) for what is no JSON or can
    be kept nowhere.
    """
    g.document = None
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    body = request.get_data(cache=True)
    sent = body or request.content_length or request.form or request.files
    if sent and not request.is_json:
        raise UnsupportedMediaType("Send JSON, with `Content-Type: application/json`.")
    if body:
        g.document = parse_json(body)


def parse_json(body: bytes) -> Any:
    """The document in `body`; raises DomainError in words if there is none."""
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise DomainError(f"The body is not UTF-8: see its byte {error.start}.") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise DomainError(f"The body is not JSON that can be read: {error}.") from error
    _check_parts(document)
    return document


def _check_parts(document: Any) -> None:
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str) and _UNSTORABLE.search(value):
                raise DomainError("A text holds a zero byte or half a character. Take it out.")
            below.extend(_parts(value))
        if not below:
            return
        level = below
    raise _too_deep()


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    return value if isinstance(value, list) else ()


def _too_deep() -> DomainError:
    return DomainError(f"The body is nested too deeply: {_DEEPEST} levels are the most.")


def _integer(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > _LARGEST:
        raise ValueError("a whole number has more than 64 bits")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found
