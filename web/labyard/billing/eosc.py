"""What is called how at the EOSC: a file of the operator, read at each export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from labyard.errors import InvalidInput

#: What the file holds: `PLAN/SHAPE`, plan or shape to the id of its metric; user and project to their ids.
PARTS = ("metrics", "users", "groups")
_SETTING = "LABYARD_EOSC_FILE"


def read_eosc_names(path: Path | None) -> dict[str, dict[str, str]]:
    """`metrics`, `users` and `groups`. Raises InvalidInput at `format` if the file is missing or wrong."""
    if path is None:
        raise _wrong(
            f"{_SETTING} is not set. It names a YAML file whose `metrics` say which plan or shape is which"
            " metric of the EOSC"
        )
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(f"{_SETTING}: {path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _wrong(f"{_SETTING}: {path} is no YAML: {error}") from error
    if not isinstance(document, Mapping) or set(document) - set(PARTS):
        raise _wrong(f"{_SETTING}: {path} must have metrics, and may have users and groups; nothing else")
    found = {part: _read_names(document.get(part) or {}, part) for part in PARTS}
    if not found["metrics"]:
        raise _wrong(f"{_SETTING}: {path}: metrics: say which plan or shape is which metric of the EOSC")
    return found


def _read_names(found: Any, part: str) -> dict[str, str]:
    if not isinstance(found, Mapping):
        raise _wrong(f"{_SETTING}: {part}: a mapping of names to ids is needed")
    for name, ident in found.items():
        if not isinstance(name, str) or not isinstance(ident, str) or not ident:
            raise _wrong(f"{_SETTING}: {part}.{name}: text is needed, so write it in quotes")
    return dict(found)


def _wrong(text: str) -> InvalidInput:
    return InvalidInput("The export was not made.", {"format": text})
